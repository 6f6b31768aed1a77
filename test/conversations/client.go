package conversations

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gobwas/ws"
)

const (
	// within is how long anything that is wanted may take, on a busy machine.
	within = time.Minute
	// callback is the function that a callback-polling client names.
	callback = "cb._7"
)

// client is a Bayeux client that sends what it is told, byte by byte, and
// keeps what comes in the order in which it comes. Over polling two responses
// can come at once, so there what connects bring stands in a queue of its own.
type client struct {
	// Static after construction.
	name      string
	transport string
	url       string // of the Bayeux server
	web       *http.Client
	ctx       context.Context
	cancel    context.CancelFunc
	running   sync.WaitGroup

	// Owned by the player.
	header http.Header
	vars   map[string]string
	autos  int // connects that the client sent by itself

	mu sync.Mutex
	// Guarded by mu.
	queues  [2][]any      // what came with connects, and everything else
	changed chan struct{} // closed and replaced when something comes
	cookies map[string]string
	conn    net.Conn
	holding int             // connects that have not been answered
	lost    bool            // the server does not know the session any more
	parted  bool            // the client has taken its leave, and the server may hang up
	taken   map[string]bool // deliveries that were wanted and came, as JSON
	again   bool            // the server may send once more what it cannot know to have come
}

func newClient(name, transport, url string) *client {
	c := &client{
		name: name, transport: transport, url: url, header: make(http.Header), vars: make(map[string]string),
		taken: make(map[string]bool), changed: make(chan struct{}), cookies: make(map[string]string),
		web: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 4}},
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// close ends everything, without a word to the server.
func (c *client) close() {
	c.cancel()
	c.hangUp()
	c.running.Wait()
	c.web.CloseIdleConnections()
}

// hangUp drops the connection. What had come is forgotten.
func (c *client) hangUp() {
	c.mu.Lock()
	conn := c.conn
	c.conn, c.queues, c.again = nil, [2][]any{}, len(c.taken) > 0
	c.mu.Unlock()
	if conn != nil {
		_ = conn.Close()
	}
	c.web.CloseIdleConnections()
}

// request is the header of a request, cookies included.
func (c *client) request() http.Header {
	h := c.header.Clone()
	c.mu.Lock()
	defer c.mu.Unlock()
	if h.Get("Cookie") == "" && len(c.cookies) > 0 {
		var list []string
		for _, name := range slices.Sorted(maps.Keys(c.cookies)) {
			list = append(list, name+"="+c.cookies[name])
		}
		h.Set("Cookie", strings.Join(list, "; "))
	}
	return h
}

func (c *client) bake(h http.Header) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range (&http.Response{Header: h}).Cookies() {
		c.cookies[k.Name] = k.Value
	}
}

// browser is the value of the cookie that ties a browser to its sessions.
func (c *client) browser() (string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v, ok := c.cookies["BAYEUX_BROWSER"]
	return v, ok
}

// put adds what came to a queue.
func (c *client) put(queue int, values ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, v := range values {
		m, _ := v.(map[string]any)
		if id, _ := m["id"].(string); strings.HasPrefix(id, autoID) {
			// The client asked for it, and not the conversation.
			c.lost = c.lost || m["successful"] != true
			continue
		}
		c.parted = c.parted || m["channel"] == "/meta/disconnect" && m["successful"] == true
		c.queues[queue] = append(c.queues[queue], v)
	}
	close(c.changed)
	c.changed = make(chan struct{})
}

// autoID begins the ids of connects that the client sends by itself.
const autoID = "auto-"

// send sends a text as it is.
func (c *client) send(text string) error {
	if c.transport == overWebSocket {
		return c.write(text)
	}
	connects, holds := connecting(text)
	switch {
	case holds:
		c.hold(text, "")
		return nil
	case connects:
		// Over polling it means that a connection was lost.
		c.mu.Lock()
		c.again = len(c.taken) > 0
		c.mu.Unlock()
	}
	c.exchange(1, text, "")
	return nil
}

