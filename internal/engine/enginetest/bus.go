package enginetest

import (
	"slices"
	"sync"

	"github.com/halley-chat/halley/internal/engine"
)

// Bus is an [engine.Bus] in memory. A subscriber has a goroutine only while
// notices wait for it. Make one with [NewBus].
type Bus struct {
	mu sync.Mutex

	// Guarded by mu.
	subscribers []*subscriber
	drop        func(engine.Notice) bool
	held        bool
	backlog     []engine.Notice // published while held
}

var _ engine.Bus = (*Bus)(nil)

// NewBus makes a bus without subscribers.
func NewBus() *Bus { return &Bus{} }

// Publish is [engine.Bus].
func (b *Bus) Publish(n engine.Notice) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.drop != nil && b.drop(n):
	case b.held:
		b.backlog = append(b.backlog, n)
	default:
		b.deliver(n)
	}
}

// deliver is called with mu locked, so that all subscribers get the notices in
// one order. It calls nobody.
func (b *Bus) deliver(n engine.Notice) {
	for _, s := range b.subscribers {
		s.put(n)
	}
}

// Subscribe is [engine.Bus]. cancel must not be called by hear itself: it
// would wait for itself. It may be called more than once.
func (b *Bus) Subscribe(hear func(engine.Notice)) (cancel func()) {
	s := &subscriber{hear: hear}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.subscribers = append(b.subscribers, s)
	return func() {
		b.mu.Lock()
		if i := slices.Index(b.subscribers, s); i >= 0 {
			b.subscribers = slices.Delete(b.subscribers, i, i+1)
		}
		b.mu.Unlock()
		s.stop()
	}
}

// Drop asks f about every notice that is published and loses those for which
// it says true. Nil ends it. f must not call the bus.
func (b *Bus) Drop(f func(engine.Notice) bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.drop = f
}

// Hold keeps what is published from now on until release is called, which
// delivers it in its order. release may be called more than once.
func (b *Bus) Hold() (release func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held = true
	return sync.OnceFunc(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.held = false
		for _, n := range b.backlog {
			b.deliver(n)
		}
		b.backlog = nil
	})
}

// queueBound is how many notices wait for one subscriber; what comes on top is
// lost, as the port allows.
const queueBound = 1 << 16

type subscriber struct {
	hear func(engine.Notice) // static

	mu sync.Mutex

	// Guarded by mu.
	queue   []engine.Notice
	stopped bool
	idle    chan struct{} // closed when the goroutine that calls hear ends; nil if there is none
}

func (s *subscriber) put(n engine.Notice) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped || len(s.queue) == queueBound {
		return
	}
	s.queue = append(s.queue, n)
	if s.idle == nil {
		s.idle = make(chan struct{})
		go s.run(s.idle)
	}
}

func (s *subscriber) run(idle chan struct{}) {
	defer close(idle)
	for {
		s.mu.Lock()
		if s.stopped || len(s.queue) == 0 {
			s.idle = nil
			s.mu.Unlock()
			return
		}
		n := s.queue[0]
		s.queue = s.queue[1:]
		s.mu.Unlock()
		s.hear(n)
	}
}

func (s *subscriber) stop() {
	s.mu.Lock()
	s.stopped, s.queue = true, nil
	idle := s.idle
	s.mu.Unlock()
	if idle != nil {
		<-idle
	}
}
