// Station 1 of docs/road.md: bytes come in.

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
	"os"
	"slices"
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
	closePolicy      = ws.StatusPolicyViolation
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
// spec:10.6
func upgrade(w http.ResponseWriter, r *http.Request, cookie *http.Cookie, deflate bool) (*wire, error) {
	u := ws.HTTPUpgrader{Timeout: 10 * time.Second}
	// Without context each message stands alone, and an idle connection keeps
	// no window.
	extension := wsflate.Extension{Parameters: wsflate.Parameters{ServerNoContextTakeover: true, ClientNoContextTakeover: true}}
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

// readMessage reads what has begun to arrive into buf, growing it as it comes:
// a text message of at most limit bytes, or a control frame, and then ok is
// false. Pings are answered through control. It returns [io.EOF] after a close
// frame and a *wireError for what the client did wrong.
// spec:10.2 spec:10.4
func (c *wire) readMessage(buf []byte, limit int, within time.Duration, control func(frame []byte)) (body []byte, ok bool, err error) {
	buf = buf[:0]
	fragmented, packed := false, false
	for {
		h, err := c.readHeader(fragmented)
		if err != nil {
			return nil, false, err
		}
		if h.OpCode.IsControl() {
			if err := c.control(h, control); err != nil || !fragmented {
				return nil, false, err
			}
			continue
		}
		if h.Length > int64(limit-len(buf)) {
			return nil, false, &wireError{closeTooBig, "the message is too large"}
		}
		if !fragmented && (!h.Fin || h.Length > int64(c.in.Buffered())) {
			if err := c.conn.SetReadDeadline(time.Now().Add(within)); err != nil {
				return nil, false, err
			}
		}
		if buf, err = c.readPayload(buf, h); err != nil {
			return nil, false, err
		}
		packed = packed || h.Rsv1()
		switch {
		case !h.Fin:
			fragmented = true
		case packed:
			body, err := inflate(buf, limit)
			return body, err == nil, err
		default:
			return buf, true, nil
		}
	}
}

// readHeader reads a frame's header and checks it.
// spec:10.4
func (c *wire) readHeader(fragmented bool) (h ws.Header, err error) {
	if h, err = ws.ReadHeader(c.in); err != nil {
		return h, timeoutError(err)
	}
	state := ws.StateServerSide
	if fragmented {
		state = state.Set(ws.StateFragmented)
	}
	if c.deflate {
		state = state.Set(ws.StateExtended)
	}
	_, rsv2, rsv3 := ws.RsvBits(h.Rsv)
	misplaced := h.Rsv1() && (fragmented || h.OpCode.IsControl())
	switch {
	case ws.CheckHeader(h, state) != nil || rsv2 || rsv3 || misplaced:
		return h, &wireError{closeProtocol, "the frame breaks the protocol"}
	case h.OpCode == ws.OpBinary:
		return h, &wireError{closeUnsupported, "binary frames are not Bayeux"}
	}
	return h, nil
}

// readPayload appends a frame's payload. The buffer grows with what has arrived:
// a length that is merely announced costs nothing.
func (c *wire) readPayload(buf []byte, h ws.Header) ([]byte, error) {
	start := len(buf)
	for left := int(h.Length); left > 0; {
		at := len(buf)
		n := min(left, max(at, readBuffer))
		buf = slices.Grow(buf, n)[:at+n]
		if _, err := io.ReadFull(c.in, buf[at:]); err != nil {
			return nil, timeoutError(err)
		}
		left -= n
	}
	ws.Cipher(buf[start:], h.Mask, 0)
	return buf, nil
}

// timeoutError is err, unless it says that a message that has begun did not come in
// time.
// spec:10.12
func timeoutError(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return &wireError{closePolicy, "the message did not come in time"}
	}
	return err
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

// write writes frames with a deadline that moves with the progress; each is the
// time for one piece.
// spec:14.22
func (c *wire) write(frames []byte, each time.Duration) error {
	_, err := progressWriter{c.conn, c.conn.SetWriteDeadline, each}.Write(frames)
	return err
}

// wakeReader makes a blocked read return.
func (c *wire) wakeReader() {
	// On an error the connection is closed, and the read returns as well.
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
