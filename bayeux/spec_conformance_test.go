package bayeux_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/halley-chat/halley/bayeux"
	"github.com/halley-chat/halley/bayeux/bayeuxtest"
)

// closeServer ends a server and fails the test if anything of it stays.
func closeServer(t testing.TB, srv *bayeux.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := srv.Close(ctx); err != nil {
		t.Errorf("close: %v", err)
	}
}

func TestConformanceInMemory(t *testing.T) {
	bayeuxtest.ConformanceInBubble(t, func(t *testing.T, o bayeux.Options) *bayeuxtest.Endpoint {
		srv, network := bayeuxtest.Furnish(o), bayeuxtest.NewNetwork()
		web, stop := network.Client(), network.Serve(srv)
		t.Cleanup(func() {
			closeServer(t, srv)
			stop()
			web.CloseIdleConnections()
			// net/http lingers half a second on a connection whose request was
			// too large; in the bubble's time that costs nothing.
			time.Sleep(time.Second)
		})
		return &bayeuxtest.Endpoint{URL: bayeuxtest.URL, Web: web, Dial: network.Dial}
	})
}

func TestConformanceOverSockets(t *testing.T) {
	bayeuxtest.Conformance(t, func(t *testing.T, o bayeux.Options) *bayeuxtest.Endpoint {
		srv := bayeuxtest.Furnish(o)
		mux := http.NewServeMux()
		mux.Handle("/cometd", srv)
		mux.Handle("/cometd/", srv)
		host := httptest.NewServer(mux)
		t.Cleanup(func() {
			closeServer(t, srv)
			host.Client().CloseIdleConnections()
			host.Close()
		})
		return &bayeuxtest.Endpoint{URL: host.URL + "/cometd", Web: host.Client(), Dial: (&net.Dialer{}).DialContext}
	})
}