// connecting says whether a text has a connect, and whether the server may let
// the answer wait.
func connecting(text string) (connects, holds bool) {
	list, err := parseValues(text)
	if err != nil {
		return false, false
	}
	for _, v := range list {
		m, _ := v.(map[string]any)
		if m["channel"] == "/meta/connect" {
			advice, _ := m["advice"].(map[string]any)
			connects, holds = true, holds || advice["timeout"] != json.Number("0")
		}
	}
	return connects, holds
}

func (c *client) hold(text, auto string) {
	c.mu.Lock()
	c.holding++
	c.mu.Unlock()
	c.running.Go(func() {
		c.exchange(0, text, auto)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.holding--
		close(c.changed)
		c.changed = make(chan struct{})
	})
}

// keep sends a connect if none is held, so that what happens can come.
func (c *client) keep() {
	c.mu.Lock()
	idle := c.holding == 0 && !c.lost
	c.mu.Unlock()
	id := c.vars["clientId"]
	if c.transport == overWebSocket || !idle || id == "" {
		return
	}
	c.autos++
	auto := fmt.Sprint(autoID, c.autos)
	c.hold(fmt.Sprintf(`[{"channel":"/meta/connect","clientId":%q,"connectionType":%q,"id":%q}]`, id, c.transport, auto), auto)
}

// exchange sends a text over HTTP and takes the answer to a queue. Of an answer
// that is no 200 the queue gets the status, unless the client asked by itself.
func (c *client) exchange(queue int, text, auto string) {
	method, target, body := http.MethodPost, c.url, io.Reader(strings.NewReader(text))
	if c.transport == overCallback {
		method, target, body = http.MethodGet, c.url+"?"+url.Values{"jsonp": {callback}, "message": {text}}.Encode(), nil
	}
	req, err := http.NewRequestWithContext(c.ctx, method, target, body)
	if err != nil {
		c.put(queue, map[string]any{"failed": err.Error()})
		return
	}
	req.Header = c.request()
	if method == http.MethodPost && req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", "application/json;charset=UTF-8")
	}
	resp, err := c.web.Do(req)
	if err != nil {
		if c.ctx.Err() == nil && auto == "" {
			c.put(queue, map[string]any{"failed": "no answer"})
		}
		return
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	c.bake(resp.Header)
	switch {
	case err != nil && c.ctx.Err() == nil && auto == "":
		c.put(queue, map[string]any{"failed": err.Error()})
	case err != nil:
	case resp.StatusCode != http.StatusOK && auto != "":
	case resp.StatusCode != http.StatusOK:
		c.put(queue, map[string]any{"http": json.Number(fmt.Sprint(resp.StatusCode))})
	default:
		c.put(queue, c.unpack(resp.Header.Get("Content-Type"), b)...)
	}
}

// unpack reads an answer, which is an array of messages whatever was sent.
func (c *client) unpack(kind string, b []byte) []any {
	want := "application/json"
	if c.transport == overCallback {
		want = "text/javascript"
		inner, ok := bytes.CutPrefix(b, []byte(callback+"("))
		inner, closed := bytes.CutSuffix(inner, []byte(")"))
		if !ok || !closed {
			return []any{map[string]any{"failed": "no call of " + callback + ": " + string(b)}}
		}
		b = inner
	}
	if !strings.HasPrefix(kind, want) {
		return []any{map[string]any{"failed": "the type is " + kind}}
	}
	return messages(b)
}

func messages(b []byte) []any {
	var list []any
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	if err := dec.Decode(&list); err != nil {
		return []any{map[string]any{"failed": "no array of messages: " + string(b)}}
	}
	return list
}

// write sends one text frame, over a socket that is opened if there is none.
func (c *client) write(text string) error {
	c.mu.Lock()
	conn := c.conn
	c.mu.Unlock()
	if conn == nil {
		var err error
		if conn, err = c.dial(); err != nil {
			return err
		}
	}
	_ = conn.SetWriteDeadline(time.Now().Add(within)) // a loopback socket has deadlines
	return ws.WriteFrame(conn, ws.MaskFrame(ws.NewTextFrame([]byte(text))))
}

