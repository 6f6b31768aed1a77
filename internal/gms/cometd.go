// Station 4 of docs/road.md: an operation becomes a command.

package gms

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/halley-chat/halley/bayeux"
	"github.com/halley-chat/halley/internal/chat"
)

// cometd is the transport of a Bayeux session: outcomes are notifications, and what
// happens later goes to the session that is bound.
type cometd struct {
	edge    *Edge
	session *bayeux.Session
	channel string // where its notifications go
}

// handle carries out one operation and answers it with a notification.
func (e *Edge) handle(ctx context.Context, s *bayeux.Session, m *bayeux.Message) error {
	r, err := parseRequest(m.Data)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, e.o.Patience)
	defer cancel()
	f := &cometd{edge: e, session: s, channel: strings.TrimSuffix(strings.TrimSpace(m.Channel), "/")}
	c := &call{edge: e, transport: f, request: r}
	c.do(ctx, r.text("operation"))
	return nil
}

func (f *cometd) service() string { return strings.TrimPrefix(f.channel, channelPrefix) }

func (f *cometd) allowed(s Service) bool {
	return s.allows(f.session.Origin(), f.session.SameOrigin())
}

func (f *cometd) carries(s Service) bool {
	return s.CallbackPolling || f.session.Transport() != callbackPolling
}

func (f *cometd) origin() string { return f.session.Origin() }

func (f *cometd) address() string { return f.session.Address() }

func (f *cometd) defaultPosition() int64 { return 1 }

func (f *cometd) sessionChat() (chat.ID, error) {
	b, ok := f.session.Value().(*binding)
	if !ok {
		return 0, nil
	}
	return b.chatID(), nil
}

func (f *cometd) matches(chat.ID) bool { return true }

func (f *cometd) lastPosition(id chat.ID) int64 {
	b, ok := f.session.Value().(*binding)
	if !ok || b.chatID() != id {
		return 0
	}
	return b.next.Load()
}

func (f *cometd) answer(r response, _ verdict) { send(f.session, f.channel, r) }

// rejoin answers a requestChat with the one live chat that the visitor's
// browser has in the service, from its beginning, if the service wants that:
// some clients ask for a new chat whenever their session has gone. Who may be
// given a chat in this way is who may be told its key in a handshake. The line
// that the request brings is said there; of the rest, only a device is taken.
func (f *cometd) rejoin(ctx context.Context, c *call, s Service) (bool, error) {
	if !s.OneChatPerBrowser || !s.trusts(f.session.Origin(), f.session.SameOrigin()) {
		return false, nil
	}
	var mine []chat.Summary
	for _, sum := range f.edge.o.Engine.Board().ByBrowser(f.browser(f.service())) {
		if sum.Service == f.service() {
			mine = append(mine, sum)
		}
	}
	if len(mine) != 1 {
		return false, nil
	}
	c.chat = mine[0].Chat
	if err := c.authorize(mine[0]); err != nil {
		return true, err
	}
	text := c.request.text("text")
	if err := s.checkFirstLine(text); err != nil {
		return true, err
	}
	err := c.resubscribe(ctx, mine[0])
	if err == nil {
		err = c.sayLine(ctx, s, text)
	}
	if err == nil {
		err = f.follow(ctx, mine[0], 1)
	}
	if chat.KindOf(err) == chat.Ended {
		c.chat, c.of, c.reads = 0, "", ""
		return false, nil // it has ended in this moment
	}
	return true, err
}

// browser is what the log of a service's chat says of the visitor's browser.
// It is nothing if the page behind the call is not one that may be told the key
// of such a chat: any page that may use some service, and over callback-polling
// any page at all, can have the browser's cookie sent along, and none shall put
// its chat beside the visitor's own or in its place.
func (f *cometd) browser(service string) string {
	s := f.edge.o.Services[service]
	if f.session.Transport() == callbackPolling || !s.trusts(f.session.Origin(), f.session.SameOrigin()) {
		return ""
	}
	return BrowserDigest(f.session.Browser())
}

