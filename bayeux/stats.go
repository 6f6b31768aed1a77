package bayeux

import (
	"errors"
	"net/http"
	"os"
	"sync/atomic"
)

// Stats counts what happened since the server was made. Everything may be read
// at any time.
type Stats struct {
	Handshakes atomic.Int64 // successful ones
	Messages   atomic.Int64 // received, of every kind
	Refused    atomic.Int64 // answered with successful: false
	Publishes  atomic.Int64 // messages published to broadcast channels, by anybody
	Deliveries atomic.Int64 // messages queued for a session
	Sent       atomic.Int64 // messages handed to a transport; again if they are redelivered
	Writes     atomic.Int64 // WebSocket writes and answers that carried messages
	BadBodies  BadBodies    // requests, frames and upgrades that were refused as a whole
	Ended      Ended        // sessions that ended
	// OutboxMessages and OutboxBytes are the most that the outbox of one session
	// has held.
	OutboxMessages, OutboxBytes atomic.Int64
}

// BadBodies counts what was refused as a whole, by reason.
type BadBodies struct {
	Malformed       atomic.Int64 // no JSON, no messages, or a WebSocket's text that is not UTF-8
	TooLarge        atomic.Int64 // more bytes than MaxMessageSize
	TooMany         atomic.Int64 // more messages than MaxBatch
	TooSlow         atomic.Int64 // not there within BodyTimeout
	Broken          atomic.Int64 // the connection ended or failed in the middle
	Protocol        atomic.Int64 // bad framing, binary frames, a handshake that is not alone
	Transport       atomic.Int64 // requests that fit no transport, upgrades that failed
	Origin          atomic.Int64 // WebSockets of origins that CheckOrigin refused
	Unauthenticated atomic.Int64 // what Authenticate refused
}

// Each calls f with the name of every reason, in snake_case, and its count.
func (b *BadBodies) Each(f func(reason string, n int64)) {
	f("malformed", b.Malformed.Load())
	f("too_large", b.TooLarge.Load())
	f("too_many", b.TooMany.Load())
	f("too_slow", b.TooSlow.Load())
	f("broken", b.Broken.Load())
	f("protocol", b.Protocol.Load())
	f("transport", b.Transport.Load())
	f("origin", b.Origin.Load())
	f("unauthenticated", b.Unauthenticated.Load())
}

// Total is the sum of all reasons.
func (b *BadBodies) Total() (n int64) {
	b.Each(func(_ string, one int64) { n += one })
	return n
}

// count counts what an error says of a body.
func (b *BadBodies) count(err error) {
	var tooLarge *http.MaxBytesError
	var framing *wireError
	switch {
	case errors.As(err, &tooLarge):
		b.TooLarge.Add(1)
	case errors.As(err, &framing):
		b.countClose(framing)
	case errors.Is(err, os.ErrDeadlineExceeded):
		b.TooSlow.Add(1)
	case err == errTooMany:
		b.TooMany.Add(1)
	case err == errBatchedHandshake:
		b.Protocol.Add(1)
	case isBodyError(err):
		b.Malformed.Add(1)
	default:
		b.Broken.Add(1)
	}
}

func (b *BadBodies) countClose(e *wireError) {
	switch e.code {
	case closeTooBig:
		b.TooLarge.Add(1)
	case closeMalformed:
		b.Malformed.Add(1)
	case closePolicy:
		b.TooSlow.Add(1)
	default:
		b.Protocol.Add(1)
	}
}

// isBodyError says whether an error is about what a body holds, so that its
// text may be shown.
func isBodyError(err error) bool {
	return err == errMalformed || err == errEmpty || err == errTooMany || err == errBatchedHandshake
}

// Ended counts sessions that ended, by reason.
type Ended struct {
	Disconnected, Expired, Kicked, Overflowed, Closed atomic.Int64
}

// Each calls f with every reason and its count.
func (e *Ended) Each(f func(reason Reason, n int64)) {
	for _, r := range []Reason{Disconnected, Expired, Kicked, Overflowed, ServerClosed} {
		f(r, e.of(r).Load())
	}
}

func (e *Ended) of(r Reason) *atomic.Int64 {
	switch r {
	case Disconnected:
		return &e.Disconnected
	case Expired:
		return &e.Expired
	case Kicked:
		return &e.Kicked
	case Overflowed:
		return &e.Overflowed
	default:
		return &e.Closed
	}
}

// noteOutbox notes how much an outbox holds.
func (s *Stats) noteOutbox(messages, bytes int) {
	if s == nil {
		return
	}
	raise(&s.OutboxMessages, int64(messages))
	raise(&s.OutboxBytes, int64(bytes))
}

// raise makes a high-water mark at least n.
func raise(mark *atomic.Int64, n int64) {
	for old := mark.Load(); n > old && !mark.CompareAndSwap(old, n); old = mark.Load() {
	}
}
