package bayeux

import (
	"hash/maphash"
	"sync"
)

const hubShards = 64

// hub knows who subscribed to what. Each name, pattern or channel, lives in
// one shard. A publish copies the members, lets go of the lock, and only then
// queues.
type hub struct {
	seed   maphash.Seed
	shards [hubShards]hubShard
}

type hubShard struct {
	mu sync.RWMutex
	// Guarded by mu. A name without members is not kept.
	members map[string]map[*Session]struct{}
}

func newHub() *hub { return &hub{seed: maphash.MakeSeed()} }

func (h *hub) shard(name string) *hubShard {
	return &h.shards[maphash.String(h.seed, name)%hubShards]
}

func (h *hub) add(name string, s *Session) {
	sh := h.shard(name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.members == nil {
		sh.members = make(map[string]map[*Session]struct{})
	}
	set := sh.members[name]
	if set == nil {
		set = make(map[*Session]struct{})
		sh.members[name] = set
	}
	set[s] = struct{}{}
}

func (h *hub) remove(name string, s *Session) {
	sh := h.shard(name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	set := sh.members[name]
	delete(set, s)
	// spec:4.7
	if len(set) == 0 {
		delete(sh.members, name)
	}
}

// has says whether anybody is subscribed under a name.
func (h *hub) has(name string) bool {
	sh := h.shard(name)
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	return len(sh.members[name]) > 0
}

// members appends every session that receives what is published on the
// channel, each once (clause 4.4).
// spec:4.4.1
func (h *hub) members(to []*Session, channel string) []*Session {
	var seen map[*Session]struct{} // only made when a second name has members
	patterns(channel, func(name string) bool {
		sh := h.shard(name)
		sh.mu.RLock()
		defer sh.mu.RUnlock()
		set := sh.members[name]
		if len(set) == 0 {
			return true
		}
		if len(to) > 0 && seen == nil {
			seen = make(map[*Session]struct{}, len(to))
			for _, s := range to {
				seen[s] = struct{}{}
			}
		}
		for s := range set {
			if _, twice := seen[s]; twice {
				continue
			}
			if seen != nil {
				seen[s] = struct{}{}
			}
			to = append(to, s)
		}
		return true
	})
	return to
}
