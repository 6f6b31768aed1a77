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
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/halley-chat/halley/bayeux"
	"github.com/halley-chat/halley/bayeux/bayeuxtest"
)

// rawPoller is a session over one HTTP/1.1 connection, on which the test writes
// requests and reads answers by hand. It works inside a bubble.
type rawPoller struct {
	*testing.T
	srv  *bayeux.Server
	host *http.Server
	net  *bayeuxtest.Network
	conn net.Conn
	in   *bufio.Reader
	id   string
}

func newRawPoller(t *testing.T, o bayeux.Options) *rawPoller {
	t.Helper()
	o.Logger, o.TrustClientID, o.HoldsPerBrowser = slog.New(slog.DiscardHandler), true, -1
	p := &rawPoller{T: t, srv: bayeux.New(o), net: bayeuxtest.NewNetwork()}
	p.host = &http.Server{IdleTimeout: time.Minute, Handler: p.srv}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = p.host.Serve(p.net)
	}()
	t.Cleanup(func() {
		closeServer(t, p.srv)
		_ = p.host.Close()
		<-served
		_ = p.conn.Close()
	})
	p.dial()
	p.id = p.ask(`{"channel":"/meta/handshake"}`)[0]["clientId"].(string)
	p.ask(`{"channel":"/meta/connect","clientId":"$","advice":{"timeout":0}}`)
	return p
}

func (p *rawPoller) dial() {
	p.Helper()
	conn, err := p.net.Dial(p.Context(), "", "")
	if err != nil {
		p.Fatal(err)
	}
	p.conn, p.in = conn, bufio.NewReader(conn)
}

// say sends a request in whose body $ stands for the clientId.
func (p *rawPoller) say(body string) {
	p.Helper()
	if err := p.write(body); err != nil {
		p.Fatal(err)
	}
}

func (p *rawPoller) write(body string) error {
	body = strings.ReplaceAll(body, "$", p.id)
	_, err := fmt.Fprintf(p.conn, "POST /cometd HTTP/1.1\r\nHost: memory\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	return err
}

// answer reads the next answer.
func (p *rawPoller) answer() (status int, frames []frame) {
	p.Helper()
	resp, err := http.ReadResponse(p.in, nil)
	if err != nil {
		p.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		p.Fatal(err)
	}
	if h := resp.Header; h.Get("Date") == "" || h.Get("X-Content-Type-Options") != "nosniff" {
		p.Errorf("header of an answer: got %v, want Date and nosniff", h)
	}
	if resp.StatusCode == 200 {
		frames = parse(p, b)
	}
	return resp.StatusCode, frames
}

func (p *rawPoller) ask(body string) []frame {
	p.Helper()
	p.say(body)
	_, frames := p.answer()
	return frames
}

// hold has a connect held.
func (p *rawPoller) hold() {
	p.Helper()
	p.say(`{"channel":"/meta/connect","clientId":"$","id":"held"}`)
	synctest.Wait()
	if !p.srv.Session(p.id).Held() {
		p.Fatal("the connect is not held")
	}
}

func parse(t testing.TB, b []byte) (frames []frame) {
	t.Helper()
	if err := json.Unmarshal(b, &frames); err != nil {
		t.Errorf("got %s, want an array of messages: %v", b, err)
	}
	return frames
}

func (p *rawPoller) deliver(n int) {
	p.Helper()
	if err := p.srv.Session(p.id).Deliver("/service/n", fmt.Append(nil, n)); err != nil {
		p.Fatal(err)
	}
}

// wantPublishReply publishes and expects its reply alone.
func (p *rawPoller) wantPublishReply(what string) {
	p.Helper()
	if f := p.ask(`{"channel":"/service/none","clientId":"$","id":"p","data":1}`); len(f) != 1 || f[0]["id"] != "p" {
		p.Errorf("%s: got %v, want the publish's reply", what, f)
	}
}

// A held connect is answered when there is a message or its time is up, and
// its connection stays usable.
func TestHeldPollIsAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newRawPoller(t, bayeux.Options{})
		for n := range 3 {
			p.hold()
			p.deliver(n)
			if status, f := p.answer(); status != 200 || cmp.Diff([]int{n}, numbers(f)) != "" || f[1]["id"] != "held" {
				t.Errorf("message %d: got status %d, %v", n, status, f)
			}
			p.wantPublishReply("the connection after it")
		}
		start := time.Now()
		p.hold()
		status, f := p.answer()
		if status != 200 || f[0]["id"] != "held" || f[0]["successful"] != true || time.Since(start) != 20*time.Second {
			t.Errorf("without a message: got status %d, %v after %v, want success after 20s", status, f, time.Since(start))
		}
	})
}

