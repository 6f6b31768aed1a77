package push

import (
	"context"
	"time"

	"github.com/halley-chat/halley/internal/chat"
)

// delivery is what has been done about one event: attempts at it, and when the
// next one is due. The zero value has none.
type delivery struct {
	index    int64 // of the event; 0 if none has been tried
	attempts int
	expires  time.Time // from then on a failed attempt was the last one
	retryAt  time.Time
}

// next is when the event may be tried. The last attempt is made when the
// delivery expires, unless a Retry-After still holds. If the
// circuit is open for longer than that, the event is given up then, and cause
// is why.
func (d delivery) next(notBefore time.Time, open *Fault) (at time.Time, cause *Fault) {
	at = d.retryAt
	if d.attempts > 0 && at.After(d.expires) {
		at = d.expires
	}
	switch {
	case !notBefore.After(at):
		return at, nil
	case open != nil && notBefore.After(d.expires):
		return d.expires, open
	}
	return notBefore, nil
}

// outcome is what has become of a delivery.
type outcome int

const (
	waiting      outcome = iota // not before the returned time
	unsent                      // nothing was sent: the event is not due any more, or the circuit was in use
	delivered                   // the carrier has taken it
	retrying                    // the attempt failed and will be repeated
	unregistered                // the carrier does not know the device any more
	failed                      // to be given up, for the returned fault
)

// deliver makes an attempt at an event if one is due now.
func (f *follow) deliver(ctx context.Context, d *delivery, e chat.Event, device chat.Device) (o outcome, at time.Time, fault *Fault) {
	now := time.Now()
	if d.index != e.Index {
		*d = delivery{index: e.Index, expires: now.Add(f.p.o.Expiry)}
	}
	c := f.p.circuits[Target{device.Carrier, device.Provider}]
	if c == nil {
		// It was there when the visitor named the device.
		return failed, now, &Fault{Carrier: device.Carrier, Verdict: Permanent, Code: "not configured"}
	}
	at, cause := d.next(c.state())
	switch {
	case now.Before(at):
		return waiting, at, nil
	case cause != nil:
		return failed, now, cause
	}
	fault, sent := c.send(ctx, f.message(e, device), f.stillDue)
	if !sent {
		return unsent, now, nil
	}
	d.attempts++
	switch {
	case fault == nil:
		f.p.stats.Sent.Add(1)
		return delivered, now, nil
	case fault.Verdict == UnknownDevice:
		return unregistered, now, fault
	case fault.Verdict == Permanent, !time.Now().Before(d.expires):
		return failed, now, fault
	}
	f.p.stats.Failed.Add(1)
	d.retryAt = time.Now().Add(max(backoff(d.attempts), min(fault.After, maxPause)))
	return retrying, d.retryAt, fault
}

// pendingAck is a write that tells the store what has become of an event. It is
// repeated until the store takes it. nil means that nothing is pending.
type pendingAck func(context.Context) error

// ackTimeout is how long one such write may take.
const ackTimeout = 3 * time.Second

// save makes the write even if ctx has ended meanwhile: what a carrier has
// taken would go out again after a restart.
func (w pendingAck) save(ctx context.Context) error {
	saving, cancel := context.WithTimeout(context.WithoutCancel(ctx), ackTimeout)
	defer cancel()
	return w(saving)
}
