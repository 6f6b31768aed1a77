package client

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"
)

// rawPeer upgrades one connection after the other and hands them to the test
// as they are.
func rawPeer(t *testing.T, opts Options) (*Client, <-chan net.Conn) {
	p := newPeer(t)
	conns := make(chan net.Conn)
	p.intercept = func(w http.ResponseWriter, r *http.Request) bool {
		conn, _, _, err := ws.HTTPUpgrader{}.Upgrade(r, w)
		if err != nil {
			t.Error(err)
			return true
		}
		conns <- conn
		return true
	}
	opts.Transports = []string{WebSocket}
	return p.client(opts), conns
}

// frame reads one frame, which must be masked, and returns it unmasked.
func frame(t *testing.T, conn net.Conn) ws.Frame {
	t.Helper()
	h, err := ws.ReadHeader(conn)
	if err != nil {
		t.Fatal(err)
	}
	f := ws.Frame{Header: h, Payload: make([]byte, h.Length)}
	if _, err := io.ReadFull(conn, f.Payload); err != nil {
		t.Fatal(err)
	}
	if !f.Header.Masked {
		t.Error("the client sent a frame without a mask")
	}
	return ws.UnmaskFrame(f)
}

func write(t *testing.T, conn net.Conn, f ws.Frame) {
	t.Helper()
	if err := ws.WriteFrame(conn, f); err != nil {
		t.Fatal(err)
	}
}

func TestFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, conns := rawPeer(t, Options{})
		var got record
		c.Listen("/service/talk", got.add)
		c.Start()
		conn := <-conns
		defer conn.Close()
		if f := frame(t, conn); f.Header.OpCode != ws.OpText || !bytes.Contains(f.Payload, []byte("/meta/handshake")) {
			t.Fatalf("the client sent %q", f.Payload)
		}
		write(t, conn, ws.NewPingFrame([]byte("are you there")))
		if f := frame(t, conn); f.Header.OpCode != ws.OpPong || string(f.Payload) != "are you there" {
			t.Errorf("the client answered a ping with %v %q", f.Header.OpCode, f.Payload)
		}
		// One message in three fragments with a ping between them.
		write(t, conn, ws.NewFrame(ws.OpText, false, []byte(`[{"channel":"/service/talk",`)))
		write(t, conn, ws.NewFrame(ws.OpContinuation, false, []byte(`"data":"fra`)))
		write(t, conn, ws.NewPingFrame([]byte("still")))
		if f := frame(t, conn); f.Header.OpCode != ws.OpPong || string(f.Payload) != "still" {
			t.Errorf("the client answered a ping with %v %q", f.Header.OpCode, f.Payload)
		}
		write(t, conn, ws.NewFrame(ws.OpContinuation, true, []byte(`gments"}]`)))
		got.want(t, `"fragments"`)
	})
}

func TestBadFramesEndTheSocket(t *testing.T) {
	for name, f := range map[string]ws.Frame{
		"close":    ws.NewCloseFrame(ws.NewCloseFrameBody(1001, "going away")),
		"binary":   ws.NewBinaryFrame([]byte("[]")),
		"too big":  ws.NewTextFrame([]byte(`[{"channel":"/a","data":"` + strings.Repeat("x", 2000) + `"}]`)),
		"not JSON": ws.NewTextFrame([]byte("hello")),
		"no array": ws.NewTextFrame([]byte(`{"channel":"/a"}`)),
		"empty":    ws.NewTextFrame([]byte("[]")),
		"null":     ws.NewTextFrame([]byte("[null]")),
		"not text": ws.NewTextFrame([]byte("[\"\xff\"]")),
		"masked":   ws.MaskFrame(ws.NewTextFrame([]byte("[]"))),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, conns := rawPeer(t, Options{MaxMessageSize: 1000})
				c.Start()
				conn := <-conns
				frame(t, conn)
				go ws.WriteFrame(conn, f)
				if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
					t.Errorf("the socket has not been closed: %v", err)
				}
				conn.Close()
				at := time.Now()
				next := <-conns
				defer next.Close()
				if d := time.Since(at); d > time.Second {
					t.Errorf("the next attempt came after %v", d)
				}
				frame(t, next)
			})
		})
	}
}

func TestCloseFrameOnClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, conns := rawPeer(t, Options{})
		c.Start()
		conn := <-conns
		defer conn.Close()
		frame(t, conn)
		go c.Close(t.Context())
		f := frame(t, conn)
		if code, _ := ws.ParseCloseFrameData(f.Payload); f.Header.OpCode != ws.OpClose || code != ws.StatusNormalClosure {
			t.Errorf("the client's last frame is %v %q", f.Header.OpCode, f.Payload)
		}
	})
}