// A client that pipelines a request behind a held connect gets both answers,
// in order.
func TestPipelinedRequestBehindAHeldPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newRawPoller(t, bayeux.Options{})
		p.hold()
		sent := make(chan error, 1)
		// Nobody reads all of it yet.
		go func() { sent <- p.write(`{"channel":"/service/none","clientId":"$","id":"p","data":1}`) }()
		time.Sleep(time.Second)
		p.deliver(1)
		if _, f := p.answer(); f[len(f)-1]["id"] != "held" {
			t.Errorf("first answer: got %v, want the connect's", f)
		}
		if _, f := p.answer(); f[0]["id"] != "p" {
			t.Errorf("second answer: got %v, want the publish's", f)
		}
		if err := <-sent; err != nil {
			t.Error(err)
		}
	})
}

// A client that hangs up a held connect is noticed at once: what is queued
// stays, and the session's expiry runs from then.
//
// spec:7.8
func TestClientHangsUpAHeldPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newRawPoller(t, bayeux.Options{MaxInterval: 10 * time.Second})
		p.hold()
		_ = p.conn.Close()
		synctest.Wait()
		if p.srv.Session(p.id).Held() {
			t.Error("the connect is still held")
		}
		p.deliver(1)
		p.dial()
		if f := p.ask(`{"channel":"/meta/connect","clientId":"$","id":"c"}`); cmp.Diff([]int{1}, numbers(f)) != "" {
			t.Errorf("next connect: got %v, want message 1", f)
		}
		p.hold()
		_ = p.conn.Close()
		time.Sleep(9 * time.Second)
		if p.srv.Session(p.id) == nil {
			t.Error("after 9s: the session has expired, want it alive")
		}
		time.Sleep(2 * time.Second)
		if p.srv.Session(p.id) != nil {
			t.Error("after 11s: the session is alive, want it expired")
		}
	})
}

// A newer connect on another connection replaces a held one; both connections
// stay usable.
//
// spec:7.6.1
func TestHeldPollIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newRawPoller(t, bayeux.Options{})
		p.hold()
		old, in := p.conn, p.in
		p.dial()
		p.hold()
		p.deliver(1)
		if status, f := p.answer(); status != 200 || cmp.Diff([]int{1}, numbers(f)) != "" {
			t.Errorf("newer connect: got status %d, %v, want message 1", status, f)
		}
		newer := p.conn
		defer newer.Close()
		p.conn, p.in = old, in
		if status, _ := p.answer(); status != 500 {
			t.Errorf("older connect: got status %d, want 500", status)
		}
		p.wantPublishReply("the older connection")
	})
}

// Drain and Close answer held connects.
//
// spec:14.15 spec:14.16
func TestEndOfHeldPolls(t *testing.T) {
	for name, c := range map[string]struct {
		end       func(*rawPoller)
		reconnect string
	}{
		"drain": {func(p *rawPoller) { p.srv.Drain(time.Second) }, "retry"},
		"close": {func(p *rawPoller) { go closeServer(p, p.srv) }, "handshake"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newRawPoller(t, bayeux.Options{})
				p.hold()
				c.end(p)
				if _, f := p.answer(); f[0].At("advice", "reconnect") != c.reconnect {
					t.Errorf("got %v, want advice reconnect %q", f, c.reconnect)
				}
				if err := p.host.Shutdown(p.Context()); err != nil {
					t.Error(err)
				}
				if _, err := p.in.ReadByte(); err != io.EOF {
					t.Errorf("the connection after Shutdown: got %v, want EOF", err)
				}
			})
		})
	}
}

// An extension that panics when a held connect is answered ends that
// connection and nothing else.
//
// spec:14.20
func TestPanicBehindAHeldPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := bayeux.Options{Extensions: []bayeux.Extension{{
			Incoming: func(_ context.Context, _ *bayeux.Session, m *bayeux.Message) error {
				if string(m.ID) == `"held"` {
					m.OnReply(func(*bayeux.Session, *bayeux.Reply) { panic(http.ErrAbortHandler) })
				}
				return nil
			},
		}}}
		p := newRawPoller(t, o)
		p.hold()
		p.deliver(1)
		if _, err := p.in.ReadByte(); err != io.EOF {
			t.Errorf("the connection: got %v, want EOF", err)
		}
		p.dial()
		if f := p.ask(`{"channel":"/service/none","clientId":"$","id":"p","data":1}`); f[len(f)-1]["id"] != "p" {
			t.Errorf("the next request: got %v, want the publish's reply", f)
		}
	})
}
