// Station 10 of docs/road.md: it is rendered, for each viewer.

package desk

import (
	"slices"
	"time"

	"github.com/halley-chat/halley/internal/audit"
	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
)

// readPage is how many events are read from the store at once, and shown in
// one answer to open.
const readPage = 500

// followed is a chat that a desk is shown.
type followed struct {
	id    chat.ID
	watch *engine.Watch // nil if it must be begun
	view  view
	shown int64 // index of the last event that the desk has
	info  chat.Summary
	// kept are rendered events that came after the agent had left. They are
	// shown if it turns out to be back.
	kept []any
}

func (f *followed) close() {
	if f.watch != nil {
		f.watch.Close()
		f.watch = nil
	}
}

// take feeds events and returns those to be shown now.
func (f *followed) take(events []chat.Event, now time.Time) []any {
	var show []any
	for _, e := range events {
		if e.Index <= f.view.last {
			continue
		}
		shape := f.view.feed(e)
		if shape != nil && e.Index > f.shown && !e.Stale(now) {
			f.kept = append(f.kept, shape)
		}
		if f.view.in || e.Index <= f.view.until {
			show = append(show, f.kept...)
			f.kept, f.shown = nil, max(f.shown, e.Index)
		}
	}
	return show
}

// hear takes a batch of a watch.
func (c *client) hear(n news) {
	switch {
	case n.turn != c.turn:
	case n.agent != nil:
		c.hearOwn(*n.agent)
	case c.chats[n.chat.Chat] == n.of:
		c.hearChat(n.of, *n.chat)
	}
}

// hearOwn shows what is new in the agent's log.
func (c *client) hearOwn(b engine.AgentBatch) {
	var events []any
	for _, e := range b.Events {
		if e.Index <= c.agent.Last {
			continue
		}
		if shape := renderOwn(e); shape != nil {
			events = append(events, shape)
		}
	}
	if b.State.Last <= c.agent.Last {
		return
	}
	before := c.agent.Chats
	c.agent = b.State
	c.deliver(ownPush{"own", agentOf(c.account, c.agent), events})
	// A chat that came and went within one batch is shown as well.
	for _, e := range b.Events {
		if f, ok := e.Fact.(chat.Assigned); ok && !slices.Contains(before, f.Chat) && c.chats[f.Chat] == nil {
			c.chats[f.Chat] = c.unwatched(f.Chat)
		}
	}
}

func (c *client) unwatched(id chat.ID) *followed {
	return &followed{id: id, view: view{me: c.who.Staff}}
}

func (c *client) hearChat(f *followed, b engine.Batch) {
	f.info = b.Summary
	if events := f.take(b.Events, time.Now()); len(events) > 0 {
		c.deliver(chatPush{Type: "chat", Chat: infoOf(f.info), Events: events})
	}
}

// lookAgain begins every watch anew where the desk has got to, since batches
// were dropped.
func (c *client) lookAgain() {
	c.turn++
	if c.own != nil {
		c.own.Close()
		c.own = nil
	}
	for _, f := range c.chats {
		f.close()
	}
}

// keepUp sees to it that exactly the chats that the agent is in are watched.
// What fails for want of the store is tried again later.
func (c *client) keepUp() {
	if c.own == nil {
		var first engine.AgentBatch
		own, err := c.watchOwn(c.agent.Last+1, &first)
		if err != nil {
			c.fail("watch an agent", err)
			return
		}
		c.own = own
		c.hearOwn(first)
	}
	for _, id := range c.agent.Chats {
		f := c.chats[id]
		if f == nil {
			f = c.unwatched(id)
			c.chats[id] = f
		}
		if f.watch != nil {
			continue
		}
		var first engine.Batch
		if err := c.watchChat(f, &first); err != nil {
			c.fail("watch a chat", err)
			continue
		}
		c.hearChat(f, first)
	}
	for id, f := range c.chats {
		if slices.Contains(c.agent.Chats, id) {
			continue
		}
		f.close()
		if err := c.finish(f); err != nil {
			c.fail("read a chat", err)
			continue
		}
		delete(c.chats, id)
	}
}

// watchOwn begins to watch the agent's log. The past goes to first, the rest
// into the inbox.
func (c *client) watchOwn(from int64, first *engine.AgentBatch) (*engine.Watch, error) {
	turn := c.turn
	return c.d.engine.WatchAgent(c.ctx, c.who.Staff, from, func(b engine.AgentBatch) {
		if b.Replay {
			*first = b
			return
		}
		c.put(news{turn: turn, agent: &b})
	})
}

// watchChat does the same for a chat. It is read from the start, or from where
// it was read to, because only its past says who speaks in it.
func (c *client) watchChat(f *followed, first *engine.Batch) (err error) {
	turn := c.turn
	f.watch, err = c.d.engine.Watch(c.ctx, f.id, f.view.last+1, func(b engine.Batch) {
		if b.Replay {
			*first = b
			return
		}
		c.put(news{turn: turn, of: f, chat: &b})
	})
	if err == nil && f.view.last == 0 {
		c.opened(f.id)
	}
	return err
}

// opened records that the agent is being shown a chat at this desk.
func (c *client) opened(id chat.ID) {
	c.d.audit.Record(audit.Event{Kind: audit.ChatOpened, Actor: c.who.Staff, Chat: id})
}

// finish shows the rest of a chat that the agent is no longer in, up to the
// last event that it may see.
func (c *client) finish(f *followed) error {
	info, _, err := c.d.engine.Summary(c.ctx, f.id)
	if err != nil {
		return err
	}
	f.info = info
	for {
		page, err := c.d.engine.Read(c.ctx, f.id, f.view.last+1, readPage)
		if err != nil {
			return err
		}
		if events := f.take(page, time.Now()); len(events) > 0 {
			c.deliver(chatPush{Type: "chat", Chat: infoOf(f.info), Events: events})
		}
		if len(page) < readPage {
			return nil
		}
	}
}

// fail notes that something must be tried again.
func (c *client) fail(what string, err error) {
	c.failed = true
	if c.ctx.Err() == nil {
		c.d.complain(what, err)
	}
}
