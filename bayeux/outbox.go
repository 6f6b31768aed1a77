package bayeux

import "sync"

// entry is one encoded message on its way to a client. The body is shared by
// every session that it goes to and never changed.
type entry struct {
	body []byte
	lazy bool // it waits for something else that goes the same way
}

// outbox is what waits for one client, in order and bounded. It is a slice
// and not a Go channel because a poll takes all at once, and because what
// could not be written comes back in front.
//
// What was written is kept as well, until the client is known to have it:
//
//   - with acks, the client says which batch it has received; every connect's
//     reply closes a batch and brings along all that is not acknowledged;
//   - with redeliver, a client that sends its next connect has read the reply
//     to the last one, and with it everything that was written ahead of that
//     reply on the same connection. When the client comes back on another
//     connection, what is left goes out once more, in front.
//
// Reading goroutines call take; whoever pushes calls the session's notify when
// push says so. The bound is judged here and nowhere else.
type outbox struct {
	// Static after construction.
	maxMessages, maxBytes int
	redeliver             bool
	acks                  bool // takes the place of redeliver

	mu sync.Mutex
	// Guarded by mu.
	queue  []entry
	bytes  int
	urgent int // how many of the queue are not lazy
	closed bool
	// notified says that the reader knows that there is something: no further notify
	// is due until it has taken.
	notified bool

	// What was written and is not known to have arrived, oldest first.
	written          []entry
	writtenBytes     int
	ackable          int        // how many of them were ahead of the last connect's reply
	before           int        // how many were written and are no longer among them
	truncated        bool       // some had to be dropped at the bound since that reply
	truncatedAckable bool       // some that were ahead of it had to be dropped
	lastBatch        int64      // with acks: the number of the last batch
	unacked          []ackBatch // with acks: what written is made of
}

// ackBatch is a number of messages that went out ahead of one connect's reply.
type ackBatch struct {
	id int64
	n  int
}

// push queues a message. notify says that the reader must be notified. The errors
// are [ErrGone] and [ErrOverflow]; after an overflow nothing more is queued.
// spec:13.2 spec:14.12
func (o *outbox) push(e entry) (notify bool, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n, size := len(o.queue), o.bytes
	if o.acks {
		n, size = n+len(o.written), size+o.writtenBytes
	}
	switch {
	case o.closed:
		return false, ErrGone
	case n >= o.maxMessages || size+len(e.body) > o.maxBytes && n > 0:
		o.closed = true
		return false, ErrOverflow
	}
	o.queue = append(o.queue, e)
	o.bytes += len(e.body)
	if e.lazy {
		return false, nil
	}
	o.urgent++
	notify = !o.notified
	o.notified = true
	return notify, nil
}

// hurry makes lazy messages urgent. notify is as in push.
func (o *outbox) hurry() (notify bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.urgent = len(o.queue)
	notify = o.urgent > 0 && !o.notified
	o.notified = o.notified || notify
	return notify
}

// take empties the outbox; the caller now owns what it held.
func (o *outbox) take() []entry {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.clear()
}

func (o *outbox) clear() []entry {
	q := o.queue
	o.queue, o.bytes, o.urgent, o.notified = nil, 0, 0, false
	return q
}

// takeBatch closes a batch for a connect's reply. It returns everything that
// is not acknowledged, what is new last, and the number for the reply.
// spec:11.1.1 spec:11.1.2
func (o *outbox) takeBatch() ([]entry, int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	size := o.bytes
	q := o.clear()
	o.lastBatch++
	if len(q) > 0 {
		o.written = append(o.written, q...)
		o.writtenBytes += size
		o.unacked = append(o.unacked, ackBatch{o.lastBatch, len(q)})
	}
	// A copy: acknowledgements move written while the caller writes.
	return append([]entry(nil), o.written...), o.lastBatch
}

// acknowledge forgets the batches up to a number.
// spec:11.1.2
func (o *outbox) acknowledge(id int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.unacked) > 0 && o.unacked[0].id <= id {
		o.drop(o.unacked[0].n)
		o.unacked = o.unacked[1:]
	}
}

// drop forgets the first n of written. Caller holds mu.
func (o *outbox) drop(n int) {
	for i := range n {
		o.writtenBytes -= len(o.written[i].body)
		o.written[i] = entry{}
	}
	o.before += n
	if o.written = o.written[n:]; len(o.written) == 0 {
		o.written = nil
	}
}

// wrote remembers what is being written. reply says that a connect's reply
// goes out behind it. written counts everything that was written so far.
func (o *outbox) wrote(q []entry, reply bool) (written int) {
	if !o.redeliver || o.acks {
		return 0
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.written = append(o.written, q...)
	for _, e := range q {
		o.writtenBytes += len(e.body)
	}
	for len(o.written) > o.maxMessages || o.writtenBytes > o.maxBytes && len(o.written) > 1 {
		o.drop(1)
		if o.ackable > 0 {
			o.ackable--
			o.truncatedAckable = true
		} else {
			o.truncated = true
		}
	}
	written = o.before + len(o.written)
	if reply {
		o.replied(written)
	}
	return written
}

// replied notes that a connect's reply is out behind so many that were written,
// as wrote counts them. Caller holds mu.
func (o *outbox) replied(written int) {
	if n := written - o.before; n >= o.ackable && n <= len(o.written) {
		o.ackable = n
		o.truncatedAckable, o.truncated = o.truncatedAckable || o.truncated, false
	}
}

// sent is called when a polled connect's reply is out. Until then no connect
// on another connection can confirm it.
func (o *outbox) sent(written int) {
	if !o.redeliver || o.acks {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.replied(written)
}

// confirm forgets what the client has read, as its next connect shows.
func (o *outbox) confirm() {
	if !o.redeliver || o.acks {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.drop(o.ackable)
	o.ackable, o.truncatedAckable = 0, false
}

// restore puts what was written and not confirmed back in front, because the
// client has come back on another connection. whole is false if some of it is
// no longer known.
// spec:14.17
func (o *outbox) restore() (whole bool) {
	if !o.redeliver || o.acks {
		return true
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	whole = !o.truncated && !o.truncatedAckable
	if len(o.written) > 0 {
		o.queue = append(o.written, o.queue...)
		o.bytes += o.writtenBytes
		o.urgent += len(o.written)
		o.notified = true
	}
	o.before += len(o.written)
	o.written, o.writtenBytes, o.ackable = nil, 0, 0
	o.truncated, o.truncatedAckable = false, false
	return whole
}

// failed returns what take gave and could not be written to the front, unless
// it is remembered anyway. It may exceed the bound: what was accepted is not
// dropped.
// spec:9.4
func (o *outbox) failed(q []entry) {
	if len(q) == 0 || o.redeliver || o.acks {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return
	}
	o.queue = append(q, o.queue...)
	for _, e := range q {
		o.bytes += len(e.body)
	}
	o.urgent += len(q)
	o.notified = true
}

// empty says whether nothing is queued, not even lazy messages.
func (o *outbox) empty() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.queue) == 0
}

// waiting says whether something is queued that a held connect must not wait
// with.
func (o *outbox) waiting() bool { return o.due() > 0 }

// due is how many of those there are.
func (o *outbox) due() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.acks {
		return o.urgent + len(o.written)
	}
	return o.urgent
}

// close refuses everything from now on. What is queued can still be taken,
// unless it is to be dropped.
func (o *outbox) close(drop bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	if drop || !o.acks {
		o.written, o.writtenBytes, o.ackable, o.unacked = nil, 0, 0, nil
	}
	if drop {
		o.clear()
	}
}
