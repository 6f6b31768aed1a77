package engine_test

import (
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
	"github.com/halley-chat/halley/internal/engine/enginetest"
)

// once answers the next append with an error, and those after it with nil.
func once(err error) func(engine.Append) error {
	var done atomic.Bool
	return func(engine.Append) error {
		if done.Swap(true) {
			return nil
		}
		return err
	}
}

func TestAppendFails(t *testing.T) {
	log := enginetest.NewLog()
	e := start(t, engine.Options{Log: log})
	id := open(t, e)
	p, w := watch(t, e, id, 1)
	defer w.Close()
	log.Fail(once(errBroken))
	_, err := e.Do(t.Context(), id, say("lost"))
	mustKind(t, err, chat.Unavailable)
	if !errors.Is(err, errBroken) {
		t.Errorf("the cause is not in the chain of %v", err)
	}
	do(t, e, id, say("kept"))
	if got := p.indexes(); !slices.Equal(got, []int64{1, 2, 3}) {
		t.Errorf("the watcher saw %v", got)
	}
	if n := len(logged(t, log, id)); n != 3 {
		t.Errorf("%d events, want 3", n)
	}
}

// TestAnswerIsLost breaks the connection after the commit. The sender is told
// that nothing is known; the watchers, the board and the agent are told what
// has happened as soon as the store can be read, and a repeat finds it.
func TestAnswerIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, bus := enginetest.NewLog(), enginetest.NewBus()
		e := start(t, engine.Options{Log: log, Bus: bus})
		other := start(t, engine.Options{Log: log, Bus: bus})
		id := open(t, e)
		do(t, e, id, offer(7, time.Minute))
		p, w := watch(t, e, id, 1)
		defer w.Close()
		far, w2 := watch(t, other, id, 1)
		defer w2.Close()
		if _, err := other.Agent(t.Context(), 7); err != nil {
			t.Fatal(err)
		}
		log.Lose(once(errBroken))
		var broken atomic.Bool
		broken.Store(true)
		log.FailReads(func(engine.LogID) error {
			if broken.Load() {
				return errBroken
			}
			return nil
		})
		c := chat.Command{ID: "accept", By: chat.Staff(7), Do: chat.Accept{}}
		_, err := e.Do(t.Context(), id, c)
		mustKind(t, err, chat.Unavailable)
		time.Sleep(time.Second)
		if contains[chat.Accepted](p.all()) {
			t.Error("it was shown although nobody could know")
		}
		broken.Store(false)
		time.Sleep(20 * time.Second)
		for name, p := range map[string]*tape{"this": p, "the other": far} {
			if got := p.indexes(); !slices.Equal(got, []int64{1, 2, 3, 4, 5}) {
				t.Errorf("the watcher of %s engine saw %v", name, got)
			}
		}
		for name, e := range map[string]*engine.Engine{"this": e, "the other": other} {
			if s, ok := e.Board().Get(id); !ok || s.Phase != chat.PhaseActive {
				t.Errorf("the board of %s engine says %+v", name, s)
			}
			if s, err := e.Agent(t.Context(), 7); err != nil || !slices.Equal(s.Chats, []chat.ID{id}) {
				t.Errorf("%s engine's agent is %+v, %v", name, s, err)
			}
		}
		if res := do(t, e, id, c); !res.Repeat || len(res.Events) != 2 || res.Events[0].Index != 4 {
			t.Errorf("the repeat was answered with %+v", res)
		}
	})
}

func TestConflictIsDecidedAgain(t *testing.T) {
	log := enginetest.NewLog()
	// Two buses: neither engine hears of the other.
	one := start(t, engine.Options{Log: log})
	two := start(t, engine.Options{Log: log})
	id := open(t, one)
	do(t, two, id, say("2"))
	p, w := watch(t, one, id, 1)
	defer w.Close()
	do(t, two, id, say("3"))
	do(t, two, id, say("4"))
	res := do(t, one, id, say("5"))
	if res.Events[0].Index != 6 {
		t.Errorf("the line got the index %d, want 6", res.Events[0].Index)
	}
	if got := p.indexes(); !slices.Equal(got, []int64{1, 2, 3, 4, 5, 6}) {
		t.Errorf("the watcher saw %v", got)
	}
	do(t, two, id, chat.Command{By: chat.TheVisitor(), Do: chat.End{}})
	_, err := one.Do(t.Context(), id, say("too late"))
	mustKind(t, err, chat.Ended)
}

func TestConflictsWithoutEnd(t *testing.T) {
	log := enginetest.NewLog()
	e := start(t, engine.Options{Log: log})
	id := open(t, e)
	log.Fail(func(engine.Append) error { return engine.ErrConflict })
	_, err := e.Do(t.Context(), id, say("x"))
	mustKind(t, err, chat.Unavailable)
	log.Fail(nil)
	do(t, e, id, say("y"))
}

func TestStoreHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := enginetest.NewLog()
		e := start(t, engine.Options{Log: log, StoreTimeout: 4 * time.Second})
		id := open(t, e)
		release := log.Hold()
		t0 := time.Now()
		_, err := e.Do(t.Context(), id, say("x"))
		mustKind(t, err, chat.Unavailable)
		if d := time.Since(t0); d != 4*time.Second {
			t.Errorf("the answer took %v", d)
		}
		release()
		do(t, e, id, say("y"))
		if n := len(logged(t, log, id)); n != 3 {
			t.Errorf("%d events, want 3", n)
		}
	})
}

// TestRefusalRestsOnWhatFailed gives, in one turn, the end of a chat and a line
// after it. When the end cannot be stored, the line must not be told that the
// chat has ended.
func TestRefusalRestsOnWhatFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := enginetest.NewLog()
		e := start(t, engine.Options{Log: log})
		id := open(t, e)
		release := log.Hold()
		go do(t, e, id, say("x"))
		synctest.Wait()
		errs := make([]error, 2)
		for i, c := range []chat.Command{{By: chat.TheVisitor(), Do: chat.End{}}, say("after")} {
			go func() { _, errs[i] = e.Do(t.Context(), id, c) }()
			synctest.Wait()
		}
		log.Fail(func(a engine.Append) error {
			if a.Summary != nil && a.Summary.Phase == chat.PhaseEnded {
				return errBroken
			}
			return nil
		})
		release()
		synctest.Wait()
		for _, err := range errs {
			mustKind(t, err, chat.Unavailable)
		}
		if s, ok := e.Board().Get(id); !ok || !s.Live() {
			t.Error("the board says that the chat has ended")
		}
		log.Fail(nil)
		do(t, e, id, say("still here"))
	})
}

func TestUnreadableLog(t *testing.T) {
	log := enginetest.NewLog()
	e := start(t, engine.Options{Log: log})
	_, err := log.Append(t.Context(), engine.Append{
		Log: engine.ChatLog(99), Records: []engine.Record{{Index: 1, At: time.Now().UTC(), Body: []byte("?")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Do(t.Context(), 99, say("x")); err == nil {
		t.Error("a command was carried out on a log that cannot be read")
	}
}
