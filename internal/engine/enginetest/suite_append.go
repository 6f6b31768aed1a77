package enginetest

import (
	"errors"
	"sync"
	"testing"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
)

func (s *logSuite) testAppend(t *testing.T, l Inspector) {
	log := engine.ChatLog(s.chat())
	all := run(log, 0, 10)
	appended(t, l, engine.Append{Log: log, Expect: 0, Records: all[:1]})
	appended(t, l, engine.Append{Log: log, Expect: 1, Records: all[1:4]})
	tails := appended(t, l, engine.Append{Log: log, Expect: 4, Records: all[4:]})
	if len(tails) != 0 {
		t.Errorf("an append without tails returned the indexes %v", tails)
	}
	holds(t, l, log, all)
}

func (s *logSuite) testNewTwice(t *testing.T, l Inspector) {
	log := engine.ChatLog(s.chat())
	filled(t, l, log, 2)
	other := []engine.Record{record(1, "an impostor")}
	if _, err := l.Append(t.Context(), engine.Append{Log: log, Expect: 0, Records: other}); !errors.Is(err, engine.ErrConflict) {
		t.Errorf("a second new log of one id says %v, want ErrConflict", err)
	}
	holds(t, l, log, run(log, 0, 2))
}

func (s *logSuite) testConflicts(t *testing.T, l Inspector) {
	log := engine.ChatLog(s.chat())
	filled(t, l, log, 3)
	for _, expect := range []int64{0, 1, 2, 4, 100} {
		a := engine.Append{Log: log, Expect: expect, Records: []engine.Record{record(expect+1, "wrong")}}
		if _, err := l.Append(t.Context(), a); !errors.Is(err, engine.ErrConflict) {
			t.Errorf("an append at %d to a log of 3 says %v, want ErrConflict", expect, err)
		}
	}
	unknown := engine.ChatLog(s.chat())
	a := engine.Append{Log: unknown, Expect: 1, Records: []engine.Record{record(2, "wrong")}}
	if _, err := l.Append(t.Context(), a); !errors.Is(err, engine.ErrConflict) {
		t.Errorf("an append at 1 to an unknown log says %v, want ErrConflict", err)
	}
	holds(t, l, log, run(log, 0, 3))
	holds(t, l, unknown, nil)
}

// testRaces lets many append at the same index again and again: exactly one
// of them wins each time, and the log consists of what the winners wrote.
func (s *logSuite) testRaces(t *testing.T, l Inspector) {
	const rounds, racers = 10, 16
	log := engine.ChatLog(s.chat())
	var want []engine.Record
	for round := range int64(rounds) {
		errs := make([]error, racers)
		var group sync.WaitGroup
		for i := range racers {
			group.Go(func() {
				mine := []engine.Record{record(round+1, string(rune('a'+i)))}
				_, errs[i] = l.Append(t.Context(), engine.Append{Log: log, Expect: round, Records: mine})
			})
		}
		group.Wait()
		won := 0
		for i, err := range errs {
			switch {
			case err == nil:
				won++
				want = append(want, record(round+1, string(rune('a'+i))))
			case !errors.Is(err, engine.ErrConflict):
				t.Fatalf("a racing append says %v", err)
			}
		}
		if won != 1 {
			t.Fatalf("%d of %d appends at index %d succeeded, want 1", won, racers, round)
		}
	}
	holds(t, l, log, want)
}

func (s *logSuite) testMalformed(t *testing.T, l Inspector) {
	id := s.chat()
	log := engine.ChatLog(id)
	other := summary(s.chat(), chat.PhaseActive)
	for name, a := range map[string]engine.Append{
		"a gap before":       {Log: log, Records: []engine.Record{record(2, "x")}},
		"a gap between":      {Log: log, Records: []engine.Record{record(1, "x"), record(3, "y")}},
		"an index twice":     {Log: log, Records: []engine.Record{record(1, "x"), record(1, "y")}},
		"a summary of other": {Log: log, Records: []engine.Record{record(1, "x")}, Summary: &other},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := l.Append(t.Context(), a); err == nil || errors.Is(err, engine.ErrConflict) {
				t.Errorf("an append with %s says %v, want an error that is no conflict", name, err)
			}
		})
	}
	holds(t, l, log, nil)
}

