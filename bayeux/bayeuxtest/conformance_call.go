package bayeuxtest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gobwas/ws"
)

// call is something that was sent and not yet answered.
type call struct {
	p      *party
	ids    []string
	polled chan polled
}

type polled struct {
	status int
	header http.Header
	frames []Frame
	text   string
}

// send sends one body, made of the messages.
func (p *party) send(messages ...string) *call {
	p.Helper()
	body := strings.Join(messages, ",")
	if len(messages) != 1 {
		body = "[" + body + "]"
	}
	body = strings.ReplaceAll(body, "$", p.id)
	c := &call{p: p, polled: make(chan polled, 1)}
	for _, m := range messages {
		var f Frame
		if err := json.Unmarshal([]byte(m), &f); err == nil && f["id"] != nil {
			c.ids = append(c.ids, fmt.Sprint(f["id"]))
		}
	}
	if p.kind == WebSocket {
		p.socket.Send(body)
		return c
	}
	cookie := p.cookie
	go func() { c.polled <- p.exchange(p.Context(), cookie, body) }()
	return c
}

// exchange is one request of a polling transport. The status is 0 if no
// answer came.
func (p *party) exchange(ctx context.Context, cookie, body string) (out polled) {
	method, address, content := http.MethodPost, p.e.URL, io.Reader(strings.NewReader(body))
	if p.kind == CallbackPolling {
		method, content = http.MethodGet, nil
		address += "?jsonp=call.back&message=" + url.QueryEscape(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, address, content)
	if err != nil {
		return out
	}
	if cookie != "" {
		req.AddCookie(&http.Cookie{Name: Cookie, Value: cookie})
	}
	return p.do(req)
}

// do sends a request and reads its answer.
func (p *party) do(req *http.Request) (out polled) {
	resp, err := p.e.Web.Do(req)
	if err != nil {
		return out
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return out
	}
	out = polled{status: resp.StatusCode, header: resp.Header, text: string(b)}
	if resp.StatusCode != http.StatusOK {
		return out
	}
	if p.kind == CallbackPolling {
		b = bytes.TrimSuffix(bytes.TrimPrefix(b, []byte("call.back(")), []byte(")"))
	}
	if err := json.Unmarshal(b, &out.frames); err != nil || len(out.frames) == 0 {
		out.status = 0
	}
	return out
}

// answer waits for the HTTP answer of a polling transport.
func (c *call) answer() polled {
	c.p.Helper()
	select {
	case a := <-c.polled:
		if a.header != nil {
			c.p.header = a.header
		}
		resp := http.Response{Header: a.header}
		for _, set := range resp.Cookies() {
			if set.Name == Cookie {
				c.p.cookie = set.Value
			}
		}
		return a
	case <-time.After(patience):
		c.p.Fatal("no answer came")
		return polled{}
	}
}

// wait returns everything up to the last reply to what was sent. On a socket
// replies to other messages are kept for those who wait for them.
func (c *call) wait() []Frame {
	c.p.Helper()
	p := c.p
	if p.polling() {
		a := c.answer()
		if a.status != http.StatusOK {
			p.Fatalf("status %d: %s", a.status, a.text)
		}
		return a.frames
	}
	missing := make(map[string]bool)
	for _, id := range c.ids {
		missing[id] = true
	}
	var out, others []Frame
	sort := func(f Frame) {
		_, delivery := f["data"]
		id := fmt.Sprint(f["id"])
		switch {
		case delivery || f["id"] == nil:
			out = append(out, f)
		case missing[id]:
			delete(missing, id)
			out = append(out, f)
		default:
			others = append(others, f)
		}
	}
	for _, f := range p.early {
		sort(f)
	}
	for len(missing) > 0 {
		for _, f := range p.read() {
			sort(f)
		}
	}
	p.early = others
	return out
}

// read is the next frame of the socket.
func (p *party) read() []Frame {
	p.Helper()
	select {
	case f, ok := <-p.frames:
		if !ok {
			p.Fatalf("the socket closed with %d", <-p.closed)
		}
		return f
	case <-time.After(patience):
		p.Fatal("no frame came")
		return nil
	}
}

// say sends and waits.
func (p *party) say(messages ...string) []Frame {
	p.Helper()
	return p.send(messages...).wait()
}

// reply sends one message and returns its reply alone.
func (p *party) reply(message string) Frame {
	p.Helper()
	f := p.say(message)
	return f[len(f)-1]
}

// works fails the test if a message is not answered with success.
func (p *party) works(message string) {
	p.Helper()
	if f := p.reply(message); f["successful"] != true {
		p.Errorf(`%s: got %v, want f["successful"] == true`, message, f)
	}
}

// fails fails the test if a message is not answered with an error.
func (p *party) fails(message, want string) Frame {
	p.Helper()
	f := p.reply(message)
	if f["successful"] != false || f["error"] != want {
		p.Errorf("%s: %v, want %s", message, f, want)
	}
	return f
}

// deliveries are the messages with data.
func deliveries(frames []Frame) (list []Frame) {
	for _, f := range frames {
		if _, ok := f["data"]; ok {
			list = append(list, f)
		}
	}
	return list
}

// collect returns the next n deliveries: a polling client connects for them.
func (p *party) collect(n int) (list []Frame) {
	p.Helper()
	for len(list) < n {
		if p.polling() {
			list = append(list, deliveries(p.say(p.connect("")))...)
		} else {
			list = append(list, deliveries(p.read())...)
		}
	}
	return list
}

// own sends a message that causes n deliveries to the sender and returns them
// and the reply. Over callback-polling they leave with the next connect.
func (p *party) own(message string, n int) []Frame {
	p.Helper()
	f := p.say(message)
	if p.kind == CallbackPolling {
		f = append(p.collect(n), f...)
	}
	return f
}

// nothing checks that nothing is waiting for the party.
func (p *party) nothing(what string) {
	p.Helper()
	f := p.say(p.connect(`"advice":{"timeout":0}`))
	if d := deliveries(f); len(d) > 0 {
		p.Errorf(`%s: got %v, want len(d) == 0`, what, d)
	}
}

// refused checks how a body is refused as a whole: with a status, or by
// closing the socket with a code.
func (c *conversation) refused(p *party, status int, code ws.StatusCode, messages ...string) {
	c.Helper()
	sent := p.send(messages...)
	if c.polling() {
		if a := sent.answer(); a.status != status {
			c.Errorf("status %d, want %d", a.status, status)
		}
		return
	}
	c.ends(p, code)
}

// ends checks how the server closes the socket.
func (c *conversation) ends(p *party, code ws.StatusCode) {
	c.Helper()
	select {
	case got := <-p.closed:
		if got != code {
			c.Errorf("closed with %d, want %d", got, code)
		}
	case <-time.After(patience):
		c.Error("the socket stays open")
	}
}
