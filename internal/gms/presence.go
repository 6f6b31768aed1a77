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
		time.AfterFunc(unbindAgain, func() { e.unbindLater(id, do) })
	}
	e.o.Logger.Warn("gms: a chat could not be told that its channel is gone", "chat", id.String(), "err", err)
}

// unbindLater unbinds unless the edge closes; the next process then finds that
// nobody listens.
func (e *Edge) unbindLater(id chat.ID, do chat.Unbind) {
	e.mu.Lock()
	closed := e.closed
	if !closed {
		e.unbinding.Add(1)
	}
	e.mu.Unlock()
	if !closed {
		e.unbind(id, do)
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
