package bayeux_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"

	"github.com/halley-chat/halley/bayeux"
	"github.com/halley-chat/halley/bayeux/bayeuxtest"
)

// How much of everything there is in the soak.
const (
	soakPollers  = 300
	soakSockets  = 200
	soakMessages = 30 // for each client
)

// soaker is a client that loses its connections again and again. It sees its
// own numbered messages in order, some of them twice, and misses none.
type soaker struct {
	*testing.T
	dial func(ctx context.Context, network, addr string) (net.Conn, error)
	id   string
	n    int // to tell it from others
	web  *http.Client
	done chan struct{} // closed when the last message has been seen

	mu sync.Mutex
	// Guarded by mu.
	seen int
}

// see takes messages, in the order in which they were read.
func (k *soaker) see(frames []frame) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, v := range numbers(frames) {
		switch {
		case v == k.seen+1:
			if k.seen = v; v == soakMessages {
				close(k.done)
			}
		case v > k.seen:
			k.Errorf("client %d: message %d behind %d", k.n, v, k.seen)
		}
	}
}

func (k *soaker) over() bool {
	select {
	case <-k.done:
		return true
	default:
		return false
	}
}

// post sends a body; no frames mean that the answer was lost.
func (k *soaker) post(ctx context.Context, body string) []frame {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, bayeuxtest.URL, strings.NewReader(strings.ReplaceAll(body, "$", k.id)))
	if err != nil {
		k.Error(err)
		return nil
	}
	resp, err := k.web.Do(req)
	if err != nil {
		return nil
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return nil
	}
	var frames []frame
	if err := json.Unmarshal(b, &frames); err != nil {
		k.Errorf(`got %v: %s, want err == nil`, err, b)
	}
	return frames
}

// ask posts a body, and loses one answer in four: on its way, or by hanging up
// while the server holds the request. It waits for a moment then, as clients do,
// in which what it sent arrives: a request that comes behind its successors
// would say of them what is not true.
func (k *soaker) ask(body string) []frame {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	fate := rand.IntN(8)
	if fate == 0 {
		time.AfterFunc(time.Duration(150+rand.IntN(100))*time.Millisecond, cancel)
	}
	f := k.post(ctx, body)
	if fate == 1 {
		f = nil
	}
	if f == nil {
		k.web.CloseIdleConnections()
		time.Sleep(time.Second)
	}
	return f
}

func (k *soaker) poll() {
	var talk sync.WaitGroup
	defer talk.Wait()
	talk.Go(func() {
		for !k.over() {
			k.see(k.ask(`{"channel":"/service/none","clientId":"$","id":"p","data":1}`))
			time.Sleep(time.Duration(rand.IntN(200)) * time.Millisecond)
		}
	})
	advice := `,"advice":{"timeout":0}`
	for !k.over() {
		f := k.ask(`{"channel":"/meta/connect","clientId":"$","id":"c"` + advice + `}`)
		if advice = ""; f == nil {
			advice = `,"advice":{"timeout":0}`
		} else if f[len(f)-1]["successful"] != true {
			k.Errorf("client %d: %v", k.n, f)
			return
		}
		k.see(f)
	}
}

func (k *soaker) sit() {
	for !k.over() {
		conn, br, _, err := ws.Dialer{NetDial: k.dial}.Dial(context.Background(), "ws"+strings.TrimPrefix(bayeuxtest.URL, "http"))
		if err != nil {
			k.Error(err)
			return
		}
		if br == nil {
			br = bufio.NewReader(conn)
		}
		k.talk(conn, br)
		_ = conn.Close()
		time.Sleep(100 * time.Millisecond)
	}
}

