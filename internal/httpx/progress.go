package httpx

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"time"
)

// Pace is the slowest that the body of a request may arrive. The zero value
// sets no limit.
type Pace struct {
	// Initial is the time allowed before Rate applies.
	Initial time.Duration
	// Rate is the minimum average from then on, in bytes per second.
	Rate int64
	// Stall is the longest time in which nothing arrives.
	Stall time.Duration
}

// Deadline returns when the next bytes must have arrived of a body that began
// at began and of which n bytes have arrived by now. It is the zero time if the
// pace sets no limit.
func (p Pace) Deadline(began, now time.Time, n int64) time.Time {
	var due time.Time
	if p.Stall > 0 {
		due = now.Add(p.Stall)
	}
	if p.Rate > 0 {
		due = earlier(due, began.Add(p.Initial+time.Duration(n/p.Rate)*time.Second))
	}
	return due
}

// earlier returns the earlier of two deadlines; the zero time is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// Progress bounds how long a client may take over a request and its response,
// by what moves and not by a total: a large transfer over a slow link may take
// long, a client that stops sending or reading is cut off. It belongs in front
// of the whole mux, so that handlers which never look at a body are covered as
// well.
//
// Time in which a handler neither reads nor writes does not count, so polls may
// be held. Hijacked connections are left alone. A deadline that a handler sets
// with [http.ResponseController] holds beside those of Progress: the earlier one
// counts.
type Progress struct {
	// Read is for the bodies of requests.
	Read Pace
	// WriteStall is how long the client may take to accept the next
	// [writeChunk] bytes of a response; 0 means no limit.
	WriteStall time.Duration
}

// DefaultProgress returns limits that a mobile client on a bad link keeps.
func DefaultProgress() Progress {
	return Progress{Read: Pace{Initial: 10 * time.Second, Rate: 2 << 10, Stall: 20 * time.Second}, WriteStall: time.Minute}
}

const (
	// writeChunk is how much of a response is written under one deadline, in
	// bytes.
	writeChunk = 32 << 10
	// discardWithin is how long the server may wait for the rest of a body that
	// the handler did not read.
	discardWithin = 5 * time.Second
)

// Wrap applies the limits to a handler.
func (p Progress) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := &pacedResponse{ResponseWriter: w, control: http.NewResponseController(w), stall: p.WriteStall}
		// The connection may still have a deadline of its last response. Where
		// deadlines cannot be set, here and below, the server's own limits hold.
		_ = a.control.SetWriteDeadline(time.Time{})
		if r.Body != nil && r.Body != http.NoBody && r.ContentLength != 0 {
			a.body = &pacedBody{ReadCloser: r.Body, control: a.control, pace: p.Read, began: time.Now()}
			a.body.arm()
			r2 := *r // a request belongs to whoever made it
			r2.Body = a.body
			r = &r2
		}
		next.ServeHTTP(a, r)
		a.finish()
	})
}

// pacedBody is the body of a request with a deadline for its next bytes. It
// belongs to the request's goroutine.
type pacedBody struct {
	io.ReadCloser
	control *http.ResponseController
	pace    Pace
	began   time.Time
	n       int64     // bytes that have arrived
	limit   time.Time // the handler's own deadline; zero if it set none
	ended   bool      // all of it has arrived
	failed  bool      // it cannot be read any further
}

// arm sets the deadline for the next bytes.
func (b *pacedBody) arm() {
	_ = b.control.SetReadDeadline(earlier(b.limit, b.pace.Deadline(b.began, time.Now(), b.n)))
}

func (b *pacedBody) Read(p []byte) (int, error) {
	if !b.ended {
		b.arm()
	}
	n, err := b.ReadCloser.Read(p)
	b.n += int64(n)
	// From the end on net/http reads ahead, without a deadline, to see whether
	// the client is still there.
	b.ended = b.ended || errors.Is(err, io.EOF)
	b.failed = err != nil && !b.ended
	return n, err
}

// pacedResponse is a response with a deadline for each chunk. It belongs to the
// request's goroutine.
type pacedResponse struct {
	http.ResponseWriter
	control  *http.ResponseController
	stall    time.Duration
	limit    time.Time  // the handler's own deadline; zero if it set none
	body     *pacedBody // nil if the request has none
	hijacked bool
}

// arm sets the deadline for the next chunk.
func (a *pacedResponse) arm() {
	due := a.limit
	if a.stall > 0 {
		due = earlier(due, time.Now().Add(a.stall))
	}
	_ = a.control.SetWriteDeadline(due)
}

// Write writes p in chunks, each under a deadline of its own.
func (a *pacedResponse) Write(p []byte) (written int, err error) {
	for {
		chunk := p[written:min(written+writeChunk, len(p))]
		a.arm()
		n, err := a.ResponseWriter.Write(chunk)
		written += n
		if err != nil || written >= len(p) {
			return written, err
		}
	}
}

// Flush is [http.Flusher].
func (a *pacedResponse) Flush() { _ = a.FlushError() }

// FlushError is for [http.ResponseController].
func (a *pacedResponse) FlushError() error {
	a.arm()
	return a.control.Flush()
}

// Hijack is [http.Hijacker]. The connection then has no deadlines of Progress.
func (a *pacedResponse) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := a.control.Hijack()
	if err == nil {
		a.hijacked = true
		_ = conn.SetDeadline(time.Time{})
	}
	return conn, rw, err
}

// SetReadDeadline is for [http.ResponseController].
func (a *pacedResponse) SetReadDeadline(t time.Time) error {
	if a.body == nil {
		return a.control.SetReadDeadline(t)
	}
	a.body.limit = t
	if !a.body.ended {
		t = earlier(t, a.body.pace.Deadline(a.body.began, time.Now(), a.body.n))
	}
	return a.control.SetReadDeadline(t)
}

// SetWriteDeadline is for [http.ResponseController]. Until the next write the
// handler's deadline holds alone.
func (a *pacedResponse) SetWriteDeadline(t time.Time) error {
	a.limit = t
	return a.control.SetWriteDeadline(t)
}

// Unwrap is for [http.ResponseController].
func (a *pacedResponse) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// finish bounds what the server does after the handler: it writes what is
// buffered and discards a body that was not read.
func (a *pacedResponse) finish() {
	if a.hijacked {
		return
	}
	a.limit = time.Time{}
	a.arm()
	if b := a.body; b != nil && !b.ended && !b.failed {
		now := time.Now()
		due := earlier(now.Add(discardWithin), b.pace.Deadline(b.began, now, b.n))
		_ = a.control.SetReadDeadline(earlier(b.limit, due))
	}
}
