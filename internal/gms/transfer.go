package gms

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/halley-chat/halley/internal/chat"
)

// A file may be on its way for longer than a visitor who polls may be silent,
// and some clients ask for nothing else meanwhile. So a call about a file counts
// as its visitor's presence until it is over. It does get over: it is ended when
// nothing moves any more, and at the latest after uploadWithin or
// downloadWithin. Since when the visitor has been silent is then counted from
// when something moved last.

const (
	// uploadStall is how long nothing may arrive of a call about a file.
	uploadStall = 20 * time.Second
	// downloadStall is how long nothing may leave of a file. It is longer because
	// a connection takes much at once and nothing more until a good part of that
	// has arrived.
	downloadStall = 2 * time.Minute
	// paceAfter is how much time passes before what moves is noted again.
	paceAfter = time.Second
	// maxUploads is how many files of one chat's visitor may be on their way in
	// at once, the key first, so that one visitor cannot keep the others out.
	maxUploads = 4
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

// acquireUpload lets one more file of a chat's visitor come in, unless there are
// maxUploads on their way.
func (c *fileCall) acquireUpload(id chat.ID) error {
	e := c.edge
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.uploads[id] >= maxUploads {
		e.stats.TooManyUploads.Add(1)
		return errTooManyUploads
	}
	e.uploads[id]++
	c.uploadOf = id
	return nil
}

// release gives back what the call has taken.
func (c *fileCall) release() {
	e := c.edge
	if c.unauthenticated {
		<-e.unauthenticated
	}
	if c.uploadOf != 0 {
		e.mu.Lock()
		if e.uploads[c.uploadOf]--; e.uploads[c.uploadOf] == 0 {
			delete(e.uploads, c.uploadOf)
		}
		e.mu.Unlock()
	}
	if c.poller != nil {
		c.poller.done()
	}
}

// pace keeps a transfer going as long as something moves. It belongs to the
// call's goroutine.
type pace struct {
	call     *fileCall
	deadline func(time.Time) error
	stall    time.Duration
	last     time.Time // when something moved, as far as that was noted
	end      time.Time // when it has to be over
}

func (c *fileCall) pace(deadline func(time.Time) error, stall, within time.Duration) *pace {
	p := &pace{call: c, deadline: deadline, stall: stall, end: time.Now().Add(within)}
	p.moved()
	return p
}

func (p *pace) moved() {
	now := time.Now()
	if now.Sub(p.last) < paceAfter {
		return
	}
	p.last = now
	until := now.Add(p.stall)
	if until.After(p.end) {
		until = p.end
	}
	// Where the deadline cannot be set, the server's own limits hold.
	_ = p.deadline(until)
	if p.call.poller != nil {
		p.call.poller.touch()
	}
}

// pacedBody is a body that arrives in time.
type pacedBody struct {
	io.ReadCloser
	pace *pace
}

func (b pacedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.pace.moved()
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
		w.pace.moved()
	}
	return n, err
}
