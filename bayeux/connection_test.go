package bayeux_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"
	"github.com/google/go-cmp/cmp"

	"github.com/halley-chat/halley/bayeux"
)

// A connect that is being answered when its time is up, over a slow
// connection, does not end the session.
//
// spec:9.1
func TestASlowAnswerAtTheEndOfAHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newRawPoller(t, bayeux.Options{Timeout: 20 * time.Second, MaxInterval: 5 * time.Second})
		p.say(`{"channel":"/meta/connect","clientId":"$","id":"held"}`)
		time.Sleep(19 * time.Second)
		p.deliver(1)
		time.Sleep(4 * time.Second) // the client reads nothing
		if p.srv.Session(p.id) == nil {
			t.Error("the session has expired, want it alive")
		}
		if _, f := p.answer(); cmp.Diff([]int{1}, numbers(f)) != "" {
			t.Errorf("got %v, want message 1", f)
		}
	})
}

// A subscription that is taken back while it is being made is there or is not,
// and never outlives its session.
//
// spec:4.7 spec:9.5
func TestSubscribingAndUnsubscribingAtOnce(t *testing.T) {
	srv := bayeux.New(bayeux.Options{})
	defer closeServer(t, srv)
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			for range 500 {
				l, err := srv.NewLocal(nil)
				if err != nil {
					t.Error(err)
					return
				}
				subscribed := make(chan struct{})
				go func() {
					defer close(subscribed)
					if err := l.Subscribe("/a"); err != nil {
						t.Error(err)
					}
				}()
				for range 50 {
					l.Unsubscribe("/a")
				}
				<-subscribed
				l.Close()
			}
		})
	}
	workers.Wait()
	if n := srv.Remains().Names; n != 0 {
		t.Error("a session that has ended is subscribed still")
	}
}

// An extension that panics when a held connect is answered on a WebSocket
// closes that and nothing else.
//
// spec:14.20
func TestAPanicBehindAHeldConnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{Extensions: []bayeux.Extension{{
			Incoming: func(_ context.Context, _ *bayeux.Session, m *bayeux.Message) error {
				if string(m.ID) == `"held"` {
					m.OnReply(func(*bayeux.Session, *bayeux.Reply) { panic("a broken extension") })
				}
				return nil
			},
		}}})
		s, other := w.socket(), w.socket()
		s.Send(`{"channel":"/meta/connect","clientId":"$","id":"held","advice":{"timeout":1000}}`)
		if _, code := s.ReadFrame(); code != ws.StatusInternalServerError {
			t.Errorf("closed with %d", code)
		}
		if f := other.Ask(`{"channel":"/service/none","clientId":"$","id":"p","data":1}`); f[0]["id"] != "p" {
			t.Errorf(`got %v, want f[0]["id"] == "p"`, f)
		}
	})
}

// What waits for a session does not leave over a WebSocket that it has left.
//
// spec:7.3.3 spec:10.8
func TestAnOldSocketTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{Redeliver: true})
		old := w.socket()
		s := w.dial(nil)
		s.ID = old.ID
		s.Send(`{"channel":"/meta/connect","clientId":"$","id":"3"}`)
		synctest.Wait()
		w.deliver(s.ID, 1, 1)
		if diff := cmp.Diff([]int{1}, numbers(s.Read())); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
		w.deliver(s.ID, 2, 2) // rests
		go func() {
			for code := ws.StatusCode(0); code == 0; _, code = old.ReadFrame() {
			}
		}()
		if _, err := old.Conn.Write(ws.MustCompileFrame(ws.MaskFrame(ws.NewPingFrame(nil)))); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]int{2}, numbers(s.Read())); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	})
}

// What an old WebSocket could not write wakes the one that the session is on
// by then.
//
// spec:9.4 spec:10.8
func TestAFailedWriteIsToldToTheNextConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{MaxInterval: time.Minute})
		old := w.socket()
		w.deliver(old.ID, 1, 1) // nobody reads it
		synctest.Wait()
		s := w.dial(nil)
		s.ID = old.ID
		s.Send(`{"channel":"/meta/connect","clientId":"$","id":"3"}`)
		time.Sleep(11 * time.Second) // the write has failed
		w.deliver(s.ID, 2, 2)
		var got []int
		for start := time.Now(); len(got) < 2 && time.Since(start) < time.Second; {
			got = append(got, numbers(s.Read())...)
			if time.Since(start) > time.Second {
				t.Errorf("%v took %v", got, time.Since(start))
			}
		}
		if diff := cmp.Diff([]int{1, 2}, got); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	})
}

// A WebSocket that closes leaves what it owes to a poll that is held.
//
// spec:9.3 spec:10.8 spec:14.17
func TestASocketClosesBesideAHeldPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{Redeliver: true, TrustClientID: true})
		p := w.poller()
		held := p.connect("3")
		synctest.Wait()
		s := w.dial(nil)
		s.ID = p.id
		s.Ask(`{"channel":"/service/none","clientId":"$","id":"p","data":1}`)
		w.deliver(p.id, 1, 1)
		s.ReadFrame() // by somebody who is not the client
		w.deliver(p.id, 2, 2)
		synctest.Wait()
		start := time.Now()
		_ = s.Conn.Close()
		if got := numbers(<-held); cmp.Diff([]int{1, 2}, got) != "" || time.Since(start) != 0 {
			t.Errorf(`got %v after %v, want numbers []int{1, 2}, time.Since(start) == 0`, got, time.Since(start))
		}
	})
}

