package bayeuxtest

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

// Frame is one Bayeux message as a test sees it.
type Frame map[string]any

// At follows a path of keys into the message; nil if it leads nowhere.
func (f Frame) At(path ...string) any {
	var v any = map[string]any(f)
	for _, key := range path {
		m, _ := v.(map[string]any)
		v = m[key]
	}
	return v
}

// Cookie is the name of the cookie that the peers of this package keep.
const Cookie = "BAYEUX_BROWSER"

// URL is the address that the peers of this package call.
const URL = "http://memory/cometd"

// Post sends a body over long-polling and returns the status, the browser's
// cookie from then on, and the messages of a successful answer. The status is
// 0 if no answer came.
func (n *Network) Post(ctx context.Context, t testing.TB, web *http.Client, header http.Header, cookie, body string) (int, string, []Frame) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, URL, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if header != nil {
		req.Header = header.Clone()
	}
	req.Header.Set("Content-Type", "application/json")
	if cookie != "" {
		req.AddCookie(&http.Cookie{Name: Cookie, Value: cookie})
	}
	resp, err := web.Do(req)
	if err != nil {
		return 0, cookie, nil
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, cookie, nil
	}
	for _, c := range resp.Cookies() {
		if c.Name == Cookie {
			cookie = c.Value
		}
	}
	var frames []Frame
	if resp.StatusCode == http.StatusOK {
		if err := json.Unmarshal(b, &frames); err != nil {
			t.Errorf("the answer is no array of messages: %v: %s", err, b)
		}
	}
	return resp.StatusCode, cookie, frames
}

// Socket is the client's end of a WebSocket that speaks in raw frames. In
// what it sends, $ stands for ID.
type Socket struct {
	T      testing.TB
	Conn   net.Conn
	ID     string      // the clientId, once Shake has been called
	Header http.Header // of the answer to the upgrade

	in *bufio.Reader
}

// Socket opens a WebSocket. It is closed when the test ends.
func (n *Network) Socket(t testing.TB, header http.Header) *Socket {
	t.Helper()
	c := &Socket{T: t, Header: http.Header{}}
	d := ws.Dialer{NetDial: n.Dial, Header: ws.HandshakeHeaderHTTP(header), OnHeader: func(k, v []byte) error {
		c.Header.Add(string(k), string(v))
		return nil
	}}
	conn, br, _, err := d.Dial(t.Context(), "ws://memory/cometd")
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	c.Conn, c.in = conn, br
	if c.in == nil {
		c.in = bufio.NewReader(conn)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return c
}

// Shake shakes hands and sends the first connect.
func (c *Socket) Shake() *Socket {
	c.T.Helper()
	f := c.Ask(`[{"channel":"/meta/handshake","version":"1.0","id":"1","supportedConnectionTypes":["websocket"]}]`)
	if len(f) != 1 || f[0]["successful"] != true {
		c.T.Fatalf("handshake: %v", f)
	}
	c.ID = f[0]["clientId"].(string)
	f = c.Ask(`[{"channel":"/meta/connect","clientId":"$","connectionType":"websocket","id":"2","advice":{"timeout":0}}]`)
	if len(f) != 1 || f[0]["successful"] != true {
		c.T.Fatalf("connect: %v", f)
	}
	return c
}

// TrySend sends one text frame.
func (c *Socket) TrySend(body string) error {
	f := ws.MaskFrame(ws.NewTextFrame([]byte(strings.ReplaceAll(body, "$", c.ID))))
	_, err := c.Conn.Write(ws.MustCompileFrame(f))
	return err
}

// Send sends one text frame and fails the test if it cannot.
func (c *Socket) Send(body string) {
	c.T.Helper()
	if err := c.TrySend(body); err != nil {
		c.T.Fatalf("send: %v", err)
	}
}

// maxFrame is the longest frame that a peer reads, in bytes.
const maxFrame = 64 << 20

// ReadFrame reads one frame. The second value is the code of a close frame, 1
// if the connection ended without one, and 0 otherwise.
func (c *Socket) ReadFrame() ([]byte, ws.StatusCode) {
	h, err := ws.ReadHeader(c.in)
	if err != nil || h.Length > maxFrame {
		return nil, 1
	}
	p := make([]byte, h.Length)
	if _, err := io.ReadFull(c.in, p); err != nil {
		return nil, 1
	}
	if h.OpCode == ws.OpClose {
		code, _ := ws.ParseCloseFrameData(p)
		return nil, code
	}
	return p, 0
}

// Read reads the messages of one frame.
func (c *Socket) Read() []Frame {
	c.T.Helper()
	b, code := c.ReadFrame()
	if code != 0 {
		c.T.Fatalf("the socket closed with %d", code)
	}
	var frames []Frame
	if err := json.Unmarshal(b, &frames); err != nil {
		c.T.Fatalf("no array of messages: %v: %s", err, b)
	}
	return frames
}

// Ask sends a frame and reads one.
func (c *Socket) Ask(body string) []Frame {
	c.T.Helper()
	c.Send(body)
	return c.Read()
}
