package sqlite

import (
	"cmp"
	"context"
	"database/sql/driver"
	"maps"
	"slices"
	"sync"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
)

// slot is a chat that an agent holds.
type slot struct {
	agent chat.StaffID
	chat  chat.ID
}

// claims are the slots that are taken. Only the writer changes them, after a
// commit.
type claims struct {
	mu sync.RWMutex

	// Guarded by mu.
	held map[chat.StaffID]map[chat.ID]bool
}

// load replaces what is known by what the database says.
func (k *claims) load(c *conn, d *damage) error {
	held := make(map[chat.StaffID]map[chat.ID]bool)
	err := c.query("SELECT agent, chat FROM claim", nil, func(v []driver.Value) error {
		n, err := integers(v)
		if err != nil {
			d.report("a row of claim", err)
			return nil
		}
		set(held, slot{chat.StaffID(n[0]), chat.ID(n[1])}, true)
		return nil
	})
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.held = held
	return nil
}

func set(held map[chat.StaffID]map[chat.ID]bool, s slot, take bool) {
	chats := held[s.agent]
	switch {
	case take && chats == nil:
		held[s.agent] = map[chat.ID]bool{s.chat: true}
	case take:
		chats[s.chat] = true
	default:
		if delete(chats, s.chat); len(chats) == 0 {
			delete(held, s.agent)
		}
	}
}

// commit makes staged changes true.
func (k *claims) commit(s *stagedClaims) {
	if len(s.changes) == 0 {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for at, take := range s.changes {
		set(k.held, at, take)
	}
}

// list is [engine.Log]'s Claims.
func (k *claims) list() []chat.Claim {
	k.mu.RLock()
	defer k.mu.RUnlock()
	var all []chat.Claim
	for agent, chats := range k.held {
		for id := range chats {
			all = append(all, chat.Claim{Agent: agent, Chat: id, Take: true})
		}
	}
	slices.SortFunc(all, func(a, b chat.Claim) int {
		return cmp.Or(cmp.Compare(a.Agent, b.Agent), cmp.Compare(a.Chat, b.Chat))
	})
	return all
}

// Claims lists every slot that is taken, by agent, then by chat.
func (s *Store) Claims(ctx context.Context) ([]chat.Claim, error) {
	if err := s.usable(ctx); err != nil {
		return nil, err
	}
	return s.claims.list(), nil
}

// stagedClaims are the changes of a group that is not committed. They are owned by
// the writer, which alone changes base and therefore reads it without the lock.
type stagedClaims struct {
	base    *claims
	changes map[slot]bool        // what differs from base: true is taken, false is freed
	count   map[chat.StaffID]int // how many more slots than in base the agent holds
}

func (s *stagedClaims) reset() {
	clear(s.changes)
	clear(s.count)
}

func (s *stagedClaims) taken(at slot) bool {
	if take, ok := s.changes[at]; ok {
		return take
	}
	return s.base.held[at.agent][at.chat]
}

// change takes or frees a slot whose state is the opposite.
func (s *stagedClaims) change(at slot, take bool) {
	if s.base.held[at.agent][at.chat] == take {
		delete(s.changes, at)
	} else {
		s.changes[at] = take
	}
	if take {
		s.count[at.agent]++
	} else {
		s.count[at.agent]--
	}
}

// apply takes and frees the slots of one append, in order. If one exceeds its
// agent's capacity it returns false and has changed nothing.
func (s *stagedClaims) apply(list []chat.Claim) bool {
	var done []slot
	for _, c := range list {
		at := slot{c.Agent, c.Chat}
		if s.taken(at) == c.Take {
			continue
		}
		if c.Take && len(s.base.held[c.Agent])+s.count[c.Agent] >= c.Capacity {
			for _, at := range slices.Backward(done) {
				s.change(at, !s.taken(at))
			}
			return false
		}
		s.change(at, c.Take)
		done = append(done, at)
	}
	return true
}

// write puts the changes into the transaction that is open, in a fixed order.
func (s *stagedClaims) write(c *conn) error {
	changed := slices.SortedFunc(maps.Keys(s.changes), func(a, b slot) int {
		return cmp.Or(cmp.Compare(a.agent, b.agent), cmp.Compare(a.chat, b.chat))
	})
	for _, at := range changed {
		query := "DELETE FROM claim WHERE agent = ? AND chat = ?"
		if s.changes[at] {
			query = "INSERT INTO claim (agent, chat) VALUES (?, ?)"
		}
		if err := c.exec(query, int64(at.agent), int64(at.chat)); err != nil {
			return err
		}
	}
	return nil
}

var _ engine.Log = (*Store)(nil)
