package bayeux

// This file is all that knows the WebSocket library, github.com/gobwas/ws: the
// one of those compared that keeps an idle connection smallest and works over
// any net.Conn. Everything about sessions is in socket.go.

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"
)

// Close codes of RFC 6455, section 7.4.
const (
	closeNormal      = ws.StatusNormalClosure
	closeGoingAway   = ws.StatusGoingAway
	closeProtocol    = ws.StatusProtocolError
	closeUnsupported = ws.StatusUnsupportedData
	closeMalformed   = ws.StatusInvalidFramePayloadData
	closeTooBig      = ws.StatusMessageTooBig
	closeInternal    = ws.StatusInternalServerError
)

// readBuffer holds most frames of a Bayeux client whole, so that reading one
// costs a single system call, and is all that an idle connection keeps.
const readBuffer = 512

// wire is a WebSocket connection, server side. One goroutine reads; writes
// come from one goroutine at a time.
type wire struct {
	// Static after construction.
	conn    net.Conn
	in      *bufio.Reader
	deflate bool            // permessage-deflate was agreed on
	raw     syscall.RawConn // nil if the connection is no socket of the system
}

// wireError is a reason to close with a code.
type wireError struct {
	code ws.StatusCode
	text string
}

func (e *wireError) Error() string { return "bayeux: " + e.text }

// upgrade takes a connection over from the HTTP server. On an error the
// request has been answered.
func upgrade(w http.ResponseWriter, r *http.Request, cookie *http.Cookie, deflate bool) (*wire, error) {
	u := ws.HTTPUpgrader{Timeout: 10 * time.Second}
	// Without context each message stands alone, and an idle connection keeps
	// no window.
	extension := wsflate.Extension{Parameters: wsflate.Parameters{ServerNoContextTakeover: true, ClientNoContextTakeover: true}}
	// spec:10.6
	if deflate {
		u.Negotiate = extension.Negotiate
	}
	if cookie != nil {
		u.Header = http.Header{"Set-Cookie": {cookie.String()}}
	}
	conn, rw, _, err := u.Upgrade(r, w)
	if err != nil {
		return nil, err
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		_ = conn.Close()
		return nil, err
	}
	var from io.Reader = conn
	if n := rw.Reader.Buffered(); n > 0 {
		early, _ := rw.Reader.Peek(n)
		from = io.MultiReader(bytes.NewReader(bytes.Clone(early)), conn)
	}
	_, agreed := extension.Accepted()
	c := &wire{conn: conn, in: bufio.NewReaderSize(from, readBuffer), deflate: agreed}
	if sc, ok := conn.(syscall.Conn); ok {
		if c.raw, err = sc.SyscallConn(); err != nil {
			c.raw = nil // then every write may block
		}
	}
	return c, nil
}

// wait waits until there is something to read.
func (c *wire) wait() error {
	_, err := c.in.Peek(1)
	return err
}

// readMessage reads the next text message into buf, growing it as needed up
// to limit bytes, and answers pings through control. It returns [io.EOF]
// after a close frame and a *wireError for what the client did wrong.
// spec:10.2 spec:10.4
func (c *wire) readMessage(buf []byte, limit int, control func(frame []byte)) ([]byte, error) {
	buf = buf[:0]
	fragmented, packed := false, false
	for {
		h, err := ws.ReadHeader(c.in)
		if err != nil {
			return nil, err
		}
		state := ws.StateServerSide
		if fragmented {
			state = state.Set(ws.StateFragmented)
		}
		if c.deflate {
			state = state.Set(ws.StateExtended)
		}
		_, rsv2, rsv3 := ws.RsvBits(h.Rsv)
		if err := ws.CheckHeader(h, state); err != nil || rsv2 || rsv3 || h.Rsv1() && (fragmented || h.OpCode.IsControl()) {
			return nil, &wireError{closeProtocol, "the frame breaks the protocol"}
		}
		if h.OpCode.IsControl() {
			if err := c.control(h, control); err != nil {
				return nil, err
			}
			continue
		}
		if h.OpCode == ws.OpBinary {
			return nil, &wireError{closeUnsupported, "binary frames are not Bayeux"}
		}
		if h.Length > int64(limit-len(buf)) {
			return nil, &wireError{closeTooBig, "the message is too large"}
		}
		n := len(buf)
		buf = append(buf, make([]byte, h.Length)...)
		if _, err := io.ReadFull(c.in, buf[n:]); err != nil {
			return nil, err
		}
		ws.Cipher(buf[n:], h.Mask, 0)
		packed = packed || h.Rsv1()
		switch {
		case h.Fin && packed:
			return inflate(buf, limit)
		case h.Fin:
			return buf, nil
		}
		fragmented = true
	}
}

