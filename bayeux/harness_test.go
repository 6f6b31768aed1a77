package bayeux_test

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

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

type frame = bayeuxtest.Frame

// post sends a body with a cookie; see [bayeuxtest.Network.Post].
func (w *world) post(ctx context.Context, cookie, body string) (int, string, []frame) {
	w.t.Helper()
	return w.net.Post(ctx, w.t, w.web, nil, cookie, body)
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

func (w *world) dial(header http.Header) *bayeuxtest.Socket { return w.net.Socket(w.t, header) }

func (w *world) socket() *bayeuxtest.Socket { return w.dial(nil).Shake() }
