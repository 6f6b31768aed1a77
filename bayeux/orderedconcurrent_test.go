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
		w := newWorld(t, bayeux.Options{OrderedPolling: true})
		w.srv.Configure("/lazy", bayeux.ChannelOptions{Lazy: true})
		p := w.poller()
		p.send(`{"channel":"/meta/subscribe","clientId":"$","subscription":"/lazy"}`)
		held := p.connect("3")
		synctest.Wait()
		w.deliver(p.id, 1, 1)
		if diff := cmp.Diff([]int{1}, numbers(<-held)); diff != "" { // read after what follows, for all the server knows
			t.Errorf("-want +got\n%s", diff)
		}
		if err := w.srv.Publish("/lazy", []byte("2")); err != nil {
			t.Fatal(err)
		}
		if got := numbers(p.send(`{"channel":"/service/none","clientId":"$","data":0}`)); got != nil {
			t.Errorf("%v with a publish's answer", got)
		}
		if diff := cmp.Diff([]int{2}, numbers(p.send(`{"channel":"/meta/connect","clientId":"$","advice":{"timeout":0}}`))); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	})
}

// Of two answers that are made at the same time one carries messages.
//
// spec:13.5
func TestOneOfTwoAnswersCarriesMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{OrderedPolling: true})
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
			t.Errorf("-want +got\n%s", diff)
		}
		w.deliver(p.id, 2, 2)
		close(second)
		if got := numbers(<-answers); got != nil {
			t.Errorf("%v with the second answer", got)
		}
		start := time.Now()
		if got := numbers(<-p.connect("3")); cmp.Diff([]int{2}, got) != "" || time.Since(start) != 250*time.Millisecond {
			t.Errorf(`got %v after %v, want numbers []int{2}, time.Since(start) == 250*time.Millisecond`, got, time.Since(start))
		}
	})
}

// A connect that does not wait carries nothing while an answer has its head
// start.
//
// spec:13.5
func TestAConnectThatDoesNotWaitGivesAHeadStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{OrderedPolling: true})
		p := w.poller()
		w.deliver(p.id, 1, 1)
		if diff := cmp.Diff([]int{1}, numbers(p.send(`{"channel":"/service/none","clientId":"$","data":0}`))); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
		w.deliver(p.id, 2, 2)
		if got := numbers(p.send(`{"channel":"/meta/connect","clientId":"$","advice":{"timeout":0}}`)); got != nil {
			t.Errorf(`got %v, want got == nil`, got)
		}
		if diff := cmp.Diff([]int{2}, numbers(<-p.connect("4"))); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	})
}

// With acknowledgements an answer that carries nothing delays no connect.
//
// spec:7.4 spec:13.5
func TestAcknowledgedSessionsGiveNoHeadStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{OrderedPolling: true, Ack: true})
		_, cookie, f := w.post(t.Context(), "", `{"channel":"/meta/handshake","ext":{"ack":true}}`)
		p := &poller{w, cookie, f[0]["clientId"].(string)}
		p.send(`{"channel":"/meta/connect","clientId":"$","id":"2"}`)
		w.deliver(p.id, 1, 1)
		if got := numbers(p.send(`{"channel":"/service/none","clientId":"$","data":0}`)); got != nil {
			t.Errorf(`got %v, want got == nil`, got)
		}
		start := time.Now()
		if got := numbers(<-p.connect("3")); cmp.Diff([]int{1}, got) != "" || time.Since(start) != 0 {
			t.Errorf(`got %v after %v, want numbers []int{1}, time.Since(start) == 0`, got, time.Since(start))
		}
	})
}

// With Redeliver an answer waits a little for a connect that carries what
// there is, so that what a publish causes is ahead of its reply. If none comes
// it takes that along itself.
//
// spec:13.5 spec:14.17.1
func TestAnAnswerWaitsForTheConnectThatCarries(t *testing.T) {
	type answer struct {
		numbers []int
		after   time.Duration
	}
	for name, c := range map[string]struct {
		connect             string // what the connect says besides; empty if none comes
		publish, connection answer
	}{
		"none comes":               {"", answer{[]int{1}, 250 * time.Millisecond}, answer{}},
		"one that waits":           {`"id":"c"`, answer{nil, 10 * time.Millisecond}, answer{[]int{1}, 10 * time.Millisecond}},
		"one that does not":        {`"advice":{"timeout":0}`, answer{nil, 10 * time.Millisecond}, answer{[]int{1}, 10 * time.Millisecond}},
		"one that is the client's": {`"first":true`, answer{nil, 10 * time.Millisecond}, answer{[]int{1}, 10 * time.Millisecond}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, bayeux.Options{OrderedPolling: true, Redeliver: true, HoldsPerBrowser: -1})
				w.srv.Handle("/service/next", func(_ context.Context, s *bayeux.Session, m *bayeux.Message) error {
					return s.Deliver(m.Channel, []byte("1"))
				})
				_, cookie, f := w.post(t.Context(), "", `{"channel":"/meta/handshake"}`)
				p := &poller{w, cookie, f[0]["clientId"].(string)}
				if name != "one that is the client's" {
					p.send(`{"channel":"/meta/connect","clientId":"$","advice":{"timeout":0}}`)
				}
				start := time.Now()
				ask := func(body string) <-chan answer {
					got := make(chan answer, 1)
					go func() { got <- answer{numbers(p.send(body)), time.Since(start)} }()
					return got
				}
				published := ask(`{"channel":"/service/next","clientId":"$","id":"p","data":0}`)
				if c.connect == "" {
					if diff := cmp.Diff(c.publish, <-published, cmp.AllowUnexported(answer{})); diff != "" {
						t.Errorf("-want +got\n%s", diff)
					}
					return
				}
				time.Sleep(10 * time.Millisecond)
				connected := ask(`{"channel":"/meta/connect","clientId":"$",` + c.connect + `}`)
				if diff := cmp.Diff([]answer{c.publish, c.connection}, []answer{<-published, <-connected}, cmp.AllowUnexported(answer{})); diff != "" {
					t.Errorf("-want +got\n%s", diff)
				}
			})
		})
	}
}

// A session that is reached over a WebSocket does not keep an answer over
// polling waiting.
//
// spec:14.17.1
func TestAnAnswerBesideASocketDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{OrderedPolling: true, Redeliver: true, TrustClientID: true})
		w.srv.Handle("/service/next", func(_ context.Context, s *bayeux.Session, m *bayeux.Message) error {
			return s.Deliver(m.Channel, []byte("1"))
		})
		s := w.socket()
		start := time.Now()
		_, _, f := w.post(t.Context(), "", `{"channel":"/service/next","clientId":"`+s.ID+`","id":"p","data":0}`)
		if len(f) != 1 || f[0]["id"] != "p" || time.Since(start) != 0 {
			t.Errorf(`got %v after %v, want len(f) == 1, f[0]["id"] == "p", time.Since(start) == 0`, f, time.Since(start))
		}
		if diff := cmp.Diff([]int{1}, numbers(s.Read())); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	})
}
