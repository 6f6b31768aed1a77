package bayeux_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/halley-chat/halley/bayeux"
)

// While a body of the session is being processed, what it makes the server
// deliver belongs to that body's answer (5.2). A connect that arrives in the
// middle is held and takes none of it (7.1): two answers may overtake each
// other on their way.
func TestConnectDoesNotSplitWhatABodyDelivers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{})
		half, goOn := make(chan struct{}), make(chan struct{})
		w.srv.Handle("/service/two", func(_ context.Context, s *bayeux.Session, _ *bayeux.Message) error {
			if err := s.Deliver("/n", []byte("1")); err != nil {
				return err
			}
			close(half)
			<-goOn
			return s.Deliver("/n", []byte("2"))
		})
		p := w.poller()
		answer := make(chan []frame, 1)
		go func() { answer <- p.send(`{"channel":"/service/two","clientId":"$","id":"p"}`) }()
		<-half
		connect := p.connect("c")
		synctest.Wait()
		close(goOn)
		if diff := cmp.Diff([]int{1, 2}, numbers(<-answer)); diff != "" {
			t.Errorf("with the publish's reply: %s", diff)
		}
		synctest.Wait()
		select {
		case f := <-connect:
			t.Fatalf("the connect was not held: %v", f)
		default:
		}
		w.deliver(p.id, 3, 3)
		if diff := cmp.Diff([]int{3}, numbers(<-connect)); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	})
}

// A connect that takes the place of a held one takes its place in the
// browser's limit too (8): one session alone is never told of several.
func TestReplacedConnectGivesItsPlaceInTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{})
		p := w.poller()
		for range 50 {
			first := p.connect("a")
			synctest.Wait()
			second := p.connect("b")
			<-first
			synctest.Wait()
			select {
			case f := <-second:
				t.Fatalf("the connect that replaced another was not held: %v", f)
			default:
			}
			w.deliver(p.id, 1, 1)
			<-second
		}
	})
}
