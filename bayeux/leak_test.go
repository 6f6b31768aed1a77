package bayeux_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"
	"go.uber.org/goleak"

	"github.com/halley-chat/halley/bayeux"
	"github.com/halley-chat/halley/bayeux/bayeuxtest"
)

const (
	leakSessions = 10_000
	leakRound    = 500
	leakWorkers  = 20
	// leakTolerance is how much the heap may have grown in the end, in bytes:
	// far less than 100 for each session, where a forgotten one weighs more
	// than 1,000.
	leakTolerance = 900 << 10
)

// leaks lets sessions come and go. Its clients keep nothing themselves.
type leaks struct {
	t   *testing.T
	srv *bayeux.Server
	net *bayeuxtest.Network
}

// guest is one session's client, over polling unless it has a connection.
type guest struct {
	*leaks
	n          int
	id, cookie string
	conn       net.Conn
	in         *bufio.Reader
}

// post sends a body and returns the answer, which is empty if none came. It
// calls the handler itself: the connections of net/http are not ours to count.
func (g *guest) post(ctx context.Context, body string) string {
	req := httptest.NewRequestWithContext(ctx, http.MethodPost, bayeuxtest.URL, strings.NewReader(strings.ReplaceAll(body, "$", g.id)))
	if g.cookie != "" {
		req.Header.Set("Cookie", bayeuxtest.Cookie+"="+g.cookie)
	}
	w := httptest.NewRecorder()
	g.srv.ServeHTTP(w, req)
	for _, c := range w.Result().Cookies() {
		g.cookie = c.Value
	}
	return w.Body.String()
}

// write sends a text frame; the server may have closed.
func (g *guest) write(body string) {
	_, _ = g.conn.Write(ws.MustCompileFrame(ws.MaskFrameInPlace(ws.NewTextFrame([]byte(strings.ReplaceAll(body, "$", g.id))))))
}

// read reads one frame; over is true after a close frame or without one.
func (g *guest) read() (text string, over bool) {
	f, err := readFrame(g.in)
	return string(f.Payload), err != nil || f.Header.OpCode == ws.OpClose
}

// say sends a message and returns what comes next.
func (g *guest) say(body string) string {
	if g.conn == nil {
		return g.post(g.t.Context(), body)
	}
	g.write(body)
	text, _ := g.read()
	return text
}

// guest shakes hands, connects and subscribes.
func (l *leaks) guest(n int, socket bool) *guest {
	g := &guest{leaks: l, n: n}
	if socket {
		conn, br, _, err := ws.Dialer{NetDial: l.net.Dial}.Dial(l.t.Context(), "ws://memory/cometd")
		if err != nil {
			l.t.Error(err)
			return nil
		}
		if br == nil {
			br = bufio.NewReader(conn)
		}
		g.conn, g.in = conn, br
	}
	var f []frame
	if err := json.Unmarshal([]byte(g.say(`{"channel":"/meta/handshake","ext":{"ack":`+fmt.Sprint(n%3 == 0)+`}}`)), &f); err != nil {
		l.t.Error(err)
		return nil
	}
	g.id, _ = f[0]["clientId"].(string)
	g.say(`{"channel":"/meta/connect","clientId":"$"}`)
	g.say(fmt.Sprintf(`{"channel":"/meta/subscribe","clientId":"$","subscription":["/own/%d/**","/lazy/%d","/shared/%d"]}`, n, n, n%7))
	return g
}

// hold sends a connect and waits until it is held. The returned channel is
// closed when the connection or the request is over.
func (g *guest) hold(ctx context.Context) <-chan struct{} {
	over := make(chan struct{})
	if g.conn != nil {
		g.write(`{"channel":"/meta/connect","clientId":"$"}`)
	}
	go func() {
		defer close(over)
		if g.conn == nil {
			g.post(ctx, `{"channel":"/meta/connect","clientId":"$"}`)
			return
		}
		for end := false; !end; {
			_, end = g.read()
		}
	}()
	time.Sleep(time.Millisecond) // in a bubble: until everybody waits
	return over
}

