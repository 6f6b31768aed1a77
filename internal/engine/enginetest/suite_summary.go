package enginetest

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
)

func (s *logSuite) testSummaries(t *testing.T, l Inspector) {
	if _, ok, err := l.Summary(t.Context(), s.chat()); ok || err != nil {
		t.Errorf("an unknown chat has a summary: %v, %v", ok, err)
	}
	waiting, active, ended := s.chat(), s.chat(), s.chat()
	want := make(map[chat.ID]chat.Summary)
	put := func(id chat.ID, expect int64, phase chat.Phase) {
		t.Helper()
		sum := summary(id, phase)
		sum.Subject = fmt.Sprint("at ", expect)
		want[id] = sum
		log := engine.ChatLog(id)
		appended(t, l, engine.Append{Log: log, Expect: expect, Records: run(log, expect, 1), Summary: &sum})
	}
	check := func() {
		t.Helper()
		listed := live(t, l)
		for id, sum := range want {
			sameSummary(t, l, sum)
			got, ok := listed[id]
			if ok != (sum.Phase != chat.PhaseEnded) {
				t.Errorf("a chat in phase %q: listed is %v", sum.Phase, ok)
			}
			if ok && text(t, got) != text(t, sum) {
				t.Errorf("chat %v is listed as\n%s, want\n%s", id, text(t, got), text(t, sum))
			}
		}
		if len(listed) > len(want) {
			t.Errorf("%d chats are listed", len(listed))
		}
	}
	put(waiting, 0, chat.PhaseWaiting)
	put(active, 0, chat.PhaseWaiting)
	put(ended, 0, chat.PhaseWaiting)
	check()
	put(active, 1, chat.PhaseActive)
	put(ended, 1, chat.PhaseActive)
	put(ended, 2, chat.PhaseEnded)
	check()
	// An append without a summary leaves it as it is.
	log := engine.ChatLog(active)
	appended(t, l, engine.Append{Log: log, Expect: 2, Records: run(log, 2, 1)})
	check()
	// The smallest summary there is keeps its zero times.
	bare := s.chat()
	want[bare] = chat.Summary{Chat: bare, Phase: chat.PhaseWaiting}
	sum := want[bare]
	appended(t, l, engine.Append{Log: engine.ChatLog(bare), Summary: &sum})
	check()
}

// testLiveStops checks that the listing ends when it is told to, and that its
// listener may use the log.
func (s *logSuite) testLiveStops(t *testing.T, l Inspector) {
	for range 5 {
		id := s.chat()
		sum := summary(id, chat.PhaseWaiting)
		appended(t, l, engine.Append{Log: engine.ChatLog(id), Records: run(engine.ChatLog(id), 0, 1), Summary: &sum})
	}
	calls := 0
	err := l.Live(t.Context(), func(sum chat.Summary) bool {
		calls++
		log := engine.ChatLog(sum.Chat)
		appended(t, l, engine.Append{Log: log, Expect: 1, Records: run(log, 1, 1)})
		holds(t, l, log, run(log, 0, 2))
		return calls < 3
	})
	if err != nil || calls != 3 {
		t.Errorf("the listing called %d times (%v), want 3", calls, err)
	}
}

func (s *logSuite) testCheckpoints(t *testing.T, l Inspector) {
	a, b := engine.AgentLog(s.agent()), engine.ChatLog(s.chat())
	check := func(log engine.LogID, index int64, body []byte) {
		t.Helper()
		got, err := l.Checkpoint(t.Context(), log)
		if err != nil || got.Index != index || !bytes.Equal(got.Body, body) {
			t.Errorf("the checkpoint of %v is %+v (%v), want %d %q", log, got, err, index, body)
		}
	}
	save := func(log engine.LogID, index int64, body []byte) {
		t.Helper()
		if err := l.SaveCheckpoint(t.Context(), log, engine.Checkpoint{Index: index, Body: body}); err != nil {
			t.Fatal(err)
		}
		check(log, index, body)
	}
	check(a, 0, nil)
	save(a, 3, []byte("three"))
	save(b, 1, []byte{0, 0xff})
	save(a, 90, []byte("ninety"))
	save(a, 8, nil) // an earlier one replaces it too
	check(b, 1, []byte{0, 0xff})
}
