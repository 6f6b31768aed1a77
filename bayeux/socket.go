package bayeux

import (
	"context"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/gobwas/ws"
)

// socket is one WebSocket: it reads in a goroutine of its own, outside of the
// HTTP handler, whose memory is thereby free, and writes in whichever
// goroutine finds something to write while nobody else writes. An idle one
// costs one goroutine and a small buffer.
type socket struct {
	// Static after construction.
	srv    *Server
	wire   *wire
	peer   *peer
	ctx    context.Context // ends when the socket closes
	cancel context.CancelFunc

	mu sync.Mutex
	// Guarded by mu.
	session *Session // the one heard on it last
	out     []*Reply // replies to write
	raw     []byte   // control frames to write
	writing bool     // somebody is in writeAll
	again   bool     // and must look once more before leaving
	closed  bool
	room    chan struct{} // closed when replies have been taken; nil unless the reader waits
}

// bodies are read buffers; those that grew large are not kept.
var bodies = sync.Pool{New: func() any { return new([]byte) }}

// frames are write buffers.
var frames = sync.Pool{New: func() any { return new([]byte) }}

const keepBuffer = 16 << 10

// putBuffer returns a buffer that has not grown too large to its pool.
func putBuffer(p *sync.Pool, buf *[]byte) {
	if cap(*buf) <= keepBuffer {
		p.Put(buf)
	}
}

// serveWebSocket upgrades a request and leaves the connection to a goroutine
// of its own.
func (srv *Server) serveWebSocket(w http.ResponseWriter, r *http.Request) {
	// spec:12.6
	if srv.opts.CheckOrigin != nil && !srv.opts.CheckOrigin(r) {
		srv.stats.BadBodies.Add(1)
		http.Error(w, "pages of this origin may not connect", http.StatusForbidden)
		return
	}
	p, err := srv.peer(r, transportWebSocket)
	if err != nil {
		http.Error(w, "not signed in", http.StatusUnauthorized)
		return
	}
	var cookie *http.Cookie
	if !p.known && !srv.opts.NoSocketCookie {
		// spec:8.3
		cookie = srv.cookie(p, r)
	}
	conn, err := upgrade(w, r, cookie, srv.opts.Deflate)
	if err != nil {
		srv.stats.BadBodies.Add(1)
		return
	}
	c := &socket{srv: srv, wire: conn, peer: p}
	// The request's context ends with the handler; the socket lives on.
	c.ctx, c.cancel = context.WithCancel(srv.base)
	srv.mu.Lock()
	if srv.closed {
		srv.mu.Unlock()
		c.cancel()
		_ = conn.conn.Close()
		return
	}
	srv.open[c] = struct{}{}
	srv.sockets.Add(1)
	srv.mu.Unlock()
	go c.read()
}

// read is the socket's goroutine.
func (c *socket) read() {
	defer c.srv.sockets.Done()
	defer c.gone()
	// spec:14.20
	defer func() {
		if v := recover(); v != nil {
			c.srv.opts.Logger.Error("bayeux: a handler panicked", "panic", v, "stack", string(debug.Stack()))
			c.close(closeInternal, "an error in the server")
		}
	}()
	for c.readOne() {
	}
}

// silence is how long a socket may say nothing before it counts as dead: a
// client with a session sends a connect at least this often.
// spec:10.9
func (c *socket) silence() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session == nil {
		return 30 * time.Second
	}
	o := &c.srv.opts
	return o.Timeout + o.Interval + o.MaxInterval + 30*time.Second
}

func (c *socket) readOne() bool {
	if err := c.wire.conn.SetReadDeadline(time.Now().Add(c.silence())); err != nil {
		return false
	}
	// A client that is silent keeps no buffer for what it may say.
	if c.wire.wait() != nil {
		return false
	}
	buf := bodies.Get().(*[]byte)
	defer putBuffer(&bodies, buf)
	body, err := c.wire.readMessage(*buf, c.srv.opts.MaxMessageSize, c.sendRaw)
	if err != nil {
		if code, text, ours := closeCode(err); ours {
			c.srv.stats.BadBodies.Add(1)
			c.refuse(code, text)
		}
		return false
	}
	*buf = body
	messages, err := decode(body, c.srv.opts.MaxBatch, c.srv.opts.MaxDepth)
	if err != nil {
		c.srv.stats.BadBodies.Add(1)
		c.refuse(closeMalformed, err.Error())
		return false
	}
	return c.process(messages)
}

