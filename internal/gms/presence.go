package gms

import (
	"context"
	"strings"
	"time"

	"github.com/halley-chat/halley/internal/chat"
)

// unbindAgain is how long an unbinding that failed waits for its next try.
const unbindAgain = 5 * time.Second

// unbind tells a chat that a channel is gone, and since when nothing was heard
// through it (a zero Since means that it went just now). It waits for the room, so it
// has a goroutine of its own, which unbinding counts. While the store is not
// there it is tried again: a chat that seems to be listened to would never end.
func (e *Edge) unbind(id chat.ID, do chat.Unbind) {
	defer e.unbinding.Done()
	ctx, cancel := context.WithTimeout(context.Background(), e.o.Patience)
	defer cancel()
	began := time.Now()
	_, err := e.o.Engine.Do(ctx, id, chat.Command{By: chat.TheVisitor(), Do: do})
	e.mu.Lock()
	if b := e.bindings[do.Channel]; b != nil && b.leaving {
		delete(e.bindings, do.Channel)
	}
	e.mu.Unlock()
	switch kind := chat.KindOf(err); {
	case err == nil || kind == chat.Ended || kind == chat.NotFound:
		return
	case kind == chat.Unavailable:
		if do.Since.IsZero() {
			do.Since = began
		}
		time.AfterFunc(unbindAgain, func() { e.startUnbind(id, do) })
	}
	e.o.Logger.Warn("gms: a chat could not be told that its channel is gone", "chat", id.String(), "err", err)
}

// startUnbind unbinds in a goroutine, unless the edge closes; the next process
// then finds that nobody listens.
func (e *Edge) startUnbind(id chat.ID, do chat.Unbind) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.closed {
		e.unbinding.Add(1)
		go e.unbind(id, do)
	}
}

// unbindOrphan hears of every change on the board. A chat may be bound to a channel
// of this process that is not there: its requestChat seemed to fail, or the
// session went while it was bound. Such a chat is told.
func (e *Edge) unbindOrphan(s chat.Summary) {
	if !s.Live() || !s.Bound || !strings.HasPrefix(s.Channel, e.node) {
		return
	}
	e.mu.Lock()
	orphan := !e.hasChannel(s.Channel) && !e.closed
	if orphan {
		e.unbinding.Add(1)
	}
	e.mu.Unlock()
	if orphan {
		go e.unbind(s.Chat, chat.Unbind{Channel: s.Channel, Heard: unheard()})
	}
}

// hasChannel says whether a channel of this process is there. It is called with mu
// held.
func (e *Edge) hasChannel(channel string) bool {
	return e.bindings[channel] != nil || e.pollers[channel] != nil
}

// bindIfUnbound binds the chat to the poller unless somebody listens already.
func (p *poller) bindIfUnbound(ctx context.Context) error {
	p.mu.Lock()
	sum := p.tail.sum
	p.mu.Unlock()
	e := p.edge
	if !sum.Open() || sum.Bound && (sum.Channel == p.name || !e.isStale(sum.Channel)) {
		return nil
	}
	do := func(a chat.Action) error {
		_, err := e.o.Engine.Do(ctx, sum.Chat, chat.Command{By: chat.TheVisitor(), Do: a})
		return err
	}
	if sum.Bound {
		if err := do(chat.Unbind{Channel: sum.Channel, Heard: unheard()}); err != nil {
			return err
		}
	}
	return do(chat.Bind{Channel: p.name, Browser: sum.Browser, Yield: true})
}

// isStale says whether nobody listens through a channel although a chat's log
// says so: one of this process that is not there, or one through which another
// process was asked, since the visitor asks here now.
func (e *Edge) isStale(channel string) bool {
	if !strings.HasPrefix(channel, e.node) {
		return strings.Contains(channel, "."+pollMark)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return !e.hasChannel(channel)
}
