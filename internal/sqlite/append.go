// Station 7 of docs/road.md: it becomes durable.

package sqlite

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/halley-chat/halley/internal/engine"
)

// item is a request to the writer: an append, or other work that shares a
// group's transaction.
type item struct {
	// Static: exactly one of append and work is set.
	append  *engine.Append
	summary *storedSummary    // that of append, encoded
	work    func(*conn) error // in a savepoint of its own; must not retain the connection
	after   func()            // called when work has been committed
	done    chan struct{}     // closed when the outcome below is known

	state atomic.Int32 // waiting, taken or abandoned

	// Owned by the writer until done is closed, then by the caller.
	tails []int64
	err   error
}

// The states of an item. From waiting it goes to one of the others, once.
const (
	waiting   = iota
	taken     // by the writer, who will answer
	abandoned // by its caller, which has returned
)

// Append is [engine.Log].
func (s *Store) Append(ctx context.Context, a engine.Append) ([]int64, error) {
	it := &item{append: &a}
	if err := check(a); err != nil {
		return nil, err
	}
	if a.Summary != nil {
		sum, err := encodeSummary(*a.Summary)
		if err != nil {
			return nil, err
		}
		it.summary = &sum
	}
	start := time.Now()
	err := s.submit(ctx, it)
	if o := s.opts.Observer; o != nil {
		o.Appended(time.Since(start), err)
	}
	if err != nil {
		return nil, err
	}
	return it.tails, nil
}

// check refuses malformed appends, which are bugs of the caller.
func check(a engine.Append) error {
	for i, r := range a.Records {
		if r.Index != a.Expect+int64(i)+1 {
			return fmt.Errorf("sqlite: record %d of an append at %d has index %d", i, a.Expect, r.Index)
		}
	}
	if a.Summary != nil && engine.ChatLog(a.Summary.Chat) != a.Log {
		return errors.New("sqlite: an append with the summary of another chat")
	}
	return nil
}

// write has the writer run work in the transaction of its next group, and
// after once that has been committed. If work fails, it fails alone.
func (s *Store) write(ctx context.Context, work func(*conn) error, after func()) error {
	return s.submit(ctx, &item{work: work, after: after})
}

// submit queues an item and waits for its outcome. Until the writer has taken it,
// the end of ctx or of the store cancels it; after that the outcome is awaited.
func (s *Store) submit(ctx context.Context, it *item) error {
	if err := s.usable(ctx); err != nil {
		return err
	}
	it.done = make(chan struct{})
	select {
	case s.queue <- it:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.stopped:
		return engine.ErrClosed
	}
	select {
	case <-it.done:
		return it.err
	case <-ctx.Done():
		if it.state.CompareAndSwap(waiting, abandoned) {
			return ctx.Err()
		}
	case <-s.stopped:
		if it.state.CompareAndSwap(waiting, abandoned) {
			return engine.ErrClosed
		}
	}
	<-it.done
	return it.err
}
