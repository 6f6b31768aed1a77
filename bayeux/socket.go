// Station 1 of docs/road.md: bytes come in.

package bayeux

import (
	"context"
	"errors"
	"net/http"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/gobwas/ws"
)

// socket is one WebSocket, and the transport of the session last heard on it. It
// reads in a goroutine of its own, outside of the HTTP handler, whose stack and
// buffers are released. socketwrite.go describes the write side. An idle socket
// costs one goroutine and a small buffer.
type socket struct {
	// Static after construction.
	srv    *Server
	wire   *wire
	peer   *peer
	ctx    context.Context // ends when the socket closes
	cancel context.CancelFunc
	opened time.Time

	mu sync.Mutex
	// Guarded by mu.
	session    *Session // the one heard on it last
	pending    pending
	writing    bool // the write side is claimed
	dirty      bool // its owner must check for pending data before it releases the claim
	closed     bool
	spaceFreed chan struct{} // closed when replies have been taken; nil unless the reader waits
}

// bodies are read buffers; those that grew large are not kept.
var bodies = sync.Pool{New: func() any { return new([]byte) }}

const keepBuffer = 16 << 10

// putBuffer returns a buffer that has not grown too large to its pool.
func putBuffer(p *sync.Pool, buf *[]byte) {
	if cap(*buf) <= keepBuffer {
		p.Put(buf)
	}
}

