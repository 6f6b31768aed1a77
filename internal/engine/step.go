// Station 6 of docs/road.md: the domain decides.
// Station 8 of docs/road.md: it is shown, then answered.

package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/halley-chat/halley/internal/chat"
)

// conflictLimit is how often a step is decided anew before it is given up.
const conflictLimit = 16

// entry is an event with the record that holds it.
type entry[E any] struct {
	rec   Record
	event E
}

// decided is a job with what the aggregate made of it.
type decided[C, E, V any] struct {
	job      *job[C, E, V]
	decision decision[E]
	entries  []entry[E]
	err      error
}

// step decides a run of commands from the front of jobs, makes what they cause
// durable in one append, shows it, and answers. It returns how many of the
// jobs it has answered, and an error if the store failed.
func (r *room[C, E, V]) step(jobs []*job[C, E, V]) (int, error) {
	for range conflictLimit {
		if err := r.load(); err != nil {
			return 0, unavailable(err)
		}
		expect, before := r.agg.last(), r.now
		ds := r.decide(jobs)
		a, err := r.buildAppend(ds, expect, before)
		if err != nil {
			r.discard()
			r.fail(ds, err)
			return len(ds), nil
		}
		if len(a.Records) == 0 {
			r.commit(ds, a, nil)
			return len(ds), nil
		}
		ctx, cancel := r.rs.e.storeContext()
		tails, err := r.rs.e.o.Log.Append(ctx, a)
		cancel()
		switch {
		case err == nil:
			r.commit(ds, a, tails)
			return len(ds), nil
		case errors.Is(err, ErrConflict):
			r.discard()
		case errors.Is(err, ErrCapacity):
			r.discard()
			r.fail(ds, chat.Refuse(chat.Capacity, "the agent has no free slot"))
			return len(ds), nil
		default:
			r.discard()
			r.outcomeUnknown, r.failures = true, r.failures+1
			for _, t := range a.Tails {
				r.unknownTails = append(r.unknownTails, t.Log)
			}
			err = unavailable(err)
			r.fail(ds, err)
			return len(ds), err
		}
	}
	return 0, errRaced
}

// decide decides commands from the front of jobs, each against the state that
// those before it leave behind. One that takes a claim stays alone: the store
// may refuse the claim, and the others shall not be refused with it.
//
// The aggregate then runs ahead of the log, so whatever is not made durable must be
// followed by drop.
func (r *room[C, E, V]) decide(jobs []*job[C, E, V]) []decided[C, E, V] {
	var ds []decided[C, E, V]
	for _, j := range jobs {
		if j.watch != nil || j.peek {
			break
		}
		d := decided[C, E, V]{job: j}
		if d.err = j.ctx.Err(); d.err == nil {
			d.decision, d.err = r.agg.decide(j.cmd)
		}
		if len(ds) > 0 && d.decision.takes() {
			break
		}
		if d.err == nil && d.decision.until.IsZero() {
			d.entries, d.err = r.encode(d.decision.events)
		}
		for _, en := range d.entries {
			r.agg.apply(en.event)
		}
		ds = append(ds, d)
		if d.decision.takes() {
			break
		}
	}
	return ds
}

func (r *room[C, E, V]) encode(events []E) ([]entry[E], error) {
	var entries []entry[E]
	for _, e := range events {
		rec, err := r.agg.record(e)
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry[E]{rec, e})
	}
	return entries, nil
}

// buildAppend makes one append of what was decided.
func (r *room[C, E, V]) buildAppend(ds []decided[C, E, V], expect int64, before V) (Append, error) {
	a := Append{Log: r.id, Expect: expect}
	for _, d := range ds {
		if len(d.entries) == 0 {
			continue
		}
		for _, en := range d.entries {
			a.Records = append(a.Records, en.rec)
		}
		a.Claims = append(a.Claims, d.decision.claims...)
		for _, n := range d.decision.notes {
			body, err := n.Event.Encode()
			if err != nil {
				return Append{}, fmt.Errorf("engine: a note: %w", err)
			}
			a.Tails = append(a.Tails, Tail{Log: AgentLog(n.Agent), At: n.Event.At, Body: body})
		}
	}
	if len(a.Records) > 0 {
		r.now = r.agg.view()
		if row := r.agg.row(r.now); row != nil {
			// A deadline that only moves on is not worth a row, or a chat with
			// idle control would have one for every line.
			old := *r.agg.row(before)
			if expect == 0 || !row.Equal(old) && !row.Postpones(old) {
				a.Summary = row
			}
		}
	}
	return a, nil
}

