package record

import (
	"encoding/binary"
	"errors"
	"io"
	"sync"

	"github.com/halley-chat/halley/internal/tape"
)

// tap is a WebSocket connection to the server of which both directions are
// listened to. Read is called by the goroutine that carries to the client,
// Write by the one that carries to the server.
type tap struct {
	conn     io.ReadWriteCloser
	x        *exchange
	up, down frames
	ended    sync.Once
}

func newTap(x *exchange, conn io.ReadWriteCloser) *tap {
	t := &tap{conn: conn, x: x}
	t.up = frames{message: t.message(tape.Client), close: func(code int) { t.end(tape.Client, code) }}
	t.down = frames{message: t.message(tape.Server), close: func(code int) { t.end(tape.Server, code) }}
	return t
}

func (t *tap) message(from string) func([]byte, int64, bool) {
	return func(payload []byte, size int64, cut bool) {
		t.x.put(int64(len(payload))+256, func(m *tape.Masker) tape.Line { return m.Frame(from, payload, size, cut) })
	}
}

func (t *tap) end(from string, code int) {
	t.ended.Do(func() {
		t.x.put(64, func(*tape.Masker) tape.Line {
			return tape.Line{Kind: tape.KindClose, From: from, Via: tape.WebSocket, Code: code}
		})
	})
}

func (t *tap) Read(p []byte) (int, error) {
	n, err := t.conn.Read(p)
	t.down.feed(p[:n])
	if err != nil {
		t.end(tape.Server, 0)
	}
	return n, err
}

func (t *tap) Write(p []byte) (int, error) {
	t.up.feed(p)
	return t.conn.Write(p)
}

// CloseWrite passes on that the client will send nothing more.
func (t *tap) CloseWrite() error {
	t.end(tape.Client, 0)
	if c, ok := t.conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return errors.New("record: the client has gone")
}

// Close ends the connection. Unless the server has ended it, the client has.
func (t *tap) Close() error {
	t.end(tape.Client, 0)
	return t.conn.Close()
}

// frames puts the messages of one direction together from the bytes that pass.
// It does not judge them: that is up to the two who talk.
type frames struct {
	message func(payload []byte, size int64, cut bool) // owns payload
	close   func(code int)

	head   []byte // of the frame that is being read, as far as it is here
	inside bool   // the head is complete
	left   uint64 // bytes of the payload to come
	at     int    // place within the mask
	mask   [4]byte
	op     byte
	final  bool

	control []byte // payload of a control frame
	body    []byte // of the message so far
	size    int64
	cut     bool
	text    bool
}

const (
	opText  = 1
	opClose = 8
)

func (f *frames) feed(p []byte) {
	for len(p) > 0 {
		if !f.inside {
			f.head = append(f.head, p[0])
			p = p[1:]
			f.begin()
			continue
		}
		n := int(min(uint64(len(p)), f.left))
		f.take(p[:n])
		p = p[n:]
		if f.left -= uint64(n); f.left == 0 {
			f.end()
		}
	}
}

// begin reads the head once it is complete.
func (f *frames) begin() {
	if len(f.head) < 2 {
		return
	}
	need, length := 2, uint64(f.head[1]&0x7f)
	extended := 0
	switch length {
	case 126:
		extended = 2
	case 127:
		extended = 8
	}
	need += extended
	masked := f.head[1]&0x80 != 0
	if masked {
		need += 4
	}
	if len(f.head) < need {
		return
	}
	switch extended {
	case 2:
		length = uint64(binary.BigEndian.Uint16(f.head[2:]))
	case 8:
		length = binary.BigEndian.Uint64(f.head[2:])
	}
	f.mask = [4]byte{}
	if masked {
		copy(f.mask[:], f.head[need-4:])
	}
	f.final, f.op = f.head[0]&0x80 != 0, f.head[0]&0x0f
	f.inside, f.left, f.at, f.control = true, length, 0, f.control[:0]
	if f.op == opText || f.op == opText+1 {
		f.body, f.size, f.cut, f.text = nil, 0, false, f.op == opText
	}
	if length == 0 {
		f.end()
	}
}

// take takes a piece of the payload.
func (f *frames) take(p []byte) {
	into := &f.body
	if f.op >= opClose {
		if into = &f.control; len(f.control)+len(p) > 125 {
			return // longer than a control frame may be
		}
	} else {
		f.size += int64(len(p))
		if f.cut || int64(len(f.body)+len(p)) > maxBody {
			f.cut, f.body = true, nil
			return
		}
	}
	for _, b := range p {
		*into = append(*into, b^f.mask[f.at&3])
		f.at++
	}
}

// end is reached with the last byte of a frame.
func (f *frames) end() {
	f.inside, f.head = false, f.head[:0]
	switch {
	case f.op == opClose:
		code := 0
		if len(f.control) >= 2 {
			code = int(binary.BigEndian.Uint16(f.control))
		}
		f.close(code)
	case f.op < opClose && f.final:
		f.message(f.body, f.size, f.cut || !f.text)
		f.body = nil
	}
}
