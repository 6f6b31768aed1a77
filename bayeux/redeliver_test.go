package bayeux_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/halley-chat/halley/bayeux"
)

func numbers(frames []frame) (n []int) {
	for _, f := range frames {
		if v, ok := f["data"].(float64); ok {
			n = append(n, int(v))
		}
	}
	return n
}

// deliver sends the numbers from one to another to a session.
func (w *world) deliver(id string, from, to int) {
	w.t.Helper()
	for i := from; i <= to; i++ {
		if err := w.srv.Session(id).Deliver("/service/n", fmt.Append(nil, i)); err != nil {
			w.t.Fatal(err)
		}
	}
}

// A socket that is dead without anybody knowing swallows what is written to
// it. The client comes back on another one and must miss nothing, and what
// happened meanwhile must not overtake what was lost.
// spec:14.17
func TestRedeliverAfterADeadSocket(t *testing.T) {
	for _, on := range []bool{true, false} {
		t.Run(fmt.Sprint("on ", on), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, bayeux.Options{Redeliver: on, MaxInterval: time.Minute})
				s := w.socket()
				s.Send(`{"channel":"/meta/connect","clientId":"$","id":"3","advice":{"timeout":1000}}`)
				synctest.Wait()
				w.deliver(s.ID, 1, 2)
				got := numbers(s.Read())
				for len(got) < 2 {
					got = append(got, numbers(s.Read())...)
				}
				s.Read() // the connect's reply
				s.Send(`{"channel":"/meta/connect","clientId":"$","id":"4"}`)
				synctest.Wait() // 1 and 2 are confirmed by this connect
				w.deliver(s.ID, 3, 5)
				go func() { // the bytes are read by somebody, but never by the client
					for {
						if _, code := s.ReadFrame(); code != 0 {
							return
						}
					}
				}()
				synctest.Wait()
				w.deliver(s.ID, 6, 6)
				again := w.dial(nil)
				again.ID = s.ID
				again.Send(`{"channel":"/meta/connect","clientId":"$","id":"5","advice":{"timeout":0}}`)
				synctest.Wait()
				w.deliver(s.ID, 7, 7)
				want := []int{3, 4, 5, 6, 7}
				if !on {
					want = []int{7}
				}
				var after []int
				for len(after) < len(want) {
					after = append(after, numbers(again.Read())...)
				}
				if diff := cmp.Diff(want, after); diff != "" {
					t.Errorf("redeliver %v: %s", on, diff)
				}
			})
		})
	}
}

func TestRedeliverToAPoller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{Redeliver: true, MaxInterval: time.Minute})
		p := w.poller()
		held := p.connect("3")
		synctest.Wait()
		w.deliver(p.id, 1, 1)
		<-held // lost on the way, as far as the client is concerned
		w.deliver(p.id, 2, 2)
		f := p.send(`{"channel":"/meta/connect","clientId":"$","id":"4","advice":{"timeout":0}}`)
		if diff := cmp.Diff([]int{1, 2}, numbers(f)); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
		// The next ordinary connect shows that all of it has arrived.
		w.deliver(p.id, 3, 3)
		if diff := cmp.Diff([]int{3}, numbers(<-p.connect("5"))); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	})
}

// spec:14.17
func TestRedeliverBeyondTheBoundEndsTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{Redeliver: true, OutboxMessages: 4, MaxInterval: time.Minute})
		s := w.socket()
		for i := range 6 {
			w.deliver(s.ID, i, i)
			s.Read()
		}
		again := w.dial(nil)
		again.ID = s.ID
		if f := again.Ask(`{"channel":"/meta/connect","clientId":"$","id":"5"}`); f[0].At("advice", "reconnect") != "handshake" {
			t.Errorf(`got %v, want f[0].At("advice", "reconnect") == "handshake"`, f)
		}
		if w.srv.Stats().Ended.Overflowed.Load() != 1 {
			t.Error("not counted")
		}
	})
}

// What was dropped at the bound and then shown to have arrived is no loss.
func TestForgettingWhatHasArrivedIsNoLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{Redeliver: true, OutboxMessages: 4, MaxInterval: time.Minute})
		s := w.socket()
		for i := range 6 {
			w.deliver(s.ID, i, i)
			s.Read()
		}
		// Two connects: the first one's reply is behind all six, and the second
		// shows that it has been read.
		s.Ask(`{"channel":"/meta/connect","clientId":"$","id":"3","advice":{"timeout":0}}`)
		s.Ask(`{"channel":"/meta/connect","clientId":"$","id":"4","advice":{"timeout":0}}`)
		w.deliver(s.ID, 7, 7)
		s.Read()
		again := w.dial(nil)
		again.ID = s.ID
		again.Send(`{"channel":"/meta/connect","clientId":"$","id":"5","advice":{"timeout":0}}`)
		if diff := cmp.Diff([]int{7}, numbers(again.Read())); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	})
}
