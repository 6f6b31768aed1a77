package httpx_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/halley-chat/halley/bayeux/bayeuxtest"
	"github.com/halley-chat/halley/internal/httpx"
)

// A client that looks for the answer only when it has sent all of a body gets
// it, although the body is refused at once.
func TestLinger(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		httpx.Linger(w, r)
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
	}))
	defer srv.Close()
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const size = 6 << 20
	fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", size)
	if n, err := io.Copy(conn, strings.NewReader(strings.Repeat("x", size))); err != nil {
		t.Fatalf("%d of %d bytes were sent: %v", n, size, err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusRequestEntityTooLarge || res.Close {
		t.Errorf("%d, closed: %v", res.StatusCode, res.Close)
	}
}

// A body of which the rest never comes is answered all the same.
func TestLingerDoesNotWaitForTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := bayeuxtest.NewNetwork()
		stop := network.Serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			httpx.Linger(w, r)
			http.Error(w, "too slow", http.StatusBadRequest)
		}))
		defer stop()
		conn, err := network.Dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		began := time.Now()
		fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc")
		if err := conn.SetReadDeadline(began.Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("after %v: %v", time.Since(began), err)
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusBadRequest || !res.Close {
			t.Errorf("%d, closed: %v", res.StatusCode, res.Close)
		}
	})
}

// Nobody is listened to for ever.
func TestLingerIsBounded(t *testing.T) {
	body := &endless{}
	httpx.Linger(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/", body))
	if body.n < 6<<20 || body.n > 9<<20 {
		t.Errorf("%d bytes were read", body.n)
	}
}

type endless struct{ n int }

func (e *endless) Read(p []byte) (int, error) {
	e.n += len(p)
	return len(p), nil
}
