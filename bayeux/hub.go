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
	members map[string]*set[*Session]
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
		sh.members = make(map[string]*set[*Session])
	}
	list := sh.members[name]
	if list == nil {
		list = new(set[*Session])
		sh.members[name] = list
	}
	list.add(s)
}

// spec:4.7
func (h *hub) remove(name string, s *Session) {
	sh := h.shard(name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	list := sh.members[name]
	if list == nil {
		return
	}
	list.remove(s)
	if len(list.list) == 0 {
		delete(sh.members, name)
	}
}

// has says whether anybody is subscribed under a name.
func (h *hub) has(name string) bool {
	sh := h.shard(name)
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	return sh.members[name] != nil
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
		if set == nil {
			return true
		}
		if len(to) == 0 {
			to = append(to, set.list...)
			return true
		}
		if seen == nil {
			seen = make(map[*Session]struct{}, len(to))
			for _, s := range to {
				seen[s] = struct{}{}
			}
		}
		for _, s := range set.list {
			if _, twice := seen[s]; !twice {
				seen[s] = struct{}{}
				to = append(to, s)
			}
		}
		return true
	})
	return to
}
