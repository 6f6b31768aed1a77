package desk

import (
	"maps"
	"slices"
	"time"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
)

// maxOwn is how many entries of the agent's log a resume brings at most. What
// they come to is in the agent's state anyway.
const maxOwn = 200

// maxLeftRead is how many of the cursor's chats in which the agent no longer is
// a resume reads for what they still hold. The others are named in "omitted".
const maxLeftRead = 200

// resume shows everything that the desk has missed and follows it from then
// on. If it fails, nothing is followed.
func (c *client) resume(cmd command) error {
	c.restart(false)
	shape, err := c.catchUp(cmd)
	if err != nil {
		c.restart(false)
		return err
	}
	c.deliver(shape)
	c.restart(true)
	c.d.resumed(c)
	return nil
}

// restart says whether the desk has resumed; if not, it forgets what it was
// shown.
func (c *client) restart(resumed bool) {
	if !resumed {
		c.forgetAll()
		c.turn++
		c.agent = chat.AgentState{}
	}
	c.mu.Lock()
	c.resumed = resumed
	c.mu.Unlock()
}

func (c *client) catchUp(cmd command) (resumedShape, error) {
	var seen cursor
	if cmd.Cursor != nil {
		seen = *cmd.Cursor
	}
	r := resumedShape{Type: "resumed", ID: cmd.ID}
	if err := c.catchUpOwn(&r, seen.Own); err != nil {
		return r, err
	}
	for _, id := range c.agent.Chats {
		f := c.unwatched(id)
		f.shown = seen.Chats[id]
		c.chats[id] = f
		var first engine.Batch
		if err := c.watchChat(f, &first); err != nil {
			return r, err
		}
		f.info = first.Summary
		r.Chats = append(r.Chats, chatShape{infoOf(f.info), f.take(first.Events, time.Now())})
	}
	// An id begins with the time at which the chat was opened, so the latest
	// chats are those that are read.
	for _, id := range slices.Backward(slices.Sorted(maps.Keys(seen.Chats))) {
		if slices.Contains(c.agent.Chats, id) {
			continue
		}
		r.Left = append(r.Left, id)
		if len(r.Left) > maxLeftRead {
			r.Omitted = append(r.Omitted, id)
			continue
		}
		f := c.unwatched(id)
		f.shown = seen.Chats[id]
		events, err := c.readAll(f)
		if err != nil {
			return r, err
		}
		if len(events) > 0 {
			r.Chats = append(r.Chats, chatShape{infoOf(f.info), events})
		}
	}
	slices.Sort(r.Left)
	c.shown, r.Waiting = c.d.waiting.now()
	r.Now = millisOf(time.Now())
	return r, nil
}

func (c *client) catchUpOwn(r *resumedShape, seen int64) (err error) {
	state, err := c.d.engine.Agent(c.ctx, c.who.Staff)
	if err != nil {
		return err
	}
	from := state.Last + 1
	if seen > 0 && seen <= state.Last {
		from = max(seen+1, from-maxOwn)
	}
	var first engine.AgentBatch
	if c.own, err = c.watchOwn(from, &first); err != nil {
		return err
	}
	c.agent = first.State
	for _, e := range first.Events {
		if shape := renderOwn(e); shape != nil {
			r.Own = append(r.Own, shape)
		}
	}
	account, ok := c.d.staff.Account(c.who.Staff)
	if !ok {
		return chat.Refuse(chat.Forbidden, "there is no such account")
	}
	c.account = account
	r.Agent = agentOf(account, c.agent)
	return nil
}

// readAll reads a chat that the agent is not in and returns what it may see of
// it after f.shown.
func (c *client) readAll(f *followed) (events []any, err error) {
	for {
		page, err := c.d.engine.Read(c.ctx, f.id, f.view.last+1, readPage)
		if err != nil {
			return nil, err
		}
		events = append(events, f.take(page, time.Now())...)
		if len(page) < readPage {
			break
		}
	}
	if len(events) > 0 {
		f.info, _, err = c.d.engine.Summary(c.ctx, f.id)
	}
	return events, err
}
