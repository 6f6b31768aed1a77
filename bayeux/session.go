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
	Disconnected Reason = "disconnected" // the client said goodbye
	Expired      Reason = "expired"      // the client stayed away for too long
	Kicked       Reason = "kicked"       // the application ended it
	Overflowed   Reason = "overflowed"   // too much waited for it
	ServerClosed Reason = "closed"       // the server was closed
)

// Session is one client between its handshake and its end. It outlives the
// connections that carry it. All methods may be called from any goroutine.
type Session struct {
	// Static after construction.
	srv       *Server
	id        string
	browser   string
	principal any
	known     bool
	origin    string
	own       bool
	address   string
	transport string
	local     func() // in process: starts the delivery of what waits

	outbox outbox // has a lock of its own, below this one

	mu sync.Mutex
	// Guarded by mu.
	connected        bool          // it has sent its first connect
	ended            Reason        // empty while it lives
	socket           *socket       // the WebSocket it was last heard on, if that is open
	connectionLost   bool          // its last connection was lost since it was heard
	held             *hold         // the connect that is being held
	cycle            uint64        // counts connects, over all transports
	timer            *time.Timer   // ends the hold, or the session when none is held
	due              time.Time     // when the timer's purpose falls due
	interval         time.Duration // the client's transient interval, 0 if it gave none
	advised          string        // the transport last advised
	busy             int           // bodies being processed that will carry messages home
	notifyLater      bool          // somebody must be told once busy is 0
	subs             set[string]
	onClose          []func(Reason)
	value            any
	replyUnconfirmed bool          // a connect's reply with messages that no connect has confirmed
	pollAborted      bool          // the client has gone from a held poll, and no connect has come since
	connectReplies   int           // answers to connects that are being made, with ordered polling
	connectChanged   chan struct{} // closed when a connect is held or answered; nil unless an answer waits for that
	blockedUntil     time.Time     // connects carry no messages before: an answer has a head start
	lazy             *time.Timer   // hurries lazy messages
	lazyDue          time.Time     // zero while none wait
	active           time.Time     // when it last did anything but connect
}

// hold is a /meta/connect that waits for its answer.
type hold struct {
	cycle uint64
	reply *Reply
	// until is when it is answered at the latest.
	until time.Time
	// release hands the outcome to the transport that holds it. It is called
	// once, without locks, and does not block.
	release func(outcome)
	// delivers says that the transport can only deliver by ending the hold.
	delivers bool
	// replyWritten is closed when the answer has been written or given up; only for
	// those that deliver.
	replyWritten chan struct{}
}

// outcome says how a hold ended.
type outcome uint8

const (
	holdTimeout  outcome = iota // nothing happened for long enough
	holdDeliver                 // there is something to deliver
	holdReplaced                // a newer connect took its place
	holdOver                    // the session has ended
	holdDrain                   // the server is about to go
)

// ID is the session's clientId. It is a credential: do not log it.
func (s *Session) ID() string { return s.id }

// Browser is the value of the browser's cookie at the handshake, or the one
// that was set then. It is a credential too.
func (s *Session) Browser() string { return s.browser }

// BrowserKnown says whether the browser brought its cookie to the handshake.
func (s *Session) BrowserKnown() bool { return s.known }

// Principal is what [Options.Authenticate] said at the handshake.
func (s *Session) Principal() any { return s.principal }

// Origin is the Origin header at the handshake, empty if there was none.
func (s *Session) Origin() string { return s.origin }

// SameOrigin says whether that origin has the host and port that the request
// was sent to. It is false if there was no Origin header.
func (s *Session) SameOrigin() bool { return s.own }

// Address is the network address of the handshake, as [Options.Address] tells
// it; "" if that is not known. It is a person's data: do not log it.
func (s *Session) Address() string { return s.address }

// Transport is the name of the transport that carried the handshake.
func (s *Session) Transport() string { return s.transport }

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
		return s.deliver(entry{body: appendDelivery(make([]byte, 0, len(channel)+len(data)+24), channel, data)}, 0)
	}
	return s.Send(NewDelivery(channel, data))
}

// Send is Deliver for a whole message. One with an id and data is the answer
// to a remote call.
func (s *Session) Send(d *Delivery) error {
	if !s.srv.outgoing(s, d) {
		return nil
	}
	return s.deliver(entry{body: d.append(nil)}, 0)
}

// deliver queues an encoded message and sees to it that it leaves.
func (s *Session) deliver(e entry, lazy time.Duration) error {
	notify, err := s.enqueue(e, lazy)
	if notify {
		s.notify()
	}
	return err
}

// enqueue queues an encoded message; a lazy one waits at most for lazy. notify
// says that the caller must call notify.
func (s *Session) enqueue(e entry, lazy time.Duration) (notify bool, err error) {
	notify, err = s.outbox.push(e)
	if err == ErrOverflow {
		s.overflow()
		return false, err
	}
	if e.lazy && err == nil {
		s.armLazy(lazy)
	}
	if s.srv.opts.ActiveByDelivery && s.srv.opts.MaxInactivity > 0 {
		s.act()
	}
	return notify, err
}

