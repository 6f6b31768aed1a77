package engine_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
	"github.com/halley-chat/halley/internal/engine/enginetest"
)

func TestConversation(t *testing.T) {
	log := enginetest.NewLog()
	e := start(t, engine.Options{Log: log})
	id := open(t, e)
	p, w := watch(t, e, id, 1)
	join(t, e, id, 7)
	do(t, e, id, say("hello"))
	do(t, e, id, chat.Command{By: chat.Staff(7), Do: chat.Say{Text: "good day"}})
	res := do(t, e, id, chat.Command{By: chat.TheVisitor(), Do: chat.Leave{}})
	if res.Summary.Phase != chat.PhaseEnded {
		t.Errorf("the summary after the end is in the phase %q", res.Summary.Phase)
	}
	w.Close()

	want := logged(t, log, id)
	if diff := cmp.Diff(want, p.all()); diff != "" {
		t.Errorf("the watcher saw something else than the log (-log +watcher):\n%s", diff)
	}
	kinds := []chat.Fact{
		chat.Joined{}, chat.Queued{}, chat.Offered{}, chat.Accepted{}, chat.Joined{}, chat.Said{}, chat.Said{}, chat.Left{}, chat.Finished{},
	}
	for _, b := range p.batches {
		if n := len(b.Events); b.Summary.Last != b.Events[n-1].Index {
			t.Errorf("after event %d the summary says %d", b.Events[n-1].Index, b.Summary.Last)
		}
	}
	if len(want) != len(kinds) {
		t.Errorf("the log has %d events, want %d", len(want), len(kinds))
	}
	read, err := e.Read(context.Background(), id, 6, 2)
	if err != nil || !cmp.Equal(read, want[5:7]) {
		t.Errorf("Read gave %v, %v", read, err)
	}
	sum, ok, err := e.Summary(context.Background(), id)
	if err != nil || !ok || !sum.Equal(res.Summary) {
		t.Errorf("Summary of the ended chat gave %+v, %v, %v", sum, ok, err)
	}
	if e.Board().Len() != 0 {
		t.Error("an ended chat is on the board")
	}
	claims, err := log.Claims(context.Background())
	if err != nil || len(claims) != 0 {
		t.Errorf("claims are left: %v, %v", claims, err)
	}
}

// TestOwnNotificationComesBeforeTheAnswer has a watcher that takes a second
// over each delivery, as no real one may: the sender must wait for it.
func TestOwnNotificationComesBeforeTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, engine.Options{})
		id := open(t, e)
		var shown atomic.Int64
		w, err := e.Watch(t.Context(), id, 1, func(b engine.Batch) {
			if !b.Replay {
				time.Sleep(time.Second)
				shown.Store(b.Events[0].Index)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		for range 3 {
			res := do(t, e, id, say("x"))
			if got := shown.Load(); got != res.Events[0].Index {
				t.Fatalf("event %d was acknowledged when %d was the last one shown", res.Events[0].Index, got)
			}
		}
	})
}

func TestNoSuchChat(t *testing.T) {
	e := start(t, engine.Options{})
	_, err := e.Watch(context.Background(), 4711, 1, func(engine.Batch) { t.Error("something was delivered") })
	mustKind(t, err, chat.NotFound)
	_, err = e.Do(context.Background(), 4711, say("x"))
	mustKind(t, err, chat.NotFound)
	if _, ok, err := e.Summary(context.Background(), 4711); ok || err != nil {
		t.Errorf("Summary found it: %v, %v", ok, err)
	}
	if events, err := e.Read(context.Background(), 4711, 1, 10); len(events) > 0 || err != nil {
		t.Errorf("Read found %v, %v", events, err)
	}
}

func TestRepeat(t *testing.T) {
	for _, fresh := range []bool{false, true} {
		t.Run(fmt.Sprintf("fresh %v", fresh), func(t *testing.T) {
			log := enginetest.NewLog()
			e := start(t, engine.Options{Log: log})
			id := open(t, e)
			c := say("once")
			c.ID = "42"
			first := do(t, e, id, c)
			do(t, e, id, say("between"))
			if fresh {
				// Another engine knows only what the log says.
				e = start(t, engine.Options{Log: log})
			}
			again := do(t, e, id, c)
			if !again.Repeat || first.Repeat {
				t.Errorf("Repeat is %v the first time and %v the second", first.Repeat, again.Repeat)
			}
			if diff := cmp.Diff(first.Events, again.Events); diff != "" {
				t.Errorf("the repeat was answered otherwise (-first +repeat):\n%s", diff)
			}
			c.By = chat.Staff(7)
			_, err := e.Do(context.Background(), id, c)
			mustKind(t, err, chat.Forbidden)
		})
	}
}

