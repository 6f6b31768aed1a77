package bayeux_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"
	"github.com/google/go-cmp/cmp"

	"github.com/halley-chat/halley/bayeux"
)

// A request whose body stays away is refused after BodyTimeout, and its
// connection is closed.
//
// spec:10.12
func TestHalfABody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newRawPoller(t, bayeux.Options{BodyTimeout: 10 * time.Second, MaxInterval: time.Hour})
		start := time.Now()
		if _, err := fmt.Fprintf(p.conn, "POST /cometd HTTP/1.1\r\nHost: memory\r\nContent-Length: 100\r\n\r\n[{"); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(p.in, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		if d := time.Since(start); resp.StatusCode != 408 || d != 10*time.Second {
			t.Errorf("got status %d after %v, want 408 after 10s", resp.StatusCode, d)
		}
		if _, err := p.in.ReadByte(); err != io.EOF {
			t.Errorf("the connection afterwards: got %v, want EOF", err)
		}
		if n := p.srv.Stats().BadBodies.TooSlow.Load(); n != 1 {
			t.Errorf("counted %d times, want 1", n)
		}
	})
}

// A WebSocket message that has begun must come to its end within BodyTimeout,
// whatever control frames come meanwhile; a socket that only pings is not
// concerned.
//
// spec:10.12
func TestHalfAWebSocketMessage(t *testing.T) {
	head := func(h ws.Header) string {
		var b strings.Builder
		if err := ws.WriteHeader(&b, h); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	for name, c := range map[string]struct {
		begin string
		code  ws.StatusCode
		after time.Duration
	}{
		"half a frame": {head(ws.Header{Fin: true, OpCode: ws.OpText, Masked: true, Length: 50_000}) + "[{", 1008, 10 * time.Second},
		"a part of a message, and pings": {
			head(ws.Header{OpCode: ws.OpText, Masked: true, Length: 1}) + "[", 1008, 10 * time.Second,
		},
		"pings alone": {"", 0, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, bayeux.Options{BodyTimeout: 10 * time.Second, MaxInterval: time.Hour})
				s := w.socket()
				start := time.Now()
				if _, err := io.WriteString(s.Conn, c.begin); err != nil {
					t.Fatal(err)
				}
				var pings sync.WaitGroup
				defer pings.Wait()
				if !strings.Contains(name, "half") {
					pings.Go(func() {
						for err := error(nil); err == nil && time.Since(start) < time.Minute; time.Sleep(time.Second) {
							_, err = s.Conn.Write(ping)
						}
						_ = s.Conn.Close()
					})
				}
				code := ws.StatusCode(1)
				for {
					op, payload, err := readRaw(s.Conn)
					if err != nil {
						code = 0
						break
					}
					if op == ws.OpClose {
						code, _ = ws.ParseCloseFrameData(payload)
						break
					}
				}
				if d := time.Since(start); code != c.code || d != c.after {
					t.Errorf("closed with %d after %v, want %d after %v", code, d, c.code, c.after)
				}
			})
		})
	}
}

// A socket without a session is closed after half a minute, whatever it says.
//
// spec:10.9
func TestASocketWithoutASessionIsClosed(t *testing.T) {
	for name, said := range map[string][]byte{
		"pings":                   ping,
		"empty bodies":            ws.MustCompileFrame(ws.MaskFrame(ws.NewTextFrame([]byte("[]")))),
		"messages of no session":  ws.MustCompileFrame(ws.MaskFrame(ws.NewTextFrame([]byte(`{"channel":"/a"}`)))),
		"nothing, but it is read": nil,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, bayeux.Options{})
				s := w.dial(nil)
				start := time.Now()
				go func() {
					for err := error(nil); err == nil && said != nil; time.Sleep(time.Second) {
						_, err = s.Conn.Write(said)
					}
				}()
				for code := ws.StatusCode(0); code == 0; _, code = s.ReadFrame() {
				}
				if d := time.Since(start); d != 30*time.Second {
					t.Errorf("closed after %v, want 30s", d)
				}
				_ = s.Conn.Close()
				time.Sleep(time.Second)
			})
		})
	}
}

// Frames that are announced and do not come cost no memory.
//
// spec:10.12
func TestAnnouncedFramesCostNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const sockets, announced = 100, 255 << 10
		w := newWorld(t, bayeux.Options{MaxMessageSize: 256 << 10, BodyTimeout: time.Minute})
		heap := func() uint64 {
			synctest.Wait()
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		for range sockets {
			w.dial(nil)
		}
		before := heap()
		for range sockets {
			s := w.dial(nil)
			if err := ws.WriteHeader(s.Conn, ws.Header{Fin: true, OpCode: ws.OpText, Masked: true, Length: announced}); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Conn.Write([]byte("[{")); err != nil {
				t.Fatal(err)
			}
		}
		if each := (int64(heap()) - int64(before)) / sockets; each > announced/4 {
			t.Errorf("each announced frame costs %d bytes, want less than %d", each, announced/4)
		}
	})
}