func (c *client) dial() (net.Conn, error) {
	answer := make(http.Header)
	d := ws.Dialer{Timeout: within, Header: ws.HandshakeHeaderHTTP(c.request()), OnHeader: func(k, v []byte) error {
		answer.Add(string(k), string(v))
		return nil
	}}
	conn, br, _, err := d.Dial(c.ctx, "ws"+strings.TrimPrefix(c.url, "http"))
	if err != nil {
		return nil, err
	}
	c.bake(answer)
	if br == nil {
		br = bufio.NewReader(conn)
	}
	c.mu.Lock()
	c.conn = conn
	c.mu.Unlock()
	c.running.Go(func() { c.read(conn, br) })
	return conn, nil
}

// read reads a socket until it ends. The queue then gets the code of the end,
// 0 if there is none, unless the client itself hung up or has taken its leave.
func (c *client) read(conn net.Conn, br *bufio.Reader) {
	for {
		b, code, ok := readFrame(br)
		if !ok {
			_ = conn.Close()
			c.mu.Lock()
			mine, parted := c.conn == conn, c.parted
			if mine {
				c.conn, c.again, c.parted = nil, len(c.taken) > 0, false
			}
			c.mu.Unlock()
			if mine && !(parted && code == ws.StatusNormalClosure) {
				c.put(0, map[string]any{"closed": json.Number(fmt.Sprint(code))})
			}
			return
		}
		c.put(0, messages(b)...)
	}
}

func readFrame(br *bufio.Reader) (b []byte, code ws.StatusCode, ok bool) {
	for {
		h, err := ws.ReadHeader(br)
		if err != nil || h.Length > 16<<20 {
			return nil, 0, false
		}
		p := make([]byte, h.Length)
		if _, err := io.ReadFull(br, p); err != nil {
			return nil, 0, false
		}
		switch h.OpCode {
		case ws.OpClose:
			code, _ := ws.ParseCloseFrameData(p)
			return nil, code, false
		case ws.OpText:
			return p, 0, true
		}
	}
}

// confirms says whether a message is the successful reply to a connect.
func confirms(v any) bool {
	m, _ := v.(map[string]any)
	return m["channel"] == "/meta/connect" && m["successful"] == true
}

func isDelivery(v any) bool {
	m, _ := v.(map[string]any)
	return m["data"] != nil
}

// repeat says whether a delivery has come before and may come again, as
// clients must expect when a connection is lost. It is called with mu held.
func (c *client) repeat(v any) bool { return c.again && isDelivery(v) && c.taken[show(v)] }

// next waits for a message that fits at the head of a queue and takes it.
// Replies to connects are passed over unless connects says that one is wanted.
// heads are the messages that did not fit.
func (c *client) next(connects bool, fits func(any) bool) (heads []any, ok bool) {
	deadline := time.After(within)
	for {
		c.mu.Lock()
		heads = nil
		for i, q := range c.queues {
			for len(q) > 0 && !fits(q[0]) && (!connects && confirms(q[0]) || c.repeat(q[0])) {
				q = q[1:]
			}
			c.queues[i] = q
			if len(q) == 0 {
				continue
			}
			if fits(q[0]) {
				c.queues[i] = q[1:]
				if isDelivery(q[0]) {
					c.taken[show(q[0])] = true
				}
				c.mu.Unlock()
				return nil, true
			}
			heads = append(heads, q[0])
		}
		changed := c.changed
		c.mu.Unlock()
		if len(heads) > 0 && (c.transport == overWebSocket || len(heads) == 2) {
			return heads, false
		}
		c.keep()
		select {
		case <-changed:
		case <-deadline:
			return heads, false
		}
	}
}

// rest is what has come and was not taken, replies to connects and repeats
// apart.
func (c *client) rest() (list []any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, q := range c.queues {
		for _, v := range q {
			if !confirms(v) && !c.repeat(v) {
				list = append(list, v)
			}
		}
	}
	return list
}
