package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/gobwas/ws/wsutil"
	"github.com/google/go-cmp/cmp"
)

func testServices(t *testing.T, c carrier) {
	s := shake(t, c)
	s.connect(0)
	subscribe := func(channel, want string) {
		t.Helper()
		s.send("/meta/subscribe", fmt.Sprintf(`"subscription":%q`, channel), want)
	}
	subscribe("/some/**", "")
	subscribe("/denied/x", "403:denied_by_echo:subscribe_denied")
	subscribe("/denied/**", "403:denied_by_echo:subscribe_denied")
	s.send("/denied/x", `"data":1`, "403:denied_by_echo:publish_denied")
	s.send("/service/none", `"data":1`, "")
	s.send("/service/push", `"data":{"channel":"/some/where","data":{"a":1}}`, "")
	s.send("/service/push", `"data":{"channel":"/some/*","data":1}`, "405::channel_invalid")
	s.send("/service/push", `"data":{"channel":"/some/where"}`, "400::data_invalid")
	s.send("/service/flood", `"data":{"channel":"/flood","count":3}`, "")
	s.send("/service/flood", `"data":{"channel":"/flood","count":-1}`, "400::data_invalid")
	s.send("/service/flood", `"data":7`, "400::data_invalid")
	s.send("/service/echo", `"data":[{"x":null}],"ext":{"binary":{}}`, "")
	s.send("/service/echo", `"data":false`, "")
	want := []message{
		{"channel": "/some/where", "data": message{"a": 1.0}},
		{"channel": "/flood", "data": message{"n": 0.0}},
		{"channel": "/flood", "data": message{"n": 1.0}},
		{"channel": "/flood", "data": message{"n": 2.0}},
		{"channel": "/service/echo", "id": "last", "successful": true, "data": []any{message{"x": nil}}, "ext": message{"binary": message{}}},
		{"channel": "/service/echo", "id": "last", "successful": true, "data": false},
	}
	got := s.connect(1)
	if diff := cmp.Diff(want, got[:len(got)-1]); diff != "" {
		t.Error(diff)
	}

	s.send("/service/kick", `"data":1`, "")
	f := s.ask(fmt.Sprintf(`{"channel":"/meta/connect","clientId":%q,"id":"last"}`, s.id))
	if reply := f[len(f)-1]; reply["error"] != "402::Unknown client" {
		t.Errorf("after the kick: %v", f)
	}
}

func TestServes(t *testing.T) {
	p := start(t, "-timeout", "1500ms")
	t.Run("long-polling", func(t *testing.T) { testServices(t, &polling{t, p.url + "/below", p.polling().web}) })
	t.Run("websocket", func(t *testing.T) { testServices(t, &websocket{t, p.websocket().conn}) })

	c := p.polling()
	f := c.ask(`[{"channel":"/meta/handshake","ext":{"deny":true}}]`)
	if f[0]["error"] != "403::handshake_denied" || f[0]["clientId"] != nil {
		t.Errorf("a handshake that asks to be denied: %v", f)
	}
	// The flags arrive: this is what clients are advised.
	f = c.ask(`[{"channel":"/meta/handshake","ext":{"deny":"true"}}]`)
	if diff := cmp.Diff(message{"reconnect": "retry", "interval": 0.0, "timeout": 1500.0}, f[0]["advice"]); diff != "" {
		t.Error(diff)
	}
	p.stop()
}

func TestStopsWithHeldConnects(t *testing.T) {
	p := start(t)
	poller, socket := p.polling(), p.websocket()
	a, b := shake(t, poller), shake(t, socket)
	a.connect(0)
	b.connect(0)
	body := func(s *session) string {
		return fmt.Sprintf(`{"channel":"/meta/connect","clientId":%q,"id":"last","ext":{"ack":1}}`, s.id)
	}
	if err := wsutil.WriteClientText(socket.conn, []byte(body(b))); err != nil {
		t.Fatal(err)
	}
	answered := make(chan []byte, 1)
	hold := func() {
		r, err := poller.web.Post(p.url, "application/json", strings.NewReader(body(a)))
		if err != nil {
			t.Error(err)
			answered <- nil
			return
		}
		defer r.Body.Close()
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		answered <- b
	}
	go hold()
	// The request was held if another one of the session finds its answer
	// later; whether it has arrived shows in what the second session of the
	// browser is told.
	second := shake(t, poller)
	second.connect(0)
	for {
		f := second.ask(fmt.Sprintf(`{"channel":"/meta/connect","clientId":%q,"id":"last","advice":{"timeout":1},"ext":{"ack":1}}`, second.id))
		if advice, ok := f[0]["advice"].(message); ok && advice["multiple-clients"] == true {
			break
		}
		select {
		case b := <-answered:
			if b == nil {
				t.FailNow()
			}
			// It came while the second session's was held, and only one is.
			go hold()
		default:
		}
	}
	p.stop()
	f := parseMessages(t, <-answered)
	if advice, ok := f[0]["advice"].(message); !ok || f[0]["successful"] != true || advice["reconnect"] != "retry" {
		t.Errorf("the held connect was answered with %v", f)
	}
	for {
		if _, err := wsutil.ReadServerText(socket.conn); err != nil {
			break
		}
	}
}

func TestPagesOfOtherOrigins(t *testing.T) {
	p := start(t, "-callback-polling")
	do := func(method, query string, header http.Header) *http.Response {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, p.url+query, strings.NewReader(`[{"channel":"/meta/handshake"}]`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header = header
		r, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = r.Body.Close() })
		return r
	}
	r := do(http.MethodOptions, "", http.Header{
		"Origin": {"https://page.example"}, "Access-Control-Request-Method": {"POST"}, "Access-Control-Request-Headers": {"content-type"},
	})
	for name, want := range map[string]string{
		"Access-Control-Allow-Origin": "https://page.example", "Access-Control-Allow-Credentials": "true",
		"Access-Control-Allow-Methods": "GET, POST", "Access-Control-Allow-Headers": "content-type",
	} {
		if got := r.Header.Get(name); got != want || r.StatusCode != http.StatusOK {
			t.Errorf("status %d, %s is %q, want %q", r.StatusCode, name, got, want)
		}
	}
	r = do(http.MethodPost, "", http.Header{"Origin": {"null"}})
	if r.Header.Get("Access-Control-Allow-Origin") != "null" || len(r.Cookies()) != 1 {
		t.Errorf("the origin null: got the headers %v, want it allowed and one cookie", r.Header)
	}
	r = do(http.MethodGet, `?jsonp=f&message=%5B%7B%22channel%22%3A%22/meta/handshake%22%7D%5D`, http.Header{})
	if b, err := io.ReadAll(r.Body); err != nil || !strings.HasPrefix(string(b), "f([") {
		t.Errorf("callback-polling: %s, %v", b, err)
	}
	p.stop()
}

func TestFlagsThatMakeNoSense(t *testing.T) {
	for _, args := range [][]string{{"-timeout", "0"}, {"-max-sessions-per-browser", "0"}, {"-max-interval", "-1s"}, {"what"}} {
		if err := run(t.Context(), args, io.Discard); err == nil {
			t.Errorf("%v was taken", args)
		}
	}
	if err := run(t.Context(), []string{"-listen", "127.0.0.1:-1"}, io.Discard); err == nil {
		t.Error("an address that is none was taken")
	}
}
