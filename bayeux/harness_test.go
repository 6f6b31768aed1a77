package bayeux_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/halley-chat/halley/bayeux"
	"github.com/halley-chat/halley/bayeux/bayeuxtest"
)

// world is a server on an in-memory network. It works inside a bubble.
type world struct {
	t   testing.TB
	srv *bayeux.Server
	net *bayeuxtest.Network
	web *http.Client
}

func newWorld(t testing.TB, o bayeux.Options) *world {
	t.Helper()
	o.Logger = slog.New(slog.DiscardHandler)
	w := &world{t: t, srv: bayeux.New(o), net: bayeuxtest.NewNetwork()}
	w.web = w.net.Client()
	stop := w.net.Serve(w.srv)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := w.srv.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
		stop()
		w.web.CloseIdleConnections()
		// net/http lingers half a second on a connection whose request was too
		// large; in the bubble's time that costs nothing.
		time.Sleep(time.Second)
	})
	return w
}

// frame is a message as a test sees it.
type frame map[string]any

func (f frame) at(path ...string) any {
	var v any = map[string]any(f)
	for _, key := range path {
		m, _ := v.(map[string]any)
		v = m[key]
	}
	return v
}

// post sends a body with cookies and returns status, cookie and messages.
func (w *world) post(ctx context.Context, cookie, body string) (int, string, []frame) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://memory/cometd", strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if cookie != "" {
		req.AddCookie(&http.Cookie{Name: "BAYEUX_BROWSER", Value: cookie})
	}
	resp, err := w.web.Do(req)
	if err != nil {
		return 0, "", nil
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, "", nil
	}
	for _, c := range resp.Cookies() {
		cookie = c.Value
	}
	var frames []frame
	if resp.StatusCode == http.StatusOK {
		if err := json.Unmarshal(b, &frames); err != nil {
			w.t.Fatalf("the answer is no array of messages: %v: %s", err, b)
		}
	}
	return resp.StatusCode, cookie, frames
}

// poller is a long-polling client.
type poller struct {
	*world
	cookie, id string
}

func (w *world) poller() *poller {
	w.t.Helper()
	status, cookie, frames := w.post(w.t.Context(), "", `[{"channel":"/meta/handshake","version":"1.0","id":"1","supportedConnectionTypes":["long-polling"]}]`)
	if status != 200 || len(frames) != 1 || frames[0]["successful"] != true {
		w.t.Fatalf("handshake: %d %v", status, frames)
	}
	p := &poller{w, cookie, frames[0]["clientId"].(string)}
	p.send(`{"channel":"/meta/connect","clientId":"$","connectionType":"long-polling","id":"2","advice":{"timeout":0}}`)
	return p
}

// send posts a body in which $ stands for the clientId.
func (p *poller) send(body string) []frame {
	p.t.Helper()
	status, _, frames := p.post(p.t.Context(), p.cookie, strings.ReplaceAll(body, "$", p.id))
	if status != 200 {
		p.t.Fatalf("status %d for %s", status, body)
	}
	return frames
}

// connect polls in the background.
func (p *poller) connect(id string) <-chan []frame {
	got := make(chan []frame, 1)
	go func() {
		_, _, frames := p.post(p.t.Context(), p.cookie, `{"channel":"/meta/connect","clientId":"`+p.id+`","connectionType":"long-polling","id":"`+id+`"}`)
		got <- frames
	}()
	return got
}

// wsClient is a WebSocket client.
type wsClient struct {
	t    testing.TB
	conn net.Conn
	in   *bufio.Reader
	id   string
	resp http.Header
}

func (w *world) dial(header http.Header) *wsClient {
	w.t.Helper()
	c := &wsClient{t: w.t, resp: http.Header{}}
	d := ws.Dialer{NetDial: w.net.Dial, Header: ws.HandshakeHeaderHTTP(header), OnHeader: func(k, v []byte) error {
		c.resp.Add(string(k), string(v))
		return nil
	}}
	conn, br, _, err := d.Dial(w.t.Context(), "ws://memory/cometd")
	if err != nil {
		w.t.Fatalf("dial: %v", err)
	}
	c.conn, c.in = conn, br
	if c.in == nil {
		c.in = bufio.NewReader(conn)
	}
	w.t.Cleanup(func() { _ = conn.Close() })
	return c
}

func (w *world) socket() *wsClient {
	w.t.Helper()
	c := w.dial(nil)
	c.send(`[{"channel":"/meta/handshake","version":"1.0","id":"1","supportedConnectionTypes":["websocket"]}]`)
	f := c.read()
	if len(f) != 1 || f[0]["successful"] != true {
		w.t.Fatalf("handshake: %v", f)
	}
	c.id = f[0]["clientId"].(string)
	c.send(`[{"channel":"/meta/connect","clientId":"$","connectionType":"websocket","id":"2","advice":{"timeout":0}}]`)
	if f := c.read(); len(f) != 1 || f[0]["successful"] != true {
		w.t.Fatalf("connect: %v", f)
	}
	return c
}

func (c *wsClient) send(body string) {
	c.t.Helper()
	if err := c.trySend(body); err != nil {
		c.t.Fatalf("send: %v", err)
	}
}

func (c *wsClient) trySend(body string) error {
	f := ws.MaskFrame(ws.NewTextFrame([]byte(strings.ReplaceAll(body, "$", c.id))))
	_, err := c.conn.Write(ws.MustCompileFrame(f))
	return err
}

// readFrame reads one frame; the second value is the close code, 0 if none.
func (c *wsClient) readFrame() ([]byte, ws.StatusCode) {
	c.t.Helper()
	f, err := ws.ReadFrame(c.in)
	if err != nil {
		return nil, 1
	}
	if f.Header.OpCode == ws.OpClose {
		code, _ := ws.ParseCloseFrameData(f.Payload)
		return nil, code
	}
	return f.Payload, 0
}

func (c *wsClient) read() []frame {
	c.t.Helper()
	b, code := c.readFrame()
	if code != 0 {
		c.t.Fatalf("the socket closed with %d", code)
	}
	var frames []frame
	if err := json.NewDecoder(bytes.NewReader(b)).Decode(&frames); err != nil {
		c.t.Fatalf("no array of messages: %v: %s", err, b)
	}
	return frames
}

func (c *wsClient) ask(body string) []frame {
	c.t.Helper()
	c.send(body)
	return c.read()
}
