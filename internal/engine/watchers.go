// Station 8 of docs/road.md: it is shown, then answered.

package engine

import (
	"time"

	"github.com/halley-chat/halley/internal/chat"
)

// notify tells the board and whoever watches of entries that are durable and
// folded in. What was read back from the log goes without what is stale.
func (r *room[C, E, V]) notify(entries []entry[E], read bool) {
	r.notified.Store(entries[len(entries)-1].rec.Index)
	r.updateBoard()
	if len(r.watchers) == 0 {
		return
	}
	events := r.events(entries, read)
	if len(events) == 0 {
		return
	}
	for _, w := range r.watchers {
		w.notify(events, r.now, false)
	}
}

func (r *room[C, E, V]) events(entries []entry[E], read bool) []E {
	now := time.Now()
	events := make([]E, 0, len(entries))
	for _, en := range entries {
		if !read || !r.agg.stale(en.event, now) {
			events = append(events, en.event)
		}
	}
	return events
}

// updateBoard brings the board up to date.
func (r *room[C, E, V]) updateBoard() {
	if row := r.agg.row(r.now); row != nil {
		r.rs.e.board.put(*row, r.agg.last())
	}
}

// attach begins a watch: in one turn it shows the past from the index asked
// for and registers for what follows, so that nothing falls between.
func (r *room[C, E, V]) attach(j *job[C, E, V]) error {
	if err := j.ctx.Err(); err != nil {
		return err
	}
	var past []entry[E]
	from := j.from
	if from <= 0 {
		from = max(min(-from, r.agg.lastVisible()), 1)
	}
	err := r.catchUp(min(from, r.agg.last()+1), func(en entry[E]) {
		if en.rec.Index >= from {
			past = append(past, en)
		}
	})
	if err != nil {
		r.discard()
		return unavailable(err)
	}
	if r.agg.last() == 0 && r.rs.strict {
		return chat.Refuse(chat.NotFound, "there is no such chat")
	}
	r.watchers = append(r.watchers, j.watch)
	j.watch.notify(r.events(past, true), r.now, true)
	return nil
}

// removeClosed drops the watches that were closed.
func (r *room[C, E, V]) removeClosed() {
	kept := r.watchers[:0]
	for _, w := range r.watchers {
		if !w.gate.isClosed() {
			kept = append(kept, w)
		}
	}
	clear(r.watchers[len(kept):])
	r.watchers = kept
	r.active = time.Now()
}
