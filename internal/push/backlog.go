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

	device       *chat.Device // nil if there is none
	subscribedAt time.Time    // since when it is this one
	bound        bool
	ended        bool // for the visitor, who may have left the chat to the agents
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
	before  int64   // next before the visitor stopped listening
	since   []stamp // the events since it began to listen
}

// stamp is when an event happened.
type stamp struct {
	index int64
	at    time.Time
}

func newBacklog(active bool) backlog { return backlog{active: active, next: 1, before: 1} }

// idle says that nothing will fall due before something else happens.
func (b *backlog) idle() bool { return b.device == nil || b.ended || b.bound && !b.active }

// over says that the chat is done with once what is due has been pushed.
func (b *backlog) over() bool { return b.device == nil || b.ended }

// open says that events up to the end of what was folded are due from next on.
func (b *backlog) open() bool { return b.device != nil && (!b.bound && !b.mayReturn || b.active) }

// fold folds the next event in.
func (b *backlog) fold(e chat.Event) {
	if b.ended {
		if _, lapsed := e.Fact.(chat.Unsubscribed); lapsed {
			b.device = nil
		}
		return
	}
	if b.bound {
		b.since = append(b.since, stamp{e.Index, e.At})
	}
	switch f := e.Fact.(type) {
	case chat.Joined:
		if f.Opening != nil && f.Opening.Channel != "" {
			b.bind(e)
		}
	case chat.Bound:
		b.bind(e)
	case chat.Unbound:
		b.unbind(e, f)
	case chat.Away:
		b.mayReturn = false
		// The app knows best what it has seen.
		if f.From > 0 && !b.bound && !b.active {
			b.next = max(b.before, f.From)
		}
	case chat.Subscribed:
		if b.active && b.device == nil {
			b.next = max(b.next, e.Index+1)
		}
		if b.device == nil || !sameDevice(*b.device, f.Device) {
			b.subscribedAt = e.At
		}
		b.device = &f.Device
	case chat.Unsubscribed:
		b.device = nil
	case chat.Left:
		if f.No == chat.VisitorNo {
			b.end(e)
		}
	case chat.Finished:
		b.end(e)
	}
}

// end says that the chat is over for the visitor.
func (b *backlog) end(e chat.Event) { b.ended, b.mayReturn, b.last = true, false, e.Index }

// bind begins a time of listening. A visitor who comes by another channel while
// one is bound may not have been there for a while already.
func (b *backlog) bind(e chat.Event) {
	if !b.bound {
		b.since = []stamp{{e.Index, e.At}}
	} else if heard := e.At.Add(-chat.Unheard); !b.active && b.boundAt.Before(heard) {
		b.next = max(b.next, b.first(heard, e.Index))
	}
	b.bound, b.mayReturn, b.boundAt = true, false, e.At
}

// unbind ends it. What happened until the visitor was last heard has reached
// it: that much if it has been heard at all since it began to listen.
func (b *backlog) unbind(e chat.Event, f chat.Unbound) {
	if !b.bound {
		return
	}
	b.before = b.next
	heard := f.Heard
	if heard.IsZero() {
		heard = f.Since
	}
	switch {
	case b.active:
	case heard.IsZero():
		b.next = max(b.next, e.Index) // it was there until it said goodbye
	case b.boundAt.Before(heard):
		b.next = max(b.next, b.first(heard, e.Index))
	}
	b.bound, b.mayReturn, b.since = false, !heard.IsZero(), nil
}

// first is the index of the first event since a moment.
func (b *backlog) first(since time.Time, otherwise int64) int64 {
	for _, m := range b.since {
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