// talk uses one WebSocket until it is cut.
func (k *soaker) talk(conn net.Conn, in *bufio.Reader) {
	say := func(advice string) bool {
		body := fmt.Appendf(nil, `{"channel":"/meta/connect","clientId":%q,"id":"c"%s}`, k.id, advice)
		_, err := conn.Write(ws.MustCompileFrame(ws.MaskFrame(ws.NewTextFrame(body))))
		return err == nil
	}
	if rand.IntN(4) > 0 {
		_ = conn.SetReadDeadline(time.Now().Add(time.Duration(100+rand.IntN(200)) * time.Millisecond))
	}
	for again := say(`,"advice":{"timeout":0}`); again && !k.over(); {
		f, err := readFrame(in)
		if err != nil || f.Header.OpCode == ws.OpClose {
			return
		}
		var frames []frame
		if err := json.Unmarshal(bytes.Clone(f.Payload), &frames); err != nil {
			k.Errorf(`got %v: %s, want err == nil`, err, f.Payload)
			return
		}
		k.see(frames)
		if last := frames[len(frames)-1]; last["channel"] == "/meta/connect" {
			if last["successful"] != true {
				k.Errorf("client %d: %v", k.n, last)
				return
			}
			again = say("")
		}
	}
}

// cable connects a client to a server in memory, as a network does that has
// room for what is under way: who writes does not wait until it is read, what a
// client sends before it hangs up arrives, and what was sent to it is lost then.
func cable(network *bayeuxtest.Network) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, name, addr string) (net.Conn, error) {
		far, err := network.Dial(ctx, name, addr)
		if err != nil {
			return nil, err
		}
		client, near := net.Pipe()
		go carry(far, near)
		go carry(near, far)
		return client, nil
	}
}

// carry brings what can be read from one connection to another, and closes that
// when all of it has arrived or nobody takes it. What goes over one connection
// overtakes what goes over another.
func carry(to, from net.Conn) {
	pieces := make(chan []byte, 1000) // far more than is ever under way
	go func() {
		defer close(pieces)
		for {
			b := make([]byte, 4096)
			n, err := from.Read(b)
			if n > 0 {
				pieces <- b[:n]
			}
			if err != nil {
				return
			}
		}
	}()
	for b := range pieces {
		time.Sleep(rand.N(5 * time.Millisecond)) // on its way
		if _, err := to.Write(b); err != nil {
			_ = from.Close()
			for range pieces {
			}
		}
	}
	_ = to.Close()
}

// Hundreds of clients that lose their connections all the time, polling and
// over WebSockets, get everything in order, while polls are held and busy
// clients rest.
//
// In the bubble's time nobody is late: not a request that was given up, which
// would arrive behind its successors, nor the connect that an answer waits for.
// On a machine that is busy both can be, and then no server could keep what is
// wanted here.
//
// spec:13.2 spec:14.6 spec:14.17
func TestSoak(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	synctest.Test(t, soak)
}

func soak(t *testing.T) {
	srv, network := bayeux.New(bayeux.Options{
		Redeliver: true, OrderedPolling: true, TrustClientID: true, HoldsPerBrowser: -1,
		MaxInterval: time.Minute, Logger: slog.New(slog.DiscardHandler),
	}), bayeuxtest.NewNetwork()
	stop := network.Serve(srv)
	defer stop()
	defer closeServer(t, srv)
	var clients sync.WaitGroup
	for n := range soakPollers + soakSockets {
		clients.Go(func() {
			transport := &http.Transport{DialContext: cable(network), DisableCompression: true}
			defer transport.CloseIdleConnections()
			k := &soaker{T: t, dial: cable(network), n: n, web: &http.Client{Transport: transport}, done: make(chan struct{})}
			f := k.post(t.Context(), `{"channel":"/meta/handshake"}`)
			if len(f) == 0 {
				t.Error("no handshake")
				return
			}
			k.id = f[0]["clientId"].(string)
			clients.Go(func() {
				for i := range soakMessages {
					if err := srv.Session(k.id).Deliver("/service/n", fmt.Append(nil, i+1)); err != nil {
						t.Error(err)
					}
					time.Sleep(time.Duration(rand.IntN(160)) * time.Millisecond)
				}
			})
			late := time.AfterFunc(time.Minute, func() {
				k.mu.Lock()
				defer k.mu.Unlock()
				if k.seen < soakMessages {
					t.Errorf("client %d: nothing behind %d", n, k.seen)
					k.seen = soakMessages
					close(k.done)
				}
			})
			defer late.Stop()
			if n < soakPollers {
				k.poll()
			} else {
				k.sit()
			}
		})
	}
	clients.Wait()
}