// TestRepeatInOneTurn gives a command twice while the room is busy, so that
// both are decided in one turn.
func TestRepeatInOneTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := enginetest.NewLog()
		e := start(t, engine.Options{Log: log})
		id := open(t, e)
		release := log.Hold()
		answers := make([]engine.Result, 3)
		for i := range answers {
			c := say("x")
			if i > 0 {
				c.ID = "same"
			}
			go func() {
				res, err := e.Do(context.Background(), id, c)
				if err != nil {
					t.Error(err)
				}
				answers[i] = res
			}()
			synctest.Wait()
		}
		release()
		synctest.Wait()
		var repeats []bool
		var indexes []int64
		for _, res := range answers {
			repeats = append(repeats, res.Repeat)
			indexes = append(indexes, res.Events[0].Index)
		}
		if !slices.Equal(repeats, []bool{false, false, true}) || !slices.Equal(indexes, []int64{3, 4, 4}) {
			t.Errorf("repeats %v, indexes %v", repeats, indexes)
		}
	})
}

func TestIDCollision(t *testing.T) {
	e := start(t, engine.Options{})
	var n atomic.Uint32
	e.SetRandom(func() uint32 { return (n.Add(1) - 1) / 2 }) // 0, 0, 1, 1, 2, …
	c := opening()
	c.At = time.Now()
	seen := make(map[chat.ID]bool)
	for range 3 {
		id, _, err := e.Open(context.Background(), c)
		if err != nil {
			t.Fatal(err)
		}
		if seen[id] {
			t.Fatalf("the id %v was given twice", id)
		}
		seen[id] = true
	}
	e.SetRandom(func() uint32 { return 0 })
	_, _, err := e.Open(context.Background(), c)
	mustKind(t, err, chat.Conflict)
}

func TestCapacityIsTheStores(t *testing.T) {
	e := start(t, engine.Options{})
	one, two := open(t, e), open(t, e)
	join(t, e, one, 7)
	_, err := e.Do(context.Background(), two, offer(7, time.Minute))
	mustKind(t, err, chat.Capacity)
	if s, ok := e.Board().Get(two); !ok || s.Offer != nil {
		t.Errorf("the refused offer is on the board: %+v", s)
	}
	do(t, e, one, chat.Command{By: chat.Staff(7), Do: chat.End{}})
	do(t, e, two, offer(7, time.Minute))
}

// TestClaimGoesAlone fills one turn with lines around an offer that the store
// refuses: the lines must not suffer.
func TestClaimGoesAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := enginetest.NewLog()
		e := start(t, engine.Options{Log: log})
		busy := open(t, e)
		join(t, e, busy, 7)
		id := open(t, e)
		release := log.Hold()
		cs := []chat.Command{say("1"), say("2"), offer(7, time.Minute), say("3")}
		errs := make([]error, len(cs))
		for i, c := range cs {
			go func() { _, errs[i] = e.Do(context.Background(), id, c) }()
			synctest.Wait()
		}
		release()
		synctest.Wait()
		for i, err := range errs {
			if want := map[int]chat.Kind{2: chat.Capacity}[i]; chat.KindOf(err) != want {
				t.Errorf("command %d: got %v, want the kind %q", i, err, want)
			}
		}
		if got := len(logged(t, log, id)); got != 5 {
			t.Errorf("the log has %d events, want 5", got)
		}
	})
}

func TestOneTurnIsOneAppend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := enginetest.NewLog()
		e := start(t, engine.Options{Log: log})
		id := open(t, e)
		release := log.Hold()
		for range 20 {
			go func() {
				if _, err := e.Do(context.Background(), id, say("x")); err != nil {
					t.Error(err)
				}
			}()
			synctest.Wait()
		}
		before := log.Appends()
		release()
		synctest.Wait()
		if got := log.Appends() - before; got != 2 {
			t.Errorf("20 lines took %d appends, want 2: the first, and all that waited meanwhile", got)
		}
	})
}

