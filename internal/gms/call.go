package gms

import (
	"context"
	"encoding/json"
	"math"
	"strings"
	"time"

	"github.com/halley-chat/halley/internal/chat"
)

// requestChat opens a chat and binds this session to it.
func (c *call) requestChat(ctx context.Context) error {
	service, ok := c.edge.o.Services[strings.TrimPrefix(c.channel, channelPrefix)]
	switch {
	case !ok:
		return errNoService
	case !service.allows(c.session.Origin(), c.session.SameOrigin()):
		return errOrigin
	case c.edge.draining.Load():
		return chat.Refuse(chat.Closed, "the server is about to stop")
	}
	open, err := c.request.opening()
	if err != nil {
		return err
	}
	b := c.edge.bind(c.session, c.channel, 0)
	open.Opening.Service = strings.TrimPrefix(c.channel, channelPrefix)
	open.Opening.Queue = service.Queue
	open.Opening.Channel, open.Opening.Browser = b.name, BrowserDigest(c.session.Browser())
	id, _, err := c.edge.o.Engine.Open(ctx, chat.Command{By: chat.TheVisitor(), Do: open})
	if err != nil {
		b.drop()
		return err
	}
	c.chat = id
	return b.follow(ctx, id, 1)
}

// owner finds the chat of an operation by its key; an empty key means the
// chat that this session is bound to.
func (c *call) owner(ctx context.Context) (chat.Summary, error) {
	none := chat.Refuse(chat.Forbidden, "the key opens no chat")
	key := c.request.text("secureKey")
	if key == "" {
		b, ok := c.session.Value().(*binding)
		if !ok {
			return chat.Summary{}, none
		}
		c.chat = b.chatID()
		if c.chat == 0 {
			return chat.Summary{}, none
		}
	} else {
		who, ok := c.edge.o.Keys.open(key)
		if !ok {
			c.edge.stats.WrongKeys.Add(1)
			return chat.Summary{}, none
		}
		c.chat = who.chat
		sum, ok, err := c.edge.o.Engine.Summary(ctx, who.chat)
		if err != nil {
			return chat.Summary{}, err
		}
		if !ok || sum.KeyEpoch != who.epoch || who.party != chat.VisitorNo {
			c.chat = 0
			c.edge.stats.WrongKeys.Add(1)
			return chat.Summary{}, none
		}
		return sum, nil
	}
	sum, ok, err := c.edge.o.Engine.Summary(ctx, c.chat)
	if err != nil {
		return chat.Summary{}, err
	}
	if !ok {
		return chat.Summary{}, none
	}
	return sum, nil
}

// requestNotifications binds this session to a chat, answers with its events
// from a position, and goes on from there. Of an ended chat it only answers
// what is left to read.
func (c *call) requestNotifications(ctx context.Context) error {
	sum, err := c.owner(ctx)
	if err != nil {
		return err
	}
	from := c.request.position()
	if !sum.Live() {
		if time.Since(sum.Ended) > c.edge.o.ReadableFor {
			return chat.Refuse(chat.NotFound, "the chat is over for too long")
		}
		return c.edge.readEnded(ctx, c.session, c.channel, sum.Chat, from)
	}
	b := c.edge.bind(c.session, c.channel, sum.Chat)
	if _, err := c.edge.o.Engine.Do(ctx, sum.Chat, chat.Command{
		By: chat.TheVisitor(), Do: chat.Bind{Channel: b.name, Browser: BrowserDigest(c.session.Browser())},
	}); err != nil {
		b.drop()
		if chat.KindOf(err) == chat.Ended {
			return c.edge.readEnded(ctx, c.session, c.channel, sum.Chat, from)
		}
		return err
	}
	return b.follow(ctx, sum.Chat, from)
}

// command gives the visitor's chat a command. What it causes has been shown
// to this session, if it is the one bound, when command returns.
func (c *call) command(ctx context.Context, id string, do chat.Action) error {
	sum, err := c.owner(ctx)
	if err != nil {
		return err
	}
	res, err := c.edge.o.Engine.Do(ctx, sum.Chat, chat.Command{ID: id, By: chat.TheVisitor(), Do: do})
	if err != nil {
		return err
	}
	if b, ok := c.session.Value().(*binding); ok && res.Repeat {
		b.repeat(sum.Chat, res.Events)
	}
	return nil
}

func (c *call) sendMessage(ctx context.Context) error {
	attributes, id, err := c.request.attributes()
	if err != nil {
		return err
	}
	return c.command(ctx, id, chat.Say{
		Text: c.request.text("message"), Type: c.request.text("messageType"), Attributes: json.RawMessage(attributes),
	})
}

func (c *call) startTyping(ctx context.Context) error {
	return c.command(ctx, "", chat.Type{On: true, Preview: c.request.text("message")})
}

func (c *call) stopTyping(ctx context.Context) error {
	return c.command(ctx, "", chat.Type{Preview: c.request.text("message")})
}

func (c *call) updateNickname(ctx context.Context) error {
	return c.command(ctx, "", chat.Rename{Name: strings.TrimSpace(c.request.text("nickname"))})
}

// updateData has no event that a visitor could see, so its answer is a
// notification without events.
func (c *call) updateData(ctx context.Context) error {
	data, err := c.request.userData()
	if err != nil {
		return err
	}
	if err := c.command(ctx, "", chat.SetData{Data: data}); err != nil {
		return err
	}
	c.confirm()
	return nil
}

func (c *call) pushURL(ctx context.Context) error {
	return c.command(ctx, "", chat.Push{URL: c.request.text("pushUrl")})
}

func (c *call) customNotice(ctx context.Context) error {
	attributes, id, err := c.request.attributes()
	if err != nil {
		return err
	}
	return c.command(ctx, id, chat.Notify{Text: c.request.text("message"), Attributes: json.RawMessage(attributes)})
}

// readReceipt says how far the visitor has read; without a position, all.
func (c *call) readReceipt(ctx context.Context) error {
	upto := c.request.position()
	if _, said := c.request["transcriptPosition"]; !said || upto < 0 {
		upto = math.MaxInt64
	}
	if err := c.command(ctx, "", chat.MarkRead{Upto: upto}); err != nil {
		return err
	}
	c.confirm()
	return nil
}

// confirm answers an operation that causes nothing to see.
func (c *call) confirm() {
	b, ok := c.session.Value().(*binding)
	if !ok || b.chatID() != c.chat {
		return // another session listens
	}
	sum, ok := c.edge.o.Engine.Board().Get(c.chat)
	if !ok {
		return
	}
	r := c.edge.notification(sum, make(cast), nil, 1)
	r.NextPosition = max(b.next.Load(), 1)
	c.send(r)
}

// disconnect takes the visitor out of the chat, which ends it.
func (c *call) disconnect(ctx context.Context) error {
	return c.command(ctx, "", chat.Leave{})
}