// ways are how sessions end. Each leaves a session that has ended, or will by
// the clock.
var ways = []func(g *guest){
	func(g *guest) { g.say(`{"channel":"/meta/disconnect","clientId":"$"}`) },
	func(g *guest) { // disconnected while a connect is held
		over := g.hold(g.t.Context())
		if g.conn == nil {
			g.post(g.t.Context(), `{"channel":"/meta/disconnect","clientId":"$"}`)
		} else {
			g.write(`{"channel":"/meta/disconnect","clientId":"$"}`)
		}
		<-over
	},
	func(g *guest) { // dropped while a connect is held
		ctx, cancel := context.WithCancel(g.t.Context())
		over := g.hold(ctx)
		cancel()
		if g.conn != nil {
			_ = g.conn.Close()
		}
		<-over
	},
	func(*guest) {}, // it expires
	func(g *guest) { // kicked while a connect is held
		over := g.hold(g.t.Context())
		g.srv.Session(g.id).Disconnect()
		<-over
	},
	func(g *guest) { g.srv.Session(g.id).Disconnect() },
	func(g *guest) { // overflowed
		s := g.srv.Session(g.id)
		for {
			if err := s.Deliver("/x", []byte(`"0123456789"`)); err != nil {
				if !errors.Is(err, bayeux.ErrOverflow) {
					g.t.Error(err)
				}
				return
			}
		}
	},
	func(g *guest) { // messages wait for it, lazy ones too, when it expires
		if err := g.srv.Session(g.id).Deliver("/x", []byte("1")); err != nil {
			g.t.Error(err)
		}
		g.say(fmt.Sprintf(`{"channel":"/lazy/%d","clientId":"$","data":1}`, g.n))
	},
}

// round lets sessions come and, unless they shall stay, go.
func (l *leaks) round(from, sessions int, stay bool) {
	var wg sync.WaitGroup
	for w := range leakWorkers {
		wg.Go(func() {
			for n := from + w; n < from+sessions; n += leakWorkers {
				g := l.guest(n, n/len(ways)%2 == 0)
				if g == nil {
					return
				}
				if !stay {
					ways[n%len(ways)](g)
				} else if n%2 == 0 {
					wg.Go(func() { <-g.hold(l.t.Context()) })
					continue
				}
				if g.conn != nil {
					wg.Go(func() { // the server closes it, or has
						for end := false; !end; {
							_, end = g.read()
						}
						_ = g.conn.Close()
					})
				}
			}
		})
	}
	if stay {
		synctest.Wait()
		if n := l.srv.Remains().Sessions; n != sessions {
			l.t.Errorf("%d sessions before the end, want %d", n, sessions)
		}
		closeServer(l.t, l.srv)
	}
	wg.Wait()
	time.Sleep(5 * time.Minute) // everything that can expire does
	synctest.Wait()
	if r := l.srv.Remains(); r != (bayeux.Remains{}) {
		l.t.Errorf("left after %d sessions: %+v", from+sessions, r)
	}
}

func heap() int64 {
	var m runtime.MemStats
	// Twice, because pools keep what they hold over one collection.
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Sessions come and go in every way there is, and nothing of them stays.
//
// spec:4.7 spec:9.5 spec:14.16
func TestNothingStays(t *testing.T) {
	if err := goleak.Find(); err != nil {
		t.Fatalf("something of another test still runs: %v", err)
	}
	goroutines := runtime.NumGoroutine()
	synctest.Test(t, func(t *testing.T) {
		l := &leaks{t: t, net: bayeuxtest.NewNetwork(), srv: bayeux.New(bayeux.Options{
			Ack: true, Redeliver: true, OutboxMessages: 20, MaxSessionsPerBrowser: 5, MaxSessionsPerAddress: leakSessions,
			Address: func(r *http.Request) string { return "one" }, Logger: slog.New(slog.DiscardHandler),
		})}
		l.srv.Configure("/lazy/*", bayeux.ChannelOptions{Lazy: true})
		stop := l.net.Serve(l.srv)

		l.round(0, leakRound, false) // fills the pools
		before, running := heap(), runtime.NumGoroutine()
		for n := leakRound; n < leakSessions-leakRound; n += leakRound {
			l.round(n, leakRound, false)
		}
		if grown := heap() - before; grown > leakTolerance {
			t.Errorf("the heap has grown by %d bytes", grown)
		}
		if n := runtime.NumGoroutine(); n != running {
			t.Errorf("%d goroutines, and %d before", n, running)
		}
		if n := l.srv.Stats().Handshakes.Load(); n != leakSessions-leakRound {
			t.Errorf("%d handshakes", n)
		}
		l.round(leakSessions-leakRound, leakRound, true) // and the server closes on these
		stop()
	})
	if err := goleak.Find(); err != nil {
		t.Errorf("left: %v", err)
	}
	if n := runtime.NumGoroutine(); n != goroutines {
		t.Errorf("%d goroutines, and %d before", n, goroutines)
	}
}
