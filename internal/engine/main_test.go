package engine_test

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
	"github.com/halley-chat/halley/internal/engine/enginetest"
)

// quiet is where the engines under test log to.
var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start runs an engine until the test ends.
func start(t testing.TB, o engine.Options) *engine.Engine {
	t.Helper()
	if o.Log == nil {
		o.Log = enginetest.NewLog()
	}
	if o.Logger == nil {
		o.Logger = quiet
	}
	e := engine.New(o)
	if err := e.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closing(t, e) })
	return e
}

func closing(t testing.TB, e *engine.Engine) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := e.Close(ctx); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func opening() chat.Command {
	return chat.Command{By: chat.TheVisitor(), Do: chat.Open{
		Name:    "Ada",
		Opening: chat.Opening{Service: "support", Queue: "people", Channel: "c1", Browser: "b1"},
	}}
}

// open opens a chat, which has then 2 events: joined and queued.
func open(t testing.TB, e *engine.Engine) chat.ID {
	t.Helper()
	id, res, err := e.Open(context.Background(), opening())
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Events) != 2 || res.Summary.Chat != id {
		t.Fatalf("Open gave %v of %v", res.Events, res.Summary.Chat)
	}
	return id
}

// do gives a command that must succeed. It may be called by any goroutine.
func do(t testing.TB, e *engine.Engine, id chat.ID, c chat.Command) engine.Result {
	t.Helper()
	res, err := e.Do(context.Background(), id, c)
	if err != nil {
		t.Errorf("doing %T: got %v, want no error", c.Do, err)
	}
	return res
}

func say(text string) chat.Command {
	return chat.Command{By: chat.TheVisitor(), Do: chat.Say{Text: text}}
}

func offer(agent chat.StaffID, in time.Duration) chat.Command {
	return chat.Command{Do: chat.Offer{Agent: agent, Name: "Ben", Role: chat.RoleAgent, Until: time.Now().Add(in), Capacity: 1}}
}

// join brings an agent into a waiting chat.
func join(t testing.TB, e *engine.Engine, id chat.ID, agent chat.StaffID) {
	t.Helper()
	do(t, e, id, offer(agent, time.Minute))
	do(t, e, id, chat.Command{By: chat.Staff(agent), Do: chat.Accept{}})
}

func mustKind(t testing.TB, err error, want chat.Kind) {
	t.Helper()
	if chat.KindOf(err) != want {
		t.Fatalf("got error %v, want one of the kind %q", err, want)
	}
}

// tape records what a watcher of a chat is told.
type tape struct {
	mu      sync.Mutex
	events  []chat.Event
	replays int
	batches []engine.Batch
	moved   chan struct{}
}

func newTape() *tape { return &tape{moved: make(chan struct{}, 1)} }

func (p *tape) record(b engine.Batch) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.events = append(p.events, b.Events...)
	p.batches = append(p.batches, b)
	if b.Replay {
		p.replays++
	}
	select {
	case p.moved <- struct{}{}:
	default:
	}
}

func (p *tape) all() []chat.Event {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.events)
}

func (p *tape) indexes() []int64 {
	var list []int64
	for _, e := range p.all() {
		list = append(list, e.Index)
	}
	return list
}

// until waits until the tape's events satisfy a condition.
func (p *tape) until(t testing.TB, what string, ok func([]chat.Event) bool) {
	t.Helper()
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	for !ok(p.all()) {
		select {
		case <-p.moved:
		case <-deadline.C:
			t.Fatalf("%s did not come; got %v", what, p.indexes())
		}
	}
}

func watch(t testing.TB, e *engine.Engine, id chat.ID, from int64) (*tape, *engine.Watch) {
	t.Helper()
	p := newTape()
	w, err := e.Watch(context.Background(), id, from, p.record)
	if err != nil {
		t.Fatal(err)
	}
	if p.replays != 1 {
		t.Fatalf("%d replays before Watch returned", p.replays)
	}
	return p, w
}

func contains[F chat.Fact](events []chat.Event) bool {
	return slices.ContainsFunc(events, func(e chat.Event) bool { _, ok := e.Fact.(F); return ok })
}

func logged(t testing.TB, l engine.Log, id chat.ID) []chat.Event {
	t.Helper()
	recs, err := l.Read(context.Background(), engine.ChatLog(id), 1, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	var events []chat.Event
	for i, rec := range recs {
		e, err := chat.DecodeEvent(rec.Body)
		if err != nil {
			t.Fatal(err)
		}
		if rec.Index != int64(i+1) {
			t.Fatalf("record %d has the index %d", i+1, rec.Index)
		}
		e.Index, e.At = rec.Index, rec.At
		events = append(events, e)
	}
	return events
}
