package bayeux

import (
	"context"
	"time"
)

// Ordered polling (clause 13). A client may read two responses in another
// order than they were written in. The next connect shows that the last
// connect's reply has been read; nothing shows it of a publish's answer, which
// therefore gets a head start.

// headStart is how long connects wait behind an answer with messages.
const headStart = 250 * time.Millisecond

// later says whether a held connect must still wait behind an answer, and
// makes sure that it is not forgotten. Caller holds mu.
func (s *Session) later() bool {
	wait := time.Until(s.blockedUntil)
	if wait <= 0 {
		return false
	}
	time.AfterFunc(wait, s.notify)
	return true
}

// arrived notes that a request has come: a connect confirms the one before,
// any other shows that the answer before it has been read, since clients send
// these one after the other.
func (s *Session) requestArrived(connect bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if connect {
		s.replyUnconfirmed, s.pollAborted = false, false
	} else {
		s.blockedUntil = time.Time{}
	}
}

// connectCarriesMessages notes that a connect's reply takes messages along.
func (s *Session) connectCarriesMessages() {
	s.mu.Lock()
	s.replyUnconfirmed = true
	s.mu.Unlock()
}

// mayPiggyback says whether the answer to something else than a connect may take
// messages along. If a connect is held they leave with that, and mayPiggyback
// waits until it has been written. What comes after it found nothing waits for
// the next answer. ctx is the request's.
// spec:13.5
func (s *Session) mayPiggyback(ctx context.Context) bool {
	// spec:7.4
	if s.connectOnly() || s.outbox.empty() {
		return false
	}
	var late <-chan time.Time
	for {
		urgent := s.outbox.waiting()
		s.mu.Lock()
		h := s.held
		wait := s.srv.opts.Redeliver && s.socket == nil && s.ended == "" && !s.pollAborted && (urgent || s.connectReplies > 0)
		switch {
		case (time.Now().Before(s.blockedUntil) || s.replyUnconfirmed) && s.connectReplies == 0:
			// Behind another answer, which may not have been read.
			s.mu.Unlock()
			return false
		case h != nil && h.delivers && urgent && s.connectReplies == 0:
			s.releaseHold()
			s.mu.Unlock()
			h.release(holdDeliver)
			<-h.replyWritten
			return false
		// spec:14.17.1
		case wait:
			if s.connectChanged == nil {
				s.connectChanged = make(chan struct{})
			}
			changed := s.connectChanged
			s.mu.Unlock()
			if late == nil {
				timer := time.NewTimer(headStart)
				defer timer.Stop()
				late = timer.C
			}
			select {
			case <-changed:
				continue
			case <-ctx.Done():
				return false
			case <-late:
			}
			// A client that sends one request after the other would never
			// see it ahead of the reply.
			s.mu.Lock()
			if s.connectReplies > 0 || s.held != nil || s.replyUnconfirmed || s.socket != nil || s.pollAborted {
				s.mu.Unlock()
				return false
			}
		case s.srv.opts.Redeliver:
			s.mu.Unlock()
			return false
		}
		s.blockedUntil = time.Now().Add(headStart)
		s.mu.Unlock()
		return true
	}
}

// carries notes that a connect's answer is being made, which takes along what
// waits; carried, that it is out.
func (s *Session) beginConnectReply() {
	s.mu.Lock()
	s.connectReplies++
	s.mu.Unlock()
}

func (s *Session) endConnectReply() {
	s.mu.Lock()
	s.connectReplies--
	s.signalConnect()
	s.mu.Unlock()
}

// signalConnect wakes the answers that wait for a connect. Caller holds mu.
func (s *Session) signalConnect() {
	if s.connectChanged != nil {
		close(s.connectChanged)
		s.connectChanged = nil
	}
}

// behind says whether a connect that is answered now must leave the messages
// to the next one. What ends a session has no next one.
// spec:13.5
func (s *Session) behind() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended == "" && time.Now().Before(s.blockedUntil)
}
