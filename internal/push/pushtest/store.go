package pushtest

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/push"
)

// Store is a [push.Store] in memory.
type Store struct {
	mu sync.Mutex
	// Guarded by mu.
	cursors map[chat.ID]int64
	dead    []push.DeadLetter // the oldest first
	last    int64             // the latest id of a dead letter
	broken  error
}

var _ push.Store = (*Store)(nil)

// NewStore makes an empty store.
func NewStore() *Store { return &Store{cursors: make(map[chat.ID]int64)} }

// Break lets every call fail with an error from now on, until it is nil.
func (s *Store) Break(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = err
}

func (s *Store) enter(ctx context.Context) error {
	s.mu.Lock()
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.broken
}

// Track is [push.Store].
func (s *Store) Track(ctx context.Context, ids []chat.ID) error {
	defer s.mu.Unlock()
	if err := s.enter(ctx); err != nil {
		return err
	}
	for _, id := range ids {
		s.cursors[id] += 0
	}
	return nil
}

// Cursors is [push.Store].
func (s *Store) Cursors(ctx context.Context) (map[chat.ID]int64, error) {
	defer s.mu.Unlock()
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	return maps.Clone(s.cursors), nil
}

// Advance is [push.Store].
func (s *Store) Advance(ctx context.Context, id chat.ID, done int64, dead *push.DeadLetter) error {
	defer s.mu.Unlock()
	if err := s.enter(ctx); err != nil {
		return err
	}
	s.cursors[id] = max(s.cursors[id], done)
	if dead == nil {
		return nil
	}
	d := *dead
	d.Asked = time.Time{}
	s.last++
	d.ID = s.last
	oldest := d.At.Add(-push.MaxDeadTime)
	s.dead = slices.DeleteFunc(append(s.dead, d), func(d push.DeadLetter) bool {
		return d.Asked.IsZero() && (d.At.Before(oldest) || d.ID <= s.last-push.MaxDead)
	})
	return nil
}

// Forget is [push.Store].
func (s *Store) Forget(ctx context.Context, id chat.ID) error {
	defer s.mu.Unlock()
	if err := s.enter(ctx); err != nil {
		return err
	}
	delete(s.cursors, id)
	return nil
}

// DeadLetters is [push.Store].
func (s *Store) DeadLetters(ctx context.Context, limit int) ([]push.DeadLetter, error) {
	defer s.mu.Unlock()
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	list := slices.Clone(s.dead)
	slices.Reverse(list)
	return list[:min(limit, len(list))], nil
}

// Purge is [push.Store].
func (s *Store) Purge(ctx context.Context, ids ...int64) (int, error) {
	defer s.mu.Unlock()
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	before := len(s.dead)
	s.dead = slices.DeleteFunc(s.dead, func(d push.DeadLetter) bool { return len(ids) == 0 || slices.Contains(ids, d.ID) })
	return before - len(s.dead), nil
}

// RequestRetry is [push.Store].
func (s *Store) RequestRetry(ctx context.Context, at time.Time, ids ...int64) (n int, err error) {
	defer s.mu.Unlock()
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	for i := range s.dead {
		d := &s.dead[i]
		if len(ids) > 0 && !slices.Contains(ids, d.ID) {
			continue
		}
		n++
		if d.Asked.IsZero() {
			d.Asked = at.UTC().Truncate(time.Millisecond)
		}
	}
	return n, nil
}

// Asked is [push.Store].
func (s *Store) RetryRequested(ctx context.Context) ([]push.DeadLetter, error) {
	defer s.mu.Unlock()
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(s.dead), func(d push.DeadLetter) bool { return d.Asked.IsZero() }), nil
}

// ResolveRetry is [push.Store].
func (s *Store) ResolveRetry(ctx context.Context, id int64, dead *push.DeadLetter) error {
	defer s.mu.Unlock()
	if err := s.enter(ctx); err != nil {
		return err
	}
	i := slices.IndexFunc(s.dead, func(d push.DeadLetter) bool { return d.ID == id })
	switch {
	case i < 0:
	case dead == nil:
		s.dead = slices.Delete(s.dead, i, i+1)
	default:
		d := &s.dead[i]
		d.Carrier, d.Reason, d.Attempts, d.At, d.Asked = dead.Carrier, dead.Reason, dead.Attempts, dead.At, time.Time{}
	}
	return nil
}
