package bayeux_test

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"

	"github.com/halley-chat/halley/bayeux"
)

// large is a JSON string of so many bytes.
func large(size int) []byte { return []byte(`"` + strings.Repeat("x", size-2) + `"`) }

// readRaw reads one frame of any kind.
func readRaw(from io.Reader) (code ws.OpCode, payload []byte, err error) {
	h, err := ws.ReadHeader(from)
	if err != nil {
		return 0, nil, err
	}
	if h.Length > 1<<20 {
		return 0, nil, errors.New("a frame of more than 1 MiB")
	}
	payload = make([]byte, h.Length)
	_, err = io.ReadFull(from, payload)
	return h.OpCode, payload, err
}

// ping is a frame of a client.
var ping = ws.MustCompileFrame(ws.MaskFrame(ws.NewPingFrame(nil)))

// trickle reads about so many bytes a second.
type trickle struct {
	from      io.Reader
	perSecond int
}

func (r trickle) Read(p []byte) (int, error) {
	time.Sleep(time.Second)
	return r.from.Read(p[:min(len(p), r.perSecond)])
}

// A socket whose client reads slowly, but reads, is written to for as long as
// it takes.
//
// spec:14.22
func TestSlowReaderOverWebSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{WriteTimeout: 10 * time.Second, OutboxBytes: 1 << 20, MaxInterval: time.Hour})
		s := w.socket()
		if err := w.srv.Session(s.ID).Deliver("/service/x", large(300_000)); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		slow := trickle{s.Conn, 4000}
		h, err := ws.ReadHeader(slow)
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, h.Length)
		if _, err := io.ReadFull(slow, b); err != nil {
			t.Fatalf("after %v of reading: %v, want the whole frame", time.Since(start), err)
		}
		var f []frame
		if err := json.Unmarshal(b, &f); err != nil || len(f) != 1 {
			t.Errorf("got %d messages, %v; want 1", len(f), err)
		}
		if d := time.Since(start); d < time.Minute {
			t.Errorf("it took %v: not slow enough to show anything", d)
		}
	})
}

// A socket whose client reads nothing is closed after the write timeout; its
// session waits for another connection.
//
// spec:14.22
func TestReaderThatStopsOverWebSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{WriteTimeout: 10 * time.Second, MaxInterval: time.Hour})
		s := w.socket()
		if err := w.srv.Session(s.ID).Deliver("/service/x", large(100_000)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(11 * time.Second)
		synctest.Wait()
		if n := w.srv.Remains().Sockets; n != 0 || w.srv.Session(s.ID) == nil {
			t.Errorf("after 11s: got %d sockets, session alive %v; want 0, true", n, w.srv.Session(s.ID) != nil)
		}
	})
}

// A client that is kicked loses its WebSocket within two closing times,
// whatever it does.
//
// spec:6.6.1 spec:10.11
func TestKickClosesTheWebSocket(t *testing.T) {
	for name, client := range map[string]func(t *testing.T, conn io.ReadWriter){
		"it reads and answers the close frame": func(t *testing.T, conn io.ReadWriter) {
			for {
				op, payload, err := readRaw(conn)
				if err != nil {
					t.Errorf("before the close frame: %v", err)
					return
				}
				if op == ws.OpClose {
					if err := ws.WriteFrame(conn, ws.MaskFrame(ws.NewCloseFrame(payload))); err != nil {
						t.Errorf("answering the close frame: %v", err)
					}
					return
				}
			}
		},
		"it reads and never closes": func(_ *testing.T, conn io.ReadWriter) { _, _ = io.Copy(io.Discard, conn) },
		"it reads nothing":          func(*testing.T, io.ReadWriter) {},
		"it goes on sending": func(_ *testing.T, conn io.ReadWriter) {
			go func() { _, _ = io.Copy(io.Discard, conn) }()
			for err := error(nil); err == nil; time.Sleep(100 * time.Millisecond) {
				_, err = conn.Write(ping)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, bayeux.Options{})
				s := w.socket()
				s.Send(`{"channel":"/meta/connect","clientId":"$","id":"3"}`)
				synctest.Wait()
				start := time.Now()
				w.srv.Session(s.ID).Disconnect()
				client(t, s.Conn)
				time.Sleep(3*time.Second - time.Since(start))
				synctest.Wait()
				if n := w.srv.Remains().Sockets; n != 0 {
					t.Errorf("after 3s: got %d sockets, want 0", n)
				}
			})
		})
	}
}

// An expiry that fires much too late, because the process stood still, counts
// the silence anew.
//
// spec:9.7
func TestLateExpiryCountsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{MaxInterval: 10 * time.Second})
		p := w.poller()
		w.srv.Session(p.id).ExpireLate(time.Minute)
		time.Sleep(9 * time.Second)
		if w.srv.Session(p.id) == nil {
			t.Error("9s after a pause of a minute: the session has expired, want it alive")
		}
		time.Sleep(2 * time.Second)
		if w.srv.Session(p.id) != nil {
			t.Error("11s after a pause of a minute: the session is alive, want it expired")
		}
	})
}

// Lazy messages do not leave because the socket is written to for another
// reason than a message or a reply.
//
// spec:7.5
func TestLazyMessagesDoNotLeaveWithAPong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{LazyTimeout: 4 * time.Second})
		w.srv.Configure("/lazy", bayeux.ChannelOptions{Lazy: true})
		s := w.socket()
		s.Ask(`{"channel":"/meta/subscribe","clientId":"$","subscription":"/lazy"}`)
		start := time.Now()
		if err := w.srv.Publish("/lazy", []byte("1")); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Conn.Write(ping); err != nil {
			t.Fatal(err)
		}
		if op, _, err := readRaw(s.Conn); err != nil || op != ws.OpPong {
			t.Fatalf("got opcode %v, %v; want a pong", op, err)
		}
		if got := numbers(s.Read()); len(got) != 1 || time.Since(start) != 4*time.Second {
			t.Errorf("got %v after %v, want the lazy message after 4s", got, time.Since(start))
		}
	})
}
