// Station 5 of docs/road.md: the chat's room is found.

package engine

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/wake"
)

// The two kinds of logs that an engine runs.
type (
	chatRooms   = rooms[chat.Command, chat.Event, chat.Summary]
	chatRoom    = room[chat.Command, chat.Event, chat.Summary]
	chatJob     = job[chat.Command, chat.Event, chat.Summary]
	chatOutcome = outcome[chat.Event, chat.Summary]

	agentRooms = rooms[chat.AgentCommand, chat.AgentEvent, chat.AgentState]
	agentRoom  = room[chat.AgentCommand, chat.AgentEvent, chat.AgentState]
	agentJob   = job[chat.AgentCommand, chat.AgentEvent, chat.AgentState]
)

// rooms are the open rooms for one kind of logs.
type rooms[C, E, V any] struct {
	// Static after construction.
	e      *Engine
	strict bool // a log without records is not there and cannot be watched
	fresh  func(LogID) aggregate[C, E, V]
	again  func(c C, now time.Time) C // the command as given at another moment
	// before is what a room must do before it serves anybody; nil if nothing.
	before func(*room[C, E, V]) *job[C, E, V]

	// Guarded by mu.
	mu     sync.Mutex
	open   map[LogID]*room[C, E, V]
	closed bool
}

// get finds the room of a log, or opens one.
func (rs *rooms[C, E, V]) get(id LogID) (*room[C, E, V], error) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rs.closed {
		return nil, errStopped
	}
	r := rs.open[id]
	if r == nil {
		r = &room[C, E, V]{rs: rs, id: id, wake: wake.New()}
		rs.open[id] = r
		rs.e.work.Add(1)
		go r.run()
	}
	return r, nil
}

// forget takes a room that has left out of the list.
func (rs *rooms[C, E, V]) forget(r *room[C, E, V]) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rs.open[r.id] == r {
		delete(rs.open, r.id)
	}
}

// post gives a job to the room of a log.
func (rs *rooms[C, E, V]) post(id LogID, j *job[C, E, V]) (*room[C, E, V], error) {
	for {
		r, err := rs.get(id)
		if err != nil {
			return nil, err
		}
		if err = r.post(j); err != errGone {
			return r, err
		}
		rs.forget(r)
	}
}

// ask gives a job to the room of a log and waits for the answer.
func (rs *rooms[C, E, V]) ask(ctx context.Context, id LogID, j *job[C, E, V]) (outcome[E, V], error) {
	answer := make(chan outcome[E, V], 1)
	j.ctx, j.answer = ctx, func(o outcome[E, V]) { answer <- o }
	if _, err := rs.post(id, j); err != nil {
		return outcome[E, V]{}, err
	}
	select {
	case o := <-answer:
		return o, o.err
	case <-ctx.Done():
		return outcome[E, V]{}, fmt.Errorf("%w: %w", errTimeout, ctx.Err())
	}
}

var errTimeout = chat.Refuse(chat.Unavailable, "no answer in time")

// watch begins a watch and returns when its first delivery is over.
func (rs *rooms[C, E, V]) watch(ctx context.Context, id LogID, from int64, deliver func([]E, V, bool)) (*Watch, error) {
	g := newGate()
	_, err := rs.ask(ctx, id, &job[C, E, V]{watch: &watcher[E, V]{g, deliver}, from: from})
	w := &Watch{gate: g, tidy: func() { rs.tidy(id) }}
	if err != nil {
		w.Close()
		return nil, err
	}
	return w, nil
}

func (rs *rooms[C, E, V]) tidy(id LogID) {
	if r := rs.find(id); r != nil {
		r.tidy()
	}
}

// find is the room of a log if it is open.
func (rs *rooms[C, E, V]) find(id LogID) *room[C, E, V] {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	return rs.open[id]
}

// all lists the open rooms.
func (rs *rooms[C, E, V]) all() []*room[C, E, V] {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	list := make([]*room[C, E, V], 0, len(rs.open))
	for _, r := range rs.open {
		list = append(list, r)
	}
	return list
}

// start lets rooms be opened.
func (rs *rooms[C, E, V]) start() {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rs.closed = false
}

// stop refuses new jobs and makes every room finish and leave.
func (rs *rooms[C, E, V]) stop() {
	rs.mu.Lock()
	rs.closed = true
	rs.mu.Unlock()
	for _, r := range rs.all() {
		r.leave()
	}
}

// onNotice passes a notice on to the room it concerns.
func (rs *rooms[C, E, V]) onNotice(n Notice) {
	if r := rs.find(n.Log); r != nil {
		r.onNotice(n)
	}
}

// look makes every open room look into its log.
func (rs *rooms[C, E, V]) look() {
	for _, r := range rs.all() {
		r.onNotice(Notice{Log: r.id})
	}
}