// commit shows what has become durable and then answers those who asked for
// it: whoever watches sees its own event before the answer.
func (r *room[C, E, V]) commit(ds []decided[C, E, V], a Append, tails []int64) {
	var all []entry[E]
	for _, d := range ds {
		r.dropPostponed(d.entries)
		all = append(all, d.entries...)
		if v := d.decision; d.err == nil && !v.until.IsZero() {
			r.postpone(v.key, d.job.cmd, v.until)
		}
	}
	if len(all) > 0 {
		r.notify(all, false)
		r.announce(a, tails)
	}
	for _, d := range ds {
		d.job.answer(r.answer(d))
	}
}

// answer is what the sender of a durable command is told.
func (r *room[C, E, V]) answer(d decided[C, E, V]) outcome[E, V] {
	o := outcome[E, V]{view: r.now, err: d.err}
	switch {
	case d.err != nil:
	case !d.decision.until.IsZero():
		o.deferred = true
	case d.decision.repeat > 0:
		o.repeat = true
		o.events, o.err = r.caused(d.decision.repeat)
	default:
		o.events = d.decision.events
	}
	return o
}

// caused reads back what one command caused, from its first event on.
func (r *room[C, E, V]) caused(first int64) ([]E, error) {
	const most = 16 // far more than one command causes
	ctx, cancel := r.rs.e.storeContext()
	defer cancel()
	recs, err := r.rs.e.o.Log.Read(ctx, r.id, first, most)
	if err != nil {
		return nil, unavailable(err)
	}
	var events []E
	for _, rec := range recs {
		e, err := r.agg.event(rec)
		if err != nil {
			return nil, err
		}
		if len(events) > 0 && r.agg.command(e) != r.agg.command(events[0]) {
			break
		}
		events = append(events, e)
	}
	return events, nil
}

// fail answers the jobs of an append that was not acknowledged. Those decided
// before the first event did not rest on it and are answered as they are.
func (r *room[C, E, V]) fail(ds []decided[C, E, V], err error) {
	ahead := false
	for _, d := range ds {
		ahead = ahead || len(d.entries) > 0
		o := outcome[E, V]{err: err}
		if !ahead && d.err != nil {
			o.err = d.err
		}
		d.job.answer(o)
	}
}

// postpone lets a command wait for its time, in place of one that waits under the
// same key.
func (r *room[C, E, V]) postpone(key int, cmd C, until time.Time) {
	if r.postponed == nil {
		r.postponed = make(map[int]postponed[C])
	}
	r.postponed[key] = postponed[C]{cmd, until}
}

// dropPostponed drops the commands that events have made pointless.
func (r *room[C, E, V]) dropPostponed(entries []entry[E]) {
	if len(r.postponed) == 0 {
		return
	}
	for _, en := range entries {
		if key, all := r.agg.supersedes(en.event); all {
			clear(r.postponed)
		} else {
			delete(r.postponed, key)
		}
	}
}

// announce tells the other engines and the rooms of the agents that the append
// concerns. The agents' rooms of this engine are told directly too, so that
// they do not depend on the bus.
func (r *room[C, E, V]) announce(a Append, tails []int64) {
	e := r.rs.e
	e.o.Bus.Publish(Notice{Log: a.Log, Records: a.Records, Summary: a.Summary})
	for i := 0; i < len(a.Tails) && i < len(tails); {
		n := Notice{Log: a.Tails[i].Log}
		for ; i < len(a.Tails) && a.Tails[i].Log == n.Log && (len(n.Records) == 0 || tails[i] == tails[i-1]+1); i++ {
			n.Records = append(n.Records, Record{Index: tails[i], At: a.Tails[i].At, Body: a.Tails[i].Body})
		}
		e.onNotice(n)
		e.o.Bus.Publish(n)
	}
}

// unavailable is the refusal for a failure of the store; the failure itself
// stays in the chain for whoever logs it.
func unavailable(err error) error {
	if chat.KindOf(err) != 0 {
		return err
	}
	return fmt.Errorf("%w: %w", chat.Refuse(chat.Unavailable, "the store cannot be reached now"), err)
}

// storeContext bounds one call of the store.
func (e *Engine) storeContext() (context.Context, context.CancelFunc) {
	return context.WithTimeout(e.ctx, e.o.StoreTimeout)
}
