package push

import (
	"time"

	"github.com/halley-chat/halley/internal/chat"
)

// backlog is the fold of a chat's log that says from which event on the visitor
// may have heard nothing. It follows from the log alone, so a pusher that
// starts anew comes to the same. What was pushed before is not its affair; the
// cursor says so.
type backlog struct {
	// active says that the visitor is pushed to whether it listens or not.
	active bool

	device *chat.Device // nil if there is none
	named  time.Time    // since when it is this one
	bound  bool
	ended  bool // for the visitor, who may have left the chat to the agents
	// mayReturn says that the visitor is not listening but may be back in a
	// moment, as everybody is after a restart: it is not away yet, and has not
	// said goodbye.
	mayReturn bool
	// next is the index of the first event that the visitor may not have heard
	// of; while it listens, of the first one when it began to.
	next int64
	// last is the index of the last event that is the visitor's affair; 0 while
	// more may come.
	last int64

	boundAt time.Time
	before  int64  // next before the visitor stopped listening
	since   []mark // the events since it began to listen
}

// mark is when an event happened.
type mark struct {
	index int64
	at    time.Time
}

func newBacklog(active bool) backlog { return backlog{active: active, next: 1, before: 1} }

// idle says that nothing will fall due before something else happens.
func (d *backlog) idle() bool { return d.device == nil || d.ended || d.bound && !d.active }

// over says that the chat is done with once what is due has been pushed.
func (d *backlog) over() bool { return d.device == nil || d.ended }

// open says that events up to the end of what was folded are due from next on.
func (d *backlog) open() bool { return d.device != nil && (!d.bound && !d.mayReturn || d.active) }

// fold folds the next event in.
func (d *backlog) fold(e chat.Event) {
	if d.ended {
		if _, lapsed := e.Fact.(chat.Unsubscribed); lapsed {
			d.device = nil
		}
		return
	}
	if d.bound {
		d.since = append(d.since, mark{e.Index, e.At})
	}
	switch f := e.Fact.(type) {
	case chat.Joined:
		if f.Opening != nil && f.Opening.Channel != "" {
			d.bind(e)
		}
	case chat.Bound:
		d.bind(e)
	case chat.Unbound:
		d.unbind(e, f)
	case chat.Away:
		d.mayReturn = false
		// The app knows best what it has seen.
		if f.From > 0 && !d.bound && !d.active {
			d.next = max(d.before, f.From)
		}
	case chat.Subscribed:
		if d.active && d.device == nil {
			d.next = max(d.next, e.Index+1)
		}
		if d.device == nil || !sameDevice(*d.device, f.Device) {
			d.named = e.At
		}
		d.device = &f.Device
	case chat.Unsubscribed:
		d.device = nil
	case chat.Left:
		if f.No == chat.VisitorNo {
			d.end(e)
		}
	case chat.Finished:
		d.end(e)
	}
}

// end says that the chat is over for the visitor.
func (d *backlog) end(e chat.Event) { d.ended, d.mayReturn, d.last = true, false, e.Index }

// bind begins a time of listening. A visitor who comes by another channel while
// one is bound may not have been there for a while already.
func (d *backlog) bind(e chat.Event) {
	if !d.bound {
		d.since = []mark{{e.Index, e.At}}
	} else if heard := e.At.Add(-chat.Unheard); !d.active && d.boundAt.Before(heard) {
		d.next = max(d.next, d.first(heard, e.Index))
	}
	d.bound, d.mayReturn, d.boundAt = true, false, e.At
}

// unbind ends it. What happened until the visitor was last heard has reached
// it: that much if it has been heard at all since it began to listen.
func (d *backlog) unbind(e chat.Event, f chat.Unbound) {
	if !d.bound {
		return
	}
	d.before = d.next
	heard := f.Heard
	if heard.IsZero() {
		heard = f.Since
	}
	switch {
	case d.active:
	case heard.IsZero():
		d.next = max(d.next, e.Index) // it was there until it said goodbye
	case d.boundAt.Before(heard):
		d.next = max(d.next, d.first(heard, e.Index))
	}
	d.bound, d.mayReturn, d.since = false, !heard.IsZero(), nil
}

// first is the index of the first event since a moment.
func (d *backlog) first(since time.Time, otherwise int64) int64 {
	for _, m := range d.since {
		if !m.at.Before(since) {
			return m.index
		}
	}
	return otherwise
}

// sameDevice says whether two subscriptions lead to the same place.
func sameDevice(a, b chat.Device) bool {
	return a.Carrier == b.Carrier && a.Provider == b.Provider && a.Token == b.Token
}
