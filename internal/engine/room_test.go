package engine_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
	"github.com/halley-chat/halley/internal/engine/enginetest"
)

func TestIdleRoomLeavesAndComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, engine.Options{RoomIdle: 30 * time.Second})
		id := open(t, e)
		_, w := watch(t, e, id, 1)
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if e.Rooms() != 1 {
			t.Fatal("a room that is watched has left")
		}
		w.Close()
		time.Sleep(29 * time.Second)
		synctest.Wait()
		if e.Rooms() != 1 {
			t.Fatal("the room has left too early")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if n := e.Rooms(); n != 0 {
			t.Fatalf("%d rooms are open after the idle time", n)
		}
		if res := do(t, e, id, say("again")); res.Events[0].Index != 3 {
			t.Errorf("the next line has the index %d, want 3", res.Events[0].Index)
		}
	})
}

// TestLeavingWhileCommandsCome lets rooms leave after every turn while commands
// keep coming: none may be lost between the room that leaves and the next.
func TestLeavingWhileCommandsCome(t *testing.T) {
	log := enginetest.NewLog()
	e := start(t, engine.Options{Log: log, RoomIdle: 1})
	id := open(t, e)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	const writers, lines = 4, 300
	var work sync.WaitGroup
	for range writers {
		work.Go(func() {
			for range lines {
				if _, err := e.Do(ctx, id, say("x")); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	work.Wait()
	if n := len(logged(t, log, id)); n != 2+writers*lines {
		t.Errorf("%d events, want %d", n, 2+writers*lines)
	}
}

func TestUnknownChatsLeaveNoRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, engine.Options{})
		for id := range 100 {
			_, err := e.Do(t.Context(), chat.ID(id+1), say("x"))
			mustKind(t, err, chat.NotFound)
		}
		synctest.Wait()
		if n := e.Rooms(); n != 0 {
			t.Errorf("%d rooms are open", n)
		}
	})
}

func TestFullMailbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := enginetest.NewLog()
		e := start(t, engine.Options{Log: log, Mailbox: 4})
		id := open(t, e)
		release := log.Hold()
		go do(t, e, id, say("in the turn"))
		synctest.Wait()
		for range 4 {
			go do(t, e, id, say("in the mailbox"))
		}
		synctest.Wait()
		_, err := e.Do(t.Context(), id, say("too many"))
		mustKind(t, err, chat.Unavailable)
		release()
		synctest.Wait()
		do(t, e, id, say("there is room again"))
		if n := len(logged(t, log, id)); n != 8 {
			t.Errorf("%d events, want 8", n)
		}
	})
}

func TestMoreThanATurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := enginetest.NewLog()
		e := start(t, engine.Options{Log: log})
		id := open(t, e)
		release := log.Hold()
		for range 200 {
			go do(t, e, id, say("x"))
		}
		synctest.Wait()
		release()
		synctest.Wait()
		if n := len(logged(t, log, id)); n != 202 {
			t.Errorf("%d events, want 202", n)
		}
	})
}

func TestLongLog(t *testing.T) {
	log := enginetest.NewLog()
	e := start(t, engine.Options{Log: log})
	id := open(t, e)
	for range 600 {
		do(t, e, id, say("x"))
	}
	p, w := watch(t, start(t, engine.Options{Log: log}), id, 1)
	defer w.Close()
	if n := len(p.all()); n < 602 {
		t.Errorf("%d events were replayed, want 602 and what the second start caused", n)
	}
}

func TestCloseFinishesWhatWasTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := enginetest.NewLog()
		e := start(t, engine.Options{Log: log})
		id := open(t, e)
		release := log.Hold()
		for range 10 {
			go do(t, e, id, say("x"))
			synctest.Wait()
		}
		closed := make(chan error, 1)
		go func() { closed <- e.Close(context.Background()) }()
		synctest.Wait()
		select {
		case err := <-closed:
			t.Fatalf("Close returned %v before the commands were finished", err)
		default:
		}
		_, err := e.Do(t.Context(), id, say("late"))
		mustKind(t, err, chat.Unavailable)
		_, _, err = e.Open(t.Context(), opening())
		mustKind(t, err, chat.Unavailable)
		_, err = e.Watch(t.Context(), id, 1, func(engine.Batch) {})
		mustKind(t, err, chat.Unavailable)
		_, err = e.DoAgent(t.Context(), 7, chat.AgentCommand{To: chat.Ready})
		mustKind(t, err, chat.Unavailable)
		release()
		if err := <-closed; err != nil {
			t.Fatal(err)
		}
		if n := len(logged(t, log, id)); n != 12 {
			t.Errorf("%d events, want 12", n)
		}
	})
}

func TestCloseGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := enginetest.NewLog()
		e := start(t, engine.Options{Log: log, StoreTimeout: time.Hour})
		id := open(t, e)
		defer log.Hold()()
		kinds := make(chan chat.Kind, 1)
		go func() {
			_, err := e.Do(context.Background(), id, say("x"))
			kinds <- chat.KindOf(err)
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if err := e.Close(ctx); err != context.DeadlineExceeded {
			t.Errorf("Close gave %v", err)
		}
		if kind := <-kinds; kind != chat.Unavailable {
			t.Errorf("the command that was given up got %q", kind)
		}
	})
}

func TestBeforeStartAndWithoutIt(t *testing.T) {
	e := engine.New(engine.Options{Log: enginetest.NewLog()})
	_, err := e.Do(t.Context(), 1, say("x"))
	mustKind(t, err, chat.Unavailable)
	closing(t, e)
	closing(t, e)
	if err := e.Start(t.Context()); err == nil {
		t.Error("a closed engine was started")
	}
}

func TestStartFailsWithoutTheStore(t *testing.T) {
	log := enginetest.NewLog()
	log.FailReads(func(engine.LogID) error { return errBroken })
	e := engine.New(engine.Options{Log: log})
	if err := e.Start(t.Context()); err == nil {
		t.Error("Start did not fail")
	}
	closing(t, e)
}
