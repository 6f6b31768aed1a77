// Station 5 of docs/road.md: the chat's room is found.

package engine

import (
	"context"
	"errors"

	"github.com/halley-chat/halley/internal/chat"
)

const (
	turnLimit   = 64 // commands that one turn takes at most
	noticeLimit = 64 // notices that may wait for a room before it looks into the log instead
)

// errGone is the answer of a room that has left; a fresh one will serve.
var errGone = errors.New("engine: the room has left")

// job is something that a room is asked for: a command, or if watch is set a
// watch from an index on, or if peek is set a look at the state.
type job[C, E, V any] struct {
	ctx   context.Context // whoever asks has given up once it is done
	cmd   C
	peek  bool
	watch *watcher[E, V]
	from  int64 // negative: from there, or from the last visible event if that is earlier
	// answer is called once, in the room's goroutine. It must not block.
	answer func(outcome[E, V])
}

// outcome is the answer to a job.
type outcome[E, V any] struct {
	events   []E
	repeat   bool
	deferred bool
	view     V
	err      error
}

// post puts a job into the mailbox, or refuses it.
func (r *room[C, E, V]) post(j *job[C, E, V]) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.gone:
		return errGone
	case r.stop:
		return errStopped
	case len(r.jobs) >= r.rs.e.o.Mailbox:
		return errBusy
	}
	r.jobs = append(r.jobs, j)
	r.wake.Notify()
	return nil
}

// onNotice takes a notice without waiting. A notice of records that are folded in
// already does not even wake the room.
func (r *room[C, E, V]) onNotice(n Notice) {
	if k := len(n.Records); k > 0 && n.Records[k-1].Index <= r.notified.Load() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(n.Records) == 0 || len(r.notices) >= noticeLimit {
		r.look = true
	} else {
		r.notices = append(r.notices, n)
	}
	r.wake.Notify()
}

// tidy makes the room drop watches that are closed.
func (r *room[C, E, V]) tidy() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sweep = true
	r.wake.Notify()
}

func (r *room[C, E, V]) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stop = true
	r.wake.Notify()
}

// intake is what one turn takes out of the mailbox.
type intake[C, E, V any] struct {
	jobs        []*job[C, E, V]
	notices     []Notice
	look, sweep bool
	last        bool // nothing will follow: the room is to leave
}

func (r *room[C, E, V]) take() intake[C, E, V] {
	r.mu.Lock()
	defer r.mu.Unlock()
	in := intake[C, E, V]{jobs: r.jobs, notices: r.notices, look: r.look, sweep: r.sweep}
	r.jobs, r.notices, r.look, r.sweep = nil, nil, false, false
	if len(in.jobs) > turnLimit {
		r.jobs = append(r.jobs, in.jobs[turnLimit:]...)
		in.jobs = in.jobs[:turnLimit:turnLimit]
		r.wake.Notify()
	}
	if r.stop && len(r.jobs) == 0 {
		in.last, r.gone = true, true
	}
	return in
}

// retire makes the room leave unless something has come in meanwhile.
func (r *room[C, E, V]) retire() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.jobs) > 0 || r.look || r.sweep || len(r.notices) > 0 {
		return false
	}
	r.gone = true
	return true
}

func refuse[C, E, V any](jobs []*job[C, E, V], err error) {
	for _, j := range jobs {
		j.answer(outcome[E, V]{err: err})
	}
}

var (
	errBusy    = chat.Refuse(chat.Unavailable, "mailbox full")
	errStopped = chat.Refuse(chat.Unavailable, "the server is not taking commands now")
	errRaced   = chat.Refuse(chat.Unavailable, "too many write conflicts")
)
