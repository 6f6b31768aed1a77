package bayeux_test

import (
	"testing"
	"testing/synctest"

	"github.com/halley-chat/halley/bayeux"
)

// A client that opens a WebSocket and shakes hands over HTTP at the same time
// gets one cookie only, that of its session.
func TestNoSocketCookie(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{NoSocketCookie: true})
		s := w.dial(nil)
		if set := s.Header.Get("Set-Cookie"); set != "" {
			t.Errorf("the upgrade set %s", set)
		}
		p := w.poller()
		if p.cookie == "" {
			t.Error("the handshake set no cookie")
		}
		s.ID = p.id
		if f := s.Ask(`{"channel":"/meta/connect","clientId":"$","id":"1","advice":{"timeout":0}}`); f[0]["successful"] != true {
			t.Errorf(`got %v, want f[0]["successful"] == true`, f)
		}
	})
}
