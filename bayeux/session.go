// Station 3 of docs/road.md: what a body causes is held back for its answer.
// Station 11 of docs/road.md: it is queued.

package bayeux

import (
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Reason says why a session ended.
type Reason string

// The ways in which a session ends.
const (
	Disconnected Reason = "disconnected" // the client sent /meta/disconnect
	Expired      Reason = "expired"      // no connect came for too long
	Kicked       Reason = "kicked"       // the application ended it
	Overflowed   Reason = "overflowed"   // its outbox was full
	ServerClosed Reason = "closed"       // the server was closed
)

// Session is one client between its handshake and its end. It outlives the
// connections that carry it. All methods may be called from any goroutine.
//
// It owns the client's identity, its expiry (expiry.go) and its outbox. The state
// of the connection belongs to the transport (transport.go).
type Session struct {
	// Static after construction.
	srv    *Server
	id     string
	by     peer   // who shook hands
	outbox outbox // has a lock of its own, below this one

	mu sync.Mutex
	// Guarded by mu.
	ended          Reason // empty while it lives
	transport      transport
	polling        pollTransport // the transport unless another is attached
	connectionLost bool          // the last connection was lost, and the client has not been heard since
	expiry         expiry
	connects       connects
	busy           int  // bodies being processed whose answers will carry messages
	notifyLater    bool // notify the transport when busy becomes 0
	lazy           lazyTimer
	subs           set[string]
	onClose        []func(Reason)
	value          any
}

// connects is the state that a session's connects leave behind.
type connects struct {
	count    uint64        // over all transports; tells an older one from the newest
	any      bool          // the first one has come
	interval time.Duration // the transient one that the client asked for, 0 if none
	advised  string        // the transport last advised
	active   time.Time     // when the client last did anything but connect
}

// newSession makes a session; register makes it known.
func (srv *Server) newSession(by peer, acks bool) *Session {
	s := &Session{srv: srv, id: newID(), by: by, outbox: outbox{
		maxMessages: srv.opts.OutboxMessages, maxBytes: srv.opts.OutboxBytes, stats: &srv.stats,
		redeliver: srv.opts.Redeliver && !acks, acks: acks,
	}}
	s.connects.active = time.Now()
	s.transport = &s.polling
	return s
}

// ID is the session's clientId. It is a credential: do not log it.
func (s *Session) ID() string { return s.id }

// Browser is the value of the browser's cookie at the handshake, or the one
// that was set then. It is a credential too.
func (s *Session) Browser() string { return s.by.browser }

// BrowserKnown says whether the browser brought its cookie to the handshake.
func (s *Session) BrowserKnown() bool { return s.by.cookieKnown }

// Principal is what [Options.Authenticate] said at the handshake.
func (s *Session) Principal() any { return s.by.principal }

// Origin is the Origin header at the handshake, empty if there was none.
func (s *Session) Origin() string { return s.by.origin }

// SameOrigin says whether that origin has the host and port that the request
// was sent to. It is false if there was no Origin header.
func (s *Session) SameOrigin() bool { return s.by.sameOrigin }

// Address is the network address of the handshake, as [Options.Address] tells
// it; "" if that is not known. It is a person's data: do not log it.
func (s *Session) Address() string { return s.by.address }

// Transport is the name of the transport that carried the handshake.
func (s *Session) Transport() string { return s.by.transport }

// SetValue keeps something of the application's with the session; Value
// returns it.
func (s *Session) SetValue(v any) {
	s.mu.Lock()
	s.value = v
	s.mu.Unlock()
}

// Value is what SetValue kept last.
func (s *Session) Value() any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.value
}

// OnClose calls f once when the session has ended, at once if it has already.
// It is called without locks, on the goroutine that ended the session, and
// should be quick.
func (s *Session) OnClose(f func(Reason)) {
	s.mu.Lock()
	reason := s.ended
	if reason == "" {
		s.onClose = append(s.onClose, f)
	}
	s.mu.Unlock()
	if reason != "" {
		f(reason)
	}
}

// Deliver queues a message for this session alone; data is JSON and must not
// be changed afterwards. It never blocks. The errors are [ErrGone] and
// [ErrOverflow]; an overflow ends the session. A message that an extension
// stops is no error.
func (s *Session) Deliver(channel string, data jsontext.Value) error {
	if len(s.srv.opts.Extensions) == 0 {
		return s.deliver(entry{body: appendDelivery(make([]byte, 0, len(channel)+len(data)+24), channel, data)})
	}
	return s.Send(NewDelivery(channel, data))
}

// Send is Deliver for a whole message. One with an id and data is the answer
// to a remote call.
func (s *Session) Send(d *Delivery) error {
	if !s.srv.outgoing(s, d) {
		return nil
	}
	return s.deliver(entry{body: d.append(nil)})
}

// deliver queues an encoded message and notifies the transport.
func (s *Session) deliver(e entry) error {
	notify, err := s.enqueue(e, 0)
	if notify {
		s.notify()
	}
	return err
}

