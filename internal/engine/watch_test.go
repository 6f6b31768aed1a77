package engine_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
	"github.com/halley-chat/halley/internal/engine/enginetest"
)

func TestWatchFrom(t *testing.T) {
	e := start(t, engine.Options{})
	id := open(t, e)
	for range 8 {
		do(t, e, id, say("x"))
	}
	for from, want := range map[int64]int{-1: 10, 0: 10, 1: 10, 4: 7, 10: 1, 11: 0, 999: 0} {
		t.Run(fmt.Sprintf("from %d", from), func(t *testing.T) {
			p, w := watch(t, e, id, from)
			if got := len(p.all()); got != want {
				t.Errorf("from %d: %d events, want %d", from, got, want)
			}
			if b := p.batches[0]; !b.Replay || b.Chat != id || b.Summary.Chat != id {
				t.Errorf("from %d: the first batch is %+v", from, b)
			}
			w.Close()
		})
	}
	p, w := watch(t, e, id, 999)
	defer w.Close()
	do(t, e, id, say("y"))
	if got := p.indexes(); !slices.Equal(got, []int64{11}) {
		t.Errorf("a watch from beyond the end saw %v, want what comes next", got)
	}
}

// TestWatchOnAnEngineThatIsBehind asks an engine that has not heard of the
// latest lines for what comes after them, and for what never was.
func TestWatchOnAnEngineThatIsBehind(t *testing.T) {
	for from, want := range map[int64][]int64{2: {2, 3, 4, 5}, 4: {4, 5}, 5: {5}, 999: {5}} {
		log := enginetest.NewLog()
		one := start(t, engine.Options{Log: log})
		two := start(t, engine.Options{Log: log}) // on a bus of its own
		id := open(t, one)
		do(t, two, id, say("3"))
		do(t, two, id, say("4"))
		p, w := watch(t, one, id, from)
		defer w.Close()
		do(t, one, id, say("5"))
		if got := p.indexes(); !slices.Equal(got, want) {
			t.Errorf("from %d: saw %v, want %v", from, got, want)
		}
	}
}

// TestJoiningWhileEverybodyTalks attaches watchers at random moments and
// positions; none may see a gap or a double.
func TestJoiningWhileEverybodyTalks(t *testing.T) {
	e := start(t, engine.Options{})
	id := open(t, e)
	const speakers, lines = 4, 50
	var talk, look sync.WaitGroup
	tapes := make([]*tape, 40)
	for range speakers {
		talk.Go(func() {
			for range lines {
				do(t, e, id, say("x"))
			}
		})
	}
	for i := range tapes {
		tapes[i] = newTape()
		look.Go(func() {
			w, err := e.Watch(context.Background(), id, int64(i), tapes[i].record)
			if err != nil {
				t.Error(err)
				return
			}
			talk.Wait()
			w.Close()
		})
	}
	look.Wait()
	for i, p := range tapes {
		got := p.indexes()
		// A position beyond the end at that moment begins with what comes next.
		if len(got) > 0 && got[0] > max(int64(i), 1) {
			t.Errorf("a watch from %d began with %d", i, got[0])
		}
		for k, index := range got {
			if index != got[0]+int64(k) {
				t.Fatalf("a watch from %d saw %v", i, got)
			}
		}
		if len(got) == 0 || got[len(got)-1] != 2+speakers*lines {
			t.Errorf("a watch from %d did not see the last line", i)
		}
	}
}

func TestCancelFromWithinADelivery(t *testing.T) {
	e := start(t, engine.Options{})
	id := open(t, e)
	var w *engine.Watch
	calls := 0
	w, err := e.Watch(context.Background(), id, 1, func(b engine.Batch) {
		calls++
		if !b.Replay {
			w.Cancel()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	do(t, e, id, say("1"))
	do(t, e, id, say("2"))
	w.Close()
	if calls != 2 {
		t.Errorf("%d deliveries, want the replay and one more", calls)
	}
}

func TestCloseWaitsForTheDelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, engine.Options{})
		id := open(t, e)
		hold := make(chan struct{})
		var over atomic.Bool
		w, err := e.Watch(context.Background(), id, 1, func(b engine.Batch) {
			if !b.Replay {
				<-hold
				over.Store(true)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		go do(t, e, id, say("1"))
		synctest.Wait()
		closed := make(chan bool)
		go func() { w.Close(); closed <- over.Load() }()
		synctest.Wait()
		select {
		case <-closed:
			t.Fatal("Close returned during a delivery")
		default:
		}
		close(hold)
		if !<-closed {
			t.Fatal("Close returned before the delivery had")
		}
	})
}

func TestStaleTypingIsNotReplayed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, engine.Options{})
		id := open(t, e)
		typing := chat.Command{By: chat.TheVisitor(), Do: chat.Type{On: true, Preview: "secret"}}
		do(t, e, id, typing)         // 3
		time.Sleep(20 * time.Second) // 4: it has expired
		do(t, e, id, typing)         // 5
		p, w := watch(t, e, id, 1)
		defer w.Close()
		if got := p.indexes(); !slices.Equal(got, []int64{1, 2, 4, 5}) {
			t.Errorf("replayed %v, want all but the typing of 20 s ago", got)
		}
		if p.all()[3].Preview != "" {
			t.Error("a preview was replayed")
		}
		read, err := e.Read(context.Background(), id, 1, 10)
		if err != nil || len(read) != 5 {
			t.Errorf("Read gave %d events, %v; it leaves nothing out", len(read), err)
		}
	})
}

func TestWatchGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := enginetest.NewLog()
		e := start(t, engine.Options{Log: log})
		id := open(t, e)
		release := log.Hold()
		go do(t, e, id, say("1"))
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_, err := e.Watch(ctx, id, 1, func(engine.Batch) { t.Error("a delivery after Watch gave up") })
		mustKind(t, err, chat.Unavailable)
		release()
		do(t, e, id, say("2"))
	})
}
