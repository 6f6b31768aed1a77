package bayeux

import "sync"

// A socket has no goroutine that writes. Whoever finds something to write
// claims the writing, takes all that waits, and looks again when that is out;
// whoever comes meanwhile leaves a note (again) and goes. So at most one
// goroutine writes at a time, and what waits meanwhile leaves in one write.

// pending is what waits to be written besides the session's messages.
type pending struct {
	replies []*Reply
	control []byte // control frames
	size    int    // of the replies, about
}

// maxPendingReplies and maxPendingControl bound, in bytes, what waits while
// somebody is stuck in a write.
const (
	maxPendingReplies = 128 << 10
	maxPendingControl = 16 << 10
)

// queue adds replies to what is to be written.
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
	c.awaitRoom()
}

// sendEmpty answers a body without messages, which some clients send as their
// heartbeat.
// spec:1.4.7
func (c *socket) sendEmpty() {
	c.sendControl(c.wire.appendText(nil, func(b []byte) []byte { return append(b, "[]"...) }))
}

// awaitRoom keeps the reader from reading on while too much waits to be
// written: a client that does not read is not read from.
func (c *socket) awaitRoom() {
	c.mu.Lock()
	var room chan struct{}
	p := &c.pending
	if c.writing && !c.closed && (p.size > maxPendingReplies || len(p.control) > maxPendingControl) {
		if c.room == nil {
			c.room = make(chan struct{})
		}
		room = c.room
	}
	c.mu.Unlock()
	if room == nil {
		return
	}
	select {
	case <-room:
	case <-c.ctx.Done():
	}
}

// flush writes what there is. It never blocks: what the system does not take
// at once is written by a goroutine of its own.
func (c *socket) flush() {
	if c.claim() {
		c.drain(false)
	}
}

// writeAll writes what there is, unless somebody is writing already, who will
// then look again.
func (c *socket) writeAll() {
	if c.claim() {
		c.drain(true)
	}
}

// claim makes the caller the one who writes.
func (c *socket) claim() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.writing {
		c.again = true
		return false
	}
	c.writing = true
	return true
}

// drain writes until there is nothing left, and gives up the claim. If the
// caller must not wait, what blocks goes on in a goroutine. Caller has claimed.
func (c *socket) drain(mayWait bool) {
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
						c.drainRest(w)
					}
				}()
				return
			}
		}
		c.written(w)
	}
}

// drainRest goes on with a write, and then with all that waits, as drain(true).
func (c *socket) drainRest(w *outgoing) {
	for w.encode(c.wire) {
		if !c.finish(w, w.chunk) {
			return
		}
	}
	c.written(w)
	c.drain(true)
}

// next takes what there is to write; nil means nothing, and then the claim is
// given up. Caller has claimed.
func (c *socket) next() *outgoing {
	for {
		c.mu.Lock()
		w := &outgoing{session: c.session, replies: c.pending.replies, control: c.pending.control}
		c.pending, c.again = pending{}, false
		if c.room != nil {
			close(c.room)
			c.room = nil
		}
		closed := c.closed
		c.mu.Unlock()
		if !closed && w.collect(c) {
			return w
		}
		c.mu.Lock()
		c.writing = c.again && !c.closed
		again := c.writing
		c.mu.Unlock()
		if !again {
			return nil
		}
	}
}

// finish writes the rest of a chunk and waits for it. It is false if that was
// not possible; then the socket is closed, and what the client cannot have read
// waits for its next connection.
func (c *socket) finish(w *outgoing, rest []byte) bool {
	err := c.wire.write(rest, c.srv.opts.WriteTimeout)
	if err == nil {
		return true
	}
	w.free()
	c.close(0, "")
	if s := w.session; s != nil {
		s.outbox.failed(w.messages, w.whole)
		if s.outbox.waiting() {
			s.notify() // it may be reached in another way by now
		}
	}
	return false
}

// written is called when all of a write is out.
func (c *socket) written(w *outgoing) {
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

// A frame of several messages is cut at maxFrame, because the Java client takes
// no more than 64 KiB in one. Frames are encoded maxChunk bytes at a time, so
// that a client that does not read costs no second copy of what waits for it.
const (
	maxFrame = 32 << 10
	maxChunk = 64 << 10
)

// outgoing is a write: leading replies, messages, other replies, each kind in
// frames of its own. It is encoded and written in chunks.
// spec:7.3 spec:7.3.1 spec:14.8
type outgoing struct {
	session  *Session
	control  []byte
	replies  []*Reply
	messages handout
	restart  bool // the expiry starts anew when it is out

	buf     *[]byte // from a pool
	chunk   []byte  // what is being written, in buf
	whole   int     // so many messages are out for good, in the chunks before
	encoded int     // so many are in chunks up to this one
}

// collect adds the session's messages and says whether there is anything to
// write.
func (w *outgoing) collect(c *socket) bool {
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
func (w *outgoing) encode(to *wire) bool {
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

// encodeLeading appends the replies that stand alone and go first.
func (w *outgoing) encodeLeading(to *wire, b []byte) []byte {
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

// frameful is how many of the messages go into one frame.
func frameful(list []entry) (n int) {
	for size := 0; n < len(list); n++ {
		if size += len(list[n].body) + 1; n > 0 && size > maxFrame {
			break
		}
	}
	return n
}

// free gives the buffer back.
func (w *outgoing) free() {
	if w.buf != nil {
		putBuffer(&frames, w.buf)
		w.buf, w.chunk = nil, nil
	}
}
