package bayeux

import "sync/atomic"

// Stats counts what happened since the server was made.
type Stats struct {
	Handshakes atomic.Int64 // successful ones
	Messages   atomic.Int64 // received, of every kind
	Refused    atomic.Int64 // answered with successful: false
	BadBodies  atomic.Int64 // bodies that were refused as a whole
	Deliveries atomic.Int64 // messages queued for a session
	Overflows  atomic.Int64 // sessions ended because too much waited for them
	Expired    atomic.Int64 // sessions that stayed away for too long
	OutboxMost struct {
		Messages, Bytes atomic.Int64
	} // the most that one session's outbox has held
}

// noteOutbox notes how much an outbox holds.
func (s *Stats) noteOutbox(messages, bytes int) {
	if s == nil {
		return
	}
	raise(&s.OutboxMost.Messages, int64(messages))
	raise(&s.OutboxMost.Bytes, int64(bytes))
}

// raise makes a high-water mark at least n.
func raise(mark *atomic.Int64, n int64) {
	for old := mark.Load(); n > old && !mark.CompareAndSwap(old, n); old = mark.Load() {
	}
}
