// Station 12 of docs/road.md: bytes go out.

package bayeux

import (
	"context"
	"time"
)

// Ordered polling (clause 13). A client may read two responses in another
// order than they were written in, so only one of them carries messages at a
// time. The next connect shows that the last connect's reply has been read;
// nothing shows it of a publish's answer, which therefore gets a head start.

// headStart is how long connects wait behind an answer with messages, and how
// long an answer waits for a connect that takes its messages along.
const headStart = 250 * time.Millisecond

// pollOrder is which answers are under way to a client that polls. It is
// guarded by the session's lock.
type pollOrder struct {
	replyUnconfirmed bool          // a connect's reply with messages, and no connect since
	pollAborted      bool          // the client hung up a held connect, and no connect since
	connectReplies   int           // replies to connects that are being written
	blockedUntil     time.Time     // connects carry no messages before: an answer has a head start
	connectChanged   chan struct{} // closed when a connect is held or answered; nil unless an answer waits for that
}

// signalConnect tells the answers that wait for a connect. Caller holds mu.
func (o *pollOrder) signalConnect() {
	if o.connectChanged != nil {
		close(o.connectChanged)
		o.connectChanged = nil
	}
}

// connectSignal is closed with the next signalConnect. Caller holds mu.
func (o *pollOrder) connectSignal() <-chan struct{} {
	if o.connectChanged == nil {
		o.connectChanged = make(chan struct{})
	}
	return o.connectChanged
}

// blocked says whether connects must leave messages to later ones. Caller
// holds mu.
func (o *pollOrder) blocked() bool { return time.Now().Before(o.blockedUntil) }

// delayBehindAnswer says whether a held connect must still wait behind an
// answer, and makes sure that the transport is notified after that. Caller holds mu.
func (s *Session) delayBehindAnswer() bool {
	wait := time.Until(s.polling.order.blockedUntil)
	if wait <= 0 {
		return false
	}
	time.AfterFunc(wait, s.notify)
	return true
}

// requestArrived notes a request: a connect confirms the one before, any other
// shows that the answer before it has been read, since clients send these one
// after the other.
func (s *Session) requestArrived(connect bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := &s.polling.order
	if connect {
		o.replyUnconfirmed, o.pollAborted = false, false
	} else {
		o.blockedUntil = time.Time{}
	}
}

// beginConnectReply notes that a connect's reply is being made, which takes
// along what waits; endConnectReply, that it is out.
func (s *Session) beginConnectReply() {
	s.mu.Lock()
	s.polling.order.connectReplies++
	s.mu.Unlock()
}

func (s *Session) endConnectReply() {
	s.mu.Lock()
	s.polling.order.connectReplies--
	s.polling.order.signalConnect()
	s.mu.Unlock()
}

// connectCarriesMessages notes that a connect's reply takes messages along.
func (s *Session) connectCarriesMessages() {
	s.mu.Lock()
	s.polling.order.replyUnconfirmed = true
	s.mu.Unlock()
}

// connectBlocked says whether a connect that is answered now must leave the
// messages to the next one. What ends a session has no next one.
// spec:13.5
func (s *Session) connectBlocked() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended == "" && s.polling.order.blocked()
}

// piggyback is what happens to the messages that wait when something else than
// a connect is answered.
type piggyback uint8

const (
	leaveMessages piggyback = iota // to the next answer
	takeMessages                   // along with this one
	sendWithHeld                   // with the held connect, which is answered first
	awaitConnect                   // a connect may come and take them
)

// decidePiggyback applies the rules of clause 13. Caller holds mu.
// spec:13.5 spec:14.17.1
func (s *Session) decidePiggyback(urgent bool) piggyback {
	o, h := &s.polling.order, s.expiry.held
	replying := o.connectReplies > 0
	switch {
	case !replying && (o.replyUnconfirmed || o.blocked()):
		return leaveMessages // behind another answer, which may not have been read
	case !replying && urgent && h != nil && h.delivers:
		return sendWithHeld
	case !s.srv.opts.Redeliver:
		return takeMessages
	case s.polls() && s.ended == "" && !o.pollAborted && (urgent || replying):
		return awaitConnect
	default:
		return leaveMessages
	}
}

// mayPiggyback says whether the answer to something else than a connect may
// take messages along. If a connect is held they leave with that, and
// mayPiggyback waits until it has been written; with Redeliver it waits for a
// connect to come, for headStart at most. What is queued after that waits for
// the next answer. ctx is the request's.
// spec:7.4 spec:13.5 spec:14.17.1
func (s *Session) mayPiggyback(ctx context.Context) bool {
	if s.connectOnly() || s.outbox.empty() {
		return false
	}
	var late <-chan time.Time
	for {
		what, written, changed := s.piggyback()
		switch what {
		case leaveMessages:
			return false
		case takeMessages:
			return true
		case sendWithHeld:
			select {
			case <-written:
			case <-ctx.Done():
			}
			return false
		}
		if late == nil {
			timer := time.NewTimer(headStart)
			defer timer.Stop()
			late = timer.C
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		case <-late:
			return s.takeForWantOfConnect()
		}
	}
}

// piggyback decides and does what belongs to the decision. written is closed
// when the held connect's reply is out, changed when another decision is due.
func (s *Session) piggyback() (what piggyback, written, changed <-chan struct{}) {
	urgent := s.outbox.waiting()
	s.mu.Lock()
	o := &s.polling.order
	var h *hold
	what = s.decidePiggyback(urgent)
	switch what {
	case takeMessages:
		o.blockedUntil = time.Now().Add(headStart)
	case sendWithHeld:
		h = s.expiry.held
		written = h.replyWritten
		s.releaseHold()
	case awaitConnect:
		changed = o.connectSignal()
	}
	s.mu.Unlock()
	if h != nil {
		h.release(holdDeliver)
	}
	return what, written, changed
}

// takeForWantOfConnect says whether an answer that has waited for a connect in
// vain takes the messages along itself: a client that sends one request after
// the other would never see them ahead of the reply.
// spec:14.17.1
func (s *Session) takeForWantOfConnect() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := &s.polling.order
	if o.connectReplies > 0 || s.expiry.held != nil || o.replyUnconfirmed || o.pollAborted || !s.polls() {
		return false
	}
	o.blockedUntil = time.Now().Add(headStart)
	return true
}
