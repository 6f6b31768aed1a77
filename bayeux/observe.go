package bayeux

// Event is something that [Options.Observe] hears of.
type Event struct {
	Kind    EventKind
	Session *Session // nil where there is none
	Channel string   // of subscriptions and publications
	// N is the number of sessions that a publication was queued for, or the
	// number of messages in one write.
	N int
	// Reason says why a session ended.
	Reason Reason
}

// EventKind says what happened.
type EventKind uint8

// The kinds of events.
const (
	SessionOpened EventKind = iota
	SessionClosed
	Subscribed
	Unsubscribed
	Published // by a client or by the application
	Written   // messages went out in one write; those that carry none are not told
)

// spec:14.21
func (srv *Server) observe(e Event) {
	if srv.opts.Observe != nil {
		srv.opts.Observe(e)
	}
}
