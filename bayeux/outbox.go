// Station 11 of docs/road.md: it is queued.

package bayeux

import (
	"slices"
	"sync"
)

// entry is one encoded message on its way to a client. The body is shared by
// every session that it goes to and never changed.
type entry struct {
	body []byte
	lazy bool // it causes no write of its own
}

// outbox is the bounded queue of messages for one client, oldest first:
//
//	entries[:sent]   handed to a transport, kept until the client is known to have them
//	entries[sent:]   waiting
//
// What was handed out is kept in one of three ways:
//
//   - with acks, until the client acknowledges its batch: every connect's reply
//     closes a batch and brings along all that is not acknowledged;
//   - with redeliver, until the next connect confirms it: a client that sends its
//     next connect has read the reply to the last one, and with it everything
//     that was written ahead of that reply on the same connection. When the
//     client comes back on another connection, what is left waits again;
//   - otherwise not at all: then sent is 0.
//
// A position counts the messages that have ever been queued: entries[i] has the
// position base+i. The invariants, which the tests check after every step:
//
//   - 0 ≤ sent ≤ len(entries), and sent is 0 without acks and redeliver
//   - sentBytes and waitingBytes are the sums of the bodies on either side
//   - urgent is the number of waiting entries that are not lazy
//   - replied ≤ base+sent, and evicted ≤ base
//   - the unacknowledged batches add up to sent, with ascending ids
//
// It is a slice and not a Go channel because a poll takes all at once, and
// because what could not be written comes back in front. The bound is judged in
// push and nowhere else.
type outbox struct {
	// Static after construction.
	maxMessages, maxBytes int
	redeliver             bool
	acks                  bool // takes the place of redeliver
	stats                 *Stats

	mu sync.Mutex
	// Guarded by mu.
	entries      []entry
	sent         int
	sentBytes    int
	waitingBytes int
	inFlight     int // bytes handed out and not settled yet
	urgent       int
	closed       bool
	notified     bool // the transport has been notified and has not taken since

	base    int64 // how many have been removed from the front
	replied int64 // behind the last entry that was ahead of the last connect's reply
	evicted int64 // behind the last entry that was dropped at the bound, unconfirmed; 0 if none was
	epoch   int   // counts restores: a transmission of an earlier epoch cannot be confirmed

	lastBatch int64      // with acks: the number of the last batch
	unacked   []ackBatch // with acks: what entries[:sent] is made of
}

// ackBatch is a number of messages that went out ahead of one connect's reply.
type ackBatch struct {
	id int64
	n  int
}

// transmission is a run of messages that a transport has taken to write. It is
// settled once, with settle or failed.
type transmission struct {
	entries []entry
	bytes   int
	end     int64 // the position behind it
	epoch   int
}

// push queues a message. notify says that the transport must be notified. The errors
// are [ErrGone] and [ErrOverflow]; after an overflow nothing more is queued.
// spec:13.2 spec:14.12
func (o *outbox) push(e entry) (notify bool, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return false, ErrGone
	}
	for o.redeliver && o.sent > 0 && o.full(e) {
		o.drop(1)
		o.evicted = o.base
	}
	if o.full(e) {
		o.closed = true
		return false, ErrOverflow
	}
	o.entries = append(o.entries, e)
	o.waitingBytes += len(e.body)
	o.stats.noteOutbox(len(o.entries), o.retained())
	if e.lazy {
		return false, nil
	}
	o.urgent++
	notify = !o.notified
	o.notified = true
	return notify, nil
}

// full says whether there is no room for a message. One that is larger than
// the bound has room where nothing else is. Caller holds mu.
func (o *outbox) full(e entry) bool {
	retained := o.retained()
	return len(o.entries) >= o.maxMessages || retained > 0 && retained+len(e.body) > o.maxBytes
}

// retained is the size of everything that waits, is being written or is not
// confirmed. What is in flight is the newest part of what was handed out, and
// may be all that is left of it. Caller holds mu.
func (o *outbox) retained() int { return o.waitingBytes + max(o.sentBytes, o.inFlight) }

// makeUrgent makes lazy messages urgent. notify is as in push.
func (o *outbox) makeUrgent() (notify bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	waiting := o.entries[o.sent:]
	for i := range waiting {
		waiting[i].lazy = false
	}
	o.urgent = len(waiting)
	notify = o.urgent > 0 && !o.notified
	o.notified = o.notified || notify
	return notify
}

// take hands out everything that waits.
func (o *outbox) take() transmission {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.takeLocked()
}

