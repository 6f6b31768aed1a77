package bayeux_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/halley-chat/halley/bayeux"
)

// Lazy messages do not overtake a connect's reply that is on its way.
//
// spec:13.5
func TestLazyMessagesKeepTheirPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{OrderedPolling: true, WriteInterval: -1})
		w.srv.Configure("/lazy", bayeux.ChannelOptions{Lazy: true})
		p := w.poller()
		p.send(`{"channel":"/meta/subscribe","clientId":"$","subscription":"/lazy"}`)
		held := p.connect("3")
		synctest.Wait()
		w.deliver(p.id, 1, 1)
		if diff := cmp.Diff([]int{1}, numbers(<-held)); diff != "" { // read after what follows, for all the server knows
			t.Error(diff)
		}
		if err := w.srv.Publish("/lazy", []byte("2")); err != nil {
			t.Fatal(err)
		}
		if got := numbers(p.send(`{"channel":"/service/none","clientId":"$","data":0}`)); got != nil {
			t.Errorf("%v with a publish's answer", got)
		}
		if diff := cmp.Diff([]int{2}, numbers(p.send(`{"channel":"/meta/connect","clientId":"$","advice":{"timeout":0}}`))); diff != "" {
			t.Error(diff)
		}
	})
}

// Of two answers that are made at the same time one carries messages.
//
// spec:13.5
func TestOneOfTwoAnswersCarriesMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{OrderedPolling: true, WriteInterval: -1})
		first, second := make(chan struct{}), make(chan struct{})
		p := w.poller()
		w.srv.Handle("/service/first", func(context.Context, *bayeux.Session, *bayeux.Message) error { <-first; return nil })
		w.srv.Handle("/service/second", func(context.Context, *bayeux.Session, *bayeux.Message) error { <-second; return nil })
		answers := make(chan []frame, 2)
		for _, c := range []string{"first", "second"} {
			go func() { answers <- p.send(`{"channel":"/service/` + c + `","clientId":"$","data":0}`) }()
		}
		synctest.Wait()
		w.deliver(p.id, 1, 1)
		close(first)
		if diff := cmp.Diff([]int{1}, numbers(<-answers)); diff != "" {
			t.Error(diff)
		}
		w.deliver(p.id, 2, 2)
		close(second)
		if got := numbers(<-answers); got != nil {
			t.Errorf("%v with the second answer", got)
		}
		start := time.Now()
		if got := numbers(<-p.connect("3")); cmp.Diff([]int{2}, got) != "" || time.Since(start) != 250*time.Millisecond {
			t.Errorf("%v after %v", got, time.Since(start))
		}
	})
}

// A connect that does not wait carries nothing while an answer has its head
// start.
//
// spec:13.5
func TestAConnectThatDoesNotWaitGivesAHeadStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{OrderedPolling: true, WriteInterval: -1})
		p := w.poller()
		w.deliver(p.id, 1, 1)
		if diff := cmp.Diff([]int{1}, numbers(p.send(`{"channel":"/service/none","clientId":"$","data":0}`))); diff != "" {
			t.Error(diff)
		}
		w.deliver(p.id, 2, 2)
		if got := numbers(p.send(`{"channel":"/meta/connect","clientId":"$","advice":{"timeout":0}}`)); got != nil {
			t.Errorf("%v", got)
		}
		if diff := cmp.Diff([]int{2}, numbers(<-p.connect("4"))); diff != "" {
			t.Error(diff)
		}
	})
}

// With acknowledgements an answer that carries nothing delays no connect.
//
// spec:7.4 spec:13.5
func TestAcknowledgedSessionsGiveNoHeadStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{OrderedPolling: true, Ack: true, WriteInterval: -1})
		_, cookie, f := w.post(t.Context(), "", `{"channel":"/meta/handshake","ext":{"ack":true}}`)
		p := &poller{w, cookie, f[0]["clientId"].(string)}
		p.send(`{"channel":"/meta/connect","clientId":"$","id":"2"}`)
		w.deliver(p.id, 1, 1)
		if got := numbers(p.send(`{"channel":"/service/none","clientId":"$","data":0}`)); got != nil {
			t.Errorf("%v", got)
		}
		start := time.Now()
		if got := numbers(<-p.connect("3")); cmp.Diff([]int{1}, got) != "" || time.Since(start) != 0 {
			t.Errorf("%v after %v", got, time.Since(start))
		}
	})
}
