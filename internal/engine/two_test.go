package engine_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
	"github.com/halley-chat/halley/internal/engine/enginetest"
)

// pair is two engines over one store and one bus.
func pair(t testing.TB) (log *enginetest.Log, one, two *engine.Engine) {
	t.Helper()
	log = enginetest.NewLog()
	bus := enginetest.NewBus()
	return log, start(t, engine.Options{Log: log, Bus: bus}), start(t, engine.Options{Log: log, Bus: bus})
}

// TestTheOtherEngineHears has the far watcher follow by notices alone, one at
// a time, previews included.
func TestTheOtherEngineHears(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, one, two := pair(t)
		id := open(t, one)
		p, w := watch(t, two, id, 1)
		defer w.Close()
		var agent []int64
		aw, err := two.WatchAgent(t.Context(), 7, 1, func(b engine.AgentBatch) {
			for _, ev := range b.Events {
				agent = append(agent, ev.Index)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		defer aw.Close()
		for i := range 10 {
			do(t, one, id, say("x"))
			synctest.Wait()
			if got := p.indexes(); len(got) != 3+i || got[len(got)-1] != int64(3+i) {
				t.Fatalf("after line %d the far watcher has seen %v", i+1, got)
			}
		}
		do(t, one, id, typing(chat.TheVisitor(), "soon"))
		synctest.Wait()
		if got := p.all(); got[len(got)-1].Preview != "soon" {
			t.Errorf("the far watcher saw %+v, want the preview", got[len(got)-1])
		}
		join(t, one, id, 7)
		synctest.Wait()
		if !slices.Equal(agent, []int64{1, 2, 3}) {
			t.Errorf("the far watcher of the agent saw %v", agent)
		}
	})
}

// TestRacingEngines has both engines write to one chat as fast as they can.
func TestRacingEngines(t *testing.T) {
	log, one, two := pair(t)
	id := open(t, one)
	p, w := watch(t, one, id, 1)
	q, v := watch(t, two, id, 1)
	const lines = 60
	var work sync.WaitGroup
	for i, e := range []*engine.Engine{one, one, two, two} {
		work.Go(func() {
			for k := range lines {
				c := say("x")
				c.ID = fmt.Sprintf("%d-%d", i, k)
				for {
					res, err := e.Do(t.Context(), id, c)
					if chat.KindOf(err) == chat.Unavailable {
						continue // it lost every race of its turn; the id makes it safe
					}
					if err != nil || len(res.Events) != 1 {
						t.Errorf("got %+v, %v", res, err)
					}
					break
				}
			}
		})
	}
	work.Wait()
	all := func(events []chat.Event) bool { return len(events) >= 2+4*lines }
	p.until(t, "the last line", all)
	q.until(t, "the last line", all)
	w.Close()
	v.Close()
	want := logged(t, log, id)
	if len(want) != 2+4*lines {
		t.Errorf("the log has %d events, want %d", len(want), 2+4*lines)
	}
	for name, p := range map[string]*tape{"one": p, "two": q} {
		if diff := cmp.Diff(want, p.all()); diff != "" {
			t.Errorf("the watcher at engine %s saw something else than the log:\n%s", name, diff)
		}
	}
}