// spec:10.5
func (c *socket) process(messages []*Message) bool {
	b := batch{srv: c.srv, peer: c.peer, session: c.srv.find(c.peer, messages[0].ClientID)}
	defer b.end(false)
	if b.session != nil && !isConnect(messages[0]) {
		b.begin(b.session)
	}
	if b.session != nil {
		c.carry(b.session)
	}
	err := b.run(c.ctx, messages)
	if b.fresh {
		c.queue(b.replies...)
		b.replies = nil
		c.carry(b.session)
	}
	if err != nil {
		c.srv.stats.BadBodies.Add(1)
		c.refuse(closeProtocol, err.Error())
		return false
	}
	// spec:7.3.2
	if b.connect != nil {
		c.hold(&b)
	}
	c.queue(b.replies...)
	b.end(true)
	c.writeAll()
	c.pause()
	for _, r := range b.replies {
		if r.channel == metaDisconnect && r.err == nil {
			c.closeLater(b.session)
		}
	}
	return true
}

// carry makes this socket the session's, and the session the socket's. A
// session that was heard on it before is no longer reached through it.
func (c *socket) carry(s *Session) {
	c.mu.Lock()
	old := c.session
	c.session = s
	c.mu.Unlock()
	if old != nil && old != s {
		old.detach(c)
	}
	s.attach(c, false)
}

// hold keeps the connect: nothing waits for it but the session's timer.
func (c *socket) hold(b *batch) {
	s, r := b.session, b.connect
	h := &hold{cycle: b.cycle, reply: r, until: time.Now().Add(b.wait)}
	h.release = func(o outcome) {
		// Whoever ends the hold, a timer or another client, has no part in it.
		// spec:14.20
		defer func() {
			if v := recover(); v != nil {
				c.srv.opts.Logger.Error("bayeux: an extension panicked", "panic", v, "stack", string(debug.Stack()))
				c.close(closeInternal, "an error in the server")
			}
		}()
		switch o {
		case holdReplaced:
			// spec:7.6.2
			return // the newer connect's reply is the only one (7.6)
		case holdOver:
			r.over(s.reason())
		case holdDrain:
			r.advice = c.srv.drainAdvice()
		}
		c.queue(r.finish(s))
		c.flush()
	}
	if !s.hold(h) {
		c.queue(r.over(s.reason()).finish(s))
	}
}

// queue adds replies to what is to be written.
func (c *socket) queue(replies ...*Reply) {
	if len(replies) == 0 {
		return
	}
	c.mu.Lock()
	c.out = append(c.out, replies...)
	c.mu.Unlock()
}

func (c *socket) sendRaw(frame []byte) {
	c.mu.Lock()
	c.raw = append(c.raw, frame...)
	c.mu.Unlock()
	c.writeAll()
	c.pause()
}

// maxReplies and maxRaw, in bytes, bound what waits while somebody is stuck in
// a write.
const (
	maxReplies = 1000
	maxRaw     = 16 << 10
)