// armLazy makes sure that lazy messages leave within d.
// spec:7.5
func (s *Session) armLazy(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	due := time.Now().Add(d)
	if s.ended != "" || !s.lazyDue.IsZero() && !due.Before(s.lazyDue) {
		return
	}
	s.lazyDue = due
	if s.lazy == nil {
		s.lazy = time.AfterFunc(d, s.hurry)
		return
	}
	s.lazy.Reset(d)
}

// hurry is called when lazy messages have waited long enough.
func (s *Session) hurry() {
	s.mu.Lock()
	s.lazyDue = time.Time{}
	s.mu.Unlock()
	if s.outbox.hurry() {
		s.notify()
	}
}

// act notes that the session did something.
func (s *Session) act() {
	s.mu.Lock()
	s.active = time.Now()
	s.mu.Unlock()
}

// idle says whether the session did nothing but connect for too long.
func (s *Session) idle() bool {
	if s.srv.opts.MaxInactivity <= 0 {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Since(s.active) >= s.srv.opts.MaxInactivity
}

// Disconnect ends the session from the server's side: the client is told to
// stop, see clause 6, server-side kick.
func (s *Session) Disconnect() {
	// spec:6.11 spec:14.8
	d := &Delivery{Channel: metaDisconnect, fields: []field{{"successful", []byte("true")}}}
	if s.srv.outgoing(s, d) {
		_, _ = s.outbox.push(entry{body: d.append(nil)})
	}
	s.end(Kicked)
}

// notify tells whoever can carry messages to the client that there are some.
func (s *Session) notify() {
	s.mu.Lock()
	// spec:5.2
	if s.busy > 0 {
		s.notifyLater = true
		s.mu.Unlock()
		return
	}
	socket, h := s.socket, s.held
	if h != nil && h.delivers && s.socket == nil && s.later() {
		s.mu.Unlock()
		return
	}
	// spec:7.2 spec:7.4
	if h != nil && (s.connectOnly() || socket == nil && h.delivers) {
		if !s.outbox.waiting() {
			// Another answer has taken it along meanwhile.
			s.mu.Unlock()
			return
		}
		s.releaseHold()
	} else {
		h = nil
	}
	s.mu.Unlock()
	switch {
	case s.local != nil:
		s.local()
	case h != nil:
		h.release(holdDeliver)
	case socket != nil && !s.connectOnly():
		socket.flush()
	}
}

// pressing says whether there is something that a connect must not be held
// for. What a body that is being processed delivers goes with that body's
// answer: two answers could overtake each other (clause 7.1, open batch).
func (s *Session) pressing() bool {
	s.mu.Lock()
	busy := s.busy > 0
	s.mu.Unlock()
	return !busy && s.outbox.waiting()
}

// begin marks a body of this session as being processed, so that what is
// delivered meanwhile rides home with the replies (clause 5.2). It extends
// the session's life (clause 9) and says whether the session still lives.
func (s *Session) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended != "" {
		return false
	}
	s.busy++
	// spec:9.2
	if s.held == nil {
		s.expireIn(s.srv.opts.Interval + s.interval + s.srv.opts.MaxInterval)
	}
	s.active = time.Now()
	return true
}

// finish ends what begin began. carried says that the outbox was taken.
func (s *Session) finish(carried bool) {
	s.mu.Lock()
	s.busy--
	tell := s.busy == 0 && s.notifyLater
	if s.busy == 0 {
		s.notifyLater = false
	}
	s.mu.Unlock()
	if tell && (!carried || s.outbox.waiting()) {
		s.notify()
	}
}

// expireIn starts the clock of the session's expiry anew. Caller holds mu.
func (s *Session) expireIn(d time.Duration) { s.setTimer(time.Now().Add(d)) }

// setTimer makes the timer fire at t at the latest. Caller holds mu.
// spec:9.6
func (s *Session) setTimer(t time.Time) {
	s.due = t
	if s.timer == nil {
		s.timer = time.AfterFunc(time.Until(t), s.onTimer)
		return
	}
	s.timer.Reset(time.Until(t))
}

// onTimer does what has fallen due: it answers the held connect, or ends the
// session. A timer that was set anew while it fired comes too early and is
// set again.
func (s *Session) onTimer() {
	s.mu.Lock()
	if s.ended != "" {
		s.mu.Unlock()
		return
	}
	if wait := time.Until(s.due); wait > 0 {
		s.timer.Reset(wait)
		s.mu.Unlock()
		return
	}
	h := s.held
	if h == nil && s.busy > 0 {
		s.expireIn(s.srv.opts.MaxInterval)
		s.mu.Unlock()
		return
	}
	if h != nil {
		s.releaseHold()
	}
	s.mu.Unlock()
	if h != nil {
		// spec:7.7
		h.release(holdTimeout)
		return
	}
	s.end(Expired)
}

