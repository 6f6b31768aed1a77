package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"

	"github.com/gobwas/ws"
)

// wsClient is a session over a WebSocket.
type wsClient struct {
	crowd   *crowd
	conn    net.Conn
	in      *bufio.Reader
	id      string
	connect []byte // the frame of a connect

	mu  sync.Mutex
	out []byte // the frame being written. Guarded by mu.
}

func dialWebSocket(ctx context.Context, c *crowd) (*wsClient, error) {
	conn, err := c.dial(ctx)
	if err != nil {
		return nil, err
	}
	d := ws.Dialer{NetDial: func(context.Context, string, string) (net.Conn, error) { return conn, nil }}
	_, early, _, err := d.Dial(ctx, "ws://"+c.addr+"/cometd")
	if err != nil {
		conn.Close()
		return nil, err
	}
	if early != nil {
		conn.Close()
		return nil, errors.New("the server speaks first")
	}
	return &wsClient{crowd: c, conn: conn, in: bufio.NewReaderSize(conn, 4096)}, nil
}

// openWebSocket is an [open].
func openWebSocket(ctx context.Context, c *crowd, channels []string) (client, error) {
	w, err := dialWebSocket(ctx, c)
	if err != nil {
		return nil, err
	}
	w.id, err = begin("websocket", channels, func(body []byte, _ string) ([]byte, error) {
		if err := w.send(body); err != nil {
			return nil, err
		}
		return w.read(nil)
	})
	if err == nil {
		w.connect = connectBody("websocket", w.id)
		err = w.send(w.connect)
	}
	if err != nil {
		w.conn.Close()
		return nil, err
	}
	go w.listen()
	return w, nil
}

func (w *wsClient) listen() {
	var buf []byte
	for {
		payload, err := w.read(buf[:0])
		if err != nil {
			w.crowd.lose(err)
			return
		}
		buf = payload
		if w.crowd.arrived(payload) {
			if err := w.send(w.connect); err != nil {
				w.crowd.lose(err)
				return
			}
		}
		if cap(buf) > 4096 {
			buf = nil
		}
	}
}

// read appends the next text frame's payload to buf.
func (w *wsClient) read(buf []byte) ([]byte, error) {
	for {
		h, err := ws.ReadHeader(w.in)
		if err != nil {
			return nil, err
		}
		if h.Length > 16<<20 {
			return nil, errors.New("a frame of more than 16 MiB")
		}
		n := len(buf)
		if need := n + int(h.Length); cap(buf) < need {
			buf = append(make([]byte, 0, max(need, 512)), buf...)
		}
		buf = buf[:n+int(h.Length)]
		if _, err := io.ReadFull(w.in, buf[n:]); err != nil {
			return nil, err
		}
		switch {
		case h.OpCode == ws.OpClose:
			return nil, errors.New("the server closed: " + string(buf[n:]))
		case h.OpCode.IsControl():
			buf = buf[:n]
		case h.Fin:
			return buf, nil
		}
	}
}

// send writes a text frame. Its mask is zero, which the protocol allows and
// costs a client nothing; the server unmasks all the same.
func (w *wsClient) send(payload []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	b := append(w.out[:0], 0x81)
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	b = append(b, 0, 0, 0, 0)
	b = append(b, payload...)
	_, err := w.conn.Write(b)
	if w.out = b; cap(b) > 4096 {
		w.out = nil
	}
	return err
}

func (w *wsClient) publish(body []byte) {
	if err := w.send(body); err != nil {
		w.crowd.lose(err)
	}
}

func (w *wsClient) clientID() string { return w.id }

func (w *wsClient) close() { w.conn.Close() }