// A poller that reads a large answer slowly gets all of it.
//
// spec:14.22
func TestSlowReaderOverPolling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newRawPoller(t, bayeux.Options{WriteTimeout: 10 * time.Second, MaxInterval: time.Hour})
		p.hold()
		if err := p.srv.Session(p.id).Deliver("/service/x", large(300_000)); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		p.in.Reset(trickle{p.conn, 4000})
		status, f := p.answer()
		if status != 200 || len(f) != 2 {
			t.Errorf("got status %d and %d messages after %v, want 200 and 2", status, len(f), time.Since(start))
		}
		if d := time.Since(start); d < time.Minute {
			t.Errorf("it took %v: not slow enough to show anything", d)
		}
	})
}

// A poller that stops to read its answer is given up after the write timeout;
// what it was sent waits again.
//
// spec:14.22 spec:9.4
func TestReaderThatStopsOverPolling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newRawPoller(t, bayeux.Options{WriteTimeout: 10 * time.Second, MaxInterval: time.Hour})
		p.hold()
		if err := p.srv.Session(p.id).Deliver("/service/x", large(100_000)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(11 * time.Second)
		synctest.Wait()
		if _, err := io.Copy(io.Discard, p.conn); err != nil && !errors.Is(err, io.EOF) {
			t.Errorf("the connection: got %v, want EOF", err)
		}
		p.dial()
		if f := p.ask(`{"channel":"/meta/connect","clientId":"$","id":"c"}`); len(f) != 2 {
			t.Errorf("the next connect: got %d messages, want the one that was lost and the reply", len(f))
		}
	})
}

// A client that reads nothing has no more waiting than the bound, what is being
// written and what is not confirmed included.
//
// spec:14.12
func TestNoMoreThanTheBoundIsKept(t *testing.T) {
	const bound = 1 << 20
	for name, c := range map[string]struct {
		polling bool
		o       bayeux.Options
	}{
		"websocket":                         {false, bayeux.Options{}},
		"websocket, redeliver":              {false, bayeux.Options{Redeliver: true}},
		"long-polling":                      {true, bayeux.Options{}},
		"long-polling, redeliver":           {true, bayeux.Options{Redeliver: true}},
		"long-polling, redeliver and order": {true, bayeux.Options{Redeliver: true, OrderedPolling: true}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c.o.OutboxBytes, c.o.OutboxMessages, c.o.MaxInterval = bound, 1<<20, time.Hour
				p := newRawPoller(t, c.o)
				if c.polling {
					p.hold()
				} else {
					w := &world{t: t, srv: p.srv, net: p.net}
					p.id = w.socket().ID
				}
				session := p.srv.Session(p.id)
				accepted := 0
				for {
					err := session.Deliver("/service/x", large(1000))
					if errors.Is(err, bayeux.ErrOverflow) {
						break
					}
					if err != nil || accepted > 4*bound {
						t.Fatalf("after %d bytes: got %v, want an overflow", accepted, err)
					}
					accepted += 1000
					synctest.Wait()
					if err := session.CheckOutbox(); err != nil {
						t.Fatal(err)
					}
				}
				if accepted > bound || accepted < bound*9/10 {
					t.Errorf("%d bytes were accepted, want nearly %d", accepted, bound)
				}
				_ = p.conn.Close()
			})
		})
	}
}

// The replies that wait for a client that reads nothing are bounded by their
// size, since a reply repeats what it was sent.
func TestLargeRepliesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{MaxMessageSize: 256 << 10})
		s := w.socket()
		synctest.Wait()       // the reader waits, and is not who writes
		w.deliver(s.ID, 1, 1) // somebody is now stuck in writing this
		synctest.Wait()
		sent := make(chan int)
		go func() {
			n := 0
			_ = s.Conn.SetWriteDeadline(time.Now().Add(time.Second))
			body := `{"channel":"/meta/unsubscribe","clientId":"$","id":"u","subscription":"/` + strings.Repeat("x", 100_000) + `"}`
			for s.TrySend(body) == nil {
				n++
			}
			sent <- n
		}()
		if n := <-sent; n > 4 {
			t.Errorf("%d messages of 100 KB were read and answered to a client that reads nothing, want at most 4", n)
		}
		_ = s.Conn.Close()
	})
}

// Two thousand small messages in one answer arrive whole and in order.
//
// spec:7.2
func TestManyMessagesInOneAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{OutboxMessages: 5000})
		p := w.poller()
		w.deliver(p.id, 1, 2000)
		want := make([]int, 2000)
		for i := range want {
			want[i] = i + 1
		}
		if diff := cmp.Diff(want, numbers(<-p.connect("c"))); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	})
}
