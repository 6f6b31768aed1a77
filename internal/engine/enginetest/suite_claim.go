package enginetest

import (
	"errors"
	"sync"
	"testing"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
)

// claiming appends one record to a new chat together with the claims that f
// makes for it.
func (s *logSuite) claiming(t *testing.T, l Inspector, f func(chat.ID) []chat.Claim) (chat.ID, error) {
	id := s.chat()
	log := engine.ChatLog(id)
	_, err := l.Append(t.Context(), engine.Append{Log: log, Records: run(log, 0, 1), Claims: f(id)})
	if err != nil && last(t, l, log) != 0 {
		t.Errorf("an append failed with %v, but its record is there", err)
	}
	return id, err
}

func (s *logSuite) testCapacity(t *testing.T, l Inspector) {
	agent := s.agent()
	take := func(id chat.ID) []chat.Claim { return []chat.Claim{{Agent: agent, Chat: id, Take: true, Capacity: 2}} }
	first, err := s.claiming(t, l, take)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.claiming(t, l, take); err != nil {
		t.Fatal(err)
	}
	if _, err := s.claiming(t, l, take); !errors.Is(err, engine.ErrCapacity) {
		t.Errorf("a third slot of two says %v, want ErrCapacity", err)
	}
	if _, err := s.claiming(t, l, func(id chat.ID) []chat.Claim {
		return []chat.Claim{{Agent: agent, Chat: id, Take: true, Capacity: 3}}
	}); err != nil {
		t.Errorf("a third slot of three says %v", err)
	}
	if _, err := s.claiming(t, l, func(chat.ID) []chat.Claim {
		return []chat.Claim{{Agent: agent, Chat: first}}
	}); err != nil {
		t.Errorf("freeing says %v", err)
	}
	if held := claims(t, l, agent); len(held) != 2 || held[first] {
		t.Errorf("the agent holds %v, want two slots without %v", held, first)
	}
	if _, err := s.claiming(t, l, take); !errors.Is(err, engine.ErrCapacity) {
		t.Errorf("a slot of two while two are taken says %v, want ErrCapacity", err)
	}
}

// testClaimRaces lets many chats take slots of one agent at once: as many
// succeed as there is capacity.
func (s *logSuite) testClaimRaces(t *testing.T, l Inspector) {
	const racers, capacity = 24, 5
	agent := s.agent()
	ids, errs := make([]chat.ID, racers), make([]error, racers)
	var group sync.WaitGroup
	for i := range racers {
		group.Go(func() {
			ids[i], errs[i] = s.claiming(t, l, func(id chat.ID) []chat.Claim {
				return []chat.Claim{{Agent: agent, Chat: id, Take: true, Capacity: capacity}}
			})
		})
	}
	group.Wait()
	held, won := claims(t, l, agent), 0
	for i, err := range errs {
		if err != nil && !errors.Is(err, engine.ErrCapacity) {
			t.Errorf("a racing claim says %v", err)
		}
		if held[ids[i]] != (err == nil) {
			t.Errorf("chat %v was told %v, and holding a slot is %v", ids[i], err, held[ids[i]])
		}
		if err == nil {
			won++
		}
	}
	if won != capacity || len(held) != capacity {
		t.Errorf("%d chats took a slot and %d are held, want %d", won, len(held), capacity)
	}
}

// testClaimsTwice checks that taking what is held and freeing what is not
// change nothing and succeed, even at the limit.
func (s *logSuite) testClaimsTwice(t *testing.T, l Inspector) {
	agent := s.agent()
	id, err := s.claiming(t, l, func(id chat.ID) []chat.Claim {
		return []chat.Claim{{Agent: agent, Chat: id, Take: true, Capacity: 1}}
	})
	if err != nil {
		t.Fatal(err)
	}
	log := engine.ChatLog(id)
	for n, c := range []chat.Claim{
		{Agent: agent, Chat: id, Take: true, Capacity: 1},
		{Agent: agent, Chat: id, Take: true, Capacity: 0},
		{Agent: agent, Chat: id},
		{Agent: agent, Chat: id},
		{Agent: s.agent(), Chat: id},
	} {
		appended(t, l, engine.Append{Log: log, Expect: int64(n) + 1, Records: run(log, int64(n)+1, 1), Claims: []chat.Claim{c}})
		if held := claims(t, l, agent); held[id] != c.Take || len(held) > 1 {
			t.Errorf("after %+v the agent holds %v", c, held)
		}
	}
}

// testClaimsInOrder checks that the claims of one append count one after the
// other.
func (s *logSuite) testClaimsInOrder(t *testing.T, l Inspector) {
	agent := s.agent()
	first, err := s.claiming(t, l, func(id chat.ID) []chat.Claim {
		return []chat.Claim{{Agent: agent, Chat: id, Take: true, Capacity: 1}}
	})
	if err != nil {
		t.Fatal(err)
	}
	second, err := s.claiming(t, l, func(id chat.ID) []chat.Claim {
		return []chat.Claim{{Agent: agent, Chat: first}, {Agent: agent, Chat: id, Take: true, Capacity: 1}}
	})
	if err != nil {
		t.Fatalf("freeing one slot and taking it for another chat says %v", err)
	}
	if _, err := s.claiming(t, l, func(id chat.ID) []chat.Claim {
		return []chat.Claim{{Agent: agent, Chat: id, Take: true, Capacity: 1}, {Agent: agent, Chat: second}}
	}); !errors.Is(err, engine.ErrCapacity) {
		t.Errorf("taking a slot before one is freed says %v, want ErrCapacity", err)
	}
	if held := claims(t, l, agent); len(held) != 1 || !held[second] {
		t.Errorf("the agent holds %v, want %v alone", held, second)
	}
}
