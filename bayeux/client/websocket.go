package client

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// socket is the link over one WebSocket. Everything that knows the WebSocket
// library is in this file.
type socket struct {
	c      *Client
	conn   net.Conn
	ctx    context.Context // ends with the socket, with the reason as its cause
	cancel context.CancelCauseFunc
	reader sync.WaitGroup

	writing sync.Mutex // held while a frame is written
}

// How long a closing socket may take to send its last frame.
const closeDelay = time.Second

func dialSocket(ctx context.Context, c *Client) (*socket, error) {
	dialer := ws.Dialer{
		Timeout:   c.opts.MaxNetworkDelay,
		TLSConfig: c.opts.TLS.Clone(),
		NetDial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := c.opts.Dial(ctx, network, addr)
			if err != nil {
				return nil, &dialError{err}
			}
			return conn, nil
		},
	}
	header := c.opts.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	for _, cookie := range c.opts.Jar.Cookies(c.opts.poll) {
		// Header values are built the way net/http builds them for requests.
		r := http.Request{Header: header}
		r.AddCookie(cookie)
	}
	dialer.Header = ws.HandshakeHeaderHTTP(header)
	received := http.Header{}
	dialer.OnHeader = func(key, value []byte) error {
		if strings.EqualFold(string(key), "Set-Cookie") {
			received.Add("Set-Cookie", string(value))
		}
		return nil
	}
	conn, buffered, _, err := dialer.Dial(ctx, c.opts.sock.String())
	if err != nil {
		if status := ws.StatusError(0); errors.As(err, &status) {
			return nil, &StatusError{Status: int(status)}
		}
		return nil, err
	}
	if cookies := (&http.Response{Header: received}).Cookies(); len(cookies) > 0 {
		c.opts.Jar.SetCookies(c.opts.poll, cookies)
	}
	if buffered == nil {
		buffered = bufio.NewReader(conn)
	}
	s := &socket{c: c, conn: conn}
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	s.reader.Go(func() { s.fail(s.read(buffered)) })
	return s, nil
}

func (s *socket) name() string          { return WebSocket }
func (s *socket) lost() <-chan struct{} { return s.ctx.Done() }
func (s *socket) err() error            { return context.Cause(s.ctx) }

func (s *socket) fail(reason error) {
	s.cancel(reason)
	s.conn.Close()
}

// close tries to send a close frame, unless another frame is just being
// written to a peer that does not read.
func (s *socket) close() {
	if s.ctx.Err() == nil && s.writing.TryLock() {
		frame := ws.NewCloseFrame(ws.NewCloseFrameBody(ws.StatusNormalClosure, ""))
		_ = s.write(frame, closeDelay) // the connection is closed next, whatever became of it
		s.writing.Unlock()
	}
	s.fail(ErrClosed)
	s.reader.Wait()
}

func (s *socket) send(_ context.Context, wait time.Duration, messages []*wireMessage) (context.Context, error) {
	body, err := json.Marshal(messages)
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.write(ws.NewTextFrame(body), min(wait, s.c.opts.MaxNetworkDelay)); err != nil {
		s.fail(err)
		return nil, err
	}
	return nil, nil
}

// write sends one frame in one piece. The caller holds writing.
func (s *socket) write(frame ws.Frame, within time.Duration) error {
	wire, err := ws.CompileFrame(ws.MaskFrameInPlace(frame))
	if err != nil {
		return err
	}
	if err := s.conn.SetWriteDeadline(time.Now().Add(within)); err != nil {
		return err
	}
	_, err = s.conn.Write(wire)
	return err
}

// read receives until the socket ends and returns why it did.
func (s *socket) read(from io.Reader) error {
	limit := s.c.opts.MaxMessageSize
	frames := wsutil.Reader{
		Source: from, State: ws.StateClientSide, CheckUTF8: true,
		MaxFrameSize: limit, MaxMessageSize: limit, OnIntermediate: s.control,
	}
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
		if header.OpCode != ws.OpText {
			return errors.New("the server sent a frame that is not text")
		}
		var body bytes.Buffer
		if _, err := body.ReadFrom(&frames); err != nil {
			return err
		}
		messages, err := decode(body.Bytes())
		if err != nil {
			return err
		}
		s.c.receive(s, messages)
	}
}

// control answers pings and ends the socket on a close frame.
func (s *socket) control(header ws.Header, from io.Reader) error {
	payload, err := io.ReadAll(io.LimitReader(from, ws.MaxControlFramePayloadSize))
	if err != nil {
		return err
	}
	switch header.OpCode {
	case ws.OpPing:
		s.writing.Lock()
		defer s.writing.Unlock()
		return s.write(ws.NewPongFrame(payload), s.c.opts.MaxNetworkDelay)
	case ws.OpClose:
		code, reason := ws.ParseCloseFrameData(payload)
		return fmt.Errorf("the server closed the socket with %d %q", code, reason)
	}
	return nil
}
