// Station 12 of docs/road.md: bytes go out.

package bayeux

import "sync"

// A socket has no writer goroutine. A goroutine with something to write claims
// the write side, writes everything pending, and checks again before it releases
// the claim; one that finds it claimed sets dirty and returns. So at most one
// goroutine writes at a time, and what is queued during a write is batched into
// the next one.

// pending is what is queued on the socket besides the session's messages.
type pending struct {
	replies []*Reply
	control []byte // control frames
	size    int    // of the replies, about
}

// maxPendingReplies and maxPendingControl bound, in bytes, what is queued while a
// write blocks.
const (
	maxPendingReplies = 128 << 10
	maxPendingControl = 16 << 10
)

// queue adds replies to what is pending.
func (c *socket) queue(replies ...*Reply) {
	if len(replies) == 0 {
		return
	}
	c.mu.Lock()
	c.pending.replies = append(c.pending.replies, replies...)
	for _, r := range replies {
		c.pending.size += r.size()
	}
	c.mu.Unlock()
}

// sendControl writes a control frame.
func (c *socket) sendControl(frame []byte) {
	c.mu.Lock()
	c.pending.control = append(c.pending.control, frame...)
	c.mu.Unlock()
	c.writeAll()
	c.awaitSpace()
}

// sendEmpty answers a body without messages, which some clients send as their
// heartbeat.
// spec:1.4.7
func (c *socket) sendEmpty() {
	c.sendControl(c.wire.appendText(nil, func(b []byte) []byte { return append(b, "[]"...) }))
}

// awaitSpace applies backpressure: it blocks the reader while too much is
// pending behind a blocked write.
func (c *socket) awaitSpace() {
	c.mu.Lock()
	var freed chan struct{}
	p := &c.pending
	if c.writing && !c.closed && (p.size > maxPendingReplies || len(p.control) > maxPendingControl) {
		if c.spaceFreed == nil {
			c.spaceFreed = make(chan struct{})
		}
		freed = c.spaceFreed
	}
	c.mu.Unlock()
	if freed == nil {
		return
	}
	select {
	case <-freed:
	case <-c.ctx.Done():
	}
}

// flush writes what is pending. It never blocks: what the kernel does not accept
// at once is written by a new goroutine.
func (c *socket) flush() {
	if c.claim() {
		c.writePending(false)
	}
}

// writeAll writes what is pending and blocks until it is written, unless another
// goroutine has claimed the write side.
func (c *socket) writeAll() {
	if c.claim() {
		c.writePending(true)
	}
}

// claim claims the write side for the caller; false means that it is taken, and
// that its owner will check for pending data again.
func (c *socket) claim() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.writing {
		c.dirty = true
		return false
	}
	c.writing = true
	return true
}

// writePending writes until nothing is pending and releases the claim. With
// mayWait false it hands a write that would block, and the claim, to a new
// goroutine. Caller has claimed.
func (c *socket) writePending(mayWait bool) {
	for w := c.next(); w != nil; w = c.next() {
		for w.encode(c.wire) {
			rest := w.chunk[c.wire.try(w.chunk):]
			switch {
			case len(rest) == 0:
			case mayWait:
				if !c.finish(w, rest) {
					return
				}
			default:
				go func() {
					if c.finish(w, rest) {
						c.resumeWrite(w)
					}
				}()
				return
			}
		}
		c.written(w)
	}
}

// resumeWrite completes a write and continues as writePending(true). Caller has
// claimed.
func (c *socket) resumeWrite(w *socketWrite) {
	for w.encode(c.wire) {
		if !c.finish(w, w.chunk) {
			return
		}
	}
	c.written(w)
	c.writePending(true)
}

// next takes everything pending as one write; nil means that nothing is, and that
// the claim has been released. Caller has claimed.
func (c *socket) next() *socketWrite {
	for {
		c.mu.Lock()
		w := &socketWrite{session: c.session, replies: c.pending.replies, control: c.pending.control}
		c.pending, c.dirty = pending{}, false
		if c.spaceFreed != nil {
			close(c.spaceFreed)
			c.spaceFreed = nil
		}
		closed := c.closed
		c.mu.Unlock()
		if !closed && w.collect(c) {
			return w
		}
		c.mu.Lock()
		c.writing = c.dirty && !c.closed
		again := c.writing
		c.mu.Unlock()
		if !again {
			return nil
		}
	}
}

