package bayeux_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/halley-chat/halley/bayeux"
)

// secure is a server behind TLS that counts its connections.
type secure struct {
	t      *testing.T
	srv    *bayeux.Server
	host   *httptest.Server
	opened atomic.Int64
}

func newSecure(t *testing.T, http2 bool, o bayeux.Options) *secure {
	t.Helper()
	s := &secure{t: t, srv: bayeux.New(o)}
	s.host = httptest.NewUnstartedServer(s.srv)
	s.host.EnableHTTP2 = http2
	s.host.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.host.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.opened.Add(1)
		}
	}
	s.host.StartTLS()
	t.Cleanup(func() {
		closeServer(t, s.srv)
		s.host.Client().CloseIdleConnections()
		s.host.Close()
	})
	return s
}

// tab is a page that polls.
type tab struct {
	*secure
	cookie *http.Cookie
	id     string
}

// ask posts a body, in which $ is the clientId, and returns the answer. An
// answer that does not come is empty.
func (p *tab) ask(ctx context.Context, body string) (status, major int, text string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.host.URL, strings.NewReader(strings.ReplaceAll(body, "$", p.id)))
	if err != nil {
		p.t.Error(err)
		return 0, 0, ""
	}
	if p.cookie != nil {
		req.AddCookie(p.cookie)
	}
	resp, err := p.host.Client().Do(req)
	if err != nil {
		return 0, 0, ""
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Error(err)
	}
	if c := resp.Cookies(); len(c) > 0 {
		p.cookie = c[0]
	}
	return resp.StatusCode, resp.ProtoMajor, string(b)
}

func (s *secure) tab(cookie *http.Cookie) *tab {
	s.t.Helper()
	p := &tab{secure: s, cookie: cookie}
	_, _, text := p.ask(s.t.Context(), `{"channel":"/meta/handshake"}`)
	_, rest, ok := strings.Cut(text, `"clientId":"`)
	if !ok {
		s.t.Fatalf("handshake: %s", text)
	}
	p.id, _, _ = strings.Cut(rest, `"`)
	p.ask(s.t.Context(), `{"channel":"/meta/connect","clientId":"$","advice":{"timeout":0}}`)
	if p.cookie == nil || !p.cookie.Secure {
		s.t.Errorf("cookie %v", p.cookie)
	}
	return p
}

// connect sends a connect with some fields more.
func (p *tab) connect(ctx context.Context, id, fields string) chan string {
	answer := make(chan string, 1)
	go func() {
		status, major, text := p.ask(ctx, `{"channel":"/meta/connect","clientId":"$","id":"`+id+`"`+fields+`}`)
		answer <- fmt.Sprintf("%d over %d: %s", status, major, text)
	}()
	return answer
}

// hold sends a connect and waits until the server holds it, for longer than any
// test takes.
func (p *tab) hold(ctx context.Context, id string) <-chan string {
	answer := p.connect(ctx, id, "")
	for !p.srv.Session(p.id).Held() {
		select {
		case a := <-answer:
			p.t.Errorf("not held: %s", a)
			answer <- a
			return answer
		case <-time.After(time.Millisecond):
		}
	}
	return answer
}

// Held connects work over TLS, over HTTP/1.1 and HTTP/2, and every answer
// leaves its connection usable.
//
// spec:10.10 spec:8.4 spec:7.8 spec:7.6.1
func TestLongPollingOverTLS(t *testing.T) {
	for major := 1; major <= 2; major++ {
		t.Run(fmt.Sprintf("HTTP %d", major), func(t *testing.T) {
			s := newSecure(t, major == 2, bayeux.Options{Timeout: 10 * time.Minute, MaxInterval: 10 * time.Minute})
			p := s.tab(nil)
			expect := func(answer <-chan string, status int, part string) {
				t.Helper()
				a := <-answer
				if want := fmt.Sprintf("%d over %d: ", status, major); !strings.HasPrefix(a, want) || !strings.Contains(a, part) {
					t.Errorf("%s, want %s…%s", a, want, part)
				}
			}
			for i := range 3 {
				id := fmt.Sprint("t", i)
				start := time.Now()
				answer := p.connect(t.Context(), id, `,"advice":{"timeout":150}`)
				expect(answer, 200, `[{"id":"`+id+`","channel":"/meta/connect","advice":{"reconnect":"retry","interval":0,"timeout":600000},"successful":true}]`)
				if d := time.Since(start); d < 150*time.Millisecond {
					t.Errorf("held for %v", d)
				}
			}
			held := p.hold(t.Context(), "d")
			if err := s.srv.Session(p.id).Deliver("/a", []byte(`"hello"`)); err != nil {
				t.Fatal(err)
			}
			expect(held, 200, `"hello"`)
			// Refused bodies and replaced connects do not cost the connection either.
			if status, _, _ := p.ask(t.Context(), `nothing`); status != 400 {
				t.Errorf("status %d", status)
			}
			older := p.hold(t.Context(), "o")
			newer := p.connect(t.Context(), "n", `,"advice":{"timeout":1}`)
			expect(older, 500, "newer connect")
			expect(newer, 200, `"n"`)
			most := int64(2) // a connect and something else
			if major == 2 {
				most = 1
			}
			if n := s.opened.Load(); n > most {
				t.Errorf("%d connections were opened", n)
			}

			// A client that hangs up is noticed, and its message is not lost.
			ctx, cancel := context.WithCancel(t.Context())
			gone := p.hold(ctx, "g")
			cancel()
			<-gone
			for s.srv.Session(p.id).Held() {
				time.Sleep(time.Millisecond)
			}
			if err := s.srv.Session(p.id).Deliver("/a", []byte(`"kept"`)); err != nil {
				t.Fatal(err)
			}
			if _, _, text := p.ask(t.Context(), `{"channel":"/meta/connect","clientId":"$"}`); !strings.Contains(text, `"kept"`) {
				t.Errorf(`got %s, want strings.Contains(text, '"kept"')`, text)
			}
			if major == 2 && s.opened.Load() != 1 {
				t.Errorf("%d connections were opened", s.opened.Load())
			}

			// Only HTTP/1.1 is short of connections.
			second := s.tab(p.cookie)
			first := p.hold(t.Context(), "1")
			_, _, text := second.ask(t.Context(), `{"channel":"/meta/connect","clientId":"$","id":"2","advice":{"timeout":1}}`)
			if told := strings.Contains(text, "multiple-clients"); told != (major == 1) {
				t.Errorf("the second tab: %s", text)
			}
			if err := s.srv.Session(p.id).Deliver("/a", []byte(`"enough"`)); err != nil {
				t.Fatal(err)
			}
			expect(first, 200, `"1"`)
		})
	}
}
