// Station 11 of docs/road.md: the transport is notified.

package bayeux

// transport delivers a session's messages to its client: over a WebSocket
// ([socket]), with answers to polls ([pollTransport]) or inside the process
// ([Local]). A session has one at a time; transport state belongs to it. The
// methods are called without locks, from any goroutine, and must not block.
type transport interface {
	// notify is called when the outbox has messages that must not wait.
	notify(s *Session)
	// sessionEnded is called once, when the session has ended. What is queued may
	// still be delivered.
	sessionEnded(s *Session, reason Reason)
}

// notify notifies the transport. While a body of the session is being processed that
// is deferred to the body's end, since its answer takes the messages (clause 5.2).
// spec:5.2
func (s *Session) notify() {
	s.mu.Lock()
	if s.busy > 0 {
		s.notifyLater = true
		s.mu.Unlock()
		return
	}
	c := s.transport
	s.mu.Unlock()
	c.notify(s)
}

// polls says whether the poll transport is attached. Caller holds mu.
func (s *Session) polls() bool { return s.transport == transport(&s.polling) }

// attach makes c the session's transport. lost says that the connection before was
// lost. On a change of connection the outbox is restored: what may have been lost
// is queued again.
// spec:7.3.3 spec:9.4 spec:10.8 spec:11.4 spec:14.6
func (s *Session) attach(c transport, lost bool) {
	s.mu.Lock()
	moved := s.transport != c || s.connectionLost || lost
	s.transport, s.connectionLost = c, false
	if s.polls() {
		s.connects.count++ // an older connect takes nothing along from now on
	}
	s.mu.Unlock()
	if moved && !s.outbox.restore() {
		s.overflow()
	}
}

// detach removes a WebSocket that has closed, ends the hold on it and starts the
// expiry.
// spec:9.3
func (s *Session) detach(c *socket) {
	defer s.redeliverToHeldPoll()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.transport != transport(c) {
		return
	}
	s.transport, s.connectionLost = &s.polling, true
	if h := s.expiry.held; h != nil && !h.delivers {
		s.expiry.held = nil
	}
	if s.ended == "" && s.expiry.held == nil {
		s.expireIn(s.srv.opts.Interval + s.srv.opts.MaxInterval)
	}
}

// lostConnection records that the session's last connection was lost.
func (s *Session) lostConnection() {
	s.mu.Lock()
	s.connectionLost = true
	s.mu.Unlock()
}

// redeliverToHeldPoll restores the outbox for a poll that is held already: after
// the loss of another connection no new request will come before its answer.
// spec:14.17
func (s *Session) redeliverToHeldPoll() {
	s.mu.Lock()
	h := s.expiry.held
	now := s.connectionLost && s.polls() && h != nil && h.delivers
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
