package bayeux_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/halley-chat/halley/bayeux"
	"github.com/halley-chat/halley/bayeux/bayeuxtest"
)

// garage is a server whose HTTP server a test can see, and one connection to
// it, on which requests and answers are written and read by hand.
type garage struct {
	*testing.T
	srv  *bayeux.Server
	host *http.Server
	net  *bayeuxtest.Network
	left atomic.Int64 // requests that have left their handler
	conn net.Conn
	in   *bufio.Reader
	id   string
}

func newGarage(t *testing.T, o bayeux.Options, wrap func(http.Handler) http.Handler) *garage {
	t.Helper()
	o.Logger, o.TrustClientID, o.HoldsPerBrowser = slog.New(slog.DiscardHandler), true, -1
	g := &garage{T: t, srv: bayeux.New(o), net: bayeuxtest.NewNetwork()}
	g.host = &http.Server{IdleTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "https://shop.example")
		if wrap == nil {
			g.srv.ServeHTTP(w, r)
		} else {
			wrap(g.srv).ServeHTTP(w, r)
		}
		g.left.Add(1)
	})}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = g.host.Serve(g.net)
	}()
	t.Cleanup(func() {
		closeServer(t, g.srv)
		_ = g.host.Close()
		<-served
		_ = g.conn.Close()
	})
	g.dial()
	g.id = g.ask(`{"channel":"/meta/handshake"}`)[0]["clientId"].(string)
	g.ask(`{"channel":"/meta/connect","clientId":"$","advice":{"timeout":0}}`)
	return g
}

func (g *garage) dial() {
	g.Helper()
	conn, err := g.net.Dial(g.Context(), "", "")
	if err != nil {
		g.Fatal(err)
	}
	g.conn, g.in = conn, bufio.NewReader(conn)
}

func (g *garage) say(body string) {
	g.Helper()
	if err := g.write(body); err != nil {
		g.Fatal(err)
	}
}

func (g *garage) write(body string) error {
	body = strings.ReplaceAll(body, "$", g.id)
	_, err := fmt.Fprintf(g.conn, "POST /cometd HTTP/1.1\r\nHost: memory\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	return err
}

// answer reads the next answer.
func (g *garage) answer() (status int, frames []frame) {
	g.Helper()
	resp, err := http.ReadResponse(g.in, nil)
	if err != nil {
		g.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		g.Fatal(err)
	}
	if h := resp.Header; h.Get("Access-Control-Allow-Origin") != "https://shop.example" || h.Get("Date") == "" || h.Get("X-Content-Type-Options") != "nosniff" {
		g.Errorf("%v", h)
	}
	if resp.StatusCode == 200 {
		frames = parse(g, b)
	}
	return resp.StatusCode, frames
}

func (g *garage) ask(body string) []frame {
	g.Helper()
	g.say(body)
	_, frames := g.answer()
	return frames
}

// park has a connect held until it has left its handler.
func (g *garage) park() {
	g.Helper()
	synctest.Wait()
	before := g.left.Load()
	g.say(`{"channel":"/meta/connect","clientId":"$","id":"held"}`)
	time.Sleep(1500 * time.Millisecond)
	synctest.Wait()
	if g.left.Load() != before+1 || !g.srv.Session(g.id).Held() {
		g.Fatalf("the connect is not held outside of its handler")
	}
}

func parse(t testing.TB, b []byte) (frames []frame) {
	t.Helper()
	if err := json.Unmarshal(b, &frames); err != nil {
		t.Errorf("%v: %s", err, b)
	}
	return frames
}

func (g *garage) deliver(n int) {
	g.Helper()
	if err := g.srv.Session(g.id).Deliver("/service/n", fmt.Append(nil, n)); err != nil {
		g.Fatal(err)
	}
}

// A connect that is held for long is answered as any other, and its connection
// goes on.
//
// spec:10.11
func TestParkedConnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGarage(t, bayeux.Options{}, nil)
		for n := range 3 {
			g.park()
			g.deliver(n)
			if status, f := g.answer(); status != 200 || cmp.Diff([]int{n}, numbers(f)) != "" || f[1]["id"] != "held" {
				t.Errorf("%d %v", status, f)
			}
			if f := g.ask(`{"channel":"/service/none","clientId":"$","id":"p","data":1}`); f[0]["id"] != "p" {
				t.Errorf("the connection after it: %v", f)
			}
		}
		start := time.Now()
		g.park()
		if status, f := g.answer(); status != 200 || f[0]["id"] != "held" || f[0]["successful"] != true || time.Since(start) != 20*time.Second {
			t.Errorf("%d %v after %v", status, f, time.Since(start))
		}
	})
}

// A client that does not wait for its answer gets both, in order.
func TestAClientAheadOfItsParkedConnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGarage(t, bayeux.Options{}, nil)
		g.park()
		sent := make(chan error, 1)
		go func() { sent <- g.write(`{"channel":"/service/none","clientId":"$","id":"p","data":1}`) }() // nobody reads all of it yet
		time.Sleep(time.Second)
		g.deliver(1)
		if _, f := g.answer(); f[len(f)-1]["id"] != "held" {
			t.Errorf("%v", f)
		}
		if _, f := g.answer(); f[0]["id"] != "p" {
			t.Errorf("%v", f)
		}
		if err := <-sent; err != nil {
			t.Error(err)
		}
	})
}