// takeLocked is take. Caller holds mu.
func (o *outbox) takeLocked() transmission {
	h := transmission{entries: o.entries[o.sent:], bytes: o.waitingBytes, epoch: o.epoch}
	if o.redeliver || o.acks {
		h.entries = slices.Clone(h.entries) // drop clears ours while the transport writes
		o.sent = len(o.entries)
		o.sentBytes += o.waitingBytes
	} else {
		o.base += int64(len(o.entries))
		o.entries = nil
	}
	o.waitingBytes, o.urgent, o.notified = 0, 0, false
	o.inFlight += h.bytes
	h.end = o.base + int64(o.sent)
	return h
}

// settle notes that a transmission has been written, or will never be.
func (o *outbox) settle(h transmission) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.inFlight -= h.bytes
}

// failed is settle for a transmission of which the first n entries were written. The
// others wait again, in front, unless they are kept anyway. They may exceed the
// bound: what was accepted is not dropped.
// spec:9.4
func (o *outbox) failed(h transmission, n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.inFlight -= h.bytes
	back := h.entries[n:]
	if len(back) == 0 || o.redeliver || o.acks || o.closed {
		return
	}
	o.entries = append(slices.Clone(back), o.entries...)
	for i := range back {
		o.waitingBytes += len(back[i].body)
		o.entries[i].lazy = false
	}
	o.base -= int64(len(back))
	o.urgent += len(back)
	o.notified = true
}

// takeBatch closes a batch for a connect's reply. It hands out everything that
// is not acknowledged, what is new last, and the number for the reply.
// spec:11.1.1 spec:11.1.2
func (o *outbox) takeBatch() (transmission, int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	h := o.takeLocked()
	o.lastBatch++
	if n := len(h.entries); n > 0 {
		o.unacked = append(o.unacked, ackBatch{o.lastBatch, n})
	}
	o.inFlight += o.sentBytes - h.bytes
	h.entries, h.bytes = slices.Clone(o.entries), o.sentBytes
	return h, o.lastBatch
}

// acknowledge drops the batches up to a number.
// spec:11.1.2
func (o *outbox) acknowledge(id int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.unacked) > 0 && o.unacked[0].id <= id {
		o.drop(o.unacked[0].n)
		o.unacked = o.unacked[1:]
	}
}

// drop removes the first n entries, which have been sent. Caller holds mu.
func (o *outbox) drop(n int) {
	for i := range n {
		o.sentBytes -= len(o.entries[i].body)
		o.entries[i] = entry{}
	}
	o.base += int64(n)
	o.sent -= n
	if o.entries = o.entries[n:]; len(o.entries) == 0 {
		o.entries = nil
	}
}

// reply records that a connect's reply is written behind a transmission: the next
// connect confirms it. A transmission from before a restore does not count.
func (o *outbox) reply(h transmission) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.redeliver && h.epoch == o.epoch {
		o.replied = max(o.replied, h.end)
	}
}

// confirm drops what the client has read, as its next connect shows.
func (o *outbox) confirm() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.redeliver {
		return
	}
	o.drop(int(max(o.replied-o.base, 0)))
	if o.evicted <= o.replied {
		o.evicted = 0
	}
}

// restore has everything wait again that was handed out and not confirmed,
// because the client has come back on another connection. whole is false if
// some of it is no longer known.
// spec:14.17
func (o *outbox) restore() (whole bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.redeliver {
		return true
	}
	whole = o.evicted == 0
	if o.sent > 0 {
		for i := range o.sent {
			o.entries[i].lazy = false
		}
		o.urgent += o.sent
		o.notified = true
	}
	o.waitingBytes += o.sentBytes
	o.sent, o.sentBytes = 0, 0
	o.replied, o.evicted = min(o.replied, o.base), 0
	o.epoch++
	return whole
}

// empty says whether nothing waits, not even lazy messages.
func (o *outbox) empty() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.entries) == o.sent
}

// waiting says whether there are messages that must not wait: urgent ones, or
// unacknowledged ones.
func (o *outbox) waiting() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.urgent > 0 || o.acks && o.sent > 0
}

// close refuses everything from now on. What waits can still be taken, unless
// it is to be dropped.
func (o *outbox) close(drop bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	if drop || !o.acks {
		o.drop(o.sent)
		o.unacked = nil
	}
	if drop {
		o.base += int64(len(o.entries))
		o.entries, o.waitingBytes, o.urgent = nil, 0, 0
	}
}
