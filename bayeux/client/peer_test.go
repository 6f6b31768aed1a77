package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// object is a message, or a part of one, as a test writes and reads it.
type object = map[string]any

// network is a server's in-memory listener.
type network struct {
	conns  chan net.Conn
	closed chan struct{}
	refuse bool // dials fail; set only while nobody dials
}

var errRefused = errors.New("connection refused")

func (n *network) Accept() (net.Conn, error) {
	select {
	case c := <-n.conns:
		return c, nil
	case <-n.closed:
		return nil, net.ErrClosed
	}
}

func (n *network) Close() error   { close(n.closed); return nil }
func (n *network) Addr() net.Addr { return &net.UnixAddr{Name: "memory"} }

func (n *network) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	if n.refuse {
		return nil, errRefused
	}
	near, far := net.Pipe()
	select {
	case n.conns <- far:
		return near, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// peer is a Bayeux server without a will of its own: the test takes every
// request from it and says what is answered, and when.
type peer struct {
	t         *testing.T
	net       *network
	requests  chan *request
	intercept func(http.ResponseWriter, *http.Request) bool // answers in place of the peer if it returns true
	sockets   sync.WaitGroup
	server    *http.Server
}

// request is one HTTP request or one WebSocket message.
type request struct {
	peer      *peer
	transport string
	path      string
	header    http.Header
	messages  []object
	write     func(body string) // for long-polling, once
	drop      func()            // breaks the connection
}

func newPeer(t *testing.T) *peer {
	p := &peer{
		t: t, requests: make(chan *request, 16),
		net: &network{conns: make(chan net.Conn), closed: make(chan struct{})},
	}
	p.server = &http.Server{Handler: p}
	go p.server.Serve(p.net)
	t.Cleanup(func() {
		p.server.Close()
		p.sockets.Wait()
	})
	return p
}

// client makes a client of the peer, and closes it with the test.
func (p *peer) client(opts Options) *Client {
	p.t.Helper()
	opts.URL, opts.Dial = "http://peer.example/cometd", p.net.dial
	c, err := New(opts)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() {
		c.stop() // without the goodbye that nobody would answer
		c.Close(context.Background())
		<-c.Done()
	})
	return c
}

func (p *peer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if p.intercept != nil && p.intercept(w, r) {
		return
	}
	if r.Header.Get("Upgrade") != "" {
		p.socket(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	answer := make(chan string, 1)
	req := &request{
		peer: p, transport: LongPolling, path: r.URL.Path, header: r.Header, messages: p.parse(body),
		write: func(body string) { answer <- body }, drop: func() { close(answer) },
	}
	select {
	case p.requests <- req:
	case <-r.Context().Done():
		return
	}
	select {
	case body, ok := <-answer:
		if !ok {
			panic(http.ErrAbortHandler)
		}
		io.WriteString(w, body)
	case <-r.Context().Done():
	}
}

func (p *peer) socket(w http.ResponseWriter, r *http.Request) {
	conn, _, _, err := ws.HTTPUpgrader{Header: w.Header()}.Upgrade(r, w)
	if err != nil {
		return
	}
	var writing sync.Mutex
	p.sockets.Go(func() {
		defer conn.Close()
		for {
			body, op, err := wsutil.ReadClientData(conn)
			if err != nil || op != ws.OpText {
				return
			}
			p.requests <- &request{
				peer: p, transport: WebSocket, path: r.URL.Path, header: r.Header, messages: p.parse(body),
				write: func(body string) {
					writing.Lock()
					defer writing.Unlock()
					if err := wsutil.WriteServerText(conn, []byte(body)); err != nil {
						p.t.Logf("peer: %v", err)
					}
				},
				drop: func() { conn.Close() },
			}
		}
	})
}

func (p *peer) parse(body []byte) (messages []object) {
	if err := json.Unmarshal(body, &messages); err != nil {
		p.t.Errorf("the client sent %q: %v", body, err)
	}
	return messages
}

// next is the next request; it must be for a channel.
func (p *peer) next(channel string) *request {
	p.t.Helper()
	select {
	case r := <-p.requests:
		if got := r.messages[0]["channel"]; got != channel {
			p.t.Fatalf("the client sent a message to %v, want %s: %v", got, channel, r.messages)
		}
		return r
	case <-time.After(10 * time.Minute):
		p.t.Fatalf("the client sent nothing, want a message to %s", channel)
		return nil
	}
}

// nextOf is the next two requests, in the order of the given channels,
// whichever came first.
func (p *peer) nextOf(first, second string) (*request, *request) {
	p.t.Helper()
	a, b := <-p.requests, <-p.requests
	if a.messages[0]["channel"] != first {
		a, b = b, a
	}
	if a.messages[0]["channel"] != first || b.messages[0]["channel"] != second {
		p.t.Fatalf("the client sent %v and %v, want messages to %s and %s", a.messages, b.messages, first, second)
	}
	return a, b
}

// quiet fails the test if the client sends anything within d.
func (p *peer) quiet(d time.Duration) {
	p.t.Helper()
	select {
	case r := <-p.requests:
		p.t.Fatalf("the client sent %v", r.messages)
	case <-time.After(d):
	}
}

// reply answers every message of the request with success and the given
// additional fields, after other messages.
func (r *request) reply(fields object, before ...object) {
	for _, m := range r.messages {
		answer := object{"channel": m["channel"], "id": m["id"], "successful": true}
		for k, v := range fields {
			answer[k] = v
		}
		before = append(before, answer)
	}
	r.send(before...)
}

// fail answers the request with an error and an advice.
func (r *request) fail(text string, advice any, before ...object) {
	fields := object{"successful": false, "error": text}
	if advice != nil {
		fields["advice"] = advice
	}
	r.reply(fields, before...)
}

func (r *request) send(messages ...object) {
	r.peer.t.Helper()
	body, err := json.Marshal(messages)
	if err != nil {
		r.peer.t.Fatal(err)
	}
	r.write(string(body))
}

// push sends a delivery in its own frame, or as the whole answer.
func delivery(channel string, data any) object { return object{"channel": channel, "data": data} }

// shake answers a handshake with a new session.
func (p *peer) shake(clientID string) *request {
	p.t.Helper()
	r := p.next("/meta/handshake")
	r.reply(object{
		"clientId": clientID, "version": "1.0", "supportedConnectionTypes": []string{WebSocket, LongPolling},
		"advice": object{"reconnect": "retry", "interval": 0, "timeout": 20000},
	})
	return r
}

// hold is the next connect, which must be of a session and wait for events.
func (p *peer) hold(clientID string) *request {
	p.t.Helper()
	r := p.next("/meta/connect")
	if m := r.messages[0]; m["clientId"] != clientID || m["advice"] != nil {
		p.t.Fatalf("the client sent %v, want a connect of %s without advice", m, clientID)
	}
	return r
}

// probe is the next connect, which must be of a session and want an answer at
// once.
func (p *peer) probe(clientID string) *request {
	p.t.Helper()
	r := p.next("/meta/connect")
	m := r.messages[0]
	advice, _ := m["advice"].(object)
	if m["clientId"] != clientID || advice["timeout"] != 0.0 {
		p.t.Fatalf("the client sent %v, want a connect of %s with timeout 0", m, clientID)
	}
	return r
}

// establish takes a client that has been started to its first held connect.
func (p *peer) establish(clientID string) (held *request) {
	p.t.Helper()
	p.shake(clientID)
	p.probe(clientID).reply(nil)
	return p.hold(clientID)
}