func TestAgents(t *testing.T) {
	e := start(t, engine.Options{})
	ctx := context.Background()
	res, err := e.DoAgent(ctx, 7, chat.AgentCommand{To: chat.Ready})
	if err != nil || res.State.Presence != chat.Ready || len(res.Events) != 1 {
		t.Fatalf("got %+v, %v", res, err)
	}
	var tapeOf []chat.AgentEvent
	var last chat.AgentState
	w, err := e.WatchAgent(ctx, 7, 1, func(b engine.AgentBatch) {
		tapeOf, last = append(tapeOf, b.Events...), b.State
	})
	if err != nil {
		t.Fatal(err)
	}
	id := open(t, e)
	join(t, e, id, 7)
	if _, err := e.DoAgent(ctx, 7, chat.AgentCommand{To: chat.NotReady, Reason: "lunch"}); err != nil {
		t.Fatal(err)
	}
	s, err := e.Agent(ctx, 7)
	w.Close()
	if err != nil || !slices.Equal(s.Chats, []chat.ID{id}) || len(s.Offers) != 0 || s.Presence != chat.NotReady {
		t.Errorf("the agent's state is %+v, %v", s, err)
	}
	if diff := cmp.Diff(s, last); diff != "" {
		t.Errorf("the watcher was told another state (-asked +told):\n%s", diff)
	}
	for i, ev := range tapeOf {
		if ev.Index != int64(i+1) {
			t.Errorf("event %d has the index %d", i+1, ev.Index)
		}
	}
	if len(tapeOf) != 5 { // ready, offered, accepted, assigned, not ready
		t.Errorf("the watcher saw %d events, want 5", len(tapeOf))
	}
	if again, err := e.DoAgent(ctx, 7, chat.AgentCommand{To: chat.NotReady, Reason: "lunch"}); err != nil || len(again.Events) != 0 {
		t.Errorf("no change caused %v, %v", again.Events, err)
	}
}

func TestCheckpoint(t *testing.T) {
	log := enginetest.NewLog()
	e := start(t, engine.Options{Log: log})
	ctx := context.Background()
	var s chat.AgentState
	for i := range 150 {
		to := []chat.Presence{chat.Ready, chat.NotReady}[i%2]
		res, err := e.DoAgent(ctx, 7, chat.AgentCommand{To: to})
		if err != nil {
			t.Fatal(err)
		}
		s = res.State
	}
	// Close waits for the room, and with it for its last checkpoint.
	closing(t, e)
	cp, err := log.Checkpoint(ctx, engine.AgentLog(7))
	if err != nil || cp.Index != 128 {
		t.Errorf("the checkpoint has the index %d, %v; want 128", cp.Index, err)
	}
	e = start(t, engine.Options{Log: log})
	again, err := e.Agent(ctx, 7)
	if diff := cmp.Diff(s, again); diff != "" || err != nil {
		t.Errorf("another state came back (-before +after), %v:\n%s", err, diff)
	}
}

// TestCheckpointBeyondTheWatcher has another engine save a checkpoint of events
// that a watcher has not been shown yet.
func TestCheckpointBeyondTheWatcher(t *testing.T) {
	log := enginetest.NewLog()
	near := start(t, engine.Options{Log: log})
	far := start(t, engine.Options{Log: log}) // on a bus of its own
	turn := func(e *engine.Engine, to chat.Presence) {
		t.Helper()
		if _, err := e.DoAgent(t.Context(), 7, chat.AgentCommand{To: to}); err != nil {
			t.Fatal(err)
		}
	}
	turn(near, chat.Ready)
	var seen []int64
	w, err := near.WatchAgent(t.Context(), 7, 1, func(b engine.AgentBatch) {
		for _, ev := range b.Events {
			seen = append(seen, ev.Index)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 50 {
		turn(far, chat.NotReady)
		turn(far, chat.Ready)
	}
	if cp, err := log.Checkpoint(t.Context(), engine.AgentLog(7)); err != nil || cp.Index == 0 {
		t.Fatalf("the far engine has saved no checkpoint: %+v, %v", cp, err)
	}
	turn(near, chat.NotReady)
	w.Close()
	for i, index := range seen {
		if index != int64(i+1) {
			t.Fatalf("the watcher saw %v", seen)
		}
	}
	if len(seen) != 102 {
		t.Errorf("the watcher saw %d events, want 102", len(seen))
	}
}

// TestAgentHearsWithoutTheBus loses every notice: an agent's room must hear of
// a chat of its own engine all the same.
func TestAgentHearsWithoutTheBus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := enginetest.NewBus()
		bus.Drop(func(engine.Notice) bool { return true })
		e := start(t, engine.Options{Bus: bus})
		id := open(t, e)
		var last chat.AgentState
		w, err := e.WatchAgent(t.Context(), 7, 1, func(b engine.AgentBatch) { last = b.State })
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		join(t, e, id, 7)
		synctest.Wait()
		if !slices.Equal(last.Chats, []chat.ID{id}) {
			t.Errorf("the agent's watcher was told %+v", last)
		}
	})
}