// enqueue queues an encoded message; lazy is the most that a lazy one may wait.
// notify says that the caller must call notify.
func (s *Session) enqueue(e entry, lazy time.Duration) (notify bool, err error) {
	notify, err = s.outbox.push(e)
	if err == ErrOverflow {
		s.overflow()
		return false, err
	}
	if err == nil {
		s.srv.stats.Deliveries.Add(1)
	}
	if e.lazy && err == nil {
		s.armLazy(lazy)
	}
	if s.srv.opts.ActiveByDelivery && s.srv.opts.MaxInactivity > 0 {
		s.noteActive()
	}
	return notify, err
}

// lazyTimer makes lazy messages urgent when they have waited long enough.
type lazyTimer struct {
	timer *time.Timer
	due   time.Time // zero while none wait
}

// armLazy makes lazy messages urgent after at most d.
// spec:7.5
func (s *Session) armLazy(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	due := time.Now().Add(d)
	if s.ended != "" || !s.lazy.due.IsZero() && !due.Before(s.lazy.due) {
		return
	}
	s.lazy.due = due
	if s.lazy.timer == nil {
		s.lazy.timer = time.AfterFunc(d, s.lazyExpired)
		return
	}
	s.lazy.timer.Reset(d)
}

// lazyExpired is called when lazy messages have waited long enough.
func (s *Session) lazyExpired() {
	s.mu.Lock()
	s.lazy.due = time.Time{}
	s.mu.Unlock()
	if s.outbox.makeUrgent() {
		s.notify()
	}
}

// noteActive resets the session's inactivity.
func (s *Session) noteActive() {
	s.mu.Lock()
	s.connects.active = time.Now()
	s.mu.Unlock()
}

// inactive says whether the session did nothing but connect for too long.
func (s *Session) inactive() bool {
	if s.srv.opts.MaxInactivity <= 0 {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Since(s.connects.active) >= s.srv.opts.MaxInactivity
}

// Disconnect ends the session from the server's side: the client is told to
// stop, see clause 6, server-side kick.
// spec:6.11 spec:14.8
func (s *Session) Disconnect() {
	d := &Delivery{Channel: metaDisconnect, fields: []field{{"successful", []byte("true")}}}
	if s.srv.outgoing(s, d) {
		_, _ = s.outbox.push(entry{body: d.append(nil)})
	}
	s.end(Kicked)
}

// beginBody marks a body of this session as being processed, so that what is
// delivered meanwhile leaves with its replies (clause 5.2), and restarts the expiry
// (clause 9). It is false if the session has ended.
// spec:5.2 spec:9.2
func (s *Session) beginBody() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended != "" {
		return false
	}
	s.busy++
	if s.expiry.held == nil {
		s.expireIn(s.silenceAllowed())
	}
	s.connects.active = time.Now()
	return true
}

// endBody ends what beginBody began. carried says that the outbox was taken.
func (s *Session) endBody(carried bool) {
	s.mu.Lock()
	s.busy--
	notify := s.busy == 0 && s.notifyLater
	if s.busy == 0 {
		s.notifyLater = false
	}
	s.mu.Unlock()
	if notify && (!carried || s.outbox.waiting()) {
		s.notify()
	}
}

// overflow ends a session whose outbox is full.
// spec:14.12
func (s *Session) overflow() {
	s.srv.opts.Logger.Warn("bayeux: outbox full, session ended", "transport", s.by.transport)
	s.end(Overflowed)
}

// end ends the session once; later calls do nothing.
// spec:9.5
func (s *Session) end(reason Reason) {
	s.mu.Lock()
	if s.ended != "" {
		s.mu.Unlock()
		return
	}
	s.ended = reason
	if s.lazy.timer != nil {
		s.lazy.timer.Stop()
	}
	h, transport, calls, subs := s.stopExpiry(), s.transport, s.onClose, s.subs.list
	s.onClose, s.subs = nil, set[string]{}
	s.mu.Unlock()

	s.outbox.close(reason == Overflowed)
	s.srv.forget(s, subs)
	if h != nil {
		h.release(holdOver)
	}
	transport.sessionEnded(s, reason)
	for _, f := range calls {
		f(reason)
	}
}

// reason is why the session ended; empty while it lives.
func (s *Session) reason() Reason {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended
}

// subscribe subscribes to a channel or a pattern, named in its normal form.
// spec:14.14
func (s *Session) subscribe(name string) *Error {
	s.mu.Lock()
	if s.ended != "" {
		s.mu.Unlock()
		return errUnknownClient
	}
	if !s.subs.has(name) && len(s.subs.list) >= s.srv.opts.MaxSubscriptions {
		s.mu.Unlock()
		return errSubTooMany
	}
	// Under the same lock as the session's own list, so that the two agree
	// whatever else happens to the session.
	s.subs.add(name)
	s.srv.hub.add(name, s)
	s.mu.Unlock()
	s.srv.observe(Event{Kind: Subscribed, Session: s, Channel: name})
	return nil
}

func (s *Session) unsubscribe(name string) {
	s.mu.Lock()
	was := s.subs.remove(name)
	if was {
		s.srv.hub.remove(name, s)
	}
	s.mu.Unlock()
	if was {
		s.srv.observe(Event{Kind: Unsubscribed, Session: s, Channel: name})
	}
}
