// Station 9 of docs/road.md: the others hear of it.

package engine

import (
	"sync"

	"github.com/halley-chat/halley/internal/wake"
)

// localQueue is how many notices wait for one subscriber of a local bus.
const localQueue = 4096

// localBus is the bus within one process. Each subscriber has a goroutine of
// its own, which calls it.
type localBus struct {
	// Guarded by mu, which protects in-memory state only: no I/O, no callback while held. Publish keeps it
	// while it queues for all, so that everybody hears in one order.
	mu   sync.Mutex
	subs map[*localSub]struct{}
}

// NewLocalBus is a bus that reaches the subscribers of this process. A
// subscriber that falls behind by thousands of notices loses those that do
// not fit, and is then told so by the zero [Notice].
func NewLocalBus() Bus { return &localBus{subs: make(map[*localSub]struct{})} }

// Publish implements [Bus].
func (b *localBus) Publish(n Notice) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for s := range b.subs {
		s.put(n)
	}
}

// Subscribe implements [Bus].
func (b *localBus) Subscribe(hear func(Notice)) (cancel func()) {
	s := &localSub{wake: wake.New(), done: make(chan struct{}), over: make(chan struct{})}
	b.mu.Lock()
	b.subs[s] = struct{}{}
	b.mu.Unlock()
	go s.run(hear)
	var once sync.Once
	return func() {
		b.mu.Lock()
		delete(b.subs, s)
		b.mu.Unlock()
		once.Do(func() { close(s.done) })
		<-s.over
	}
}

type localSub struct {
	wake wake.Signal   // the queue has grown, or lost is set
	done chan struct{} // closed to end run
	over chan struct{} // closed when run has ended

	// Guarded by mu.
	mu    sync.Mutex
	queue []Notice
	lost  bool // something did not fit since the queue was taken last
}

func (s *localSub) put(n Notice) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) < localQueue {
		s.queue = append(s.queue, n)
	} else {
		s.lost = true
	}
	s.wake.Notify()
}

func (s *localSub) run(hear func(Notice)) {
	defer close(s.over)
	for {
		select {
		case <-s.done:
			return
		case <-s.wake:
		}
		s.mu.Lock()
		queue, lost := s.queue, s.lost
		s.queue, s.lost = nil, false
		s.mu.Unlock()
		for _, n := range queue {
			select {
			case <-s.done:
				return
			default:
			}
			hear(n)
		}
		if lost {
			hear(Notice{})
		}
	}
}