// finish writes the rest of a chunk, blocking. On a failure it closes the socket,
// requeues the messages that the client cannot have read, and returns false.
func (c *socket) finish(w *socketWrite, rest []byte) bool {
	err := c.wire.write(rest, c.srv.opts.WriteTimeout)
	if err == nil {
		return true
	}
	w.free()
	c.close(0, "")
	if s := w.session; s != nil {
		s.outbox.failed(w.messages, w.whole)
		if s.outbox.waiting() {
			s.notify() // the session may have another transport by now
		}
	}
	return false
}

// written is called when a write is complete.
func (c *socket) written(w *socketWrite) {
	w.free()
	if w.session == nil {
		return
	}
	w.session.outbox.settle(w.messages)
	if w.restart {
		w.session.answered()
	}
}

// frames are write buffers.
var frames = sync.Pool{New: func() any { return new([]byte) }}

// maxFrame bounds a frame of several messages, because the Java client accepts at
// most 64 KiB in one. maxChunk bounds what is encoded at a time, so that a client
// that does not read costs no second copy of its outbox.
const (
	maxFrame = 32 << 10
	maxChunk = 64 << 10
)

// socketWrite is one write: leading replies, messages, other replies, each kind in
// frames of its own. It is encoded and written in chunks.
// spec:7.3 spec:7.3.1 spec:14.8
type socketWrite struct {
	session  *Session
	control  []byte
	replies  []*Reply
	messages transmission
	restart  bool // it holds a reply whose write restarts the expiry

	buf     *[]byte // from a pool
	chunk   []byte  // what is being written, in buf
	whole   int     // messages in completed chunks
	encoded int     // messages in chunks up to this one
}

// collect adds the session's messages and says whether there is anything to
// write.
func (w *socketWrite) collect(c *socket) bool {
	if w.session != nil {
		w.messages = w.session.collectForSocket(c, w.replies)
		c.srv.wrote(w.session, len(w.messages.entries))
	}
	for _, r := range w.replies {
		w.restart = w.restart || r.channel == metaConnect || r.channel == metaHandshake
	}
	return len(w.replies) > 0 || len(w.messages.entries) > 0 || len(w.control) > 0
}

// encode makes the next chunk and says whether there is one.
func (w *socketWrite) encode(to *wire) bool {
	if w.buf == nil {
		w.buf = frames.Get().(*[]byte)
	}
	b := append((*w.buf)[:0], w.control...)
	w.control = nil
	w.whole = w.encoded
	b = w.encodeLeading(to, b)
	for list := w.messages.entries; w.encoded < len(list) && len(b) < maxChunk; {
		n := frameful(list[w.encoded:])
		part := list[w.encoded : w.encoded+n]
		b = to.appendText(b, func(b []byte) []byte { return appendArray(b, part, nil) })
		w.encoded += n
	}
	if w.encoded == len(w.messages.entries) && len(w.replies) > 0 {
		b = to.appendText(b, func(b []byte) []byte { return appendArray(b, nil, w.replies) })
		w.replies = nil
	}
	*w.buf, w.chunk = b, b
	return len(b) > 0
}

// encodeLeading appends the replies that go first, each in a frame of its own.
func (w *socketWrite) encodeLeading(to *wire, b []byte) []byte {
	rest := w.replies[:0]
	for _, r := range w.replies {
		if !r.lead {
			rest = append(rest, r)
			continue
		}
		b = to.appendText(b, func(b []byte) []byte { return append(r.append(append(b, '[')), ']') })
	}
	w.replies = rest
	return b
}

// frameful is the number of leading messages that fit into one frame, at least 1.
func frameful(list []entry) (n int) {
	for size := 0; n < len(list); n++ {
		if size += len(list[n].body) + 1; n > 0 && size > maxFrame {
			break
		}
	}
	return n
}

// free returns the buffer to its pool.
func (w *socketWrite) free() {
	if w.buf != nil {
		putBuffer(&frames, w.buf)
		w.buf, w.chunk = nil, nil
	}
}
