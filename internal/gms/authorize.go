// Station 4 of docs/road.md: an operation becomes a command.

package gms

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/ratelimit"
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
func (s Service) opens() ratelimit.Limit { return ratelimit.Per(s.NewChatsPerMinute, time.Minute) }

func (s Service) calls() ratelimit.Limit {
	return ratelimit.Per(s.OperationsPerSecond*burst, burst*time.Second)
}

// maxBuckets bounds the memory of each limiter.
const maxBuckets = 50_000

// setting is the service of the call's chat; before a chat is known, the one
// that the call names.
func (c *call) setting() Service {
	if c.of != "" {
		return c.edge.o.Services[c.of]
	}
	return c.edge.o.Services[c.transport.service()]
}

// authorize says whether a call about this chat may go on. The chat's own service
// counts, whichever the call names. Leaving is never held back.
func (c *call) authorize(sum chat.Summary) error {
	c.of, c.reads = sum.Service, sum.Language
	s := c.setting()
	if !c.transport.carries(s) {
		return errTransport
	}
	if c.name != opLeave && c.edge.calls.Take(time.Now(), ratelimit.Charge{Key: sum.Chat.String(), Limit: s.calls()}) > 0 {
		c.edge.stats.Limited.Add(1)
		return errTooFast
	}
	return nil
}

// filter is what the service lets through of what the visitor does.
func (c *call) filter(a chat.Action) (chat.Action, error) {
	s := c.setting()
	switch do := a.(type) {
	case chat.Say:
		if blank(do.Text) {
			return do, chat.Refuse(chat.Invalid, "a message needs a text that can be seen")
		}
		return do, s.fits(do.Text)
	case chat.Type:
		if s.HideTyping {
			do.Preview = ""
		}
		return do, nil
	}
	return a, nil
}

// openRateLimited opens a chat unless too many were opened from the caller's network.
func (c *call) openRateLimited(ctx context.Context, s Service, open chat.Open) error {
	network := c.edge.network(c.transport.address())
	charge := ratelimit.Charge{Key: c.transport.service() + " " + network, Limit: s.opens()}
	if network == "" {
		charge.Limit = ratelimit.Limit{}
	}
	if c.edge.opens.Take(time.Now(), charge) > 0 {
		c.edge.stats.Limited.Add(1)
		c.edge.warnNewChats(c.transport.service())
		return errTooMany
	}
	err := c.transport.open(ctx, c, open)
	if err != nil && c.chat == 0 {
		c.edge.opens.Give(time.Now(), charge)
	}
	return err
}

// network is what callers from an address are limited by together; empty if
// they are not limited by address.
func (e *Edge) network(address string) string {
	if ip, err := netip.ParseAddr(address); err == nil {
		ip = ip.Unmap().WithZone("")
		if slices.ContainsFunc(e.o.Unlimited, func(n netip.Prefix) bool { return n.Contains(ip) }) {
			return ""
		}
	}
	return ratelimit.Network(address)
}

// limitedAddress is the address of a request, empty if it is not limited by it.
func (e *Edge) limitedAddress(r *http.Request) string {
	address := addressOf(r)
	if e.network(address) == "" {
		return ""
	}
	return address
}

// warnNewChats tells the operator, seldom, that an address has opened too many
// chats: it may be a flood, or a proxy whose visitors all have its address.
func (e *Edge) warnNewChats(service string) {
	if e.warned.Take(time.Now(), ratelimit.Charge{Key: service, Limit: ratelimit.Per(1, refusalsLogged)}) == 0 {
		e.o.Logger.Warn("gms: too many new chats of one address are refused; if it is a proxy's, see trusted_proxies and unlimited_networks",
			"service", service, "per_minute", e.o.Services[service].NewChatsPerMinute)
	}
}

// refusalsLogged is how often refused new chats of a service are logged again.
const refusalsLogged = 10 * time.Minute

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

// anyOverCallback says whether the transport is needed at all.
func (e *Edge) anyOverCallback() bool {
	for _, s := range e.o.Services {
		if s.CallbackPolling {
			return true
		}
	}
	return false
}

// originLogged is how often a refused origin is logged again.
const originLogged = 10 * time.Minute

// refuseOrigin is the refusal of a page's origin. It is logged, since whoever sets
// up a page needs to know which origin to allow, but not with every call.
func (e *Edge) refuseOrigin(origin string) error {
	if len(origin) > maxOrigin {
		origin = origin[:maxOrigin]
	}
	origin = strings.ToValidUTF8(origin, "")
	e.stats.RefusedOrigins.Add(1)
	if e.origins.Take(time.Now(), ratelimit.Charge{Key: origin, Limit: ratelimit.Per(1, originLogged)}, ratelimit.Charge{Limit: ratelimit.Per(20, originLogged)}) == 0 {
		e.o.Logger.Warn("gms: the origin of a page is refused; a service that shall take it lists it in its origins", "origin", origin)
	}
	return errOrigin
}

const (
	// maxOrigin bounds how much of an origin is logged, in bytes.
	maxOrigin = 200
	// maxLoggedOrigins bounds how many origins are remembered as logged.
	maxLoggedOrigins = 1000
)
