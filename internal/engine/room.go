// Station 5 of docs/road.md: the chat's room is found.

package engine

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/halley-chat/halley/internal/wake"
)

// room runs one log: the only goroutine of this engine that appends to it for
// the log's own sake, and the one that calls those who watch it. It works in
// turns. Everything that reaches it waits in its mailbox, and each turn takes
// what waits there.
type room[C, E, V any] struct {
	// Static after construction.
	rs   *rooms[C, E, V]
	id   LogID
	wake wake.Signal // the mailbox has changed

	// Read by everybody, written by run: the index of the last event that the
	// watchers were notified of. Once the log has been loaded it is the index of
	// the last event folded in, except while an append is decided.
	notified atomic.Int64

	// Guarded by mu, which protects in-memory state only: no I/O, no callback while held.
	mu      sync.Mutex
	jobs    []*job[C, E, V] // at most Options.Mailbox
	notices []Notice        // at most noticeLimit
	look    bool            // the log may hold more than was folded in
	sweep   bool            // a watch was closed
	stop    bool            // take nothing more, finish what was taken and leave
	gone    bool            // run has left, or is about to

	// Owned by run.
	agg            aggregate[C, E, V]   // nil until loaded, and after a failure
	now            V                    // its view
	opened         bool                 // it was loaded once
	checkpointed   int64                // the index of the latest checkpoint
	watchers       []*watcher[E, V]     // in the order in which they came
	postponed      map[int]postponed[C] // commands that wait for their time, by key
	outcomeUnknown bool                 // an append failed without a word about its outcome
	unknownTails   []LogID              // the other logs that such appends would have gone to
	failures       int                  // consecutive failures of the store
	retryAt        time.Time            // when to load the aggregate again unasked; zero if nobody needs it
	active         time.Time            // when the latest command or watch came
}

// postponed is a command that waits for its time.
type postponed[C any] struct {
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
		rest, wait := r.untilWork(time.Now())
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

// untilWork says how long the room may sleep, and whether it has nothing left to
// live for when it wakes.
func (r *room[C, E, V]) untilWork(now time.Time) (idle bool, wait time.Duration) {
	due := r.aggregateDue()
	switch {
	case r.agg == nil && (len(r.watchers) > 0 || r.outcomeUnknown):
		if r.retryAt.IsZero() {
			r.retryAt = now.Add(r.backoff())
		}
		wait = r.retryAt.Sub(now)
	case len(r.postponed) > 0 || len(r.watchers) > 0 || !due.IsZero():
		wait = time.Hour
	case r.agg == nil || r.agg.last() == 0:
		return true, 0
	default:
		return true, r.active.Add(r.rs.e.o.RoomIdle).Sub(now)
	}
	for _, h := range r.postponed {
		wait = min(wait, h.due.Sub(now))
	}
	if !due.IsZero() {
		wait = min(wait, due.Sub(now))
	}
	return false, wait
}

// aggregateDue is when the aggregate wants a tick that nobody else gives; zero if
// never.
func (r *room[C, E, V]) aggregateDue() time.Time {
	if r.agg == nil {
		return time.Time{}
	}
	return r.agg.due()
}

// backoff is the time to wait before the store is tried again unasked.
func (r *room[C, E, V]) backoff() time.Duration {
	if r.failures == 0 {
		return 0
	}
	return min(125*time.Millisecond<<min(r.failures, 8), 15*time.Second)
}

// turn does what has come in, and what has fallen due.
func (r *room[C, E, V]) turn(in intake[C, E, V]) {
	now := time.Now()
	if in.sweep {
		r.removeClosed()
	}
	if r.agg == nil && !r.retryAt.IsZero() && !now.Before(r.retryAt) {
		r.retryAt = time.Time{}
		if err := r.load(); err != nil && r.failures == 1 {
			r.rs.e.o.Logger.Warn("log cannot be read", "log", r.id.ID, "kind", r.id.Kind, "err", err)
		}
	}
	r.applyNotices(in.notices, in.look)
	jobs := in.jobs
	if len(jobs) > 0 {
		r.active = now
	}
	if !in.last {
		jobs = append(r.due(now), jobs...)
	}
	r.serve(jobs)
	r.saveCheckpoint()
}

// due takes out the commands whose time has come.
func (r *room[C, E, V]) due(now time.Time) []*job[C, E, V] {
	var jobs []*job[C, E, V]
	give := func(cmd C) {
		jobs = append(jobs, &job[C, E, V]{ctx: context.Background(), cmd: r.rs.again(cmd, now), answer: func(outcome[E, V]) {}})
	}
	if due := r.aggregateDue(); !due.IsZero() && !now.Before(due) {
		give(r.agg.tick())
	}
	for key, h := range r.postponed {
		if !now.Before(h.due) {
			delete(r.postponed, key)
			give(h.cmd)
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
