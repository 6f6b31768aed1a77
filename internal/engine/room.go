package engine

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// room runs one log: the only goroutine of this engine that appends to it for
// the log's own sake, and the one that calls those who watch it. It works in
// turns. Everything that reaches it waits in its mailbox, and each turn takes
// what waits there.
type room[C, E, V any] struct {
	// Static after construction.
	rs   *rooms[C, E, V]
	id   LogID
	wake chan struct{} // holds one token: the mailbox has changed

	// Read by everybody, written by run: the index of the last event that was
	// folded in and shown.
	seen atomic.Int64

	// Guarded by mu, which is held for moves of memory only.
	mu      sync.Mutex
	jobs    []*job[C, E, V] // at most Options.Mailbox
	notices []Notice        // at most noticeLimit
	look    bool            // the log may hold more than we have seen
	sweep   bool            // a watch was closed
	stop    bool            // take nothing more, finish what was taken and leave
	gone    bool            // run has left, or is about to

	// Owned by run.
	book     ledger[C, E, V]  // nil until loaded, and after a failure
	now      V                // the book's view
	opened   bool             // the book was loaded once
	shown    int64            // watchers have been told up to this index
	saved    int64            // the index of the latest checkpoint
	watchers []*watcher[E, V] // in the order in which they came
	held     map[int]held[C]  // commands that wait for their time, by key
	doubt    bool             // an append failed without a word about its outcome
	tails    []LogID          // the other logs that such appends would have gone to
	failures int              // consecutive failures of the store
	retryAt  time.Time        // when to load the book again unasked; zero if nobody needs it
	active   time.Time        // when the latest command or watch came
}

// held is a command that waits for its time.
type held[C any] struct {
	cmd C
	due time.Time
}

// run is the room's goroutine.
func (r *room[C, E, V]) run() {
	defer r.rs.e.work.Done()
	r.active = time.Now()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		in := r.take()
		r.turn(in)
		if in.last {
			r.rs.forget(r)
			return
		}
		rest, wait := r.rest(time.Now())
		if rest && wait <= 0 && r.retire() {
			r.rs.forget(r)
			return
		}
		timer.Reset(max(wait, 0))
		select {
		case <-r.wake:
		case <-timer.C:
		}
	}
}

// rest says how long the room may sleep, and whether it has nothing left to
// live for when it wakes.
func (r *room[C, E, V]) rest(now time.Time) (idle bool, wait time.Duration) {
	switch {
	case r.book == nil && (len(r.watchers) > 0 || r.doubt):
		if r.retryAt.IsZero() {
			r.retryAt = now.Add(r.patience())
		}
		wait = r.retryAt.Sub(now)
	case len(r.held) > 0 || len(r.watchers) > 0:
		wait = time.Hour
	case r.book == nil || r.book.last() == 0:
		return true, 0
	default:
		return true, r.active.Add(r.rs.e.o.RoomIdle).Sub(now)
	}
	for _, h := range r.held {
		wait = min(wait, h.due.Sub(now))
	}
	return false, wait
}

// patience is the time to wait before the store is tried again unasked.
func (r *room[C, E, V]) patience() time.Duration {
	if r.failures == 0 {
		return 0
	}
	return min(125*time.Millisecond<<min(r.failures, 8), 15*time.Second)
}

// turn does what has come in, and what has fallen due.
func (r *room[C, E, V]) turn(in intake[C, E, V]) {
	now := time.Now()
	if in.sweep {
		r.dismiss()
	}
	if r.book == nil && !r.retryAt.IsZero() && !now.Before(r.retryAt) {
		r.retryAt = time.Time{}
		if err := r.load(); err != nil && r.failures == 1 {
			r.rs.e.o.Logger.Warn("a log cannot be read", "log", r.id.ID, "kind", r.id.Kind, "err", err)
		}
	}
	r.follow(in.notices, in.look)
	jobs := in.jobs
	if len(jobs) > 0 {
		r.active = now
	}
	if !in.last {
		jobs = append(r.due(now), jobs...)
	}
	r.serve(jobs)
	r.keep()
}

// due takes out the commands whose time has come.
func (r *room[C, E, V]) due(now time.Time) []*job[C, E, V] {
	var jobs []*job[C, E, V]
	for key, h := range r.held {
		if !now.Before(h.due) {
			delete(r.held, key)
			jobs = append(jobs, &job[C, E, V]{ctx: context.Background(), cmd: r.rs.again(h.cmd, now), answer: func(outcome[E, V]) {}})
		}
	}
	return jobs
}

// serve answers jobs in their order. Once the store fails the rest of them is
// refused as well: it would fail too, and those who wait had better know.
func (r *room[C, E, V]) serve(jobs []*job[C, E, V]) {
	for first := true; len(jobs) > 0; first = false {
		if err := r.load(); err != nil {
			refuse(jobs, unavailable(err))
			return
		}
		if first && r.rs.before != nil {
			if j := r.rs.before(r); j != nil {
				jobs = append([]*job[C, E, V]{j}, jobs...)
			}
		}
		done := 1
		switch j := jobs[0]; {
		case j.watch != nil:
			j.answer(outcome[E, V]{err: r.attach(j)})
		case j.peek:
			j.answer(outcome[E, V]{view: r.now})
		default:
			var err error
			if done, err = r.step(jobs); err != nil {
				refuse(jobs[done:], err)
				return
			}
		}
		jobs = jobs[done:]
	}
}