// pause keeps the reader from reading on while too much waits to be written:
// a client that does not read is not read from.
func (c *socket) pause() {
	c.mu.Lock()
	var room chan struct{}
	if c.writing && !c.closed && (len(c.out) > maxReplies || len(c.raw) > maxRaw) {
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
	if !c.claim() {
		return
	}
	if c.wire.raw == nil {
		go c.drainClaimed()
		return
	}
	if rest, more := c.drainNow(); more {
		go func() {
			if c.finish(rest) {
				c.drainClaimed()
			}
		}()
	}
}

// writeAll writes what there is, unless somebody is writing already, who will
// then look again.
func (c *socket) writeAll() {
	if c.claim() {
		c.drainClaimed()
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

// drainClaimed writes until there is nothing left. Caller has claimed.
func (c *socket) drainClaimed() {
	for {
		rest, more := c.drainNow()
		if !more || !c.finish(rest) {
			return
		}
	}
}

// take is what leaves in one write.
type take struct {
	session  *Session
	raw      []byte // control frames
	queued   []entry
	replies  []*Reply
	buf      *[]byte // the frames, from a pool
	written  int     // how much of them is out
	messages int     // where the messages' frames end
}

// next takes what there is to write; nil means nothing, and then the claim is
// given up. Caller has claimed.
func (c *socket) next() *take {
	for {
		c.mu.Lock()
		t := &take{replies: c.out, raw: c.raw, session: c.session}
		if c.room != nil {
			close(c.room)
			c.room = nil
		}
		c.out, c.raw, c.again = nil, nil, false
		closed := c.closed
		c.mu.Unlock()
		if !closed && t.session != nil {
			t.queued = t.session.collectFor(c, t.replies)
		}
		if !closed && (len(t.replies) > 0 || len(t.queued) > 0 || len(t.raw) > 0) {
			return t
		}
		c.mu.Lock()
		again := c.again && !c.closed
		c.writing = again
		c.mu.Unlock()
		if !again {
			return nil
		}
	}
}

// drainNow writes what the system takes at once. With more, rest is the write
// that it stopped in, and the claim is kept; otherwise there is nothing left.
// Caller has claimed.
func (c *socket) drainNow() (rest *take, more bool) {
	for {
		t := c.next()
		if t == nil {
			return nil, false
		}
		c.encode(t)
		if t.written = c.wire.try(*t.buf); t.written < len(*t.buf) {
			return t, true
		}
		c.done(t)
	}
}

// finish writes the rest of a take and waits for it. It is false if that was
// not possible; then the socket is closed.
func (c *socket) finish(t *take) bool {
	n, err := c.wire.write((*t.buf)[t.written:], c.srv.opts.WriteTimeout)
	if t.written += n; err == nil {
		c.done(t)
		return true
	}
	if t.session != nil && t.written < t.messages {
		// The last frame of them is not whole, so the client cannot have read
		// it: they go out again on the next connection, at least once.
		t.session.outbox.failed(t.queued)
	}
	putBuffer(&frames, t.buf)
	c.close(0, "")
	if t.session != nil && t.session.outbox.waiting() {
		t.session.notify() // it may be reached in another way by now
	}
	return false
}

// done is called when all of a take is out.
func (c *socket) done(t *take) {
	putBuffer(&frames, t.buf)
	if t.session == nil {
		return
	}
	for _, r := range t.replies {
		if r.channel == metaConnect || r.channel == metaHandshake {
			t.session.answered()
			return
		}
	}
}

// maxFrame is where a frame of several messages is cut: the Java client takes
// no more than 64 KiB in one.
const maxFrame = 32 << 10

// encode makes the frames of a take: leading replies, messages, other replies,
// each kind in frames of its own.
// spec:7.3 spec:7.3.1 spec:14.8
func (c *socket) encode(t *take) {
	t.buf = frames.Get().(*[]byte)
	b := append((*t.buf)[:0], t.raw...)
	rest := t.replies[:0:0]
	for _, r := range t.replies {
		if !r.lead {
			rest = append(rest, r)
			continue
		}
		b = c.wire.appendText(b, func(b []byte) []byte { return append(r.append(append(b, '[')), ']') })
	}
	for from := 0; from < len(t.queued); {
		size, to := 0, from
		for to < len(t.queued) && (to == from || size+len(t.queued[to].body) < maxFrame) {
			size += len(t.queued[to].body) + 1
			to++
		}
		part := t.queued[from:to]
		b = c.wire.appendText(b, func(b []byte) []byte { return appendArray(b, part, nil) })
		from = to
	}
	t.messages = len(b)
	if len(rest) > 0 {
		b = c.wire.appendText(b, func(b []byte) []byte { return appendArray(b, nil, rest) })
	}
	*t.buf = b
	if t.session != nil {
		c.srv.wrote(t.session, len(t.queued))
	}
}

// sessionEnded tells the socket that its session is over.
func (c *socket) sessionEnded(s *Session, reason Reason) {
	switch reason {
	case ServerClosed:
		// A client that does not read must not keep the others waiting.
		go c.close(closeGoingAway, "the server is closing")
	// spec:9.5
	case Expired:
		c.closeIf(s)
	case Kicked:
		c.flush()
		c.closeLater(s)
	}
}

// closeGrace is how long a client has to close its WebSocket after a
// disconnect before the server does.
// spec:6.6.1
const closeGrace = 5 * time.Second

func (c *socket) closeLater(s *Session) {
	t := time.AfterFunc(closeGrace, func() { c.closeIf(s) })
	context.AfterFunc(c.ctx, func() { t.Stop() })
}

// closeIf closes the socket unless another session is heard on it by now.
func (c *socket) closeIf(s *Session) {
	c.mu.Lock()
	same := c.session == s
	c.mu.Unlock()
	if same {
		c.close(closeNormal, "")
	}
}

// close closes the connection, with a close frame if there is a code.
func (c *socket) close(code ws.StatusCode, text string) {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return
	}
	c.closed = true
	writing := c.writing
	c.mu.Unlock()
	if code != 0 && !writing {
		// Best effort: the connection closes anyway.
		_, _ = c.wire.write(closeFrame(code, text), time.Second)
	}
	_ = c.wire.conn.Close()
	c.cancel()
}

// refuse closes the socket for what the client did wrong. It reads on for a
// little while, because closing with unread bytes resets the connection, and
// the client would never see the code.
func (c *socket) refuse(code ws.StatusCode, text string) {
	c.mu.Lock()
	quiet := !c.writing && !c.closed
	c.mu.Unlock()
	if quiet {
		if _, err := c.wire.write(closeFrame(code, text), time.Second); err == nil {
			c.wire.linger(time.Second, 1<<20)
		}
	}
	c.close(0, "")
}

// gone runs when the read loop ends.
func (c *socket) gone() {
	c.close(closeNormal, "")
	c.mu.Lock()
	s := c.session
	c.mu.Unlock()
	if s != nil {
		s.detach(c)
	}
	c.srv.mu.Lock()
	delete(c.srv.open, c)
	c.srv.mu.Unlock()
}
