package bayeux_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/halley-chat/halley/bayeux"
)

// Sessions are counted by network: an IPv6 address with its /64.
//
// spec:12.7
func TestSessionsAreLimitedByNetwork(t *testing.T) {
	for name, c := range map[string]struct {
		max       int
		addresses []string
		accepted  []bool
	}{
		"one IPv4 address":  {2, []string{"192.0.2.7", "192.0.2.7", "::ffff:192.0.2.7", "192.0.2.7"}, []bool{true, true, false, false}},
		"its neighbour":     {1, []string{"192.0.2.7", "192.0.2.8"}, []bool{true, true}},
		"one IPv6 network":  {2, []string{"2001:db8::1", "2001:db8::2%eth0", "2001:db8:0:0:ffff::", "2001:db8:0:1::1"}, []bool{true, true, false, true}},
		"an unknown one":    {1, []string{"", ""}, []bool{true, true}},
		"no limit":          {-1, []string{"192.0.2.7", "192.0.2.7"}, []bool{true, true}},
		"a name of its own": {1, []string{"shop", "shop"}, []bool{true, false}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				next := 0
				w := newWorld(t, bayeux.Options{MaxSessionsPerAddress: c.max, Address: func(*http.Request) string { return c.addresses[next] }})
				for ; next < len(c.addresses); next++ {
					_, _, f := w.post(t.Context(), "", `{"channel":"/meta/handshake"}`)
					if f[0]["successful"] != c.accepted[next] {
						t.Errorf("handshake %d from %q: got %v, want successful %v", next, c.addresses[next], f, c.accepted[next])
					}
				}
			})
		})
	}
}

// Without an option an address has a limit all the same.
//
// spec:12.7
func TestSessionsPerAddressHaveADefault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{Address: func(*http.Request) string { return "192.0.2.7" }})
		accepted := 0
		for range 1100 {
			if _, _, f := w.post(t.Context(), "", `{"channel":"/meta/handshake"}`); f[0]["successful"] == true {
				accepted++
			}
		}
		if accepted != 1000 {
			t.Errorf("got %d sessions of one address, want 1000", accepted)
		}
	})
}

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
			t.Errorf(`got %q, want len(got) == 2, got[0] == "long-polling 192.0.2.7", got[1] == "websocket 192.0.2.7"`, got)
		}
	})
}
