package gms

import (
	"sync"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/media"
)

// How many files may be on their way in at once, of those of one chat's visitor,
// of one network (see [ratelimit.Network]), and of those whose key has not come yet. The
// file service bounds how many there are in all.
const (
	maxUploadsOfChat           = 4
	maxUploadsOfNetwork        = 16
	maxUnauthenticated         = 64
	maxUnauthenticatedOfSource = 4 // of one network
)

// uploadSlots counts the files that are on their way in, so that nobody can keep
// the others from sending some.
type uploadSlots struct {
	mu sync.Mutex
	// Guarded by mu.
	chats           map[chat.ID]int
	networks        map[string]int
	unauthenticated map[string]int // by network
	total           int            // of unauthenticated
}

func newUploadSlots() *uploadSlots {
	return &uploadSlots{chats: make(map[chat.ID]int), networks: make(map[string]int), unauthenticated: make(map[string]int)}
}

// acquire takes a slot for a file of a chat's visitor, or of somebody whose key
// has not come yet (0). An empty network is one without a limit. It fails with [errTooManyUploads] or [media.ErrBusy];
// otherwise release has to be called, once.
func (s *uploadSlots) acquire(id chat.ID, network string) (release func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case network != "" && s.networks[network] >= maxUploadsOfNetwork,
		id != 0 && s.chats[id] >= maxUploadsOfChat,
		id == 0 && network != "" && s.unauthenticated[network] >= maxUnauthenticatedOfSource:
		return nil, errTooManyUploads
	case id == 0 && s.total >= maxUnauthenticated:
		return nil, media.ErrBusy
	}
	s.add(id, network, 1)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.add(id, network, -1)
	}, nil
}

// add counts n more uploads. It is called with mu held.
func (s *uploadSlots) add(id chat.ID, network string, n int) {
	adjust(s.networks, network, n)
	if id != 0 {
		adjust(s.chats, id, n)
		return
	}
	adjust(s.unauthenticated, network, n)
	s.total += n
}

// adjust adds to a counter, which is not kept when it is 0.
func adjust[K comparable](m map[K]int, key K, n int) {
	if m[key] += n; m[key] == 0 {
		delete(m, key)
	}
}
