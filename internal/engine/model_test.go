package engine_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
	"github.com/halley-chat/halley/internal/engine/enginetest"
)

// deed is one thing that somebody does in a plan.
type deed struct {
	Pause  time.Duration
	Engine int
	Chat   int
	What   string
	Agent  chat.StaffID
	From   int64 // for a watch
}

// plan is everything that happens in one run of the model, drawn before it
// begins: several goroutines do their deeds side by side, while the store
// fails at the appends whose number, counted around, is listed.
type plan struct {
	Engines int
	Chats   int
	Actors  [][]deed
	Fail    []int // appends that fail
	Lose    []int // appends whose answer is lost
	Around  int
	Reads   []int // reads that fail
	Drop    []int // notices that are lost
	Idle    time.Duration
}

var whats = []string{
	"say", "say", "say", "reply", "reply", "type", "type", "reply-typing", "bind", "unbind", "offer", "offer", "accept", "accept",
	"decline", "withdraw", "leave-agent", "end-agent", "end", "ready", "not-ready", "watch", "watch", "watch-agent", "unwatch",
}

func drawPlan(t *rapid.T) plan {
	p := plan{
		Engines: rapid.IntRange(1, 3).Draw(t, "engines"),
		Chats:   rapid.IntRange(1, 3).Draw(t, "chats"),
		Around:  rapid.IntRange(5, 40).Draw(t, "around"),
		Idle:    rapid.SampledFrom([]time.Duration{time.Second, time.Minute}).Draw(t, "idle"),
	}
	faults := rapid.SliceOfN(rapid.IntRange(0, p.Around-1), 0, 4)
	p.Fail, p.Lose, p.Reads, p.Drop = faults.Draw(t, "fail"), faults.Draw(t, "lose"), faults.Draw(t, "reads"), faults.Draw(t, "drop")
	one := rapid.Custom(func(t *rapid.T) deed {
		return deed{
			Pause:  rapid.SampledFrom([]time.Duration{0, 0, time.Millisecond, 300 * time.Millisecond, 2 * time.Second, 12 * time.Second}).Draw(t, "pause"),
			Engine: rapid.IntRange(0, p.Engines-1).Draw(t, "engine"),
			Chat:   rapid.IntRange(0, p.Chats-1).Draw(t, "chat"),
			What:   rapid.SampledFrom(whats).Draw(t, "what"),
			Agent:  chat.StaffID(rapid.IntRange(1, 2).Draw(t, "agent")),
			From:   int64(rapid.IntRange(0, 12).Draw(t, "from")),
		}
	})
	p.Actors = rapid.SliceOfN(rapid.SliceOfN(one, 1, 25), 1, 5).Draw(t, "actors")
	return p
}

// world is a plan being carried out.
type world struct {
	t       *rapid.T
	plan    plan
	log     *enginetest.Log
	engines []*engine.Engine
	chats   []chat.ID

	mu    sync.Mutex
	acked map[chat.ID][]chat.Event
	views []*view
}

// view is one watch: of a chat if agent is 0.
type view struct {
	chat   chat.ID
	agent  chat.StaffID
	watch  *engine.Watch
	closed bool

	mu      sync.Mutex
	indexes []int64
	state   chat.AgentState
}

func TestModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := drawPlan(rt)
		var failure any // a failed check panics, and a panic cannot leave the bubble
		synctest.Test(t, func(*testing.T) {
			defer func() { failure = recover() }()
			w := &world{t: rt, plan: p, log: enginetest.NewLog(), acked: make(map[chat.ID][]chat.Event)}
			defer func() {
				for _, e := range w.engines {
					closing(t, e)
				}
			}()
			w.run()
		})
		if failure != nil {
			panic(failure)
		}
	})
}

func counting(list []int, around int) func() error {
	var mu sync.Mutex
	n := 0
	return func() error {
		mu.Lock()
		defer mu.Unlock()
		n++
		if slices.Contains(list, n%around) {
			return errBroken
		}
		return nil
	}
}

func (w *world) run() {
	ctx := context.Background()
	bus := enginetest.NewBus()
	for range w.plan.Engines {
		e := engine.New(engine.Options{Log: w.log, Bus: bus, RoomIdle: w.plan.Idle, Logger: quiet})
		w.engines = append(w.engines, e)
		if err := e.Start(ctx); err != nil {
			w.t.Fatal(err)
		}
	}
	for i := range w.plan.Chats {
		id, res, err := w.engines[i%len(w.engines)].Open(ctx, opening())
		if err != nil {
			w.t.Fatal(err)
		}
		w.chats = append(w.chats, id)
		w.acked[id] = res.Events
	}
	fail, lose := counting(w.plan.Fail, w.plan.Around), counting(w.plan.Lose, w.plan.Around)
	read, drop := counting(w.plan.Reads, w.plan.Around), counting(w.plan.Drop, w.plan.Around)
	w.log.Fail(func(engine.Append) error { return fail() })
	w.log.Lose(func(engine.Append) error { return lose() })
	w.log.FailReads(func(engine.LogID) error { return read() })
	bus.Drop(func(engine.Notice) bool { return drop() != nil })

	var actors sync.WaitGroup
	for no, deeds := range w.plan.Actors {
		actors.Go(func() {
			for i, d := range deeds {
				time.Sleep(d.Pause)
				w.do(fmt.Sprintf("%d-%d", no, i), d)
			}
		})
	}
	actors.Wait()

	w.log.Fail(nil)
	w.log.Lose(nil)
	w.log.FailReads(nil)
	bus.Drop(nil)
	time.Sleep(20 * time.Second) // the longest time until a room tries the store again
	bus.Publish(engine.Notice{})
	synctest.Wait()
	w.check(ctx)
}