// serveWebSocket upgrades a request and starts the socket's reader.
// spec:8.3 spec:12.6
func (srv *Server) serveWebSocket(w http.ResponseWriter, r *http.Request) {
	if srv.opts.CheckOrigin != nil && !srv.opts.CheckOrigin(r) {
		srv.stats.BadBodies.Origin.Add(1)
		http.Error(w, "pages of this origin may not connect", http.StatusForbidden)
		return
	}
	p := srv.authenticated(w, r, transportWebSocket)
	if p == nil {
		return
	}
	var cookie *http.Cookie
	if !p.cookieKnown && !srv.opts.NoSocketCookie {
		cookie = srv.cookie(p, r)
	}
	conn, err := upgrade(w, r, cookie, srv.opts.Deflate)
	if err != nil {
		srv.stats.BadBodies.Transport.Add(1)
		return
	}
	c := &socket{srv: srv, wire: conn, peer: p, opened: time.Now()}
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

// read is the reader goroutine.
// spec:14.20
func (c *socket) read() {
	defer c.srv.sockets.Done()
	defer c.readerDone()
	defer c.recovered("a handler")
	for c.readOne() {
	}
}

// recovered is deferred around calls into the application: a panic closes this
// socket and nothing else.
// spec:14.20
func (c *socket) recovered(what string) {
	if v := recover(); v != nil {
		c.srv.opts.Logger.Error("bayeux: "+what+" panicked", "panic", v, "stack", string(debug.Stack()))
		c.close(closeInternal, "an error in the server")
	}
}

// sessionTimeout is how long a socket may be open without a session.
const sessionTimeout = 30 * time.Second

// readDeadline is when the next frame must have begun. A client with a session
// sends a connect at least that often. Before a session exists no frame extends
// the deadline, so that pings alone cannot hold a connection.
// spec:10.9
func (c *socket) readDeadline() time.Time {
	c.mu.Lock()
	s := c.session
	c.mu.Unlock()
	switch o := &c.srv.opts; {
	case s == nil:
		return c.opened.Add(sessionTimeout)
	case s.reason() != "":
		return time.Now().Add(sessionTimeout)
	default:
		return time.Now().Add(o.Timeout + o.Interval + o.MaxInterval + sessionTimeout)
	}
}

// await blocks until a frame begins to arrive; false means that the socket is to
// be closed. A deadline that fired late because the process was stopped says
// nothing about the client and is extended. Idle connections hold no read buffer.
// spec:9.7 spec:10.9
func (c *socket) await() bool {
	for deadline := c.readDeadline(); ; deadline = time.Now().Add(sessionTimeout) {
		if err := c.wire.conn.SetReadDeadline(deadline); err != nil || c.isClosed() {
			return false
		}
		err := c.wire.wait()
		if err == nil {
			return true
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(deadline) < lateTimer {
			return false
		}
	}
}

func (c *socket) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// readOne reads and processes one message; false ends the reader.
func (c *socket) readOne() bool {
	if !c.await() {
		return false
	}
	buf := bodies.Get().(*[]byte)
	defer putBuffer(&bodies, buf)
	o := &c.srv.opts
	body, ok, err := c.wire.readMessage(*buf, o.MaxMessageSize, o.BodyTimeout, c.sendControl)
	if err != nil {
		if code, text, ours := closeCode(err); ours && !c.isClosed() {
			c.srv.stats.BadBodies.count(err)
			c.refuse(code, text)
		}
		return false
	}
	if !ok {
		return true
	}
	*buf = body
	messages, err := decode(body, o.MaxBatch, o.MaxDepth)
	switch {
	case err == errEmpty:
		c.sendEmpty()
		return true
	case err != nil:
		c.srv.stats.BadBodies.count(err)
		c.refuse(closeMalformed, err.Error())
		return false
	}
	return c.process(messages)
}

// process processes a body's messages and answers them; false ends the reader.
// spec:7.3.2 spec:10.5
func (c *socket) process(messages []*Message) bool {
	b := batch{srv: c.srv, peer: c.peer, session: c.srv.owner(c.peer, messages)}
	defer b.end(false)
	if b.session != nil {
		if !isConnect(messages[0]) {
			b.begin(b.session)
		}
		c.carry(b.session)
	}
	err := b.run(c.ctx, messages)
	if b.fresh {
		c.queue(b.replies...)
		b.replies = nil
		c.carry(b.session)
	}
	if err != nil {
		c.srv.stats.BadBodies.count(err)
		c.refuse(closeProtocol, err.Error())
		return false
	}
	if b.connect != nil {
		c.hold(&b)
	}
	c.queue(b.replies...)
	b.end(true)
	c.writeAll()
	c.awaitSpace()
	for _, r := range b.replies {
		if r.channel == metaDisconnect && r.err == nil {
			c.closeAfter(disconnectGrace, b.session)
		}
	}
	return true
}

// carry makes this socket the session's transport. A session that it carried before
// is detached.
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

// hold holds the connect without a goroutine: the session's timer, a newer connect
// or the session's end releases it. One that was replaced is not answered. A panic
// of an extension must not reach whatever goroutine released the hold.
// spec:7.6.2
func (c *socket) hold(b *batch) {
	s, r := b.session, b.connect
	h := &hold{count: b.count, reply: r, until: time.Now().Add(b.wait)}
	h.release = func(o outcome) {
		defer c.recovered("an extension")
		switch o {
		case holdReplaced:
			return
		case holdOver:
			r.sessionOver(s.reason())
		case holdDrain:
			r.advice = c.srv.drainAdvice()
		}
		c.queue(r.finish(s))
		c.flush()
	}
	if !s.hold(h) {
		c.queue(r.sessionOver(s.reason()).finish(s))
	}
}

// notify implements transport: messages are written at once, or with the held
// connect's reply where they leave with connects alone.
func (c *socket) notify(s *Session) {
	if s.connectOnly() {
		s.answerHeld()
	} else {
		c.flush()
	}
}

// sessionEnded implements transport.
// spec:6.6.1 spec:9.5 spec:14.16
func (c *socket) sessionEnded(s *Session, reason Reason) {
	switch reason {
	case ServerClosed:
		// A client that does not read must not keep the others waiting.
		go c.close(closeGoingAway, "the server is closing")
	case Expired:
		c.closeIf(s)
	case Kicked:
		c.flush()
		c.closeAfter(kickGrace, s)
	}
}

// disconnectGrace and kickGrace are how long the client has to close the WebSocket
// before the server does, after its own disconnect and after one by the
// application.
// spec:6.6.1
const (
	disconnectGrace = 5 * time.Second
	kickGrace       = time.Second
)

func (c *socket) closeAfter(d time.Duration, s *Session) {
	t := time.AfterFunc(d, func() { c.closeIf(s) })
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

// closeWait is how long the closing handshake may take, in either direction.
const closeWait = time.Second

// close begins the closing handshake: it sends a close frame, and the reader ends
// when the client's close frame has arrived, or after closeWait. Without a code,
// or while a write is blocked, the connection is closed at once.
// spec:10.11
func (c *socket) close(code ws.StatusCode, text string) {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return
	}
	c.closed = true
	writing := c.writing
	c.mu.Unlock()
	defer c.cancel()
	if code == 0 || writing || c.wire.write(closeFrame(code, text), closeWait) != nil {
		_ = c.wire.conn.Close()
		return
	}
	// The reader may be blocked in a handler, so the bound is not left to it.
	time.AfterFunc(2*closeWait, func() { _ = c.wire.conn.Close() })
	c.wire.wakeReader()
}

// refuse closes the socket for a protocol error. It drains the read side for up to
// closeWait, because closing with unread data resets the connection, and the
// client would not see the code.
func (c *socket) refuse(code ws.StatusCode, text string) {
	c.mu.Lock()
	quiet := !c.writing && !c.closed
	c.mu.Unlock()
	if quiet && c.wire.write(closeFrame(code, text), closeWait) == nil {
		c.wire.discard(closeWait, 1<<20)
	}
	c.close(0, "")
}

// readerDone runs when the reader ends. If a close frame was sent it waits for the
// client's; otherwise the client closed first, and gets one.
func (c *socket) readerDone() {
	if c.isClosed() {
		c.wire.awaitClose(closeWait)
	} else {
		c.close(closeNormal, "")
	}
	_ = c.wire.conn.Close()
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
