// Station 5 of docs/road.md: the chat's room is found.

package engine

import (
	"fmt"
	"time"
)

// pageSize is how many records are read at once.
const pageSize = 256

// load makes sure that the aggregate is loaded. Watchers are notified of what it
// finds beyond the last event that they were notified of.
func (r *room[C, E, V]) load() error {
	if r.agg != nil {
		return nil
	}
	agg, found, err := r.read()
	if err != nil {
		r.failures++
		return err
	}
	r.agg, r.now = agg, agg.view()
	r.failures, r.retryAt = 0, time.Time{}
	outcomeUnknown, tails := r.outcomeUnknown, r.unknownTails
	r.outcomeUnknown, r.unknownTails = false, nil
	if !r.opened {
		r.opened = true
		r.notified.Store(agg.last())
		r.updateBoard()
		return nil
	}
	if len(found) == 0 {
		return nil
	}
	r.dropPostponed(found)
	r.notify(found, true)
	if outcomeUnknown {
		r.announceLate(found, tails)
	}
	return nil
}

// read folds the log from the latest checkpoint on, and returns those of its
// entries that come after what watchers have been told.
func (r *room[C, E, V]) read() (aggregate[C, E, V], []entry[E], error) {
	agg := r.rs.fresh(r.id)
	ctx, cancel := r.rs.e.storeContext()
	defer cancel()
	cp, err := r.rs.e.o.Log.Checkpoint(ctx, r.id)
	if err != nil {
		return nil, nil, err
	}
	// A checkpoint beyond what watchers know would hide the events between.
	if cp.Index > 0 && (!r.opened || cp.Index <= r.notified.Load()) && agg.restore(cp) {
		r.checkpointed = cp.Index
	}
	var found []entry[E]
	err = r.scan(agg, agg.last()+1, func(en entry[E]) error {
		if want := agg.last() + 1; en.rec.Index != want {
			return fmt.Errorf("%w: it has record %d where %d should be", ErrDamaged, en.rec.Index, want)
		}
		agg.apply(en.event)
		if r.opened && en.rec.Index > r.notified.Load() {
			found = append(found, en)
		}
		return nil
	})
	return agg, found, err
}

// scan calls yield with every entry of the log from an index on.
func (r *room[C, E, V]) scan(agg aggregate[C, E, V], from int64, yield func(entry[E]) error) error {
	for {
		ctx, cancel := r.rs.e.storeContext()
		recs, err := r.rs.e.o.Log.Read(ctx, r.id, from, pageSize)
		cancel()
		if err != nil {
			return err
		}
		for _, rec := range recs {
			event, err := agg.event(rec)
			if err != nil {
				return fmt.Errorf("%w: record %d: %w", ErrDamaged, rec.Index, err)
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

// discard forgets the state: it may be behind the log, or ahead of it.
func (r *room[C, E, V]) discard() { r.agg = nil }

// announceLate tells the others of an append that has happened although the store
// did not say so when it should have. The indexes of its tails are not known
// here, so whoever keeps those logs is told to look.
func (r *room[C, E, V]) announceLate(found []entry[E], tails []LogID) {
	a := Append{Log: r.id, Summary: r.agg.row(r.now)}
	for _, en := range found {
		a.Records = append(a.Records, en.rec)
	}
	r.announce(a, nil)
	for _, log := range tails {
		n := Notice{Log: log}
		r.rs.e.onNotice(n)
		r.rs.e.o.Bus.Publish(n)
	}
}

// applyNotices folds in what others have appended, as far as the notices tell it
// without a gap; where they do not, it looks into the log.
func (r *room[C, E, V]) applyNotices(notices []Notice, look bool) {
	if r.agg == nil {
		return // whoever needs the aggregate loads all of it
	}
	var found []entry[E]
	for _, n := range notices {
		for _, rec := range n.Records {
			if rec.Index <= r.agg.last() {
				continue
			}
			event, err := r.agg.event(rec)
			if err != nil || rec.Index > r.agg.last()+1 {
				look = true
				break
			}
			r.agg.apply(event)
			found = append(found, entry[E]{rec, event})
		}
	}
	r.applied(found, false)
	if look {
		if err := r.catchUp(r.agg.last()+1, nil); err != nil {
			r.discard()
		}
	}
}

// catchUp reads the log from an index on that is not beyond the next one,
// folds in what is new, shows it, and calls yield, if there is one, with
// everything it read.
func (r *room[C, E, V]) catchUp(from int64, yield func(entry[E])) error {
	var all []entry[E]
	err := r.scan(r.agg, from, func(en entry[E]) error {
		all = append(all, en)
		return nil
	})
	if err != nil {
		return err
	}
	var found []entry[E]
	for _, en := range all {
		if en.rec.Index == r.agg.last()+1 {
			r.agg.apply(en.event)
			found = append(found, en)
		}
	}
	r.applied(found, true)
	if yield != nil {
		for _, en := range all {
			yield(en)
		}
	}
	return nil
}

// applied takes note of entries that others have appended and that have been
// folded in.
func (r *room[C, E, V]) applied(found []entry[E], read bool) {
	if len(found) == 0 {
		return
	}
	r.now = r.agg.view()
	r.dropPostponed(found)
	r.notify(found, read)
}

// saveCheckpoint saves a checkpoint when enough has happened since the last one. A
// checkpoint may be lost without harm, so a failure is only logged.
func (r *room[C, E, V]) saveCheckpoint() {
	if r.agg == nil || r.agg.last() < r.checkpointed+r.agg.checkpointEvery() {
		return
	}
	body, has := r.agg.checkpoint()
	if !has {
		return
	}
	ctx, cancel := r.rs.e.storeContext()
	defer cancel()
	r.checkpointed = r.agg.last()
	if err := r.rs.e.o.Log.SaveCheckpoint(ctx, r.id, Checkpoint{Index: r.checkpointed, Body: body}); err != nil {
		r.rs.e.o.Logger.Warn("checkpoint not saved", "log", r.id.ID, "kind", r.id.Kind, "err", err)
	}
}
