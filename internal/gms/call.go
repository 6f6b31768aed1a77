// Station 4 of docs/road.md: an operation becomes a command.

package gms

import (
	"context"
	"encoding/json"
	"math"
	"time"

	"github.com/halley-chat/halley/internal/chat"
)

// transport is the side of the API on which an operation came: who asks, and
// where the outcome goes. A transport serves one call.
type transport interface {
	caller
	responder
}

// caller says who asks, for what, and from where.
type caller interface {
	// service is the chat service that the call names.
	service() string
	// allowed says whether the page behind the call may use a service.
	allowed(Service) bool
	// carries says whether a service may be used over this transport.
	carries(Service) bool
	// origin is the Origin of the page behind the call; "" if it has none.
	origin() string
	// address is the network address that the call came from, without a port;
	// "" if it is not known.
	address() string
	// sessionChat is the chat that an empty key means; 0 if there is none.
	sessionChat() (chat.ID, error)
	// matches says whether the call can mean the chat that its key opens.
	matches(chat.ID) bool
	// defaultPosition is what a transcriptPosition stands for that is missing, 0
	// or unreadable: 1, which means all events, or 0, which means none.
	defaultPosition() int64
	// lastPosition is the nextPosition that the caller was sent last; 0 if that
	// is not known.
	lastPosition(chat.ID) int64
}

// responder carries the outcome of an operation to the caller.
type responder interface {
	// rejoin answers a requestChat with a chat that is there already, if the
	// service wants that and there is one.
	rejoin(context.Context, *call, Service) (bool, error)
	// open opens a chat and answers with its first events.
	open(context.Context, *call, chat.Open) error
	// read answers with a chat's events from a position on.
	read(ctx context.Context, c *call, sum chat.Summary, from int64) error
	// command gives a live or ended chat a command and answers. quiet says
	// that it causes nothing that a visitor could see.
	command(ctx context.Context, c *call, sum chat.Summary, cmd chat.Command, quiet bool) error
	// answer sends a response to the caller.
	answer(response, verdict)
}

// call is one operation being carried out, by one goroutine.
type call struct {
	edge      *Edge
	transport transport
	request   request
	chat      chat.ID // 0 until it is known
	name      string  // of the operation
	of        string  // the service of the chat, once that is known
	reads     string  // the visitor's language tag, once the chat is known
}

// operation is something that can be asked for.
type operation struct {
	do func(*call, context.Context) error
	// path is its name over REST; empty if it cannot be asked for there. The
	// operation that opens a chat has no name there either, and stands in its
	// own place.
	path string
}

// operations is the table of what can be asked, under the names that CometD
// has for it.
var operations = map[string]operation{
	opOpen:                 {(*call).requestChat, ""},
	"requestNotifications": {(*call).refresh, ""},
	"refresh":              {(*call).refresh, "refresh"},
	"sendMessage":          {(*call).sendMessage, "send"},
	"startTyping":          {(*call).startTyping, "startTyping"},
	"stopTyping":           {(*call).stopTyping, "stopTyping"},
	opLeave:                {(*call).disconnect, "disconnect"},
	"updateNickname":       {(*call).updateNickname, "updateNickname"},
	"updateData":           {(*call).updateData, "updateData"},
	"pushUrl":              {(*call).pushURL, "pushUrl"},
	"customNotice":         {(*call).customNotice, "customNotice"},
	"readReceipt":          {(*call).readReceipt, "readReceipt"},
}

const (
	opOpen  = "requestChat"
	opLeave = "disconnect"
)

// do carries out an operation and answers it, whatever comes of it.
func (c *call) do(ctx context.Context, name string) {
	c.name = name
	op, ok := operations[name]
	if !ok {
		c.refuse(errNoOperation)
		return
	}
	if err := op.do(c, ctx); err != nil {
		c.refuse(err)
	}
}

var errNoOperation = chat.Refuse(chat.Unknown, "no such operation")

// refuse answers with an error. The chat and everything else stay as they are.
func (c *call) refuse(err error) {
	v, known := verdictOf(err)
	if !known {
		c.edge.o.Logger.Error("gms: an operation failed", "chat", c.chat.String(), "err", err)
	}
	c.edge.stats.Refused.Add(1)
	r := response{StatusCode: v.status, ChatEnded: v.ended, Alias: alias, Messages: []message{}, NextPosition: 1}
	if v.status == statusPermanent && !v.noErrors {
		r.Errors = []failure{{v.Code, translate(v.Advice, c.language())}}
	}
	if c.chat != 0 {
		r.ChatID, r.UserID = c.chat.String(), userID(c.chat, chat.VisitorNo)
		r.NextPosition = max(c.transport.lastPosition(c.chat), 1)
	}
	c.transport.answer(r, v)
}

