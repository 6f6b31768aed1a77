package bayeux

import (
	"bytes"
	"errors"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"strconv"
	"sync"
	"time"
)

// Parking. A request that is held costs an HTTP server a goroutine with a grown
// stack and two buffers, for a client that says nothing and is told nothing.
// So a connect that has been held for a while leaves its handler: the
// connection is taken over from the HTTP server and kept by a small goroutine,
// which writes the answer itself. When the client's next request arrives the
// server gets the connection back, as a new one.
//
// That is done over HTTP/1.1 without TLS only. What cannot be parked, or must
// not be, is held in its handler.

// parked is a connection whose connect is held, or whose next request is
// waited for. It belongs to one goroutine, which runs run.
type parked struct {
	// Static after construction.
	srv  *Server
	poll *poll
	conn *parkedConn
	lot  *lot
	head []byte // the answer's header fields that were set before
}

// parkedConn is a connection from which some bytes have been read already.
type parkedConn struct {
	net.Conn
	early []byte // owned by whoever reads
	first [1]byte
	lines int // how many bytes of empty lines have been passed over
}

func (c *parkedConn) Read(b []byte) (int, error) {
	if len(c.early) == 0 {
		return c.Conn.Read(b)
	}
	n := copy(b, c.early)
	if c.early = c.early[n:]; len(c.early) == 0 {
		c.early = nil
	}
	return n, nil
}

// maxLines is how many bytes of empty lines are passed over ahead of a request,
// as by net/http behind a POST, which knows of none on a new connection.
const maxLines = 4

// await waits until there is something to read. Empty lines that some clients
// send behind a body are nothing.
func (c *parkedConn) await() error {
	for {
		for len(c.early) > 0 && c.lines < maxLines && (c.early[0] == '\r' || c.early[0] == '\n') {
			c.early = c.early[1:]
			c.lines++
		}
		if len(c.early) > 0 {
			return nil
		}
		n, err := c.Conn.Read(c.first[:])
		if n == 0 {
			return err
		}
		c.early = c.first[:n]
	}
}

// longAgo is a deadline that wakes whoever reads.
var longAgo = time.Unix(1, 0)

// mayPark says whether the request's connection can be taken over.
func (p *poll) mayPark() bool {
	r := p.r
	return p.srv.opts.ParkAfter > 0 && r.ProtoMajor == 1 && r.ProtoMinor >= 1 && r.TLS == nil && !r.Close && hostOf(r) != nil
}

// hostOf is the HTTP server that serves a request; nil if it does not say.
func hostOf(r *http.Request) *http.Server {
	host, _ := r.Context().Value(http.ServerContextKey).(*http.Server)
	return host
}

// ours are the header fields that send sets.
var ours = map[string]bool{
	"Content-Type": true, "X-Content-Type-Options": true, "Cache-Control": true, "Content-Length": true, "Date": true,
}

// park takes the connection over. It is nil where that is not possible, and
// then nothing has changed.
// spec:10.11
func (p *poll) park() *parked {
	header := p.w.Header()
	for _, name := range []string{"Connection", "Trailer", "Transfer-Encoding", "Content-Encoding"} {
		if header.Get(name) != "" {
			return nil // somebody before us has plans with it
		}
	}
	var head bytes.Buffer
	// Writing to a buffer does not fail.
	_ = header.WriteSubset(&head, ours)
	lot := p.srv.lot(hostOf(p.r))
	if lot == nil {
		return nil
	}
	conn, rw, err := http.NewResponseController(p.w).Hijack()
	if err != nil {
		p.srv.sockets.Done()
		return nil
	}
	k := &parked{srv: p.srv, poll: p, lot: lot, head: bytes.Clone(head.Bytes())}
	var ok bool
	if k.conn, ok = conn.(*parkedConn); !ok {
		k.conn = &parkedConn{Conn: conn}
	}
	if n := rw.Reader.Buffered(); n > 0 {
		more, _ := rw.Reader.Peek(n)
		k.conn.early = append(bytes.Clone(more), k.conn.early...)
	}
	k.conn.lines = 0
	p.w, p.r, p.written, p.parked = nil, nil, nil, k
	return k
}

// bed is where the goroutine of a poll that is held learns of its end. A
// parked one reads, so that it hears of its client's going, and has to be woken.
type bed struct {
	mu sync.Mutex
	// Guarded by mu.
	over bool        // the hold has ended, and its outcome is on its way
	conn *parkedConn // what the goroutine reads from; nil while it does not
}

// wake is called ahead of the outcome.
func (b *bed) wake() {
	b.mu.Lock()
	b.over = true
	conn := b.conn
	b.mu.Unlock()
	if conn != nil {
		// Where that fails the connection is gone, which wakes as well.
		_ = conn.SetReadDeadline(longAgo)
	}
}

// lie says whether the goroutine may read: only if it will be woken.
func (b *bed) lie(conn *parkedConn) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.conn = conn
	return !b.over
}

