package gms

import (
	"context"
	"net"
	"time"

	"github.com/halley-chat/halley/internal/chat"
)

// What a service says about a call before the chat decides: which transports
// carry it, how often it may come, and what of it is passed on.

// callbackPolling is the transport for which pages of every origin can make a
// browser's requests: none of them says where it comes from.
const callbackPolling = "callback-polling"

// burst is over how many seconds the calls of a chat are counted, so that a
// page which comes back with several at once is no offender.
const burst = 5

// opens and calls are the rates that a service has for new chats of one
// network and for the operations of one chat.
func (s Service) opens() rate { return rate{s.NewChatsPerMinute, time.Minute} }
func (s Service) calls() rate { return rate{s.OperationsPerSecond * burst, burst * time.Second} }

// setting is the service of the call's chat; before a chat is known, the one
// that the call names.
func (c *call) setting() Service {
	if c.of != "" {
		return c.edge.o.Services[c.of]
	}
	return c.edge.o.Services[c.face.service()]
}

// admit says whether a call about this chat may go on. The chat's own service
// counts, whichever the call names. Leaving is never held back.
func (c *call) admit(sum chat.Summary) error {
	c.of, c.reads = sum.Service, sum.Language
	s := c.setting()
	if !c.face.carries(s) {
		return errTransport
	}
	if c.name != opLeave && !c.edge.calls.take(sum.Chat.String(), s.calls(), time.Now()) {
		c.edge.stats.Limited.Add(1)
		return errTooFast
	}
	return nil
}

// pass is what the service lets through of what the visitor does.
func (c *call) pass(a chat.Action) (chat.Action, error) {
	s := c.setting()
	switch do := a.(type) {
	case chat.Say:
		return do, s.fits(do.Text)
	case chat.Type:
		if s.HideTyping {
			do.Preview = ""
		}
		return do, nil
	}
	return a, nil
}

// charged opens a chat unless too many were opened from the caller's network.
func (c *call) charged(ctx context.Context, s Service, open chat.Open) error {
	key, r := c.face.service()+" "+network(c.face.address()), s.opens()
	if !c.edge.opens.take(key, r, time.Now()) {
		c.edge.stats.Limited.Add(1)
		return errTooMany
	}
	err := c.face.open(ctx, c, open)
	if err != nil && c.chat == 0 {
		c.edge.opens.give(key, r)
	}
	return err
}

// language is the language of the advice in a refusal: the one that the call
// asks for, or that was asked for when the chat was opened.
func (c *call) language() string {
	data, _ := c.request.userData() // what cannot be read says nothing
	tag := languageTag(data)
	if tag == "" {
		tag = c.reads
	}
	return c.setting().language(tag)
}

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
	if err := c.admit(mine[0]); err != nil {
		return true, err
	}
	text := c.request.text("text")
	if err := s.sayable(text); err != nil {
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

func (f *cometd) carries(s Service) bool {
	return s.CallbackPolling || f.session.Transport() != callbackPolling
}

// anyOverCallback says whether the transport is needed at all.
func (e *Edge) anyOverCallback() bool {
	for _, s := range e.o.Services {
		if s.CallbackPolling {
			return true
		}
	}
	return false
}

func (f *cometd) address() string { return f.session.Address() }

func (f *rest) rejoin(context.Context, *call, Service) (bool, error) { return false, nil }

func (f *rest) address() string {
	host, _, err := net.SplitHostPort(f.r.RemoteAddr)
	if err != nil {
		return f.r.RemoteAddr
	}
	return host
}

func (f *rest) carries(Service) bool { return true }
