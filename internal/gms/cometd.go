package gms

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/halley-chat/halley/bayeux"
	"github.com/halley-chat/halley/internal/chat"
)

// cometd is the face of a Bayeux session: outcomes are notifications, and what
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
	c := &call{edge: e, face: f, request: r}
	c.do(ctx, r.text("operation"))
	return nil
}

func (f *cometd) service() string { return strings.TrimPrefix(f.channel, channelPrefix) }

func (f *cometd) allowed(s Service) bool {
	return s.allows(f.session.Origin(), f.session.SameOrigin())
}

func (f *cometd) missing() int64 { return 1 }

func (f *cometd) own() (chat.ID, error) {
	b, ok := f.session.Value().(*binding)
	if !ok {
		return 0, nil
	}
	return b.chatID(), nil
}

func (f *cometd) fits(chat.ID) bool { return true }

func (f *cometd) told(id chat.ID) int64 {
	b, ok := f.session.Value().(*binding)
	if !ok || b.chatID() != id {
		return 0
	}
	return b.next.Load()
}

func (f *cometd) answer(r response, _ verdict) { send(f.session, f.channel, r) }

// open binds the session to the new chat.
func (f *cometd) open(ctx context.Context, c *call, open chat.Open) error {
	b := f.edge.bind(f.session, f.channel, 0)
	open.Opening.Channel, open.Opening.Browser = b.name, f.browser(open.Opening.Service)
	id, _, err := f.edge.o.Engine.Open(ctx, chat.Command{
		ID: f.edge.line(f.edge.o.Services[open.Opening.Service], open.Text), By: chat.TheVisitor(), Do: open,
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

func (f *cometd) readEnded(ctx context.Context, id chat.ID, from int64) error {
	r, err := f.edge.replay(ctx, id, from)
	if err == nil {
		send(f.session, f.channel, r)
	}
	return err
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
		// Another session listens.
	case res.Repeat:
		b.repeat(sum.Chat, res.Events)
	case quiet && res.Summary.Open():
		// Of one that has ended in the same moment the session is told the end.
		r := f.edge.notification(res.Summary, make(cast), nil, 1)
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
