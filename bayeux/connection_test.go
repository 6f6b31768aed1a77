package bayeux_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/halley-chat/halley/bayeux"
)


// A connect that is being answered when its time is up, over a slow
// connection, does not end the session.
//
// spec:9.1
func TestASlowAnswerAtTheEndOfAHold(t *testing.T) {
	for name, after := range map[string]time.Duration{"in its handler": -1, "parked": time.Second} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGarage(t, bayeux.Options{ParkAfter: after, Timeout: 20 * time.Second, MaxInterval: 5 * time.Second}, nil)
				g.say(`{"channel":"/meta/connect","clientId":"$","id":"held"}`)
				time.Sleep(19 * time.Second)
				g.deliver(1)
				time.Sleep(4 * time.Second) // the client reads nothing
				if g.srv.Session(g.id) == nil {
					t.Error("it expired")
				}
				if _, f := g.answer(); cmp.Diff([]int{1}, numbers(f)) != "" {
					t.Errorf("%v", f)
				}
			})
		})
	}
}
