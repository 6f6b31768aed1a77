package bayeux_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/halley-chat/halley/bayeux"
)

// Over polling two responses can overtake each other, so no two of them may
// carry messages at once.
// spec:13.5
func TestOrderedPolling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{OrderedPolling: true, HoldsPerBrowser: -1})
		n := 0
		w.srv.Handle("/service/next", func(_ context.Context, s *bayeux.Session, m *bayeux.Message) error {
			n++
			w.deliver(s.ID(), n, n)
			return nil
		})
		p := w.poller()
		publish := func() []int {
			t.Helper()
			f := p.send(`{"channel":"/service/next","clientId":"$","id":"p","data":0}`)
			if f[len(f)-1]["id"] != "p" {
				t.Fatalf(`got %v, want f[len(f)-1]["id"] == "p"`, f)
			}
			return numbers(f)
		}
		expect := func(what string, want, got []int) {
			t.Helper()
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf(`%s: got %s, want diff == ""`, what, diff)
			}
		}

		expect("nothing is held, so the answer takes it along", []int{1}, publish())
		// A connect that comes now gives that answer a head start.
		start := time.Now()
		held := p.connect("a")
		synctest.Wait()
		w.deliver(p.id, 2, 2)
		n = 2
		expect("the connect", []int{2}, numbers(<-held))
		if d := time.Since(start); d != 250*time.Millisecond {
			t.Errorf("the head start was %v", d)
		}
		// That connect's reply is on its way: nothing else carries messages.
		expect("behind a connect's reply", nil, publish())
		held = p.connect("b")
		expect("the next connect, at once", []int{3}, numbers(<-held))
		if d := time.Since(start); d != 250*time.Millisecond {
			t.Errorf("it took %v", d)
		}
		// With a connect held, messages leave with that, ahead of the answer.
		held = p.connect("c")
		synctest.Wait()
		expect("the answer while a connect is held", nil, publish())
		synctest.Wait() // it has been written; this lets the client read it
		select {
		case f := <-held:
			expect("the held connect", []int{4}, numbers(f))
		default:
			t.Error("the answer came first")
		}
		// Another request of the client shows that the answer has been read.
		p.send(`{"channel":"/meta/connect","clientId":"$","advice":{"timeout":0}}`)
		expect("nothing is held", []int{5}, publish())
		p.send(`{"channel":"/service/none","clientId":"$","data":0}`)
		start = time.Now()
		held = p.connect("d")
		synctest.Wait()
		w.deliver(p.id, 6, 6)
		expect("no head start is needed", []int{6}, numbers(<-held))
		if d := time.Since(start); d != 0 {
			t.Errorf("it took %v", d)
		}
	})
}
