package gms

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/httpx"
)

// A file may be on its way for longer than a visitor who polls may be silent,
// and some clients ask for nothing else meanwhile. So a call about a file counts
// as its visitor's presence until it is over. It does get over: it is ended when
// nothing moves any more, or too little: an upload by uploadPace, a download at the
// latest after downloadWithin. Since when the visitor has been silent is then counted from
// when something moved last.

// uploadPace is the slowest that a call about a file may arrive.
var uploadPace = httpx.Pace{Initial: 20 * time.Second, Rate: 4 << 10, Stall: 20 * time.Second}

const (
	// downloadStall is how long nothing may leave of a file. It is longer because
	// a connection takes much at once and nothing more until a good part of that
	// has arrived.
	downloadStall = 2 * time.Minute
	// downloadWithin is how long a file may take to leave.
	downloadWithin = 10 * time.Minute
	// paceAfter is how much time passes before what moves is noted again.
	paceAfter = time.Second
)

// keepAlive makes the call count as the visitor's presence until [fileCall.release], if
// the visitor polls. Over REST it does, and is bound as by every other call.
func (c *fileCall) keepAlive(ctx context.Context, sum chat.Summary) error {
	switch {
	case !sum.Open():
		return nil
	case c.poller != nil:
		c.poller.touch()
		return nil
	}
	e := c.edge
	var p *poller
	if c.ntf {
		p = e.polledBy(sum.Chat)
	} else {
		var err error
		if p, err = e.poll(ctx, sum.Chat); err == nil {
			err = p.bindIfUnbound(ctx)
		}
		if err != nil && chat.KindOf(err) != chat.Ended {
			return err
		}
	}
	if p != nil && p.begin() {
		c.poller = p
	}
	return nil
}

// acquireSlot takes a slot for the call's file, which is of a chat's visitor or
// of somebody whose key has not come yet (0).
func (c *fileCall) acquireSlot(id chat.ID) (err error) {
	c.releaseSlot, err = c.edge.uploads.acquire(id, c.edge.network(c.rest.address()))
	if err != nil {
		c.edge.stats.TooManyUploads.Add(1)
	}
	return err
}

// release gives back what the call has taken.
func (c *fileCall) release() {
	if c.releaseSlot != nil {
		c.releaseSlot()
	}
	if c.poller != nil {
		c.poller.done()
	}
}

// pace keeps a transfer going as long as enough moves. It belongs to the call's
// goroutine.
type pace struct {
	call  *fileCall
	set   func(deadline time.Time) error
	due   func(now time.Time, n int64) time.Time // when the next bytes must have moved
	n     int64                                  // bytes that have moved
	noted time.Time                              // when something moved, as far as that was noted
}

func (p *pace) moved(n int) {
	p.n += int64(n)
	now := time.Now()
	if now.Sub(p.noted) < paceAfter {
		return
	}
	p.noted = now
	// Where the deadline cannot be set, the server's own limits hold.
	_ = p.set(p.due(now, p.n))
	if p.call.poller != nil {
		p.call.poller.touch()
	}
}

// readPace paces the arrival of the call.
func (c *fileCall) readPace() *pace {
	began := time.Now()
	p := &pace{call: c, set: http.NewResponseController(c.rest.w).SetReadDeadline}
	p.due = func(now time.Time, n int64) time.Time { return uploadPace.Deadline(began, now, n) }
	p.moved(0)
	return p
}

// writePace paces the sending of a file.
func (c *fileCall) writePace() *pace {
	end := time.Now().Add(downloadWithin)
	p := &pace{call: c, set: http.NewResponseController(c.rest.w).SetWriteDeadline}
	p.due = func(now time.Time, _ int64) time.Time {
		if due := now.Add(downloadStall); due.Before(end) {
			return due
		}
		return end
	}
	p.moved(0)
	return p
}

// pacedBody is a body that arrives in time.
type pacedBody struct {
	io.ReadCloser
	pace *pace
}

func (b pacedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.pace.moved(n)
	}
	return n, err
}

// pacedWriter is an answer that leaves in time, piece by piece.
type pacedWriter struct {
	http.ResponseWriter
	pace *pace
}

func (w pacedWriter) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	if err == nil {
		w.pace.moved(n)
	}
	return n, err
}
