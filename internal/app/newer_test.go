package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
	"github.com/halley-chat/halley/internal/sqlite"
)

// A store that a newer build has written to is read by this one: what it does
// not know is kept and skipped, the other chats go on as ever, a chat that holds
// such a fact can be read and takes no commands, and nothing that the newer build
// will look for is lost.
func TestALogOfANewerBuild(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	logger := slog.New(slog.NewTextHandler(io.Discard, nil))
	begin := func() (*sqlite.Store, *engine.Engine) {
		t.Helper()
		store, err := sqlite.Open(ctx, dir, sqlite.Options{Logger: logger})
		if err != nil {
			t.Fatal(err)
		}
		e := engine.New(engine.Options{Log: store, Logger: logger})
		if err := e.Start(ctx); err != nil {
			t.Fatal(err)
		}
		return store, e
	}
	finish := func(store *sqlite.Store, e *engine.Engine) {
		t.Helper()
		if err := errors.Join(e.Close(ctx), store.Close()); err != nil {
			t.Fatal(err)
		}
	}
	say := func(text string) chat.Command { return chat.Command{By: chat.TheVisitor(), Do: chat.Say{Text: text}} }
	const agent = chat.StaffID(7)

	store, e := begin()
	ids := make([]chat.ID, 2) // the newer build writes to the first
	for i := range ids {
		id, _, err := e.Open(ctx, chat.Command{By: chat.TheVisitor(), Do: chat.Open{
			Name: "Ada", Opening: chat.Opening{Service: "support", Queue: "people", Channel: fmt.Sprint("c", i)},
		}})
		if err != nil {
			t.Fatal(err)
		}
		ids[i] = id
	}
	sum, ok, err := e.Summary(ctx, ids[0])
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	if _, err := e.DoAgent(ctx, agent, chat.AgentCommand{To: chat.Ready}); err != nil {
		t.Fatal(err)
	}
	finish(store, e)

	// What a newer build appends: facts of kinds that there are not here, to the
	// chat, between two that there are, and to the agent.
	// No engine runs meanwhile: it would append what its recovery comes to.
	store, err = sqlite.Open(ctx, dir, sqlite.Options{Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	later, err := chat.Event{Fact: chat.Said{No: 1, Text: "written later"}}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	last := sum.Last
	if at, err := store.Last(ctx, engine.ChatLog(ids[0])); err != nil || at < last {
		t.Fatalf("the chat ends at %d, %v, want %d or later", at, err, last)
	} else {
		last = at
	}
	unknown := `{"k":"handed-over","c":"s7:x","f":{"to":8,"queue":"<vip>"}}`
	now := time.Now().UTC().Truncate(time.Millisecond)
	if _, err := store.Append(ctx, engine.Append{
		Log: engine.ChatLog(ids[0]), Expect: last,
		Records: []engine.Record{{Index: last + 1, At: now, Body: []byte(unknown)}, {Index: last + 2, At: now, Body: later}},
		Tails:   []engine.Tail{{Log: engine.AgentLog(agent), At: now, Body: []byte(unknown)}},
	}); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}

	store, e = begin()
	defer func() { finish(store, e) }()
	events, err := e.Read(ctx, ids[0], 1, 100)
	if err != nil || int64(len(events)) < last+2 {
		t.Fatalf("got %d events, %v, want %d", len(events), err, last+2)
	}
	if f, ok := events[last].Fact.(chat.UnknownFact); !ok || f.Kind != "handed-over" {
		t.Errorf("got %+v at %d, want the unknown fact", events[last], last+1)
	}
	var replay []chat.Event
	w, err := e.Watch(ctx, ids[0], 1, func(b engine.Batch) { replay = append(replay, b.Events...) })
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	seen := false
	for _, e := range replay {
		f, said := e.Fact.(chat.Said)
		seen = seen || said && f.Text == "written later"
	}
	if !seen {
		t.Errorf("got %+v, want the line behind the unknown fact too", replay)
	}
	if _, err := e.Do(ctx, ids[0], say("no")); chat.KindOf(err) != chat.Newer {
		t.Errorf("a line into that chat: got %v, want it refused as written by a newer version", err)
	}
	if _, err := e.Do(ctx, ids[1], say("yes")); err != nil {
		t.Errorf("a line into the other chat: %v", err)
	}
	if _, err := e.DoAgent(ctx, agent, chat.AgentCommand{To: chat.NotReady}); err != nil {
		t.Errorf("the agent's presence: %v", err)
	}
	// Enough for a checkpoint, which would hide the fact from the newer build.
	for i := range 70 {
		to := chat.Ready
		if i%2 == 1 {
			to = chat.NotReady
		}
		if _, err := e.DoAgent(ctx, agent, chat.AgentCommand{To: to}); err != nil {
			t.Fatal(err)
		}
	}
	if cp, err := store.Checkpoint(ctx, engine.AgentLog(agent)); err != nil || cp.Index != 0 {
		t.Errorf("got a checkpoint at %d, %v, want none", cp.Index, err)
	}
	recs, err := store.Read(ctx, engine.ChatLog(ids[0]), last+1, 1)
	if err != nil || len(recs) != 1 || !json.Valid(recs[0].Body) || string(recs[0].Body) != unknown {
		t.Errorf("got %+v, %v, want the record as it was written", recs, err)
	}
}