func (c *wire) control(h ws.Header, answer func(frame []byte)) error {
	var small [125]byte
	p := small[:h.Length]
	if _, err := io.ReadFull(c.in, p); err != nil {
		return err
	}
	ws.Cipher(p, h.Mask, 0)
	switch h.OpCode {
	case ws.OpPing:
		answer(ws.MustCompileFrame(ws.NewPongFrame(p)))
	case ws.OpClose:
		return io.EOF
	}
	return nil
}

// appendText appends a whole text frame with the payload that write appends.
// The header is written once the payload's length is known.
func (c *wire) appendText(b []byte, write func([]byte) []byte) []byte {
	const longest = 10
	start := len(b)
	b = append(b, make([]byte, longest)...)
	b = write(b)
	packed := c.deflate && len(b)-start > worthDeflating
	if packed {
		b = deflateTail(b, start+longest)
	}
	n := len(b) - start - longest
	var head bytes.Buffer
	head.Grow(longest)
	// Writing to a bytes.Buffer cannot fail.
	_ = ws.WriteHeader(&head, ws.Header{Fin: true, Rsv: ws.Rsv(packed, false, false), OpCode: ws.OpText, Length: int64(n)})
	size := copy(b[start:], head.Bytes())
	copy(b[start+size:], b[start+longest:])
	return b[:len(b)-longest+size]
}

func closeFrame(code ws.StatusCode, text string) []byte {
	return ws.MustCompileFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(code, text)))
}

// write writes frames. Each of its pieces has so much time, so that a client
// that reads slowly is waited for as long as it reads.
// spec:14.22
func (c *wire) write(frames []byte, each time.Duration) error {
	_, err := progressWriter{c.conn, c.conn.SetWriteDeadline, each}.Write(frames)
	return err
}

// wakeReader makes a read that waits for the client return.
func (c *wire) wakeReader() {
	// Where that fails the connection is gone, which wakes as well.
	_ = c.conn.SetReadDeadline(aLongTimeAgo)
}

// aLongTimeAgo is a deadline that has passed.
var aLongTimeAgo = time.Unix(1, 0)

// awaitClose drops what the client sends until it sends a close frame, closes,
// or the time has passed.
func (c *wire) awaitClose(within time.Duration) {
	if err := c.conn.SetReadDeadline(time.Now().Add(within)); err != nil {
		return
	}
	for {
		h, err := ws.ReadHeader(c.in)
		if err != nil || h.OpCode == ws.OpClose {
			return
		}
		if _, err := io.CopyN(io.Discard, c.in, h.Length); err != nil {
			return
		}
	}
}

// discard reads and drops what the client still sends, until it closes, a time
// has passed or so many bytes have come.
func (c *wire) discard(within time.Duration, most int64) {
	if err := c.conn.SetReadDeadline(time.Now().Add(within)); err != nil {
		return
	}
	// However it ends, the connection closes next.
	_, _ = io.CopyN(io.Discard, c.in, most)
}

// try writes what the system takes at once, without waiting, and says how much
// that was: 0 also if it cannot be tried.
func (c *wire) try(frames []byte) (n int) {
	if c.raw == nil {
		return 0
	}
	// An error shows again in the write that follows.
	_ = c.raw.Write(func(fd uintptr) bool {
		n = writeAtOnce(fd, frames)
		return true
	})
	return max(n, 0)
}

func closeCode(err error) (ws.StatusCode, string, bool) {
	var e *wireError
	if errors.As(err, &e) {
		return e.code, e.text, true
	}
	return 0, "", false
}
