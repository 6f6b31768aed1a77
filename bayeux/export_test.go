package bayeux

import (
	"fmt"
	"time"
)

// Remains is what a server still keeps, for tests that look for leaks.
type Remains struct{ Sessions, Sockets, Holds, Browsers, Addresses, Names int }

// Remains counts it.
func (srv *Server) Remains() (r Remains) {
	srv.mu.RLock()
	r = Remains{len(srv.sessions), len(srv.open), len(srv.holds), len(srv.browsers), len(srv.networks), 0}
	srv.mu.RUnlock()
	for i := range srv.hub.shards {
		sh := &srv.hub.shards[i]
		sh.mu.RLock()
		r.Names += len(sh.members)
		sh.mu.RUnlock()
	}
	return r
}

// Held says whether a connect of the session is held.
func (s *Session) Held() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.expiry.held != nil
}

// CheckOutbox says which invariant of the session's outbox is broken.
func (s *Session) CheckOutbox() error { return s.outbox.check() }

// check says which of the invariants that outbox's comment lists is broken.
func (o *outbox) check() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.sent < 0 || o.sent > len(o.entries) {
		return fmt.Errorf("sent is %d of %d entries", o.sent, len(o.entries))
	}
	if o.sent > 0 && !o.acks && !o.redeliver {
		return fmt.Errorf("%d entries are kept although nothing confirms them", o.sent)
	}
	sum := func(list []entry) (bytes, urgent int) {
		for _, e := range list {
			bytes += len(e.body)
			if !e.lazy {
				urgent++
			}
		}
		return bytes, urgent
	}
	if got, _ := sum(o.entries[:o.sent]); got != o.sentBytes {
		return fmt.Errorf("sentBytes is %d, the bodies have %d", o.sentBytes, got)
	}
	if got, urgent := sum(o.entries[o.sent:]); got != o.waitingBytes || urgent != o.urgent {
		return fmt.Errorf("waitingBytes is %d and urgent %d, the entries have %d and %d", o.waitingBytes, o.urgent, got, urgent)
	}
	if o.replied > o.base+int64(o.sent) || o.evicted > o.base {
		return fmt.Errorf("replied %d or evicted %d is beyond base %d and sent %d", o.replied, o.evicted, o.base, o.sent)
	}
	acked, last := 0, int64(0)
	for _, b := range o.unacked {
		if b.id <= last || b.id > o.lastBatch || b.n <= 0 {
			return fmt.Errorf("batch %d of %d messages follows %d", b.id, b.n, last)
		}
		acked, last = acked+b.n, b.id
	}
	if o.acks && acked != o.sent {
		return fmt.Errorf("the batches have %d messages, sent is %d", acked, o.sent)
	}
	if o.inFlight < 0 {
		return fmt.Errorf("inFlight is %d", o.inFlight)
	}
	return nil
}

// ExpireLate has the session's timer fire by so much too late.
func (s *Session) ExpireLate(by time.Duration) {
	s.mu.Lock()
	s.expiry.due = time.Now().Add(-by)
	s.mu.Unlock()
	s.onTimer()
}