// releaseHold ends the hold, whose answer is about to be written. The transport calls
// answered when that is done; until then the session has its full time. Caller
// holds mu.
// spec:9.1
func (s *Session) releaseHold() {
	s.held = nil
	s.expireIn(s.srv.opts.MaxInterval + s.srv.opts.WriteTimeout)
}

// hold keeps a connect until something ends it. It reports whether the
// session could take it, and releases an older one as replaced.
func (s *Session) hold(h *hold) bool {
	s.mu.Lock()
	if s.ended != "" {
		s.mu.Unlock()
		return false
	}
	if h.cycle < s.cycle {
		// A newer connect came while this one was being processed.
		s.mu.Unlock()
		h.release(holdReplaced)
		return true
	}
	old := s.held
	s.held = h
	s.setTimer(h.until)
	s.signalConnect()
	s.mu.Unlock()
	if old != nil {
		old.release(holdReplaced)
	}
	s.redeliverToHeldPoll()
	// What was queued between the caller's look and now must not wait.
	if (h.delivers || s.connectOnly()) && s.outbox.waiting() {
		s.notify()
	}
	return true
}

// unhold takes a hold back whose transport has lost its client. It reports
// whether the hold was still there.
// spec:7.8
func (s *Session) unhold(h *hold) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held != h || h == nil {
		return false
	}
	s.held, s.pollAborted = nil, true
	if s.ended == "" {
		s.expireIn(s.srv.opts.Interval + s.srv.opts.MaxInterval)
	}
	return true
}

// releaseHeld releases whatever is held.
func (s *Session) releaseHeld(o outcome) {
	s.mu.Lock()
	h := s.held
	s.held = nil
	if h != nil && s.ended == "" {
		s.expireIn(s.srv.opts.Interval + s.srv.opts.MaxInterval)
	}
	s.mu.Unlock()
	if h != nil {
		h.release(o)
	}
}

// answered starts the expiry when a connect's or a handshake's reply has been
// written (clause 9).
// spec:9.1
func (s *Session) answered() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended == "" && s.held == nil {
		s.expireIn(s.srv.opts.Interval + s.interval + s.srv.opts.MaxInterval)
	}
}

// attach makes a WebSocket the one through which the session is reached; nil
// means that it polls. lost says that the connection before was lost. On a
// change of connection what may have been lost with the old one goes out again.
// spec:7.3.3 spec:9.4 spec:10.8 spec:11.4 spec:14.6
func (s *Session) attach(c *socket, lost bool) {
	s.mu.Lock()
	moved := s.socket != c || s.connectionLost || lost
	s.socket, s.connectionLost = c, false
	if c == nil {
		s.cycle++ // an older connect takes nothing along from now on
	}
	s.mu.Unlock()
	if !moved {
		return
	}
	if !s.outbox.restore() {
		s.overflow()
	}
}

// lose notes that the session's last connection was lost.
func (s *Session) lose() {
	s.mu.Lock()
	s.connectionLost = true
	s.mu.Unlock()
}

// redeliverToHeldPoll has what was lost with another connection go out with the poll that
// is held already: no new one will come before that is answered.
// spec:14.17
func (s *Session) redeliverToHeldPoll() {
	s.mu.Lock()
	now := s.connectionLost && s.socket == nil && s.held != nil && s.held.delivers
	if now {
		s.connectionLost = false
	}
	s.mu.Unlock()
	if !now {
		return
	}
	if !s.outbox.restore() {
		s.overflow()
		return
	}
	if s.outbox.waiting() {
		s.notify()
	}
}

// overflow ends a session for which more waited than may be kept.
// spec:14.12
func (s *Session) overflow() {
	s.srv.stats.Overflows.Add(1)
	s.srv.opts.Logger.Warn("bayeux: too much waits for a client, its session is ended", "transport", s.transport)
	s.end(Overflowed)
}

// detach forgets a WebSocket that has closed, ends the hold that it carried,
// and starts the expiry.
// spec:9.3
func (s *Session) detach(c *socket) {
	defer s.redeliverToHeldPoll()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.socket != c {
		return
	}
	s.socket, s.connectionLost = nil, true
	if s.held != nil && !s.held.delivers {
		s.held = nil
	}
	if s.ended == "" && s.held == nil {
		s.expireIn(s.srv.opts.Interval + s.srv.opts.MaxInterval)
	}
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
	if s.timer != nil {
		s.timer.Stop()
	}
	if s.lazy != nil {
		s.lazy.Stop()
	}
	h, socket, calls, subs := s.held, s.socket, s.onClose, s.subs.list
	s.held, s.onClose, s.subs = nil, nil, set[string]{}
	s.mu.Unlock()

	s.outbox.close(reason == Overflowed)
	s.srv.forget(s, subs)
	if h != nil {
		h.release(holdOver)
	}
	if socket != nil {
		socket.sessionEnded(s, reason)
	}
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
