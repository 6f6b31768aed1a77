// Station 3 of docs/road.md: a connect is held.

package bayeux

import "time"

// expiry is a session's one timer. While a connect is held it means "answer
// it", otherwise "the session has expired" (clause 9).
type expiry struct {
	timer *time.Timer
	due   time.Time // when the timer's purpose falls due
	held  *hold     // the connect that is being held
}

// hold is a /meta/connect that waits for its answer.
type hold struct {
	count uint64 // which of the session's connects it is
	reply *Reply
	// until is when it is answered at the latest.
	until time.Time
	// release hands the outcome to the transport that holds it. It is called
	// once, without locks, and does not block.
	release func(outcome)
	// delivers says that the transport can only deliver by ending the hold.
	delivers bool
	// replyWritten is closed when the answer has been written or given up; only
	// for those that deliver.
	replyWritten chan struct{}
}

// outcome says how a hold ended.
type outcome uint8

const (
	holdTimeout  outcome = iota // nothing happened for long enough
	holdDeliver                 // there is something to deliver
	holdReplaced                // a newer connect took its place
	holdOver                    // the session has ended
	holdDrain                   // the server is draining
)

// lateTimer is the delay beyond which a timer shows that the process was stopped
// (SIGSTOP, a paused VM): messages that it would have read may be waiting.
const lateTimer = time.Second

// silenceAllowed is the time to expiry after a reply. Caller holds mu.
func (s *Session) silenceAllowed() time.Duration {
	return s.srv.opts.Interval + s.connects.interval + s.srv.opts.MaxInterval
}

// expireIn starts the session's expiry anew. Caller holds mu.
func (s *Session) expireIn(d time.Duration) { s.setTimer(time.Now().Add(d)) }

// setTimer makes the timer fire at t at the latest. Caller holds mu.
// spec:9.6
func (s *Session) setTimer(t time.Time) {
	x := &s.expiry
	x.due = t
	if x.timer == nil {
		x.timer = time.AfterFunc(time.Until(t), s.onTimer)
		return
	}
	x.timer.Reset(time.Until(t))
}

// stopExpiry stops the timer of a session that ends, and returns the held connect
// for the caller to release. Caller holds mu.
func (s *Session) stopExpiry() *hold {
	h := s.expiry.held
	s.expiry.held = nil
	if s.expiry.timer != nil {
		s.expiry.timer.Stop()
	}
	return h
}

// onTimer answers the held connect or ends the session. A timer that was reset
// while it fired is early and is armed again. An expiry that fires later than
// lateTimer says nothing about the client and starts anew.
// spec:7.7 spec:9.7
func (s *Session) onTimer() {
	s.mu.Lock()
	h := s.expiry.held
	wait := time.Until(s.expiry.due)
	switch {
	case s.ended != "":
	case wait > 0:
		s.expiry.timer.Reset(wait)
	case h != nil:
		s.releaseHold()
		s.mu.Unlock()
		h.release(holdTimeout)
		return
	case s.busy > 0:
		s.expireIn(s.srv.opts.MaxInterval)
	case -wait > lateTimer:
		s.expireIn(s.silenceAllowed())
	default:
		s.mu.Unlock()
		s.end(Expired)
		return
	}
	s.mu.Unlock()
}

// releaseHold ends the hold, whose reply is about to be written. The transport
// calls answered when it is; until then the expiry cannot fire.
// Caller holds mu.
// spec:9.1
func (s *Session) releaseHold() {
	s.expiry.held = nil
	s.expireIn(s.srv.opts.MaxInterval + s.srv.opts.WriteTimeout)
}

// answered starts the expiry when a connect's or a handshake's reply has been
// written (clause 9).
// spec:9.1
func (s *Session) answered() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended == "" && s.expiry.held == nil {
		s.expireIn(s.silenceAllowed())
	}
}

// hold keeps a connect until something ends it. It reports whether the
// session could take it, and releases an older one as replaced.
func (s *Session) hold(h *hold) bool {
	s.mu.Lock()
	if s.ended != "" {
		s.mu.Unlock()
		return false
	}
	if h.count < s.connects.count {
		// A newer connect came while this one was being processed.
		s.mu.Unlock()
		h.release(holdReplaced)
		return true
	}
	old := s.expiry.held
	s.expiry.held = h
	s.setTimer(h.until)
	s.polling.order.signalConnect()
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

// unhold removes a hold whose client has disconnected. It is false if the hold had
// ended already.
// spec:7.8
func (s *Session) unhold(h *hold) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.expiry.held != h {
		return false
	}
	s.expiry.held, s.polling.order.pollAborted = nil, true
	if s.ended == "" {
		s.expireIn(s.srv.opts.Interval + s.srv.opts.MaxInterval)
	}
	return true
}

// releaseHeld releases whatever is held.
func (s *Session) releaseHeld(o outcome) {
	s.mu.Lock()
	h := s.expiry.held
	s.expiry.held = nil
	if h != nil && s.ended == "" {
		s.expireIn(s.srv.opts.Interval + s.srv.opts.MaxInterval)
	}
	s.mu.Unlock()
	if h != nil {
		h.release(o)
	}
}

// answerHeld ends the hold if its reply must take messages along: because the
// transport can deliver in no other way, or because they leave with connects
// alone (clause 7.4).
// spec:7.2 spec:7.4
func (s *Session) answerHeld() {
	s.mu.Lock()
	h := s.expiry.held
	switch {
	case h == nil || !h.delivers && !s.connectOnly():
		h = nil
	case s.busy > 0: // a body has begun since
		s.notifyLater, h = true, nil
	case h.delivers && s.delayBehindAnswer():
		h = nil
	case !s.outbox.waiting(): // another answer has taken it along
		h = nil
	default:
		s.releaseHold()
	}
	s.mu.Unlock()
	if h != nil {
		h.release(holdDeliver)
	}
}
