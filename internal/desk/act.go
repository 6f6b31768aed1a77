// Station 4 of docs/road.md: an operation becomes a command.

package desk

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
)

const (
	// commandTimeout bounds the carrying out of a command, so that its sender
	// hears of it before it gives up.
	commandTimeout = 8 * time.Second
	// showTimeout bounds the wait until a desk has been shown what its command
	// caused. It passes only if the store cannot be read meanwhile.
	showTimeout = 2 * time.Second
)

// handle carries out one command and answers it. It is called by the goroutine
// that brought the command.
func (c *client) handle(ctx context.Context, data jsontext.Value) {
	cmd, err := decode(data)
	if err == nil {
		err = c.act(ctx, cmd)
	}
	switch {
	case err == nil && operations[cmd.Op].answers:
		return
	case err == nil:
		c.deliver(replyShape{Type: "reply", ID: cmd.ID, OK: true})
		return
	case c.ctx.Err() != nil:
		return
	}
	r, told := explain(err)
	if !told && !errors.Is(err, context.Canceled) {
		c.d.complain("carry out "+cmd.Op, err)
	}
	c.deliver(replyShape{Type: "reply", ID: cmd.ID, Error: &r})
}

func (c *client) act(ctx context.Context, cmd command) error {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	if cmd.Op != "resume" && !c.hasResumed() {
		return errNotResumed
	}
	return operations[cmd.Op].run(c, ctx, cmd)
}

func (c *client) become(ctx context.Context, cmd command, to chat.Presence) error {
	res, err := c.d.engine.DoAgent(ctx, c.who.Staff, chat.AgentCommand{ID: cmd.ID, To: to, Reason: cmd.Reason})
	if err != nil {
		return err
	}
	c.shownUpTo(ctx, &ask{own: res.State.Last})
	return nil
}

// tell gives a command to a chat.
func (c *client) tell(ctx context.Context, cmd command, action chat.Action) error {
	do := chat.Command{ID: cmd.ID, By: chat.Staff(c.who.Staff), Do: action}
	if cmd.Op == "typing" {
		do.ID = "" // a repeat does no harm, and a chat remembers only so many ids
	}
	res, err := c.d.engine.Do(ctx, cmd.chat, do)
	if err != nil {
		return err
	}
	a := &ask{chat: cmd.chat}
	if n := len(res.Events); n > 0 {
		a.at = res.Events[n-1].Index
	}
	if growsOwn(res) {
		if state, err := c.d.engine.Agent(ctx, c.who.Staff); err == nil {
			a.own = state.Last
		}
	}
	c.shownUpTo(ctx, a)
	return nil
}

// growsOwn says whether a command has made the agent's own log grow as well.
func growsOwn(res engine.Result) bool {
	return slices.ContainsFunc(res.Events, func(e chat.Event) bool {
		switch e.Fact.(type) {
		case chat.Accepted, chat.Declined, chat.Left, chat.Finished:
			return true
		}
		return false
	})
}

// shownUpTo waits until the desk has been shown what its command caused. The
// command has happened, so that there is nothing to fail any more.
func (c *client) shownUpTo(ctx context.Context, a *ask) {
	ctx, cancel := context.WithTimeout(ctx, showTimeout)
	defer cancel()
	_ = c.ask(ctx, a)
}

// open shows a whole chat that the agent is or was in.
func (c *client) open(ctx context.Context, cmd command) error {
	info, ok, err := c.d.engine.Summary(ctx, cmd.chat)
	if err != nil {
		return err
	}
	if !ok {
		return chat.Refuse(chat.NotFound, "there is no such chat")
	}
	v := view{me: c.who.Staff}
	events := []any{}
	now := time.Now()
	for {
		page, err := c.d.engine.Read(ctx, cmd.chat, v.last+1, readPage)
		if err != nil {
			return err
		}
		for _, e := range page {
			if shape := v.feed(e); shape != nil && e.Index >= cmd.From && !e.Stale(now) {
				events = append(events, shape)
			}
		}
		if len(page) < readPage {
			break
		}
	}
	if !v.was() {
		return chat.Refuse(chat.Forbidden, "you were never in this chat")
	}
	c.opened(cmd.chat)
	for first := true; first || len(events) > 0; first = false {
		n := min(len(events), readPage)
		c.deliver(chatPush{Type: "transcript", ID: cmd.ID, Chat: infoOf(info), Events: events[:n]})
		events = events[n:]
	}
	return nil
}