// A client that goes while its connect is parked is noticed at once: what
// waits stays, and the session's time runs from then.
//
// spec:7.8 spec:10.11
func TestAParkedClientGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGarage(t, bayeux.Options{MaxInterval: 10 * time.Second}, nil)
		g.park()
		_ = g.conn.Close()
		synctest.Wait()
		if g.srv.Session(g.id).Held() {
			t.Error("the connect is still held")
		}
		g.deliver(1)
		g.dial()
		if f := g.ask(`{"channel":"/meta/connect","clientId":"$","id":"c"}`); cmp.Diff([]int{1}, numbers(f)) != "" {
			t.Errorf("%v", f)
		}
		g.park()
		_ = g.conn.Close()
		time.Sleep(9 * time.Second)
		if g.srv.Session(g.id) == nil {
			t.Error("expired too early")
		}
		time.Sleep(2 * time.Second)
		if g.srv.Session(g.id) != nil {
			t.Error("it lives on")
		}
	})
}

// A newer connect on another connection takes a parked one's place.
//
// spec:7.6.1
func TestAParkedConnectIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGarage(t, bayeux.Options{}, nil)
		g.park()
		old, in := g.conn, g.in
		g.dial()
		g.park()
		g.deliver(1)
		if status, f := g.answer(); status != 200 || cmp.Diff([]int{1}, numbers(f)) != "" {
			t.Errorf("%d %v", status, f)
		}
		newer := g.conn
		defer newer.Close()
		g.conn, g.in = old, in
		if status, _ := g.answer(); status != 500 {
			t.Errorf("the older connect: %d", status)
		}
		if f := g.ask(`{"channel":"/service/none","clientId":"$","id":"p","data":1}`); f[0]["id"] != "p" {
			t.Errorf("the older connection: %v", f)
		}
	})
}

// Drain answers parked connects; Shutdown of the HTTP server closes connections
// that wait for a request; Close answers and leaves nothing.
//
// spec:14.15 spec:14.16
func TestTheEndOfParkedConnects(t *testing.T) {
	for name, end := range map[string]func(*garage){
		"drain": func(g *garage) {
			g.srv.Drain(time.Second)
			if _, f := g.answer(); f[0].At("advice", "reconnect") != "retry" {
				g.Errorf("%v", f)
			}
			if err := g.host.Shutdown(g.Context()); err != nil {
				g.Error(err)
			}
		},
		"close": func(g *garage) {
			go closeServer(g, g.srv)
			if _, f := g.answer(); f[0]["successful"] != false || f[0].At("advice", "reconnect") != "handshake" {
				g.Errorf("%v", f)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGarage(t, bayeux.Options{}, nil)
				g.park()
				end(g)
				if _, err := g.in.ReadByte(); err != io.EOF {
					t.Errorf("the connection: %v", err)
				}
			})
		})
	}
}

// An idle connection that was parked is closed when the HTTP server would.
func TestParkedConnectionsIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGarage(t, bayeux.Options{}, nil)
		g.park()
		g.deliver(1)
		g.answer()
		start := time.Now()
		if _, err := g.in.ReadByte(); err != io.EOF || time.Since(start) != time.Minute {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

// Where a connection cannot be taken over, or the options say so, a connect is
// held in its handler.
func TestConnectsThatAreNotParked(t *testing.T) {
	plain := func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h.ServeHTTP(struct{ http.ResponseWriter }{w}, r)
		})
	}
	for name, c := range map[string]struct {
		o    bayeux.Options
		wrap func(http.Handler) http.Handler
	}{
		"a writer that cannot be hijacked": {wrap: plain},
		"never":                            {o: bayeux.Options{ParkAfter: -1}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGarage(t, c.o, c.wrap)
				synctest.Wait()
				before := g.left.Load()
				g.say(`{"channel":"/meta/connect","clientId":"$","id":"held"}`)
				time.Sleep(5 * time.Second)
				synctest.Wait()
				if g.left.Load() != before {
					t.Error("it has left its handler")
				}
				g.deliver(1)
				if status, f := g.answer(); status != 200 || cmp.Diff([]int{1}, numbers(f)) != "" {
					t.Errorf("%d %v", status, f)
				}
			})
		})
	}
}

// An extension that panics ends the connection and nothing else.
//
// spec:14.20
func TestAPanicBehindAParkedConnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := bayeux.Options{Extensions: []bayeux.Extension{{
			Incoming: func(_ context.Context, _ *bayeux.Session, m *bayeux.Message) error {
				if string(m.ID) == `"held"` {
					m.OnReply(func(*bayeux.Session, *bayeux.Reply) { panic("a broken extension") })
				}
				return nil
			},
		}}}
		g := newGarage(t, o, nil)
		g.park()
		g.deliver(1)
		if _, err := g.in.ReadByte(); err != io.EOF {
			t.Errorf("the connection: %v", err)
		}
		g.dial()
		if f := g.ask(`{"channel":"/service/none","clientId":"$","id":"p","data":1}`); f[len(f)-1]["id"] != "p" {
			t.Errorf("%v", f)
		}
	})
}

// A request whose context is over before it could be parked is given up.
func TestParkingBesideACancelledRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{ParkAfter: time.Second})
		p := w.poller()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		w.post(ctx, p.cookie, `{"channel":"/meta/connect","clientId":"`+p.id+`","id":"c"}`)
		synctest.Wait()
		if w.srv.Session(p.id).Held() {
			t.Error("it is still held")
		}
		w.deliver(p.id, 1, 1)
		if got := numbers(<-p.connect("d")); cmp.Diff([]int{1}, got) != "" {
			t.Errorf("%v", got)
		}
	})
}
