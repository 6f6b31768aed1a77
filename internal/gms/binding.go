package gms

import (
	"context"
	"crypto/rand"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/halley-chat/halley/bayeux"
	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
)

// binding ties a Bayeux session to the chat that its visitor follows. The
// chat's log names the binding that counts (chat.Bound): one that reads there
// of another falls silent by itself, on whatever node it is.
type binding struct {
	// Static after construction.
	edge    *Edge
	session *bayeux.Session
	channel string // the Bayeux channel of its notifications
	name    string // how the chat's log names it

	mu sync.Mutex
	// Guarded by mu.
	chat   chat.ID
	watch  *engine.Watch
	closed bool

	next atomic.Int64 // the nextPosition told last

	// Owned by the chat's room, which delivers.
	cast  cast
	from  int64 // the position asked for
	first bool  // the replay is still to come
}

// bind makes a binding to a chat, or to one that does not exist yet (0), and
// the session's only one: another chat that the session followed before has
// lost its channel. One that asks for the same chat again keeps its name, so
// that its log need not say anything.
func (e *Edge) bind(s *bayeux.Session, channel string, id chat.ID) *binding {
	b := &binding{edge: e, session: s, channel: channel, name: e.node + rand.Text()[:16], cast: make(cast)}
	old, _ := s.Value().(*binding)
	again := old != nil && id != 0 && old.chatID() == id
	if again {
		b.name = old.name
	}
	e.mu.Lock()
	e.bindings[b.name] = b
	e.mu.Unlock()
	s.SetValue(b)
	if old != nil {
		old.end(!again)
	} else {
		s.OnClose(func(r bayeux.Reason) {
			if last, ok := s.Value().(*binding); ok {
				last.end(r != bayeux.ServerClosed)
			}
		})
	}
	return b
}

func (b *binding) chatID() chat.ID {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.chat
}

// drop takes back a binding that came to nothing.
func (b *binding) drop() { b.end(false) }

// end stops the deliveries. With unbind the chat is told that nobody listens
// here any more.
func (b *binding) end(unbind bool) {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return
	}
	b.closed = true
	id, watch := b.chat, b.watch
	b.mu.Unlock()
	e := b.edge
	e.mu.Lock()
	if e.bindings[b.name] == b {
		delete(e.bindings, b.name)
	}
	unbind = unbind && !e.closed && id != 0
	if unbind {
		e.unbinding.Add(1)
	}
	e.mu.Unlock()
	if watch != nil {
		watch.Close()
	}
	if unbind {
		go e.unbind(id, b.name)
	}
}

// unbind tells a chat that a channel is gone. It waits for the room, so it has
// a goroutine of its own, which unbinding counts.
func (e *Edge) unbind(id chat.ID, name string) {
	defer e.unbinding.Done()
	ctx, cancel := context.WithTimeout(context.Background(), e.o.Patience)
	defer cancel()
	_, err := e.o.Engine.Do(ctx, id, chat.Command{By: chat.TheVisitor(), Do: chat.Unbind{Channel: name}})
	if err != nil && chat.KindOf(err) != chat.Ended {
		// The chat still counts as listened to, until its next change of
		// summary or the next start finds that it is not; see adopt.
		e.o.Logger.Warn("gms: a chat could not be told that its channel is gone", "chat", id.String(), "err", err)
	}
}

// adopt hears of every change on the board. A chat may be bound to a channel
// of this process that is not there: its requestChat seemed to fail, or the
// session went while it was bound. Such a chat is told.
func (e *Edge) adopt(s chat.Summary) {
	if !s.Live() || !s.Bound || !strings.HasPrefix(s.Channel, e.node) {
		return
	}
	e.mu.Lock()
	_, known := e.bindings[s.Channel]
	orphan := !known && !e.closed
	if orphan {
		e.unbinding.Add(1)
	}
	e.mu.Unlock()
	if orphan {
		go e.unbind(s.Chat, s.Channel)
	}
}

// follow shows the chat to the session, from a position on: one notification
// with what there is, then one for whatever happens.
func (b *binding) follow(ctx context.Context, id chat.ID, from int64) error {
	b.mu.Lock()
	b.chat, b.from, b.first = id, from, true
	b.mu.Unlock()
	// From the start, so that the names of all participants are known.
	watch, err := b.edge.o.Engine.Watch(ctx, id, 1, b.deliver)
	if err != nil {
		b.end(true)
		return err
	}
	b.mu.Lock()
	b.watch = watch
	closed := b.closed
	b.mu.Unlock()
	if closed {
		watch.Close()
	}
	return nil
}

// deliver is called by the chat's room.
func (b *binding) deliver(batch engine.Batch) {
	sum := batch.Summary
	if sum.Live() && sum.Channel != b.name {
		// Another session listens now, or this one has been unbound.
		b.end(false)
		return
	}
	from := int64(1)
	if b.first {
		from, b.first = b.from, false
	}
	r := b.edge.notification(sum, b.cast, batch.Events, from)
	if len(r.Messages) > 0 || batch.Replay || r.ChatEnded {
		b.next.Store(r.NextPosition)
		send(b.session, b.channel, r)
	}
	if r.ChatEnded {
		b.end(false)
	}
}

// repeat shows events again that an earlier command of the same id caused.
func (b *binding) repeat(id chat.ID, events []chat.Event) {
	if b.chatID() != id || len(events) == 0 {
		return
	}
	// The visitor is the author, and its name never has to be learnt anew.
	sum, ok := b.edge.o.Engine.Board().Get(id)
	if !ok {
		return
	}
	c := cast{chat.VisitorNo: party{Nickname: sum.Name, ParticipantID: chat.VisitorNo, Type: partyTypes[chat.RoleVisitor]}}
	r := b.edge.notification(sum, c, events, 1)
	r.NextPosition = events[len(events)-1].Index + 1
	send(b.session, b.channel, r)
}

// notification is the response object for events from a position on; -1 means
// the last visible one. A notification about an ended chat always holds a
// visible event, because clients look at chatEnded only beside one.
func (e *Edge) notification(sum chat.Summary, c cast, events []chat.Event, from int64) response {
	r := response{
		StatusCode: statusOK, ChatEnded: sum.Phase == chat.PhaseEnded,
		ChatID: sum.Chat.String(), UserID: userID(sum.Chat, chat.VisitorNo), Alias: alias,
		Messages: []message{}, NextPosition: sum.Last + 1,
	}
	if n := len(events); n > 0 {
		r.NextPosition = max(r.NextPosition, events[n-1].Index+1)
	}
	if !r.ChatEnded {
		r.SecureKey = e.o.Keys.key(identity{sum.Chat, chat.VisitorNo, sum.KeyEpoch})
	}
	var last *message
	for _, event := range events {
		c.see(event)
		m, ok := c.render(event)
		if !ok {
			continue
		}
		last = &m
		if from > 0 && event.Index >= from {
			r.Messages = append(r.Messages, m)
		}
	}
	if last != nil && len(r.Messages) == 0 && (from < 0 || r.ChatEnded) {
		r.Messages = append(r.Messages, *last)
	}
	return r
}

// readEnded answers with what an ended chat still holds.
func (e *Edge) readEnded(ctx context.Context, s *bayeux.Session, channel string, id chat.ID, from int64) error {
	watch, err := e.o.Engine.Watch(ctx, id, 1, func(batch engine.Batch) {
		send(s, channel, e.notification(batch.Summary, make(cast), batch.Events, from))
	})
	if err != nil {
		return err
	}
	watch.Close()
	return nil
}
