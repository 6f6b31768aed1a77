package enginetest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
)

// model is what a log must hold, in the plainest words.
type model struct {
	records     map[engine.LogID][]engine.Record
	claims      map[chat.Claim]bool // claims with Take set and no capacity
	summaries   map[chat.ID]chat.Summary
	checkpoints map[engine.LogID]engine.Checkpoint
}

// apply changes the model by an append and returns what the log must answer.
func (m *model) apply(a engine.Append) (tails []int64, err error) {
	if int64(len(m.records[a.Log])) != a.Expect {
		return nil, engine.ErrConflict
	}
	claims := maps.Clone(m.claims)
	for _, c := range a.Claims {
		slot := chat.Claim{Agent: c.Agent, Chat: c.Chat, Take: true}
		if !c.Take {
			delete(claims, slot)
			continue
		}
		others := 0
		for held := range claims {
			if held.Agent == c.Agent && held != slot {
				others++
			}
		}
		if !claims[slot] && others >= c.Capacity {
			return nil, engine.ErrCapacity
		}
		claims[slot] = true
	}
	m.claims = claims
	m.records[a.Log] = append(m.records[a.Log], a.Records...)
	if a.Summary != nil {
		m.summaries[a.Summary.Chat] = *a.Summary
	}
	for _, t := range a.Tails {
		index := int64(len(m.records[t.Log])) + 1
		m.records[t.Log] = append(m.records[t.Log], engine.Record{Index: index, At: t.At, Body: t.Body})
		tails = append(tails, index)
	}
	return tails, nil
}

// testModel compares the log with the model after random steps. Each run uses
// chats and agents of its own in the same log.
func (s *logSuite) testModel(t *testing.T, l Inspector) {
	rapid.Check(t, func(rt *rapid.T) {
		m := &model{
			records: make(map[engine.LogID][]engine.Record), claims: make(map[chat.Claim]bool),
			summaries: make(map[chat.ID]chat.Summary), checkpoints: make(map[engine.LogID]engine.Checkpoint),
		}
		w := world{t: t, l: l, m: m}
		for range 3 {
			w.chats, w.agents = append(w.chats, s.chat()), append(w.agents, s.agent())
		}
		for range rapid.IntRange(1, 25).Draw(rt, "steps") {
			switch rapid.SampledFrom([]string{"append", "append", "append", "read", "checkpoint"}).Draw(rt, "step") {
			case "append":
				w.append(rt)
			case "read":
				w.read(rt)
			case "checkpoint":
				w.checkpoint(rt)
			}
		}
		w.compare(rt)
	})
}

// world is one run of the model test.
type world struct {
	t      *testing.T // for its context
	l      Inspector
	m      *model
	chats  []chat.ID
	agents []chat.StaffID
}

func (w *world) log(rt *rapid.T, what string) engine.LogID {
	if rapid.IntRange(0, 3).Draw(rt, what+" kind") == 0 {
		return engine.AgentLog(rapid.SampledFrom(w.agents).Draw(rt, what))
	}
	return engine.ChatLog(rapid.SampledFrom(w.chats).Draw(rt, what))
}

var drawnBody = rapid.SliceOfN(rapid.Byte(), 0, 50)

func (w *world) append(rt *rapid.T) {
	log := w.log(rt, "log")
	a := engine.Append{Log: log, Expect: int64(len(w.m.records[log]))}
	if rapid.IntRange(0, 5).Draw(rt, "wrong") == 0 {
		a.Expect = max(0, a.Expect+int64(rapid.IntRange(-2, 2).Draw(rt, "off by")))
	}
	body := drawnBody.Draw(rt, "body")
	for i := range rapid.IntRange(0, 30).Draw(rt, "records") {
		a.Records = append(a.Records, record(a.Expect+int64(i)+1, fmt.Sprint(i, body)))
	}
	for range rapid.IntRange(0, 2).Draw(rt, "claims") {
		a.Claims = append(a.Claims, chat.Claim{
			Agent: rapid.SampledFrom(w.agents).Draw(rt, "claimant"), Chat: rapid.SampledFrom(w.chats).Draw(rt, "slot"),
			Take: rapid.Bool().Draw(rt, "take"), Capacity: rapid.IntRange(0, 2).Draw(rt, "capacity"),
		})
	}
	for range rapid.IntRange(0, 2).Draw(rt, "tails") {
		at := noon.Add(time.Duration(rapid.IntRange(0, 1e6).Draw(rt, "ms")) * time.Millisecond)
		a.Tails = append(a.Tails, engine.Tail{Log: w.log(rt, "tail"), At: at, Body: drawnBody.Draw(rt, "body")})
	}
	if log.Kind == engine.ChatKind && rapid.Bool().Draw(rt, "summary") {
		sum := summary(chat.ID(log.ID), rapid.SampledFrom([]chat.Phase{chat.PhaseWaiting, chat.PhaseActive, chat.PhaseEnded}).Draw(rt, "phase"))
		a.Summary = &sum
	}
	want, wantErr := w.m.apply(a)
	got, err := w.l.Append(w.t.Context(), a)
	if !errors.Is(err, wantErr) || !slices.Equal(got, want) {
		rt.Fatalf("append to %v at %d answers %v, %v; want %v, %v", log, a.Expect, got, err, want, wantErr)
	}
}