// open binds the session to the new chat.
func (f *cometd) open(ctx context.Context, c *call, open chat.Open) error {
	b := f.edge.bind(f.session, f.channel, 0)
	open.Opening.Channel, open.Opening.Browser = b.name, f.browser(open.Opening.Service)
	id, _, err := f.edge.o.Engine.Open(ctx, chat.Command{
		ID: f.edge.firstLineID(f.edge.o.Services[open.Opening.Service], open.Text), By: chat.TheVisitor(), Do: open,
	})
	if err != nil {
		b.drop()
		return err
	}
	c.chat = id
	return b.follow(ctx, id, 1)
}

// read binds the session to the chat, if that lives, and goes on from there.
func (f *cometd) read(ctx context.Context, _ *call, sum chat.Summary, from int64) error {
	if !sum.Open() {
		return f.readEnded(ctx, sum.Chat, from)
	}
	err := f.follow(ctx, sum, from)
	if chat.KindOf(err) == chat.Ended {
		return f.readEnded(ctx, sum.Chat, from)
	}
	return err
}

// follow binds the session to a live chat and shows it from a position on.
func (f *cometd) follow(ctx context.Context, sum chat.Summary, from int64) error {
	b := f.edge.bind(f.session, f.channel, sum.Chat)
	if _, err := f.edge.o.Engine.Do(ctx, sum.Chat, chat.Command{
		By: chat.TheVisitor(), Do: chat.Bind{Channel: b.name, Browser: f.browser(sum.Service)},
	}); err != nil {
		b.drop()
		return err
	}
	return b.follow(ctx, sum.Chat, from)
}

// readEnded shows the session what an ended chat holds. A binding of the session
// that is displaced need not tell it the end any more.
func (f *cometd) readEnded(ctx context.Context, id chat.ID, from int64) error {
	b, _ := f.session.Value().(*binding)
	if b != nil && b.chatID() == id {
		release, err := b.alone(ctx)
		if err != nil {
			return err
		}
		defer release()
	}
	r, err := f.edge.replay(ctx, id, from)
	if err != nil {
		return err
	}
	send(f.session, f.channel, r)
	if b != nil && b.chatID() == id {
		b.next.Store(max(b.next.Load(), r.NextPosition))
	}
	return nil
}

// command returns when what the command causes has been shown to this session,
// if it is the one bound. A quiet command is confirmed by a notification
// without events.
func (f *cometd) command(ctx context.Context, _ *call, sum chat.Summary, cmd chat.Command, quiet bool) error {
	res, err := f.edge.o.Engine.Do(ctx, sum.Chat, cmd)
	if err != nil {
		return err
	}
	b, ok := f.session.Value().(*binding)
	switch {
	case !ok || b.chatID() != sum.Chat:
		// It has never asked to be told.
	case res.Repeat:
		b.repeat(sum.Chat, res.Events)
	case b.displaced.Load():
		// The command has been carried out, whatever becomes of telling it.
		if err := b.catchUp(ctx, sum.Chat); err != nil {
			f.edge.o.Logger.Warn("gms: a displaced session could not be shown what it missed", "chat", sum.Chat.String(), "err", err)
		}
	case quiet && res.Summary.Open():
		// Of one that has ended in the same moment the session is told the end.
		r := f.edge.notification(res.Summary, make(participants), nil, 1)
		r.NextPosition = max(b.next.Load(), 1)
		send(f.session, f.channel, r)
	}
	return nil
}

// send queues a notification for the session. If it cannot be queued, the
// session is over and its client will ask for what it missed.
func send(s *bayeux.Session, channel string, r response) { _ = s.Deliver(channel, r.encode()) }

// encode is the response as JSON.
func (r response) encode() []byte {
	b, err := json.Marshal(r)
	if err != nil {
		// Attributes are the only raw JSON in it, and they were parsed before.
		panic("gms: a response cannot be encoded: " + err.Error())
	}
	return b
}
