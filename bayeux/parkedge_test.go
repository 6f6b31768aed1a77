package bayeux_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/halley-chat/halley/bayeux"
	"github.com/halley-chat/halley/bayeux/bayeuxtest"
)

// A parked connect's answer has each header field once, whatever was set ahead
// of the handler.
//
// spec:10.11
func TestAParkedAnswersHeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGarage(t, bayeux.Options{}, func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				for _, name := range []string{"Content-Type", "X-Content-Type-Options", "Cache-Control", "Content-Length", "Date"} {
					w.Header().Set(name, "7")
				}
				w.Header().Set("X-Frame-Options", "DENY")
				h.ServeHTTP(w, r)
			})
		})
		g.park()
		g.deliver(1)
		resp, err := http.ReadResponse(g.in, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if b, err := io.ReadAll(resp.Body); err != nil || len(parse(t, b)) != 2 {
			t.Errorf("%v: %s", err, b)
		}
		for name, values := range resp.Header {
			if len(values) != 1 || values[0] == "7" {
				t.Errorf("%s: %q", name, values)
			}
		}
		if resp.Header.Get("X-Frame-Options") != "DENY" {
			t.Errorf("%v", resp.Header)
		}
	})
}

// An answer whose body something else was going to encode stays in its handler.
func TestAnEncodedConnectIsNotParked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGarage(t, bayeux.Options{}, func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Encoding", "identity")
				h.ServeHTTP(w, r)
			})
		})
		synctest.Wait()
		before := g.left.Load()
		g.say(`{"channel":"/meta/connect","clientId":"$","id":"held"}`)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if g.left.Load() != before {
			t.Error("it has left its handler")
		}
		g.deliver(1)
		if status, f := g.answer(); status != 200 || len(f) != 2 {
			t.Errorf("%d %v", status, f)
		}
	})
}

// Some clients send an empty line behind the body of a POST, which belongs to
// no request; parking changes nothing about that.
//
// spec:10.11
func TestAnEmptyLineBehindAParkedConnect(t *testing.T) {
	for name, late := range map[string]bool{"with the request": false, "while it is parked": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGarage(t, bayeux.Options{}, nil)
				body := strings.ReplaceAll(`{"channel":"/meta/connect","clientId":"$","id":"held"}`, "$", g.id)
				line := func() {
					if _, err := g.conn.Write([]byte("\r\n")); err != nil {
						t.Error(err)
					}
				}
				g.say(body)
				if !late {
					go line()
				}
				time.Sleep(2 * time.Second)
				if late {
					line()
				}
				g.deliver(1)
				if status, f := g.answer(); status != 200 || len(f) != 2 {
					t.Errorf("%d %v", status, f)
				}
				said := make(chan error, 1)
				go func() { said <- g.write(`{"channel":"/service/none","clientId":"$","id":"p","data":1}`) }()
				if status, f := g.answer(); status != 200 || f[0]["id"] != "p" {
					t.Errorf("the next request: %d %v", status, f)
				}
				if err := <-said; err != nil {
					t.Error(err)
				}
				// It does not keep a client's going from being heard of either.
				g.park()
				line()
				synctest.Wait()
				_ = g.conn.Close()
				synctest.Wait()
				if g.srv.Session(g.id).Held() {
					t.Error("the connect is still held")
				}
			})
		})
	}
}

// A connection that will not be used on says so with its answer.
//
// spec:10.11
func TestAParkedConnectWhileItsServerIsShutDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGarage(t, bayeux.Options{}, nil)
		g.park()
		if err := g.host.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		g.deliver(1)
		resp, err := http.ReadResponse(g.in, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if _, err := io.Copy(io.Discard, resp.Body); err != nil || !resp.Close {
			t.Errorf("%v %v", err, resp.Header)
		}
		if _, err := g.in.ReadByte(); err != io.EOF {
			t.Errorf("the connection: %v", err)
		}
	})
}

// timeouts is a connection that the system gives up after a while, as TCP does
// when nobody answers its probes.
type timeouts struct {
	net.Conn
	after <-chan struct{}
}

type systemTimeout struct{}

func (systemTimeout) Error() string   { return "connection timed out" }
func (systemTimeout) Timeout() bool   { return true }
func (systemTimeout) Temporary() bool { return true }

func (c timeouts) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	select {
	case <-c.after:
		return 0, systemTimeout{}
	default:
		return n, err
	}
}

type timeoutListener struct {
	net.Listener
	after <-chan struct{}
}

func (l timeoutListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return timeouts{c, l.after}, err
}

// A connection that the system has given up is heard of at once.
//
// spec:7.8
func TestTheSystemGivesUpAParkedConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		after := make(chan struct{})
		g := newGarage(t, bayeux.Options{}, nil)
		lost := &http.Server{Handler: g.srv}
		n := bayeuxtest.NewNetwork()
		served := make(chan struct{})
		go func() {
			defer close(served)
			_ = lost.Serve(timeoutListener{n, after})
		}()
		conn, err := n.Dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		_ = g.conn.Close()
		g.conn, g.in = conn, bufio.NewReader(conn)
		g.say(`{"channel":"/meta/connect","clientId":"$","id":"held"}`)
		time.Sleep(1500 * time.Millisecond)
		if !g.srv.Session(g.id).Held() {
			t.Fatal("the connect is not held")
		}
		close(after)
		_ = conn.Close()
		synctest.Wait()
		if g.srv.Session(g.id).Held() {
			t.Error("the connect is still held")
		}
		_ = lost.Close()
		<-served
	})
}
