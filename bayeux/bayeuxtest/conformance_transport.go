package bayeuxtest

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gobwas/ws"

	"github.com/halley-chat/halley/bayeux"
)

// Transports: section 10 of SPEC.md.
var transportCases = []conformanceCase{
	{
		// spec:10.1 spec:10.7 spec:3.4
		name: "requests of all sorts",
		over: []string{LongPolling},
		run: func(c *conversation) {
			const shake = `{"channel":"/meta/handshake"}`
			for _, path := range []string{"", "/", "/handshake", "/a/b/c"} {
				for _, kind := range []string{"", "application/json", "text/plain", "application/json; charset=UTF-8"} {
					status, header, body := c.request(http.MethodPost, path, kind, shake)
					if status != http.StatusOK || header.Get("Content-Type") != "application/json;charset=UTF-8" || header.Get("Cache-Control") != "no-store" || !strings.HasPrefix(body, "[{") {
						c.Errorf(`got %q %q: %d %v %s, want status == http.StatusOK, header.Get("Content-Type") == "application/json;charset=UTF-8", header.Get("Cache-Control") == "no-store", strings.HasPrefix(body, "[{")`, path, kind, status, header, body)
					}
				}
			}
			for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
				if status, _, _ := c.request(method, "", "", ""); status != http.StatusBadRequest {
					c.Errorf(`%s: got %d, want status == http.StatusBadRequest`, method, status)
				}
			}
		},
	},
	{
		// spec:10.3 spec:10.3.1 spec:1.4.4
		name: "answers that are scripts",
		over: []string{CallbackPolling},
		run: func(c *conversation) {
			p := c.shaken()
			get := func(query string) (int, http.Header, string) {
				return c.request(http.MethodGet, "?"+query, "", "")
			}
			m := url.QueryEscape
			status, header, body := get("jsonp=a.b_c-1&message=" + m(`{"channel":"/meta/handshake"}`))
			if status != 200 || header.Get("Content-Type") != "text/javascript;charset=UTF-8" || header.Get("X-Content-Type-Options") != "nosniff" || !strings.HasPrefix(body, "a.b_c-1([{") || !strings.HasSuffix(body, "}])") {
				c.Errorf(`got %d %v %s, want status == 200, header.Get("Content-Type") == "text/javascript;charset=UTF-8", header.Get("X-Content-Type-Options") == "nosniff", strings.HasPrefix(body, "a.b_c-1([{"), strings.HasSuffix(body, "}])")`, status, header, body)
			}
			// Several messages of one request are one body.
			one := strings.ReplaceAll(p.on("/service/none", ""), "$", p.id)
			two := strings.ReplaceAll("["+p.on("/service/none", "")+"]", "$", p.id)
			if _, _, body := get("jsonp=f&message=" + m(one) + "&message=" + m(two)); strings.Count(body, `"id"`) != 2 {
				c.Errorf(`got %s, want strings.Count(body, '"id"') == 2`, body)
			}
			if _, _, body := get("jsonp=f&message=" + m(`{"id":"1","channel":"/`+"\u2028\u2029"+`"}`)); strings.ContainsAny(body, "\u2028\u2029") {
				c.Errorf("a line ends in %q", body)
			}
			for _, bad := range []string{"jsonp=a()", "jsonp=", "jsonp=a&jsonp=b", "jsonp=a%20b", "jsonp=" + strings.Repeat("x", 65), "callback=f"} {
				if status, _, _ := get(bad + "&message=" + m(one)); status != http.StatusBadRequest {
					c.Errorf(`%s: got %d, want status == http.StatusBadRequest`, bad, status)
				}
			}
		},
	},
	{
		// spec:10.4
		name: "frames",
		over: sockets,
		run: func(c *conversation) {
			shake := []byte(`{"channel":"/meta/handshake","id":"1"}`)
			part := func(code ws.OpCode, fin bool, b []byte) ws.Frame { return ws.NewFrame(code, fin, b) }
			for name, f := range map[string]struct {
				frames []ws.Frame
				code   ws.StatusCode
			}{
				"one frame":             {[]ws.Frame{part(ws.OpText, true, shake)}, 0},
				"three parts":           {[]ws.Frame{part(ws.OpText, false, shake[:5]), part(ws.OpContinuation, false, shake[5:9]), part(ws.OpContinuation, true, shake[9:])}, 0},
				"a ping in between":     {[]ws.Frame{part(ws.OpText, false, shake[:5]), ws.NewPingFrame([]byte("p")), part(ws.OpContinuation, true, shake[5:])}, 0},
				"binary":                {[]ws.Frame{part(ws.OpBinary, true, shake)}, 1003},
				"a part of nothing":     {[]ws.Frame{part(ws.OpContinuation, true, shake)}, 1002},
				"a new text in between": {[]ws.Frame{part(ws.OpText, false, shake[:5]), part(ws.OpText, true, shake)}, 1002},
				"a reserved code":       {[]ws.Frame{part(5, true, shake)}, 1002},
				"a cut ping":            {[]ws.Frame{part(ws.OpPing, false, nil)}, 1002},
			} {
				s := (&party{conversation: c}).open()
				go func() {
					for _, frame := range f.frames {
						// After a close frame the server need not read on.
						_, _ = s.Conn.Write(ws.MustCompileFrame(ws.MaskFrame(frame)))
					}
				}()
				if f.code != 0 {
					if _, code := s.ReadFrame(); code != f.code {
						c.Errorf("%s: closed with %d, want %d", name, code, f.code)
					}
					continue
				}
				if name == "a ping in between" {
					if b, _ := s.ReadFrame(); string(b) != "p" {
						c.Errorf(`%s: got %q, want string(b) == "p"`, name, b)
					}
				}
				if got := s.Read(); got[0]["successful"] != true {
					c.Errorf(`%s: got %v, want got[0]["successful"] == true`, name, got)
				}
				// A close is answered.
				_, _ = s.Conn.Write(ws.MustCompileFrame(ws.MaskFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(1000, "")))))
				if _, code := s.ReadFrame(); code != 1000 {
					c.Errorf("%s: the close was answered with %d", name, code)
				}
			}
			s := (&party{conversation: c}).open()
			_, _ = s.Conn.Write(ws.MustCompileFrame(ws.NewTextFrame(shake)))
			if _, code := s.ReadFrame(); code != 1002 {
				c.Errorf("without a mask: closed with %d", code)
			}
		},
	},
	{
		// spec:10.5 spec:13.1
		name: "a socket's messages are handled in turn",
		over: sockets,
		run: func(c *conversation) {
			p := c.shaken()
			const messages = 50
			for i := range messages {
				p.send(p.on("/service/echo", fmt.Sprintf(`"data":%d`, i)))
			}
			var got []Frame
			for len(got) < messages {
				got = append(got, deliveries(p.read())...)
			}
			for i, d := range got {
				if d["data"] != float64(i) {
					c.Fatalf("answer %d: %v", i, d)
				}
			}
		},
	},
	{
		// spec:10.9
		name:  "a silent socket is closed",
		over:  sockets,
		timed: true,
		run: func(c *conversation) {
			s := (&party{conversation: c}).open()
			start := time.Now()
			if _, code := s.ReadFrame(); code == 0 {
				c.Error("something came")
			}
			c.took(start, 30*time.Second, "the patience")
		},
	},
	{
		// spec:10.8 spec:8.3 spec:14.6
		name:    "falling back in the middle of a session",
		over:    polls,
		options: bayeux.Options{Timeout: 100 * time.Millisecond, MaxInterval: time.Minute, HoldsPerBrowser: -1},
		run: func(c *conversation) {
			onSocket := *c
			onSocket.kind = WebSocket
			s := onSocket.shaken()
			s.works(s.subscribe("/a"))
			cookie, err := http.ParseSetCookie(s.header.Get("Set-Cookie"))
			if err != nil {
				c.Fatal(err)
			}
			_ = s.socket.Conn.Close()
			c.settle()
			p, source := c.party(), c.shaken()
			p.id, p.cookie = s.id, cookie.Value
			f := p.reply(p.connect(""))
			if f["advice"] == nil {
				c.Errorf("another transport, and no advice: %v", f)
			}
			source.works(source.push("/a", "1"))
			if d := p.collect(1); d[0]["data"] != 1.0 {
				c.Errorf(`got %v, want d[0]["data"] == 1.0`, d)
			}
		},
	},
}

// request sends anything at all.
func (c *conversation) request(method, path, kind, body string) (int, http.Header, string) {
	c.Helper()
	req, err := http.NewRequestWithContext(c.Context(), method, c.e.URL+path, strings.NewReader(body))
	if err != nil {
		c.Fatal(err)
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	resp, err := c.e.Web.Do(req)
	if err != nil {
		c.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		c.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(b)
}
