package bayeux

// carrier is the way in which a session's messages reach its client: a
// WebSocket, polls, or a call inside the process. A session has one at a time.
// Whatever state the way needs is the carrier's. The methods are called without
// locks, from any goroutine, and do not block.
type carrier interface {
	// notify says that the session's outbox has something to deliver.
	notify(s *Session)
	// sessionEnded says that the session is over. What waits in its outbox may
	// still be delivered.
	sessionEnded(s *Session, reason Reason)
}

// notify tells the carrier that there is something to deliver. While a body of
// the session is being processed that waits for the body's end, since the
// answer takes it along (clause 5.2).
// spec:5.2
func (s *Session) notify() {
	s.mu.Lock()
	if s.busy > 0 {
		s.notifyLater = true
		s.mu.Unlock()
		return
	}
	c := s.carrier
	s.mu.Unlock()
	c.notify(s)
}

// polls says whether the client is reached by polls. Caller holds mu.
func (s *Session) polls() bool { return s.carrier == carrier(&s.polling) }

// attach makes c the session's carrier. lost says that the connection before
// was lost. On a change of connection what may have been lost with the old one
// waits again.
// spec:7.3.3 spec:9.4 spec:10.8 spec:11.4 spec:14.6
func (s *Session) attach(c carrier, lost bool) {
	s.mu.Lock()
	moved := s.carrier != c || s.connectionLost || lost
	s.carrier, s.connectionLost = c, false
	if s.polls() {
		s.connects.count++ // an older connect takes nothing along from now on
	}
	s.mu.Unlock()
	if moved && !s.outbox.restore() {
		s.overflow()
	}
}

// detach forgets a WebSocket that has closed: it ends the hold on it, and the
// expiry starts.
// spec:9.3
func (s *Session) detach(c *socket) {
	defer s.redeliverToHeldPoll()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.carrier != carrier(c) {
		return
	}
	s.carrier, s.connectionLost = &s.polling, true
	if h := s.expiry.held; h != nil && !h.delivers {
		s.expiry.held = nil
	}
	if s.ended == "" && s.expiry.held == nil {
		s.expireIn(s.srv.opts.Interval + s.srv.opts.MaxInterval)
	}
}

// lostConnection notes that the session's last connection was lost.
func (s *Session) lostConnection() {
	s.mu.Lock()
	s.connectionLost = true
	s.mu.Unlock()
}

// redeliverToHeldPoll has what was lost with another connection go out with the
// poll that is held already: no new one will come before that is answered.
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