// run waits for the end of the hold, answers, and gives the connection back
// when the next request arrives.
func (k *parked) run(h *hold, ended <-chan outcome) {
	defer k.srv.sockets.Done()
	if !k.answer(h, ended) {
		_ = k.conn.Close()
		return
	}
	k.poll = nil // an idle connection keeps nothing
	k.lot.idle(k.conn)
}

// answer says whether the connection can be used on.
func (k *parked) answer(h *hold, ended <-chan outcome) (usable bool) {
	defer close(h.written)
	// spec:14.20
	defer func() {
		if v := recover(); v != nil {
			k.srv.opts.Logger.Error("bayeux: an extension panicked", "panic", v, "stack", string(debug.Stack()))
			usable = false
		}
	}()
	if k.poll.bed.lie(k.conn) {
		if err := k.conn.await(); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			k.poll.abandon(h, ended)
			return false
		}
	}
	// Either the hold has ended, or the client is ahead of its answer.
	o := <-ended
	_ = k.conn.SetReadDeadline(time.Time{})
	if k.poll.over(o) {
		k.poll.write()
	}
	return !k.poll.failed
}

// send writes an answer.
func (k *parked) send(status int, kind string, body []byte) error {
	out := make([]byte, 0, len(body)+len(k.head)+256)
	out = append(out, "HTTP/1.1 "...)
	out = strconv.AppendInt(out, int64(status), 10)
	out = append(append(append(out, ' '), http.StatusText(status)...), "\r\n"...)
	out = append(out, k.head...)
	out = append(append(out, "Content-Type: "...), kind...)
	out = append(out, "\r\nX-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\nContent-Length: "...)
	out = strconv.AppendInt(out, int64(len(body)), 10)
	out = append(out, "\r\nDate: "...)
	out = time.Now().UTC().AppendFormat(out, http.TimeFormat)
	if k.lot.over() {
		out = append(out, "\r\nConnection: close"...)
	}
	out = append(append(out, "\r\n\r\n"...), body...)
	_ = k.conn.SetWriteDeadline(time.Now().Add(k.srv.opts.WriteTimeout))
	_, err := k.conn.Write(out)
	_ = k.conn.SetWriteDeadline(time.Time{})
	return err
}

// lot is where an HTTP server's parked connections wait for their next
// requests. It is a [net.Listener] on which that server accepts them back.
type lot struct {
	// Static after construction.
	host *http.Server
	addr net.Addr
	back chan net.Conn
	done chan struct{}

	mu sync.Mutex
	// Guarded by mu.
	conns  map[*parkedConn]struct{} // those that wait for a request
	closed bool
}

// lot is the parking lot of an HTTP server; nil if this server is closed. The
// caller's goroutine is counted among those that Close waits for.
func (srv *Server) lot(host *http.Server) *lot {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if srv.closed {
		return nil
	}
	srv.sockets.Add(1)
	if l := srv.lots[host]; l != nil {
		return l
	}
	l := &lot{
		host: host, addr: &net.TCPAddr{}, back: make(chan net.Conn), done: make(chan struct{}),
		conns: make(map[*parkedConn]struct{}),
	}
	srv.lots[host] = l
	srv.sockets.Add(1)
	go func() {
		defer srv.sockets.Done()
		// It ends when either server closes the lot, with an error that says so.
		_ = host.Serve(l)
		_ = l.Close()
		srv.mu.Lock()
		delete(srv.lots, host)
		srv.mu.Unlock()
	}()
	return l
}

// Accept gives the HTTP server a connection back.
func (l *lot) Accept() (net.Conn, error) {
	select {
	case c := <-l.back:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close closes what waits for a request. It is called by the HTTP server when
// that is shut down, and by ours.
func (l *lot) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	close(l.done)
	for c := range l.conns {
		_ = c.Close()
	}
	return nil
}

// over says whether no connection is given back any more.
func (l *lot) over() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed
}

// Addr is no address in particular.
func (l *lot) Addr() net.Addr { return l.addr }

// idle waits for the next request on a connection and gives it back then.
func (l *lot) idle(c *parkedConn) {
	l.mu.Lock()
	closed := l.closed
	if !closed {
		l.conns[c] = struct{}{}
	}
	l.mu.Unlock()
	if closed {
		_ = c.Close()
		return
	}
	patience := l.host.IdleTimeout
	if patience == 0 {
		patience = l.host.ReadTimeout
	}
	if patience > 0 {
		_ = c.SetReadDeadline(time.Now().Add(patience))
	}
	err := c.await()
	l.mu.Lock()
	delete(l.conns, c)
	l.mu.Unlock()
	if err != nil {
		_ = c.Close()
		return
	}
	_ = c.SetReadDeadline(time.Time{})
	select {
	case l.back <- c:
	case <-l.done:
		_ = c.Close()
	}
}
