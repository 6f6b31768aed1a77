package replay

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// socket is a WebSocket that stands for one of the tape. Everything that knows
// the WebSocket library is in this file.
type socket struct {
	pb   *playback
	conn net.Conn
	once sync.Once

	writing sync.Mutex // held while a frame is written

	mu          sync.Mutex // guards what follows
	session     *session   // whose messages come in
	handshaking []*session // those whose handshakes are under way
}

// open opens a WebSocket as the line says.
func (pb *playback) open(a *action) {
	a.live = &answer{header: make(http.Header)}
	pb.mu.Lock()
	u := *pb.p.base
	u.Path = pb.path(a)
	header := pb.headers(a)
	pb.mu.Unlock()
	u.Scheme = "ws" + strings.TrimPrefix(u.Scheme, "http")
	dialer := ws.Dialer{
		Timeout: pb.p.o.Wait, Header: ws.HandshakeHeaderHTTP(header),
		OnHeader: func(key, value []byte) error {
			a.live.header.Add(string(key), string(value))
			return nil
		},
	}
	ctx, cancel := context.WithTimeout(pb.ctx, pb.p.o.Wait)
	defer cancel()
	conn, early, _, err := dialer.Dial(ctx, u.String())
	a.live.status = http.StatusSwitchingProtocols
	if err != nil {
		a.live.status = 0
		if status := ws.StatusError(0); errors.As(err, &status) {
			a.live.status = int(status)
		} else {
			a.live.err = err
		}
		return
	}
	pb.storeCookies(a, (&http.Response{Header: a.live.header}).Cookies())
	s := &socket{pb: pb, conn: conn, session: a.session}
	var from io.Reader = conn
	if early != nil {
		from = early
	}
	pb.mu.Lock()
	pb.sockets[a.Conn] = s
	pb.mu.Unlock()
	pb.running.Go(func() {
		_ = s.read(bufio.NewReader(from)) // however it ended, what is missing shows
		s.end()
	})
}

// end closes the connection; a second time does nothing.
func (s *socket) end() { s.once.Do(func() { s.conn.Close() }) }

// write sends messages in one frame. Whether they arrive shows in what comes
// back.
func (s *socket) write(a *action, messages []map[string]any) {
	s.mu.Lock()
	isHandshake := false
	for _, m := range messages {
		if str(m["channel"]) == "/meta/handshake" {
			isHandshake = true
			s.handshaking = append(s.handshaking, a.session)
		}
	}
	if !isHandshake {
		s.session = a.session
	}
	s.mu.Unlock()
	s.pb.mu.Lock()
	body := s.pb.body(a, messages)
	s.pb.mu.Unlock()
	if err := s.frame(ws.NewTextFrame(body)); err != nil {
		s.end()
	}
}

func (s *socket) frame(f ws.Frame) error {
	wire, err := ws.CompileFrame(ws.MaskFrameInPlace(f))
	if err != nil {
		return err
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.conn.SetWriteDeadline(time.Now().Add(s.pb.p.o.Wait)); err != nil {
		return err
	}
	_, err = s.conn.Write(wire)
	return err
}

// read takes messages in until the connection ends.
func (s *socket) read(from io.Reader) error {
	frames := wsutil.Reader{Source: from, State: ws.StateClientSide, MaxFrameSize: maxAnswer, OnIntermediate: s.control}
	for {
		header, err := frames.NextFrame()
		if err != nil {
			return err
		}
		if header.OpCode.IsControl() {
			if err := s.control(header, &frames); err != nil {
				return err
			}
			continue
		}
		var body bytes.Buffer
		if _, err := body.ReadFrom(&frames); err != nil {
			return err
		}
		if list, ok := bayeux(body.Bytes()); ok {
			for _, m := range list {
				s.pb.receive(s.owner(m), []map[string]any{m}, nil)
			}
		}
	}
}

// owner is the session that a message is for.
func (s *socket) owner(m map[string]any) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	if str(m["channel"]) == "/meta/handshake" && len(s.handshaking) > 0 {
		s.session, s.handshaking = s.handshaking[0], s.handshaking[1:]
	}
	return s.session
}

func (s *socket) control(header ws.Header, from io.Reader) error {
	payload, err := io.ReadAll(io.LimitReader(from, ws.MaxControlFramePayloadSize))
	if err != nil {
		return err
	}
	switch header.OpCode {
	case ws.OpPing:
		return s.frame(ws.NewPongFrame(payload))
	case ws.OpClose:
		return io.EOF
	}
	return nil
}
