package push

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

// circuit is the way to one sender: how many may be on it at once, whether the
// carrier has asked to be left alone, and whether the way is barred. While it is
// barred, one attempt at a time finds out whether it still is, with the pauses
// that attempts at an event have. Its methods may be called from any number of
// goroutines at once.
type circuit struct {
	// Static after construction.
	target  Target
	sender  Sender
	slots   chan struct{} // holds a token for each attempt under way
	timeout time.Duration
	log     *slog.Logger

	mu sync.Mutex
	// Guarded by mu.
	closed  time.Time // until then nothing is sent
	failing bool      // the latest attempt failed, and that has been logged
	bar     *Fault    // why nothing is taken; nil if something is
	barred  int       // how many attempts in a row have found it so
}

func newCircuit(t Target, s Sender, o Options) *circuit {
	return &circuit{target: t, sender: s, slots: make(chan struct{}, o.MaxConcurrent), timeout: o.Timeout, log: o.Logger}
}

// until is when the carrier may be asked again, and the fault for which nothing
// is taken before somebody mends it; nil if there is none.
func (l *circuit) until() (time.Time, *Fault) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed, l.bar
}

// enter says whether an attempt may be made now, and whether it is the one that
// finds out about a barred way. Until that one comes back nobody else may.
func (l *circuit) admit() (ok, probe bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if now.Before(l.closed) {
		return false, false
	}
	if l.bar != nil {
		l.closed = now.Add(l.timeout)
	}
	return true, l.bar != nil
}

// send makes one attempt when there is room for it. still is asked once there
// is; without it nothing is sent, and sent is false.
func (l *circuit) send(ctx context.Context, m Message, still func() bool) (fault *Fault, sent bool) {
	select {
	case l.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, false
	}
	defer func() { <-l.slots }()
	if ctx.Err() != nil || !still() {
		return nil, false
	}
	ok, probe := l.admit()
	if !ok {
		return nil, false
	}
	attempt, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	err := l.sender.Send(attempt, m)
	if err == nil {
		l.well(nil)
		return nil, true
	}
	if ctx.Err() != nil {
		return nil, false
	}
	fault = faultOf(l.target.Carrier, err)
	switch {
	case fault.Verdict == Misconfigured || probe:
		l.trip(fault, probe)
	case fault.Verdict == Transient:
		l.well(fault)
	}
	return fault, true
}

// shut bars the way, or keeps it barred. Those who were on their way when it was
// barred do not count. Only a message that is taken opens it again: what else is
// said to a probe may be said before anybody looks at credentials, and so the
// next one is sent soon.
func (l *circuit) trip(f *Fault, probe bool) {
	l.mu.Lock()
	first := l.bar == nil && f.Verdict == Misconfigured
	if first || probe && l.bar != nil {
		pause := firstPause
		if f.Verdict == Misconfigured {
			l.bar, l.barred = f, l.barred+1
		}
		if f.Verdict == Misconfigured || f.Verdict == Transient {
			pause = max(backoff(l.barred), min(f.After, maxPause))
		}
		l.closed = time.Now().Add(pause)
	}
	l.mu.Unlock()
	if first {
		l.log.Error("push: a carrier takes nothing from here; until that is mended events are held back", "carrier", string(l.target.Carrier), "provider", l.target.Provider, "err", f)
	}
}

// well keeps how the carrier is. The beginning and the end of a bad time are
// logged, and not every failure in between.
func (l *circuit) well(f *Fault) {
	l.mu.Lock()
	was := l.failing || f == nil && l.bar != nil
	l.failing = f != nil
	if f == nil && l.bar != nil {
		l.bar, l.barred, l.closed = nil, 0, time.Time{}
	}
	if f != nil && f.After > 0 {
		if t := time.Now().Add(min(f.After, maxPause)); t.After(l.closed) {
			l.closed = t
		}
	}
	l.mu.Unlock()
	switch {
	case f != nil && !was:
		l.log.Warn("push: a carrier does not take messages; they are tried again", "carrier", string(l.target.Carrier), "provider", l.target.Provider, "err", f)
	case f == nil && was:
		l.log.Info("push: the carrier takes messages again", "carrier", string(l.target.Carrier), "provider", l.target.Provider)
	}
}

// The pauses between attempts: the first is of a second, each further one is
// twice as long, up to a minute. A carrier can ask for up to an hour.
const (
	firstPause = time.Second
	lastPause  = time.Minute
	maxPause   = time.Hour
)

// backoff is the pause after so many attempts, between half of it and all of
// it by chance, so that those who failed together do not come back together.
func backoff(attempts int) time.Duration {
	d := lastPause
	if attempts < 7 {
		d = min(firstPause<<(attempts-1), lastPause)
	}
	return d/2 + rand.N(d/2)
}
