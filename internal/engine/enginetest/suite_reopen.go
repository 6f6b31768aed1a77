package enginetest

import (
	"maps"
	"testing"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
)

// testSurvives writes some of everything, opens the log again, and twice over
// checks that all is there and that it goes on where it stopped.
func (s *logSuite) testSurvives(t *testing.T, l Inspector) {
	if s.reopen == nil {
		t.Skip("this adapter cannot be opened again")
	}
	agent, claimant := s.agent(), s.agent()
	lengths := make(map[engine.LogID]int64)
	sums := make(map[chat.ID]chat.Summary)
	held := make(map[chat.ID]bool)
	grow := func(id chat.ID, n int, phase chat.Phase) {
		t.Helper()
		log, sum := engine.ChatLog(id), summary(id, phase)
		a := engine.Append{Log: log, Expect: lengths[log], Records: run(log, lengths[log], n), Summary: &sum}
		tail := record(lengths[engine.AgentLog(agent)]+1, "")
		tail.Body = run(engine.AgentLog(agent), tail.Index-1, 1)[0].Body
		a.Tails = []engine.Tail{{Log: engine.AgentLog(agent), At: tail.At, Body: tail.Body}}
		a.Claims = []chat.Claim{{Agent: claimant, Chat: id, Take: phase != chat.PhaseEnded, Capacity: 1000}}
		appended(t, l, a)
		lengths[log] += int64(n)
		lengths[engine.AgentLog(agent)]++
		sums[id] = sum
		if held[id] = true; phase == chat.PhaseEnded {
			delete(held, id)
		}
	}
	check := func() {
		t.Helper()
		for log, n := range lengths {
			holds(t, l, log, run(log, 0, int(n)))
		}
		listed := live(t, l)
		for id, sum := range sums {
			sameSummary(t, l, sum)
			if _, ok := listed[id]; ok != (sum.Phase != chat.PhaseEnded) {
				t.Errorf("chat %v in phase %q: listed is %v", id, sum.Phase, ok)
			}
		}
		if got := claims(t, l, claimant); !maps.Equal(got, held) {
			t.Errorf("the agent holds %v, want %v", got, held)
		}
		if c, err := l.Checkpoint(t.Context(), engine.AgentLog(agent)); err != nil || c.Index != 4 || string(c.Body) != "folded" {
			t.Errorf("the checkpoint is %+v (%v)", c, err)
		}
	}
	var chats []chat.ID
	for range 12 {
		chats = append(chats, s.chat())
	}
	if err := l.SaveCheckpoint(t.Context(), engine.AgentLog(agent), engine.Checkpoint{Index: 4, Body: []byte("folded")}); err != nil {
		t.Fatal(err)
	}
	for round := range 3 {
		for i, id := range chats {
			switch {
			case i < 4*round: // ended in an earlier round
			case i < 4*round+4:
				grow(id, 1+40*(i%3), chat.PhaseEnded)
			default:
				grow(id, 1+30*(i%2), chat.PhaseActive)
			}
		}
		check()
		l = s.reopen(t, l)
		check()
	}
}