// testWithoutRecords checks that an append may change a summary and claims
// alone, and is fenced by its expected index all the same.
func (s *logSuite) testWithoutRecords(t *testing.T, l Inspector) {
	id, agent := s.chat(), s.agent()
	log := engine.ChatLog(id)
	filled(t, l, log, 2)
	sum := summary(id, chat.PhaseActive)
	take := []chat.Claim{{Agent: agent, Chat: id, Take: true, Capacity: 1}}
	if _, err := l.Append(t.Context(), engine.Append{Log: log, Expect: 1, Summary: &sum, Claims: take}); !errors.Is(err, engine.ErrConflict) {
		t.Errorf("an append without records at a wrong index says %v, want ErrConflict", err)
	}
	if _, ok, err := l.Summary(t.Context(), id); ok || err != nil || len(claims(t, l, agent)) != 0 {
		t.Errorf("it left a summary (%v, %v) or a claim", ok, err)
	}
	appended(t, l, engine.Append{Log: log, Expect: 2, Summary: &sum, Claims: take})
	sameSummary(t, l, sum)
	if !claims(t, l, agent)[id] {
		t.Error("the claim of an append without records is missing")
	}
	holds(t, l, log, run(log, 0, 2))
}

// testAfterTheEnd checks that an ended chat, which may have been packed, still
// refuses wrong indexes and still takes the right one.
func (s *logSuite) testAfterTheEnd(t *testing.T, l Inspector) {
	id := s.chat()
	log := engine.ChatLog(id)
	sum := summary(id, chat.PhaseEnded)
	appended(t, l, engine.Append{Log: log, Records: run(log, 0, 5), Summary: &sum})
	for range 3 {
		if _, err := l.Append(t.Context(), engine.Append{Log: log, Records: run(log, 0, 1)}); !errors.Is(err, engine.ErrConflict) {
			t.Fatalf("an append at 0 to an ended chat says %v, want ErrConflict", err)
		}
	}
	for n := int64(5); n < 8; n++ {
		appended(t, l, engine.Append{Log: log, Expect: n, Records: run(log, n, 1)})
	}
	holds(t, l, log, run(log, 0, 8))
}

// testAtomic checks that a failed append leaves nothing of all it carries.
func (s *logSuite) testAtomic(t *testing.T, l Inspector) {
	id, full, free := s.chat(), s.agent(), s.agent()
	log := engine.ChatLog(id)
	filled(t, l, log, 1)
	holder := s.chat()
	appended(t, l, engine.Append{
		Log: engine.ChatLog(holder), Records: run(engine.ChatLog(holder), 0, 1),
		Claims: []chat.Claim{{Agent: full, Chat: holder, Take: true, Capacity: 1}},
	})
	sum := summary(id, chat.PhaseActive)
	everything := engine.Append{
		Log: log, Expect: 1, Records: run(log, 1, 3), Summary: &sum,
		Claims: []chat.Claim{{Agent: free, Chat: id, Take: true, Capacity: 1}, {Agent: full, Chat: id, Take: true, Capacity: 1}},
		Tails:  []engine.Tail{{Log: engine.AgentLog(free), At: noon, Body: []byte("tail")}},
	}
	conflict := everything
	conflict.Expect, conflict.Records, conflict.Claims = 2, run(log, 2, 3), everything.Claims[:1]
	for _, c := range []struct {
		append engine.Append
		want   error
	}{{everything, engine.ErrCapacity}, {conflict, engine.ErrConflict}} {
		if _, err := l.Append(t.Context(), c.append); !errors.Is(err, c.want) {
			t.Errorf("the append says %v, want %v", err, c.want)
		}
		holds(t, l, log, run(log, 0, 1))
		holds(t, l, engine.AgentLog(free), nil)
		if _, ok, err := l.Summary(t.Context(), id); ok || err != nil {
			t.Errorf("after %v there is a summary (%v, %v)", c.want, ok, err)
		}
		if n := len(claims(t, l, free)); n != 0 {
			t.Errorf("after %v the other agent holds %d slots", c.want, n)
		}
	}
	everything.Claims = everything.Claims[:1]
	appended(t, l, everything)
	holds(t, l, log, run(log, 0, 4))
	sameSummary(t, l, sum)
}
