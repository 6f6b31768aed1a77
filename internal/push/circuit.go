package push

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

// circuit is the circuit breaker in front of one sender. It bounds the attempts
// under way, honours Retry-After, and opens when the provider rejects our
// credentials. While it is open one attempt at a time goes out as a probe, with
// the pauses of [backoff] between probes. Its methods may be called from any
// number of goroutines at once.
type circuit struct {
	// Static after construction.
	target  Target
	sender  Sender
	slots   chan struct{} // holds a token for each attempt under way
	timeout time.Duration
	log     *slog.Logger

	mu sync.Mutex
	// Guarded by mu.
	notBefore time.Time // until then nothing is sent
	failing   bool      // the latest attempt failed, and that has been logged
	cause     *Fault    // why the circuit is open; nil if it is closed
	trips     int       // attempts in a row that were rejected for our credentials
}

func newCircuit(t Target, s Sender, o Options) *circuit {
	return &circuit{target: t, sender: s, slots: make(chan struct{}, o.MaxConcurrent), timeout: o.Timeout, log: o.Logger}
}

// state is the time before which nothing is sent, and the fault for which the
// circuit is open; nil if it is closed.
func (c *circuit) state() (notBefore time.Time, cause *Fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.notBefore, c.cause
}

// admit says whether an attempt may be made now, and whether it is a probe. No
// other attempt is admitted until the probe has returned or timed out.
func (c *circuit) admit() (ok, probe bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if now.Before(c.notBefore) {
		return false, false
	}
	if c.cause != nil {
		c.notBefore = now.Add(c.timeout)
	}
	return true, c.cause != nil
}

// send makes one attempt once a slot is free. Then due is asked again; if it is
// false, or the circuit admits nothing, sent is false.
func (c *circuit) send(ctx context.Context, m Message, due func() bool) (fault *Fault, sent bool) {
	select {
	case c.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, false
	}
	defer func() { <-c.slots }()
	if ctx.Err() != nil || !due() {
		return nil, false
	}
	ok, probe := c.admit()
	if !ok {
		return nil, false
	}
	attempt, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	err := c.sender.Send(attempt, m)
	if err == nil {
		c.succeed()
		return nil, true
	}
	if ctx.Err() != nil {
		return nil, false
	}
	fault = faultOf(c.target.Carrier, err)
	switch {
	case fault.Verdict == Misconfigured || probe:
		c.trip(fault, probe)
	case fault.Verdict == Transient:
		c.fail(fault)
	}
	return fault, true
}

// trip opens the circuit, or keeps it open after a probe. Attempts that were
// under way when it opened do not count. Only a success closes it: any other
// answer to a probe may precede the check of credentials, and so the next probe
// follows soon.
func (c *circuit) trip(f *Fault, probe bool) {
	c.mu.Lock()
	opens := c.cause == nil && f.Verdict == Misconfigured
	if opens || probe && c.cause != nil {
		pause := firstPause
		if f.Verdict == Misconfigured {
			c.cause, c.trips = f, c.trips+1
		}
		if f.Verdict == Misconfigured || f.Verdict == Transient {
			pause = max(backoff(c.trips), min(f.After, maxPause))
		}
		c.notBefore = time.Now().Add(pause)
	}
	c.mu.Unlock()
	if opens {
		c.log.Error("push: circuit open: provider rejects our credentials or settings", c.attrs("err", f)...)
	}
}

// fail notes that the provider is unavailable, and until when if it said so.
// An outage is logged when it begins and when it ends.
func (c *circuit) fail(f *Fault) {
	c.mu.Lock()
	begins := !c.failing
	c.failing = true
	if f.After > 0 {
		if t := time.Now().Add(min(f.After, maxPause)); t.After(c.notBefore) {
			c.notBefore = t
		}
	}
	c.mu.Unlock()
	if begins {
		c.log.Warn("push: provider unavailable, will retry", c.attrs("err", f)...)
	}
}

// succeed closes the circuit and ends an outage.
func (c *circuit) succeed() {
	c.mu.Lock()
	ends := c.failing || c.cause != nil
	c.failing = false
	if c.cause != nil {
		c.cause, c.trips, c.notBefore = nil, 0, time.Time{}
	}
	c.mu.Unlock()
	if ends {
		c.log.Info("push: circuit closed: provider accepts messages again", c.attrs()...)
	}
}

// attrs are the attributes of a log record about this circuit, and more.
func (c *circuit) attrs(more ...any) []any {
	return append([]any{"carrier", string(c.target.Carrier), "provider", c.target.Provider}, more...)
}

// The pauses between attempts: 1 s, doubled each time, up to 1 min. A provider
// can ask for up to 1 h.
const (
	firstPause = time.Second
	lastPause  = time.Minute
	maxPause   = time.Hour
)

// backoff is the pause after so many attempts: exponential, with jitter between
// half of it and all of it, so that what failed together is not retried together.
func backoff(attempts int) time.Duration {
	d := lastPause
	if attempts < 7 {
		d = min(firstPause<<(attempts-1), lastPause)
	}
	return d/2 + rand.N(d/2)
}
