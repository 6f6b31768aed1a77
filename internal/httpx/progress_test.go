package httpx_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/halley-chat/halley/bayeux/bayeuxtest"
	"github.com/halley-chat/halley/internal/httpx"
)

var testLimits = httpx.Progress{
	Read:       httpx.Pace{Initial: 10 * time.Second, Rate: 100, Stall: 20 * time.Second},
	WriteStall: 30 * time.Second,
}

// withProgress runs do in a bubble, with a connection to a server that has
// testLimits in front of h.
func withProgress(t *testing.T, h http.HandlerFunc, do func(t *testing.T, conn net.Conn)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { serveProgress(t, h, do) })
}

// synctestRun is a subtest in a bubble of its own.
func synctestRun(t *testing.T, name string, do func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { synctest.Test(t, do) })
}

func serveProgress(t *testing.T, h http.HandlerFunc, do func(t *testing.T, conn net.Conn)) {
	t.Helper()
	network := bayeuxtest.NewNetwork()
	stop := network.Serve(testLimits.Wrap(h))
	defer stop()
	conn, err := network.Dial(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	do(t, conn)
}

// response reads a response from a connection and discards its body.
func response(conn net.Conn, in *bufio.Reader) (*http.Response, error) {
	if err := conn.SetReadDeadline(time.Now().Add(time.Hour)); err != nil {
		return nil, err
	}
	res, err := http.ReadResponse(in, nil)
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(io.Discard, res.Body)
	return res, errors.Join(err, res.Body.Close())
}

// closedAfter reads until the server closes the connection, and returns how long
// that took.
func closedAfter(t *testing.T, conn net.Conn) time.Duration {
	t.Helper()
	began := time.Now()
	if err := conn.SetReadDeadline(began.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, conn); err != nil {
		t.Errorf("reading until the end: got %v after %v, want the server to close the connection", err, time.Since(began))
	}
	return time.Since(began)
}

// A body that stops halfway ends its request, whether the handler reads it,
// ignores it, or is not there.
func TestProgressEndsAStalledBody(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/read", func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadAll(r.Body); err == nil {
			panic("the body was read to its end")
		}
		http.Error(w, "too slow", http.StatusRequestTimeout)
	})
	mux.HandleFunc("/ignore", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("/partly", func(w http.ResponseWriter, r *http.Request) {
		_, _ = r.Body.Read(make([]byte, 1))
		fmt.Fprintln(w, "ok")
	})
	for _, path := range []string{"/read", "/ignore", "/partly", "/nowhere"} {
		t.Run(path, func(t *testing.T) {
			withProgress(t, mux.ServeHTTP, func(t *testing.T, conn net.Conn) {
				fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\nhalf", path)
				if got, limit := closedAfter(t, conn), 21*time.Second; got > limit {
					t.Errorf("%s: closed after %v, want at most %v", path, got, limit)
				}
			})
		})
	}
}

// A body that drips is ended by the rate, one that keeps the rate arrives
// however long it takes.
func TestProgressHoldsABodyToARate(t *testing.T) {
	for _, c := range []struct {
		name    string
		bytes   int
		every   time.Duration
		arrives bool
	}{
		{"a byte a second", 1, time.Second, false},
		{"below the rate", 450, 5 * time.Second, false},
		{"above the rate", 600, 5 * time.Second, true},
	} {
		synctestRun(t, c.name, func(t *testing.T) {
			const size = 60_000
			type outcome struct {
				n   int
				err error
			}
			read := make(chan outcome, 1)
			serveProgress(t, func(_ http.ResponseWriter, r *http.Request) {
				b, err := io.ReadAll(r.Body)
				read <- outcome{len(b), err}
			}, func(t *testing.T, conn net.Conn) {
				go func() { _, _ = io.Copy(io.Discard, conn) }()
				fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", size)
				for sent := 0; sent < size; sent += c.bytes {
					if _, err := io.WriteString(conn, strings.Repeat("x", c.bytes)); err != nil {
						break
					}
					time.Sleep(c.every)
				}
				if got := <-read; (got.err == nil) != c.arrives || (got.n == size) != c.arrives {
					t.Errorf("read %d of %d bytes, %v; want all of them: %v", got.n, size, got.err, c.arrives)
				}
			})
		})
	}
}