// A poll's answer that could not be written goes to the newer connect, ahead
// of what is new.
//
// spec:14.17
func TestAFailedAnswerGoesToTheNewerConnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newRawPoller(t, bayeux.Options{Redeliver: true})
		p.hold()
		p.deliver(1) // the answer is being written, and nobody reads it
		synctest.Wait()
		old := p.conn
		p.dial()
		// A connect that came behind it, from a client that gave the other up.
		p.say(`{"channel":"/meta/connect","clientId":"$","id":"newer"}`)
		synctest.Wait()
		_ = old.Close()
		synctest.Wait()
		p.deliver(2)
		var got []int
		for len(got) < 2 {
			_, f := p.answer()
			got = append(got, numbers(f)...)
			p.say(`{"channel":"/meta/connect","clientId":"$","id":"next"}`)
		}
		if diff := cmp.Diff([]int{1, 2}, got); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	})
}

// A connect whose client has sent a newer one takes nothing along, however
// late its answer is.
//
// spec:7.6 spec:14.17
func TestALateAnswerTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		late := make(chan struct{})
		w := newWorld(t, bayeux.Options{Redeliver: true, OrderedPolling: true, Extensions: []bayeux.Extension{{
			Incoming: func(_ context.Context, _ *bayeux.Session, m *bayeux.Message) error {
				if string(m.ID) == `"late"` {
					m.OnReply(func(*bayeux.Session, *bayeux.Reply) { <-late })
				}
				return nil
			},
		}}})
		p := w.poller()
		old := p.connect("late")
		synctest.Wait()
		w.deliver(p.id, 1, 1)
		synctest.Wait()
		if diff := cmp.Diff([]int{1}, numbers(p.send(`{"channel":"/meta/connect","clientId":"$","advice":{"timeout":0}}`))); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
		w.deliver(p.id, 2, 2)
		close(late)
		if got := numbers(<-old); got != nil {
			t.Errorf("%v with the older one", got)
		}
		if diff := cmp.Diff([]int{2}, numbers(<-p.connect("next"))); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	})
}

// What goes with a publish's answer could be lost with it, and the next connect
// would say nothing about that: it goes with the connect.
//
// spec:14.17.1
func TestWithRedeliverMessagesLeaveWithConnects(t *testing.T) {
	for _, ordered := range []bool{true, false} {
		t.Run(fmt.Sprint("ordered ", ordered), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, bayeux.Options{Redeliver: true, OrderedPolling: ordered})
				n := 0
				w.srv.Handle("/service/next", func(_ context.Context, s *bayeux.Session, _ *bayeux.Message) error {
					n++
					w.deliver(s.ID(), n, n)
					return nil
				})
				p := w.poller()
				publish := func() {
					t.Helper()
					if got := numbers(p.send(`{"channel":"/service/next","clientId":"$","data":0}`)); got != nil {
						t.Errorf("%v with an answer", got)
					}
				}
				start := time.Now()
				ctx, hangUp := context.WithCancel(t.Context())
				go w.post(ctx, p.cookie, `{"channel":"/meta/connect","clientId":"`+p.id+`","id":"3"}`)
				synctest.Wait()
				hangUp()
				synctest.Wait()
				publish() // the client has lost its connect, and may lose this
				if diff := cmp.Diff([]int{1}, numbers(<-p.connect("4"))); diff != "" {
					t.Errorf("-want +got\n%s", diff)
				}
				held := p.connect("5")
				synctest.Wait()
				publish()
				if got := numbers(<-held); cmp.Diff([]int{2}, got) != "" || time.Since(start) != 0 {
					t.Errorf(`got %v after %v, want numbers []int{2}, time.Since(start) == 0`, got, time.Since(start))
				}
			})
		})
	}
}

// spec:6.6.1 spec:14.8
func TestDisconnectOverWebSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{})
		s := w.socket()
		s.Send(`{"channel":"/meta/connect","clientId":"$","id":"3"}`)
		s.Send(`{"channel":"/meta/disconnect","clientId":"$","id":"4"}`)
		got := append(s.Read(), make([]frame, 0)...)
		for len(got) < 2 {
			got = append(got, s.Read()...)
		}
		if got[0]["channel"] != "/meta/connect" || got[0].At("advice", "reconnect") != "none" || got[1]["channel"] != "/meta/disconnect" || got[1]["successful"] != true {
			t.Errorf(`got %v, want got[0]["channel"] == "/meta/connect", got[0].At("advice", "reconnect") == "none", got[1]["channel"] == "/meta/disconnect", got[1]["successful"] == true`, got)
		}
		start := time.Now()
		if _, code := s.ReadFrame(); code != 1000 || time.Since(start) != 5*time.Second {
			t.Errorf("closed with %d after %v", code, time.Since(start))
		}
	})
}

// spec:6.11
func TestKick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{})
		s, p := w.socket(), w.poller()
		s.Send(`{"channel":"/meta/connect","clientId":"$","id":"3"}`)
		polled := p.connect("3")
		synctest.Wait()
		w.srv.Session(s.ID).Disconnect()
		w.srv.Session(p.id).Disconnect()
		got := s.Read()
		for len(got) < 2 {
			got = append(got, s.Read()...)
		}
		for name, f := range map[string][]frame{"socket": got, "poll": <-polled} {
			if len(f) != 2 || f[0]["channel"] != "/meta/disconnect" || f[0]["id"] != nil || f[1].At("advice", "reconnect") != "none" {
				t.Errorf(`%s: got %v, want len(f) == 2, f[0]["channel"] == "/meta/disconnect", f[0]["id"] == nil, f[1].At("advice", "reconnect") == "none"`, name, f)
			}
		}
		if w.srv.Sessions() != 0 {
			t.Error("the sessions live on")
		}
	})
}