func (w *world) read(rt *rapid.T) {
	log := w.log(rt, "log")
	from, limit := rapid.IntRange(0, 60).Draw(rt, "from"), rapid.IntRange(0, 60).Draw(rt, "limit")
	all := w.m.records[log]
	start := min(max(from, 1)-1, len(all))
	want := all[start:min(start+limit, len(all))]
	got, err := w.l.Read(w.t.Context(), log, int64(from), limit)
	if err != nil {
		rt.Fatal(err)
	}
	if why := differ(want, got); why != "" {
		rt.Fatalf("read %v from %d, at most %d: %s", log, from, limit, why)
	}
}

func differ(want, got []engine.Record) string {
	if len(want) != len(got) {
		return fmt.Sprintf("%d records, want %d", len(got), len(want))
	}
	for i, w := range want {
		if g := got[i]; g.Index != w.Index || !g.At.Equal(w.At) || !slices.Equal(g.Body, w.Body) {
			return fmt.Sprintf("record %d is %+v, want %+v", i, g, w)
		}
	}
	return ""
}

func (w *world) checkpoint(rt *rapid.T) {
	log := w.log(rt, "log")
	c := engine.Checkpoint{Index: int64(rapid.IntRange(1, 60).Draw(rt, "index")), Body: drawnBody.Draw(rt, "body")}
	w.m.checkpoints[log] = c
	if err := w.l.SaveCheckpoint(w.t.Context(), log, c); err != nil {
		rt.Fatal(err)
	}
}

// compare reads everything back and compares it with the model.
func (w *world) compare(rt *rapid.T) {
	ctx := w.t.Context()
	var logs []engine.LogID
	for i := range w.chats {
		logs = append(logs, engine.ChatLog(w.chats[i]), engine.AgentLog(w.agents[i]))
	}
	for _, log := range logs {
		want := w.m.records[log]
		got, err := w.l.Read(ctx, log, 1, len(want)+1)
		if err != nil {
			rt.Fatal(err)
		}
		if why := differ(want, got); why != "" {
			rt.Fatalf("log %v: %s", log, why)
		}
		if n, err := w.l.Last(ctx, log); err != nil || n != int64(len(want)) {
			rt.Fatalf("the last index of %v is %d (%v), want %d", log, n, err, len(want))
		}
		if c, err := w.l.Checkpoint(ctx, log); err != nil || c.Index != w.m.checkpoints[log].Index || !slices.Equal(c.Body, w.m.checkpoints[log].Body) {
			rt.Fatalf("the checkpoint of %v is %+v (%v), want %+v", log, c, err, w.m.checkpoints[log])
		}
	}
	claims, err := w.l.Claims(ctx)
	if err != nil {
		rt.Fatal(err)
	}
	held := 0
	for _, c := range claims {
		if slices.Contains(w.agents, c.Agent) {
			held++
			if !w.m.claims[chat.Claim{Agent: c.Agent, Chat: c.Chat, Take: true}] {
				rt.Fatalf("claim %+v should not be held", c)
			}
		}
	}
	if held != len(w.m.claims) {
		rt.Fatalf("%d slots are held, want %d", held, len(w.m.claims))
	}
	for _, id := range w.chats {
		want, known := w.m.summaries[id]
		if got, ok, err := w.l.Summary(ctx, id); err != nil || ok != known || !got.Equal(want) {
			rt.Fatalf("the summary of %v is %+v (%v, %v), want %+v", id, got, ok, err, want)
		}
	}
}
