// Station 10 of docs/road.md: it is rendered, for the session that is bound.

package gms

import (
	"context"
	"crypto/rand"
	"sync"
	"sync/atomic"

	"github.com/halley-chat/halley/bayeux"
	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
)

// binding ties a Bayeux session to the chat that its visitor follows. The
// chat's log names the binding that counts (chat.Bound): one that reads there
// of another knows by itself that it is displaced, on whatever node it is. See
// displaced.go.
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

	leaving bool // guarded by the edge's mu: it has ended, and its chat is being told

	catching  chan struct{} // holds one token while a displaced session is sent what it missed
	displaced atomic.Bool   // another session is bound

	next           atomic.Int64 // the nextPosition told last
	backgroundFrom atomic.Int64 // what the client said in its goodbye; see closingUnbind

	// Owned by the chat's room, which delivers.
	people participants
	from   int64 // the position asked for
	first  bool  // the replay is still to come
}

// bind makes a binding to a chat, or to one that does not exist yet (0), and
// the session's only one: another chat that the session followed before has
// lost its channel. One that asks for the same chat again keeps its name, so
// that its log need not say anything; but not the name of a binding that has
// ended, since the chat may still be told that it has.
func (e *Edge) bind(s *bayeux.Session, channel string, id chat.ID) *binding {
	b := &binding{edge: e, session: s, channel: channel, name: e.node + rand.Text()[:16], catching: make(chan struct{}, 1), people: make(participants)}
	old, _ := s.Value().(*binding)
	again := old != nil && id != 0 && old.follows(id)
	if again {
		b.name = old.name
	}
	e.mu.Lock()
	e.bindings[b.name] = b
	e.mu.Unlock()
	s.SetValue(b)
	if old != nil {
		old.end(!again)
		old.wait()
	} else {
		s.OnClose(func(r bayeux.Reason) {
			if last, ok := s.Value().(*binding); ok {
				last.endBy(r != bayeux.ServerClosed, last.closingUnbind(r))
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

// follows says whether the binding is one to a chat, and has not ended.
func (b *binding) follows(id chat.ID) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.closed && b.chat == id
}

// drop takes back a binding that came to nothing.
func (b *binding) drop() { b.end(false) }

// wait returns once no delivery to a binding that has ended is under way. It
// must not be called from within one.
func (b *binding) wait() {
	b.mu.Lock()
	watch := b.watch
	b.mu.Unlock()
	if watch != nil {
		watch.Close()
	}
}

// end stops the deliveries without waiting for one in progress: the chat's room
// may call it from within one. With unbind the chat is told that nobody listens
// here any more.
func (b *binding) end(unbind bool) { b.endBy(unbind, chat.Unbind{}) }

// endBy is end with what the chat is told beside the channel.
func (b *binding) endBy(unbind bool, last chat.Unbind) {
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
	unbind = unbind && !e.closed && id != 0 && !b.displaced.Load()
	switch {
	case unbind:
		// Its name stays known until the chat has been told: whoever finds the
		// chat bound to a name that nobody knows tells it something else.
		b.leaving = true
		e.unbinding.Add(1)
	case e.bindings[b.name] == b:
		delete(e.bindings, b.name)
	}
	e.mu.Unlock()
	if watch != nil {
		watch.Cancel()
	}
	if unbind {
		last.Channel = b.name
		go e.unbind(id, last)
	}
}

// follow shows the chat to the session, from a position on: one notification
// with what there is, then one for whatever happens.
func (b *binding) follow(ctx context.Context, id chat.ID, from int64) error {
	b.mu.Lock()
	b.chat, b.from, b.first = id, from, true
	b.mu.Unlock()
	watch, err := b.edge.o.Engine.WatchVisible(ctx, id, watchFrom(from), b.deliver)
	if err != nil {
		// The visitor has been shown nothing.
		b.endBy(true, chat.Unbind{Heard: unheard()})
		return err
	}
	b.mu.Lock()
	b.watch = watch
	closed := b.closed
	b.mu.Unlock()
	if closed {
		watch.Cancel()
	}
	return nil
}

// deliver is called by the chat's room. What the session asked for is shown to it
// even if another one was bound in the same moment.
func (b *binding) deliver(batch engine.Batch) {
	sum := batch.Summary
	listens := !b.displaced.Load() && (!sum.Open() || sum.Channel == b.name)
	if b.first || listens {
		b.show(batch)
	}
	switch {
	case listens:
	case sum.Open() && (sum.Bound || b.displaced.Load()):
		b.displace(sum)
	case sum.Open():
		b.end(false) // it has been unbound
	default:
		b.end(false)
		b.startCatchUp(sum.Chat)
	}
}

// show sends the session a batch.
func (b *binding) show(batch engine.Batch) {
	from := int64(1)
	if b.first {
		from, b.first = b.from, false
		b.people.begin(batch)
	}
	r := b.edge.notification(batch.Summary, b.people, batch.Events, from)
	if batch.Replay {
		r.countdown(batch.Summary)
	}
	if len(r.Messages) > 0 || batch.Replay || r.ChatEnded {
		send(b.session, b.channel, r)
		// After it: what is confirmed at the same moment may say an older
		// position, but none whose events are still to come.
		b.next.Store(r.NextPosition)
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
	c := participants{chat.VisitorNo: party{Nickname: sum.Name, ParticipantID: chat.VisitorNo, Type: partyTypes[chat.RoleVisitor]}}
	r := b.edge.notification(sum, c, events, 1)
	r.NextPosition = events[len(events)-1].Index + 1
	send(b.session, b.channel, r)
}
