package bayeux_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/halley-chat/halley/bayeux"
)

// A session knows the address of its handshake, over either transport.
func TestSessionAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		w := newWorld(t, bayeux.Options{
			Address: func(*http.Request) string { return "192.0.2.7" },
			OnHandshake: func(_ context.Context, s *bayeux.Session, _ *bayeux.Message, _ *bayeux.Reply) {
				got = append(got, s.Transport()+" "+s.Address())
			},
		})
		w.poller()
		w.net.Socket(t, nil).Shake()
		if len(got) != 2 || got[0] != "long-polling 192.0.2.7" || got[1] != "websocket 192.0.2.7" {
			t.Errorf("%q", got)
		}
	})
}