// do carries out a deed. Refusals are fine; no answer but a repeat's may be
// wrong.
func (w *world) do(id string, d deed) {
	ctx := context.Background()
	e, in := w.engines[d.Engine], w.chats[d.Chat]
	visitor, agent := chat.TheVisitor(), chat.Staff(d.Agent)
	var c chat.Command
	switch d.What {
	case "say":
		c = chat.Command{By: visitor, Do: chat.Say{Text: id}}
	case "reply":
		c = chat.Command{By: agent, Do: chat.Say{Text: id}}
	case "type":
		c = chat.Command{By: visitor, Do: chat.Type{On: true, Preview: id}}
	case "reply-typing":
		c = chat.Command{By: agent, Do: chat.Type{On: true, Preview: id}}
	case "bind":
		c = chat.Command{By: visitor, Do: chat.Bind{Channel: id}}
	case "unbind":
		s, _ := e.Board().Get(in)
		c = chat.Command{By: visitor, Do: chat.Unbind{Channel: s.Channel}}
	case "offer":
		c = chat.Command{Do: chat.Offer{Agent: d.Agent, Name: "Ben", Role: chat.RoleAgent, Until: time.Now().Add(10 * time.Second), Capacity: 2}}
	case "accept":
		c = chat.Command{By: agent, Do: chat.Accept{}}
	case "decline":
		c = chat.Command{By: agent, Do: chat.Decline{}}
	case "withdraw":
		c = chat.Command{Do: chat.Withdraw{Agent: d.Agent}}
	case "leave-agent":
		c = chat.Command{By: agent, Do: chat.Leave{}}
	case "end-agent":
		c = chat.Command{By: agent, Do: chat.End{}}
	case "end":
		c = chat.Command{By: visitor, Do: chat.End{}}
	case "ready", "not-ready":
		to := map[string]chat.Presence{"ready": chat.Ready, "not-ready": chat.NotReady}[d.What]
		_, err := e.DoAgent(ctx, d.Agent, chat.AgentCommand{ID: id, To: to})
		w.refusal(err)
		return
	case "watch", "watch-agent":
		w.watch(d, e, in)
		return
	case "unwatch":
		w.unwatch(int(d.From))
		return
	}
	c.ID = id
	res, err := e.Do(ctx, in, c)
	w.refusal(err)
	w.ack(in, res)
	// Whoever is not answered asks again, perhaps elsewhere.
	for try := 0; chat.KindOf(err) == chat.Unavailable && try < 3; try++ {
		res, err = w.engines[(d.Engine+try)%len(w.engines)].Do(ctx, in, c)
		w.refusal(err)
		w.ack(in, res)
	}
}

func (w *world) refusal(err error) {
	if err != nil && chat.KindOf(err) == 0 {
		w.t.Errorf("an error that is no refusal: %v", err)
	}
}

func (w *world) ack(id chat.ID, res engine.Result) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.acked[id] = append(w.acked[id], res.Events...)
}

func (w *world) watch(d deed, e *engine.Engine, in chat.ID) {
	v := &view{chat: in}
	var err error
	if d.What == "watch-agent" {
		v.agent = d.Agent
		v.watch, err = e.WatchAgent(context.Background(), d.Agent, d.From, func(b engine.AgentBatch) {
			v.mu.Lock()
			defer v.mu.Unlock()
			for _, ev := range b.Events {
				v.indexes = append(v.indexes, ev.Index)
			}
			v.state = b.State
		})
	} else {
		v.watch, err = e.Watch(context.Background(), in, d.From, func(b engine.Batch) {
			v.mu.Lock()
			defer v.mu.Unlock()
			for _, ev := range b.Events {
				v.indexes = append(v.indexes, ev.Index)
			}
		})
	}
	w.refusal(err)
	if err == nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.views = append(w.views, v)
	}
}

func (w *world) unwatch(n int) {
	w.mu.Lock()
	if n >= len(w.views) {
		w.mu.Unlock()
		return
	}
	v := w.views[n]
	v.closed = true
	w.mu.Unlock()
	v.watch.Close()
}