// A client that does not read ends its response; one that reads slowly gets all
// of it, however long that takes.
func TestProgressEndsAStalledResponse(t *testing.T) {
	const size = 40 * 32 << 10
	for _, c := range []struct {
		name  string
		every time.Duration // between two reads of 32 KiB
		whole bool
	}{
		{"stalled", time.Hour, false},
		{"slow", 29 * time.Second, true},
	} {
		synctestRun(t, c.name, func(t *testing.T) {
			wrote := make(chan error, 1)
			serveProgress(t, func(w http.ResponseWriter, _ *http.Request) {
				_, err := w.Write(make([]byte, size))
				wrote <- err
			}, func(t *testing.T, conn net.Conn) {
				began := time.Now()
				fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
				ctx, stop := context.WithCancel(t.Context())
				go func() {
					buf := make([]byte, 32<<10)
					for ctx.Err() == nil {
						if _, err := io.ReadFull(conn, buf); err != nil {
							return
						}
						select {
						case <-time.After(c.every):
						case <-ctx.Done():
						}
					}
				}()
				err := <-wrote
				stop()
				if (err == nil) != c.whole {
					t.Errorf("the handler's write: got %v after %v, want success: %v", err, time.Since(began), c.whole)
				}
				if took := time.Since(began); !c.whole && took > 31*time.Second {
					t.Errorf("the handler was released after %v, want at most 31s", took)
				}
			})
		})
	}
}

// What is left in the server's buffer when the handler returns has a deadline
// as well.
func TestProgressEndsABufferedResponse(t *testing.T) {
	withProgress(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "short") }, func(t *testing.T, conn net.Conn) {
		fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		time.Sleep(31 * time.Second)
		synctest.Wait()
		if got, err := io.ReadAll(conn); len(got) > 0 || err != nil {
			t.Errorf("read %q, %v; want a closed connection", got, err)
		}
	})
}

// A handler may hold a request for as long as it likes, and its context stays
// alive. The deadlines of one request do not reach into the next.
func TestProgressLeavesHeldRequestsAlone(t *testing.T) {
	withProgress(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body)
		select {
		case <-time.After(10 * time.Minute):
			fmt.Fprint(w, "held")
		case <-r.Context().Done():
			http.Error(w, "the context has ended", http.StatusInternalServerError)
		}
	}, func(t *testing.T, conn net.Conn) {
		in := bufio.NewReader(conn)
		for n := range 3 {
			fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody")
			res, err := response(conn, in)
			if err != nil || res.StatusCode != http.StatusOK || res.Close {
				t.Fatalf("request %d: got %v, %v; want an open connection and 200", n, res, err)
			}
			time.Sleep(10 * time.Minute)
		}
	})
}

// The earlier one of a handler's deadline and ours counts.
func TestProgressKeepsTheHandlersDeadlines(t *testing.T) {
	synctest.Test(t, handlersDeadline)
}

func handlersDeadline(t *testing.T) {
	read := make(chan time.Duration, 1)
	serveProgress(t, func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		if err := http.NewResponseController(w).SetReadDeadline(began.Add(3 * time.Second)); err != nil {
			panic(err)
		}
		_, _ = io.ReadAll(r.Body)
		read <- time.Since(began)
	}, func(t *testing.T, conn net.Conn) {
		fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\nhalf")
		go func() { _, _ = io.Copy(io.Discard, conn) }()
		if got, want := <-read, 3*time.Second; got != want {
			t.Errorf("reading ended after %v, want %v", got, want)
		}
	})
}

// A hijacked connection has no deadlines of ours.
func TestProgressLeavesHijackedConnectionsAlone(t *testing.T) {
	withProgress(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		go func() {
			defer conn.Close()
			_, _ = io.Copy(conn, conn)
		}()
	}, func(t *testing.T, conn net.Conn) {
		fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		for range 3 {
			time.Sleep(time.Hour)
			if _, err := io.WriteString(conn, "x"); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
				t.Fatalf("the echo of a hijacked connection: %v", err)
			}
		}
	})
}
