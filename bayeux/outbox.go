package bayeux

import "sync"

// entry is one encoded message on its way to a client. The body is shared by
// every session that it goes to and never changed.
type entry struct{ body []byte }

// outbox is what waits for one client, in order and bounded. It is a slice
// and not a Go channel because a poll takes all at once, and because what
// could not be written comes back in front.
//
// With redeliver it also remembers what was written and not confirmed yet. A
// client that sends its next connect has read the reply to the last one, and
// with it everything that was written ahead of that reply on the same
// connection. When the client comes back on another connection, what is left
// goes out once more, in front.
//
// Reading goroutines call take; whoever pushes calls the session's wake when
// push says so. The bound is judged here and nowhere else.
type outbox struct {
	// Static after construction.
	maxMessages, maxBytes int
	redeliver             bool

	mu sync.Mutex
	// Guarded by mu.
	queue  []entry
	bytes  int
	closed bool
	// told says that the reader knows that there is something: no further wake
	// is due until it has taken.
	told bool

	// With redeliver only. Guarded by mu.
	written      []entry // not confirmed, oldest first
	writtenBytes int
	mark         int  // how many of them were ahead of the last connect's reply
	forgot       bool // some of them had to be dropped at the bound
}

// wrote remembers what is being written. reply says that a connect's reply
// went out behind it.
func (o *outbox) wrote(q []entry, reply bool) {
	if !o.redeliver {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.written = append(o.written, q...)
	for _, e := range q {
		o.writtenBytes += len(e.body)
	}
	for len(o.written) > o.maxMessages || o.writtenBytes > o.maxBytes && len(o.written) > 1 {
		o.writtenBytes -= len(o.written[0].body)
		o.written[0] = entry{}
		o.written = o.written[1:]
		o.mark = max(o.mark-1, 0)
		o.forgot = true
	}
	if reply {
		o.mark = len(o.written)
	}
}

// confirm forgets what the client has read, as its next connect shows.
func (o *outbox) confirm() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, e := range o.written[:o.mark] {
		o.writtenBytes -= len(e.body)
	}
	o.written, o.mark = o.written[o.mark:], 0
	if len(o.written) == 0 {
		o.written, o.forgot = nil, false
	}
}

// restore puts what was written and not confirmed back in front, because the
// client has come back on another connection. whole is false if some of it is
// no longer known.
func (o *outbox) restore() (whole bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	whole = !o.forgot
	if len(o.written) > 0 {
		o.queue = append(o.written, o.queue...)
		o.bytes += o.writtenBytes
		o.told = true
	}
	o.written, o.writtenBytes, o.mark, o.forgot = nil, 0, 0, false
	return whole
}

// push queues a message. wake says that the reader must be told. The errors
// are [ErrGone] and [ErrOverflow]; after an overflow nothing more is queued.
func (o *outbox) push(e entry) (wake bool, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.closed:
		return false, ErrGone
	case len(o.queue) >= o.maxMessages || o.bytes+len(e.body) > o.maxBytes && len(o.queue) > 0:
		o.closed = true
		return false, ErrOverflow
	}
	o.queue = append(o.queue, e)
	o.bytes += len(e.body)
	wake = !o.told
	o.told = true
	return wake, nil
}

// take empties the outbox; the caller now owns what it held.
func (o *outbox) take() []entry {
	o.mu.Lock()
	defer o.mu.Unlock()
	q := o.queue
	o.queue, o.bytes, o.told = nil, 0, false
	return q
}

// failed returns what take gave and could not be written to the front, unless
// wrote remembers it anyway. It may exceed the bound: what was accepted is not
// dropped.
func (o *outbox) failed(q []entry) {
	if len(q) == 0 || o.redeliver {
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
	o.told = true
}

// waiting says whether something is queued.
func (o *outbox) waiting() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.queue) > 0
}

// close refuses everything from now on. What is queued can still be taken,
// unless it is to be dropped.
func (o *outbox) close(drop bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	o.written, o.writtenBytes, o.mark = nil, 0, 0
	if drop {
		o.queue, o.bytes = nil, 0
	}
}