// check compares what everybody was told with what the store holds.
func (w *world) check(ctx context.Context) {
	t := w.t
	chats := make(map[chat.ID][]chat.Event)
	holding := make(map[chat.StaffID][]chat.ID)
	for _, id := range w.chats {
		events, state := w.fold(ctx, id)
		chats[id] = events
		once := make(map[string]int64)
		for i, e := range events {
			if e.Command == "" {
				continue
			}
			if first, ok := once[e.Command]; ok && events[i-1].Command != e.Command {
				t.Errorf("command %s was carried out at %d and again at %d", e.Command, first, e.Index)
			}
			once[e.Command] = e.Index
		}
		for _, e := range w.acked[id] {
			if e.Index > int64(len(events)) || !cmp.Equal(stored(e), stored(events[e.Index-1])) {
				t.Errorf("event %d was acknowledged and is not in the log: %+v", e.Index, e)
			}
		}
		row, _, err := w.log.Summary(ctx, id)
		if err != nil || !row.Equal(state.Summary()) {
			t.Errorf("the row says\n%+v\nand the log\n%+v, %v", row, state.Summary(), err)
		}
		for i, e := range w.engines {
			s, ok := e.Board().Get(id)
			if ok != row.Live() || ok && !s.Equal(row) {
				t.Errorf("board %d says\n%+v (%v)\nand the store\n%+v", i, s, ok, row)
			}
		}
		for _, a := range state.Agents() {
			holding[a] = append(holding[a], id)
		}
		if state.Offer != nil {
			holding[state.Offer.Agent] = append(holding[state.Offer.Agent], id)
		}
	}
	claims, err := w.log.Claims(ctx)
	if err != nil {
		t.Fatal(err)
	}
	held := make(map[chat.StaffID][]chat.ID)
	for _, c := range claims {
		held[c.Agent] = append(held[c.Agent], c.Chat)
	}
	sorted := cmpopts.SortSlices(func(a, b chat.ID) bool { return a < b })
	if diff := cmp.Diff(holding, held, sorted); diff != "" {
		t.Errorf("the claims are not those of the chats (-chats +claims):\n%s", diff)
	}
	for _, v := range w.views {
		if v.agent == 0 {
			w.checkView(v, chats[v.chat])
		}
	}
	w.checkAgents(ctx)
}

func (w *world) fold(ctx context.Context, id chat.ID) ([]chat.Event, *chat.State) {
	recs, err := w.log.Read(ctx, engine.ChatLog(id), 1, 1<<20)
	if err != nil {
		w.t.Fatal(err)
	}
	state := chat.NewState(id, chat.DefaultRules())
	var events []chat.Event
	for _, rec := range recs {
		e, err := chat.DecodeEvent(rec.Body)
		if err != nil {
			w.t.Fatal(err)
		}
		e.Index, e.At = rec.Index, rec.At
		events = append(events, e)
		state.Apply(e)
	}
	return events, state
}

// stored is an event as the log has it, without the preview.
func stored(e chat.Event) chat.Event {
	e.Preview = ""
	return e
}

func (w *world) checkView(v *view, events []chat.Event) {
	v.mu.Lock()
	defer v.mu.Unlock()
	var next int64
	for _, index := range v.indexes {
		if index < next {
			w.t.Fatalf("a watcher saw %v", v.indexes)
		}
		for ; next > 0 && next < index; next++ {
			if _, typed := events[next-1].Fact.(chat.Typed); !typed {
				w.t.Fatalf("a watcher did not see %d, which is %T: %v", next, events[next-1].Fact, v.indexes)
			}
		}
		next = index + 1
	}
	if v.closed {
		return
	}
	for ; next > 0 && next <= int64(len(events)); next++ {
		if _, typed := events[next-1].Fact.(chat.Typed); !typed {
			w.t.Fatalf("a watcher was not told of %d, which is %T: %v", next, events[next-1].Fact, v.indexes)
		}
	}
}

func (w *world) checkAgents(ctx context.Context) {
	for agent := chat.StaffID(1); agent <= 2; agent++ {
		recs, err := w.log.Read(ctx, engine.AgentLog(agent), 1, 1<<20)
		if err != nil {
			w.t.Fatal(err)
		}
		want := chat.NewAgentState(agent)
		for _, rec := range recs {
			e, err := chat.DecodeAgentEvent(rec.Body)
			if err != nil {
				w.t.Fatal(err)
			}
			e.Index, e.At = rec.Index, rec.At
			want.Apply(e)
		}
		for i, e := range w.engines {
			got, err := e.Agent(ctx, agent)
			if diff := cmp.Diff(*want, got, cmpopts.EquateEmpty()); diff != "" || err != nil {
				w.t.Errorf("engine %d knows another agent %d (-log +engine), %v:\n%s", i, agent, err, diff)
			}
		}
		for _, v := range w.views {
			if v.agent != agent {
				continue
			}
			v.mu.Lock()
			for i, index := range v.indexes {
				if index != v.indexes[0]+int64(i) {
					w.t.Errorf("a watcher of an agent saw %v", v.indexes)
				}
			}
			if k := len(v.indexes); !v.closed && k > 0 && (v.indexes[k-1] != want.Last || v.state.Last != want.Last) {
				w.t.Errorf("a watcher of an agent saw %v of %d", v.indexes, want.Last)
			}
			v.mu.Unlock()
		}
	}
}
