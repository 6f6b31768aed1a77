package bayeux

import "sync"

// entry is one encoded message on its way to a client. The body is shared by
// every session that it goes to and never changed.
type entry struct{ body []byte }

// outbox is what waits for one client, in order and bounded. It is a slice
// and not a Go channel because a poll takes all at once, and because what
// could not be written comes back in front.
//
// Reading goroutines call take; whoever pushes calls the session's wake when
// push says so. The bound is judged here and nowhere else.
type outbox struct {
	// Static after construction.
	maxMessages, maxBytes int

	mu sync.Mutex
	// Guarded by mu.
	queue  []entry
	bytes  int
	closed bool
	// told says that the reader knows that there is something: no further wake
	// is due until it has taken.
	told bool
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

// putBack returns what take gave and could not be written to the front. It
// may exceed the bound: what was accepted is not dropped.
func (o *outbox) putBack(q []entry) {
	if len(q) == 0 {
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

// close refuses everything from now on. What is queued can still be taken.
func (o *outbox) close() {
	o.mu.Lock()
	o.closed = true
	o.mu.Unlock()
}
