package engine_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
	"github.com/halley-chat/halley/internal/engine/enginetest"
)

func TestLocalBus(t *testing.T) {
	enginetest.BusSuite(t, func(*testing.T) engine.Bus { return engine.NewLocalBus() })
}

func TestLocalBusSaysWhatItLost(t *testing.T) {
	bus := engine.NewLocalBus()
	entered, hold, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	var enter sync.Once
	heard := 0
	cancel := bus.Subscribe(func(n engine.Notice) {
		enter.Do(func() { close(entered) })
		<-hold
		heard++
		if n.Log.Kind == 0 {
			close(done)
		}
	})
	defer cancel()
	bus.Publish(engine.Notice{Log: engine.ChatLog(1)})
	<-entered
	const many = 10_000
	for range many {
		bus.Publish(engine.Notice{Log: engine.ChatLog(1)})
	}
	close(hold)
	<-done
	if heard >= many {
		t.Errorf("%d notices were kept for a subscriber that hung", heard)
	}
}

func TestBoard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, bus := enginetest.NewLog(), enginetest.NewBus()
		e := start(t, engine.Options{Log: log, Bus: bus})
		far := start(t, engine.Options{Log: log, Bus: bus})
		var mu sync.Mutex
		told := make(map[chat.ID][]chat.Phase)
		w := far.Board().Watch(func(s chat.Summary) {
			mu.Lock()
			defer mu.Unlock()
			told[s.Chat] = append(told[s.Chat], s.Phase)
		})
		a, b := open(t, e), open(t, e)
		synctest.Wait()
		join(t, e, a, 7)
		synctest.Wait()
		do(t, e, a, say("a line changes nothing on the board"))
		for name, board := range map[string]*engine.Board{"own": e.Board(), "far": far.Board()} {
			synctest.Wait()
			if board.Len() != 2 || len(board.All()) != 2 || board.All()[0].Chat > board.All()[1].Chat {
				t.Errorf("the %s board lists %+v", name, board.All())
			}
			if s, ok := board.Get(a); !ok || s.Phase != chat.PhaseActive || len(s.Agents) != 1 {
				t.Errorf("the %s board says %+v of the active chat", name, s)
			}
			if n := len(board.ByBrowser("b1")); n != 2 {
				t.Errorf("the %s board finds %d chats of the browser", name, n)
			}
			if n := len(board.ByBrowser("")) + len(board.ByBrowser("b2")); n != 0 {
				t.Errorf("the %s board finds %d chats of nobody", name, n)
			}
		}
		do(t, e, b, chat.Command{By: chat.TheVisitor(), Do: chat.Bind{Channel: "c2", Browser: "b2"}})
		synctest.Wait()
		if n, m := len(far.Board().ByBrowser("b1")), len(far.Board().ByBrowser("b2")); n != 1 || m != 1 {
			t.Errorf("after a change of browser %d and %d chats are found", n, m)
		}
		do(t, e, a, chat.Command{By: chat.Staff(7), Do: chat.End{}})
		synctest.Wait()
		mu.Lock()
		phases := told[a]
		mu.Unlock()
		ends := 0
		for _, ph := range phases {
			if ph == chat.PhaseEnded {
				ends++
			}
		}
		if ends != 1 || phases[0] != chat.PhaseWaiting || phases[len(phases)-1] != chat.PhaseEnded {
			t.Errorf("the far board told %v", phases)
		}
		if _, ok := far.Board().Get(a); ok || len(far.Board().ByBrowser("b1")) != 0 {
			t.Error("the far board still has the chat that ended")
		}
		w.Close()
		before := len(told[b])
		do(t, e, b, chat.Command{By: chat.TheVisitor(), Do: chat.End{}})
		synctest.Wait()
		if len(told[b]) != before {
			t.Error("something was told after Close")
		}
	})
}

// TestLateNotice holds the bus back while the far engine learns from the log
// what has happened: what the notices then tell is old and must change nothing.
func TestLateNotice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, bus := enginetest.NewLog(), enginetest.NewBus()
		e := start(t, engine.Options{Log: log, Bus: bus})
		far := start(t, engine.Options{Log: log, Bus: bus})
		ended, active := open(t, e), open(t, e)
		synctest.Wait()
		release := bus.Hold()
		join(t, e, ended, 7)
		do(t, e, ended, chat.Command{By: chat.Staff(7), Do: chat.End{}})
		join(t, e, active, 7)
		_, err := far.Do(t.Context(), ended, say("x"))
		mustKind(t, err, chat.Ended)
		_, w := watch(t, far, active, 1)
		defer w.Close()
		synctest.Wait()
		var late []chat.Phase
		defer far.Board().Watch(func(s chat.Summary) { late = append(late, s.Phase) }).Close()
		check := func(when string) {
			t.Helper()
			synctest.Wait()
			if s, ok := far.Board().Get(active); !ok || s.Phase != chat.PhaseActive || far.Board().Len() != 1 {
				t.Errorf("%s the late notices the far board lists %+v", when, far.Board().All())
			}
			if len(late) > 0 {
				t.Errorf("%s the late notices the board tells %v", when, late)
			}
		}
		check("before")
		release()
		check("after")
	})
}

// TestNoticesLost drops every notice and then tells the far engine that it has
// missed something.
func TestNoticesLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, bus := enginetest.NewLog(), enginetest.NewBus()
		e := start(t, engine.Options{Log: log, Bus: bus})
		far := start(t, engine.Options{Log: log, Bus: bus})
		id, over := open(t, e), open(t, e)
		synctest.Wait()
		p, w := watch(t, far, id, 1)
		defer w.Close()
		bus.Drop(func(n engine.Notice) bool { return n.Log.Kind != 0 })
		do(t, e, id, say("unheard"))
		join(t, e, id, 7)
		do(t, e, over, chat.Command{By: chat.TheVisitor(), Do: chat.End{}})
		fresh := open(t, e)
		time.Sleep(time.Second)
		if len(p.all()) != 2 {
			t.Fatalf("the far watcher heard %v", p.indexes())
		}
		bus.Publish(engine.Notice{})
		synctest.Wait()
		if n := len(p.all()); n != len(logged(t, log, id)) {
			t.Errorf("the far watcher saw %v", p.indexes())
		}
		if s, ok := far.Board().Get(id); !ok || s.Phase != chat.PhaseActive {
			t.Errorf("the far board says %+v", s)
		}
		if _, ok := far.Board().Get(over); ok {
			t.Error("the far board still has the chat that ended")
		}
		if _, ok := far.Board().Get(fresh); !ok {
			t.Error("the far board does not have the new chat")
		}
	})
}
