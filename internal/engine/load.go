package engine

import (
	"fmt"
	"time"

	"github.com/halley-chat/halley/internal/chat"
)

const (
	pageSize        = 256 // records per read
	checkpointEvery = 64  // records between two checkpoints
)

// load makes sure that the book is there. What it finds beyond what watchers
// have been told, it shows them.
func (r *room[C, E, V]) load() error {
	if r.book != nil {
		return nil
	}
	book, found, err := r.read()
	if err != nil {
		r.failures++
		return err
	}
	r.book, r.now = book, book.view()
	r.failures, r.retryAt = 0, time.Time{}
	doubt, tails := r.doubt, r.tails
	r.doubt, r.tails = false, nil
	if !r.opened {
		r.opened, r.shown = true, book.last()
		r.seen.Store(r.shown)
		r.register()
		return nil
	}
	if len(found) == 0 {
		return nil
	}
	r.release(found)
	r.show(found, true)
	if doubt {
		r.confirm(found, tails)
	}
	return nil
}

// read folds the log from the latest checkpoint on, and returns those of its
// entries that come after what watchers have been told.
func (r *room[C, E, V]) read() (ledger[C, E, V], []entry[E], error) {
	book := r.rs.fresh(r.id)
	ctx, cancel := r.rs.e.storeContext()
	defer cancel()
	if _, has := book.checkpoint(); has {
		cp, err := r.rs.e.o.Log.Checkpoint(ctx, r.id)
		if err != nil {
			return nil, nil, err
		}
		// A checkpoint beyond what watchers know would hide the events between.
		if cp.Index > 0 && (!r.opened || cp.Index <= r.shown) && book.restore(cp) {
			r.saved = cp.Index
		}
	}
	var found []entry[E]
	err := r.scan(book, book.last()+1, func(en entry[E]) error {
		if want := book.last() + 1; en.rec.Index != want {
			return fmt.Errorf("engine: log %d of kind %d has %d where %d should be", r.id.ID, r.id.Kind, en.rec.Index, want)
		}
		book.apply(en.event)
		if r.opened && en.rec.Index > r.shown {
			found = append(found, en)
		}
		return nil
	})
	return book, found, err
}

// scan calls yield with every entry of the log from an index on.
func (r *room[C, E, V]) scan(book ledger[C, E, V], from int64, yield func(entry[E]) error) error {
	for {
		ctx, cancel := r.rs.e.storeContext()
		recs, err := r.rs.e.o.Log.Read(ctx, r.id, from, pageSize)
		cancel()
		if err != nil {
			return err
		}
		for _, rec := range recs {
			event, err := book.event(rec)
			if err != nil {
				return err
			}
			if err := yield(entry[E]{rec, event}); err != nil {
				return err
			}
		}
		if len(recs) < pageSize {
			return nil
		}
		from = recs[len(recs)-1].Index + 1
	}
}

// drop forgets the state: it may be behind the log, or ahead of it.
func (r *room[C, E, V]) drop() { r.book = nil }

// confirm tells the others of an append that has happened although the store
// did not say so when it should have. The indexes of its tails are not known
// here, so whoever keeps those logs is told to look.
func (r *room[C, E, V]) confirm(found []entry[E], tails []LogID) {
	a := Append{Log: r.id, Summary: r.book.row(r.now)}
	for _, en := range found {
		a.Records = append(a.Records, en.rec)
	}
	r.announce(a, nil)
	for _, log := range tails {
		n := Notice{Log: log}
		r.rs.e.hear(n)
		r.rs.e.o.Bus.Publish(n)
	}
}

// follow folds in what others have appended, as far as the notices tell it
// without a gap; where they do not, it looks into the log.
func (r *room[C, E, V]) follow(notices []Notice, look bool) {
	if r.book == nil {
		return // whoever needs the book loads all of it
	}
	var found []entry[E]
	for _, n := range notices {
		for _, rec := range n.Records {
			if rec.Index <= r.book.last() {
				continue
			}
			event, err := r.book.event(rec)
			if err != nil || rec.Index > r.book.last()+1 {
				look = true
				break
			}
			r.book.apply(event)
			found = append(found, entry[E]{rec, event})
		}
	}
	r.learn(found, false)
	if look {
		if err := r.catchUp(r.book.last()+1, nil); err != nil {
			r.drop()
		}
	}
}

// catchUp reads the log from an index on that is not beyond the next one,
// folds in what is new, shows it, and calls yield, if there is one, with
// everything it read.
func (r *room[C, E, V]) catchUp(from int64, yield func(entry[E])) error {
	var all []entry[E]
	err := r.scan(r.book, from, func(en entry[E]) error {
		all = append(all, en)
		return nil
	})
	if err != nil {
		return err
	}
	var found []entry[E]
	for _, en := range all {
		if en.rec.Index == r.book.last()+1 {
			r.book.apply(en.event)
			found = append(found, en)
		}
	}
	r.learn(found, true)
	if yield != nil {
		for _, en := range all {
			yield(en)
		}
	}
	return nil
}

// learn takes note of entries that others have appended and that have been
// folded in.
func (r *room[C, E, V]) learn(found []entry[E], read bool) {
	if len(found) == 0 {
		return
	}
	r.now = r.book.view()
	r.release(found)
	r.show(found, read)
}

// show tells the board and whoever watches of entries that are durable and
// folded in. What was read back from the log goes without what is stale.
func (r *room[C, E, V]) show(entries []entry[E], read bool) {
	r.shown = entries[len(entries)-1].rec.Index
	r.seen.Store(r.shown)
	r.register()
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
		if !read || !r.book.stale(en.event, now) {
			events = append(events, en.event)
		}
	}
	return events
}

// register brings the board up to date.
func (r *room[C, E, V]) register() {
	if row := r.book.row(r.now); row != nil {
		r.rs.e.board.put(*row, r.book.last())
	}
}

// attach begins a watch: in one turn it shows the past from the index asked
// for and registers for what follows, so that nothing falls between.
func (r *room[C, E, V]) attach(j *job[C, E, V]) error {
	if err := j.ctx.Err(); err != nil {
		return err
	}
	var past []entry[E]
	from := max(j.from, 1)
	err := r.catchUp(min(from, r.book.last()+1), func(en entry[E]) {
		if en.rec.Index >= from {
			past = append(past, en)
		}
	})
	if err != nil {
		r.drop()
		return unavailable(err)
	}
	if r.book.last() == 0 && r.rs.strict {
		return chat.Refuse(chat.NotFound, "there is no such chat")
	}
	r.watchers = append(r.watchers, j.watch)
	j.watch.notify(r.events(past, true), r.now, true)
	return nil
}

// dismiss drops the watches that were closed.
func (r *room[C, E, V]) dismiss() {
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

// keep saves a checkpoint when enough has happened since the last one. A
// checkpoint may be lost without harm, so a failure is only logged.
func (r *room[C, E, V]) keep() {
	if r.book == nil || r.book.last() < r.saved+checkpointEvery {
		return
	}
	body, has := r.book.checkpoint()
	if !has {
		return
	}
	ctx, cancel := r.rs.e.storeContext()
	defer cancel()
	r.saved = r.book.last()
	if err := r.rs.e.o.Log.SaveCheckpoint(ctx, r.id, Checkpoint{Index: r.saved, Body: body}); err != nil {
		r.rs.e.o.Logger.Warn("a checkpoint was not saved", "log", r.id.ID, "kind", r.id.Kind, "err", err)
	}
}
