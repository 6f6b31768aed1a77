package bayeux_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/halley-chat/halley/bayeux"
	"github.com/halley-chat/halley/bayeux/bayeuxtest"
)

// What comes while a client rests leaves together, and soon.
// spec:7.3.4
func TestWriteInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{WriteInterval: 30 * time.Millisecond})
		s := w.socket()
		start := time.Now()
		expect := func(what string, want, got []int, after time.Duration) {
			t.Helper()
			if diff := cmp.Diff(want, got); diff != "" || time.Since(start) != after {
				t.Errorf("%s, after %v instead of %v: %s", what, time.Since(start), after, diff)
			}
		}
		w.deliver(s.ID, 1, 1)
		expect("the first, at once", []int{1}, numbers(s.Read()), 0)
		time.Sleep(10 * time.Millisecond)
		w.deliver(s.ID, 2, 2)
		time.Sleep(time.Millisecond / 2)
		w.deliver(s.ID, 3, 3)
		expect("the others in one frame", []int{2, 3}, numbers(s.Read()), 11*time.Millisecond)
		w.deliver(s.ID, 4, 4)
		expect("a reply takes along what rests", []int{4}, numbers(s.Ask(`{"channel":"/service/none","clientId":"$","id":"p","data":1}`)), 11*time.Millisecond)
		s.Read() // the reply itself
		time.Sleep(30 * time.Millisecond)
		w.deliver(s.ID, 5, 5)
		expect("after a pause, at once", []int{5}, numbers(s.Read()), 41*time.Millisecond)
	})
}

// The more clients there are to write to, the longer they rest, but never for
// longer than the interval.
// spec:7.3.4
func TestBeatsGrowWithTheCrowd(t *testing.T) {
	for clients, beat := range map[int]time.Duration{5: time.Millisecond, 40: 4 * time.Millisecond, 80: 5 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, bayeux.Options{WriteInterval: 5 * time.Millisecond})
			crowd := make([]*bayeuxtest.Socket, clients)
			for i := range crowd {
				crowd[i] = w.socket()
			}
			round := func(n int) time.Duration {
				t.Helper()
				start := time.Now()
				for _, s := range crowd {
					w.deliver(s.ID, n, n)
				}
				for _, s := range crowd {
					if diff := cmp.Diff([]int{n}, numbers(s.Read())); diff != "" {
						t.Fatal(diff)
					}
				}
				return time.Since(start)
			}
			got := []time.Duration{round(1), round(2), round(3)}
			if diff := cmp.Diff([]time.Duration{0, time.Millisecond, beat}, got); diff != "" {
				t.Errorf("%d clients: %s", clients, diff)
			}
		})
	}
}

// A connect that comes right after another's answer waits for the messages
// that follow, which then leave together.
// spec:7.3.4
func TestWriteIntervalOverPolling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{WriteInterval: 30 * time.Millisecond})
		p := w.poller()
		start := time.Now()
		held := p.connect("3")
		synctest.Wait()
		w.deliver(p.id, 1, 1)
		if got := numbers(<-held); cmp.Diff([]int{1}, got) != "" || time.Since(start) != 0 {
			t.Errorf("%v after %v", got, time.Since(start))
		}
		w.deliver(p.id, 2, 2)
		held = p.connect("4")
		synctest.Wait()
		w.deliver(p.id, 3, 3)
		if got := numbers(<-held); cmp.Diff([]int{2, 3}, got) != "" || time.Since(start) != time.Millisecond {
			t.Errorf("%v after %v", got, time.Since(start))
		}
		// One that lost its connection is answered at once.
		w.deliver(p.id, 4, 4)
		if got := numbers(p.send(`{"channel":"/meta/connect","clientId":"$","id":"5","advice":{"timeout":0}}`)); cmp.Diff([]int{4}, got) != "" || time.Since(start) != time.Millisecond {
			t.Errorf("%v after %v", got, time.Since(start))
		}
	})
}

// Polls rest longer than WebSockets, because their answers cost more.
// spec:7.3.4
func TestAnswersGrowWithTheCrowd(t *testing.T) {
	for clients, beat := range map[int]time.Duration{1: time.Millisecond, 12: 12 * time.Millisecond, 30: 20 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, bayeux.Options{WriteInterval: 5 * time.Millisecond})
			crowd := make([]*poller, clients)
			for i := range crowd {
				crowd[i] = w.poller()
			}
			round := func(n int) time.Duration {
				t.Helper()
				start := time.Now()
				held := make([]<-chan []frame, clients)
				for i, p := range crowd {
					held[i] = p.connect("c")
				}
				synctest.Wait()
				for _, p := range crowd {
					w.deliver(p.id, n, n)
				}
				for _, h := range held {
					if diff := cmp.Diff([]int{n}, numbers(<-h)); diff != "" {
						t.Fatal(diff)
					}
				}
				return time.Since(start)
			}
			got := []time.Duration{round(1), round(2), round(3)}
			if diff := cmp.Diff([]time.Duration{0, time.Millisecond, beat}, got); diff != "" {
				t.Errorf("%d clients: %s", clients, diff)
			}
		})
	}
}

// An answer that has enough to carry does not wait for more.
// spec:7.3.4
func TestAFullAnswerDoesNotRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{WriteInterval: 5 * time.Millisecond})
		p := w.poller()
		start := time.Now()
		for round, c := range []struct {
			messages int
			rests    time.Duration
		}{{1, 0}, {7, time.Millisecond}, {8, 0}} {
			w.deliver(p.id, 1, c.messages)
			if got := numbers(<-p.connect("c")); len(got) != c.messages || time.Since(start) != c.rests {
				t.Errorf("round %d: %v after %v", round, got, time.Since(start))
			}
			start = time.Now()
		}
	})
}

// When another answer has taken along what a held connect rested with, the
// connect stays held: it has nothing to say.
// spec:7.3.4
func TestARestThatHasBecomePointless(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{})
		p := w.poller()
		w.deliver(p.id, 1, 1)
		<-p.connect("a")
		w.deliver(p.id, 2, 2)
		held := p.connect("b")
		synctest.Wait()
		if got := numbers(p.send(`{"channel":"/service/none","clientId":"$","id":"p","data":1}`)); cmp.Diff([]int{2}, got) != "" {
			t.Fatalf("the answer carries %v", got)
		}
		time.Sleep(time.Second)
		start := time.Now()
		w.deliver(p.id, 3, 3)
		if got := numbers(<-held); cmp.Diff([]int{3}, got) != "" || time.Since(start) != 0 {
			t.Errorf("the connect brings %v after %v", got, time.Since(start))
		}
	})
}