// requestChat opens a chat.
func (c *call) requestChat(ctx context.Context) error {
	service, ok := c.edge.o.Services[c.transport.service()]
	switch {
	case !ok:
		return errNoService
	case !c.transport.allowed(service):
		return c.edge.refuseOrigin(c.transport.origin())
	case !c.transport.carries(service):
		return errTransport
	}
	if done, err := c.transport.rejoin(ctx, c, service); done || err != nil {
		return err
	}
	if c.edge.draining.Load() {
		return chat.Refuse(chat.Closed, "the server is about to stop")
	}
	open, id, err := c.request.opening()
	if err != nil {
		return err
	}
	open.Opening.Service, open.Opening.Queue = c.transport.service(), service.queue(c.request.text("endpoint"))
	open.Opening.Language = languageTag(open.Opening.Data)
	open.Opening.Async = service.Async && asksAsync(open.Opening.Data)
	open.Device = c.edge.reachable(open.Device)
	if err := service.mayOpen(open, c.request, time.Now()); err != nil {
		return err
	}
	return c.openOnce(ctx, service, id, open)
}

// owner finds the chat of an operation by its key, or by what an empty key
// means on this side.
func (c *call) owner(ctx context.Context) (chat.Summary, error) {
	none := chat.Refuse(chat.Forbidden, "the key opens no chat")
	key := c.request.text("secureKey")
	var who identity
	if key == "" {
		id, err := c.transport.sessionChat()
		if err != nil {
			return chat.Summary{}, err
		}
		if id == 0 {
			return chat.Summary{}, none
		}
		who.chat = id
	} else {
		var ok bool
		if who, ok = c.edge.o.Keys.open(key); !ok || who.party != chat.VisitorNo || !c.transport.matches(who.chat) {
			c.edge.stats.WrongKeys.Add(1)
			return chat.Summary{}, none
		}
	}
	c.chat = who.chat
	sum, ok, err := c.edge.o.Engine.Summary(ctx, who.chat)
	switch {
	case err != nil:
		return chat.Summary{}, err
	case !ok && key == "":
		return chat.Summary{}, none
	case !ok || key != "" && sum.KeyEpoch != who.epoch:
		c.chat = 0
		c.edge.stats.WrongKeys.Add(1)
		return chat.Summary{}, none
	}
	return sum, c.authorize(sum)
}

// refresh answers with a chat's events from a position on. Of an ended chat it
// answers what is left to read.
func (c *call) refresh(ctx context.Context) error {
	sum, err := c.owner(ctx)
	if err != nil {
		return err
	}
	if !sum.Open() && time.Since(endedAt(sum)) > c.edge.o.ReadableFor {
		return chat.Refuse(chat.NotFound, "the chat is over for too long")
	}
	if err := c.resubscribe(ctx, sum); err != nil {
		return err
	}
	return c.transport.read(ctx, c, sum, c.request.position(c.transport.defaultPosition()))
}

// command gives the visitor's chat a command.
func (c *call) command(ctx context.Context, id string, do chat.Action, quiet bool) error {
	sum, err := c.owner(ctx)
	if err != nil {
		return err
	}
	if do, err = c.filter(do); err != nil {
		return err
	}
	return c.transport.command(ctx, c, sum, chat.Command{ID: id, By: chat.TheVisitor(), Do: do}, quiet)
}

func (c *call) sendMessage(ctx context.Context) error {
	attributes, id, err := c.request.attributes()
	if err != nil {
		return err
	}
	return c.command(ctx, id, chat.Say{
		Text: c.request.text("message"), Type: c.request.text("messageType"), Attributes: json.RawMessage(attributes),
	}, false)
}

func (c *call) startTyping(ctx context.Context) error {
	return c.command(ctx, "", chat.Type{On: true, Preview: c.request.text("message")}, false)
}

func (c *call) stopTyping(ctx context.Context) error {
	return c.command(ctx, "", chat.Type{Preview: c.request.text("message")}, false)
}

func (c *call) updateNickname(ctx context.Context) error {
	return c.command(ctx, "", chat.Rename{Name: cleanName(c.request.text("nickname"))}, false)
}

func (c *call) updateData(ctx context.Context) error {
	data, err := c.request.userData()
	if err != nil {
		return err
	}
	if do := c.edge.subscription(data); do != nil {
		return c.updateDevice(ctx, do, data)
	}
	return c.command(ctx, "", chat.SetData{Data: data}, true)
}

func (c *call) pushURL(ctx context.Context) error {
	return c.command(ctx, "", chat.Push{URL: c.request.text("pushUrl")}, false)
}

func (c *call) customNotice(ctx context.Context) error {
	attributes, id, err := c.request.attributes()
	if err != nil {
		return err
	}
	return c.command(ctx, id, chat.Notify{
		Text: c.request.text("message"), Attributes: json.RawMessage(attributes), ResetIdle: c.request.cancelsIdleTimer(),
	}, false)
}

// readReceipt says how far the visitor has read; without a position, all.
func (c *call) readReceipt(ctx context.Context) error {
	upto := c.request.position(1)
	if _, said := c.request["transcriptPosition"]; !said || upto < 0 {
		upto = math.MaxInt64
	}
	return c.command(ctx, "", chat.MarkRead{Upto: upto}, true)
}

// disconnect takes the visitor out of the chat, which ends it.
func (c *call) disconnect(ctx context.Context) error {
	return c.command(ctx, "", chat.Leave{}, false)
}
