package bayeux

import (
	"context"
	"log/slog"
	"net/http"
	"time"
)

// Options configure a [Server]. The zero value is ready to use: every field
// says what its zero value means.
type Options struct {
	// Timeout is how long a /meta/connect is held when there is nothing to
	// deliver, and what clients are advised; 0 means 20 s.
	Timeout time.Duration
	// Interval is how long clients are advised to wait between two connects.
	Interval time.Duration
	// MaxInterval is how long a session lives without a connect, beyond
	// Interval, before it expires; 0 means 10 s.
	MaxInterval time.Duration
	// MultiSessionInterval is the advised interval for sessions beyond
	// HoldsPerBrowser; 0 means 2 s. A negative one refuses their connects.
	MultiSessionInterval time.Duration
	// WriteTimeout is how long a client that is being written to may read
	// nothing; 0 means 10 s. Every 16 KiB of a larger write have this time, so a
	// client that is slow but reads is waited for.
	WriteTimeout time.Duration
	// BodyTimeout is how long the body of a polling request, or a WebSocket
	// message that has begun, may take to arrive; 0 means 10 s.
	BodyTimeout time.Duration
	// LazyTimeout is how long a lazy message waits at most; 0 means 5 s.
	LazyTimeout time.Duration
	// MaxInactivity ends sessions that did nothing but connect for so long; 0
	// means no limit. With ActiveByDelivery, what is delivered to a session
	// counts as its activity too (clause 11, activity).
	MaxInactivity    time.Duration
	ActiveByDelivery bool

	// ConnectOnly lets messages leave only together with the reply to a
	// connect, whatever the transport (clause 7.4).
	ConnectOnly bool
	// Ack serves clients that ask for the acknowledgement extension: messages
	// that did not arrive are delivered again (clause 11, ack).
	Ack bool
	// CallbackPolling serves GET requests that want JavaScript (clause 10).
	// Pages of every origin can use it, so it is off unless it is needed.
	CallbackPolling bool
	// Deflate offers permessage-deflate on WebSockets. It doubles the cost of
	// a message, and compressed secrets can leak through their lengths.
	Deflate bool

	// CookieName and CookiePath describe the cookie that ties a browser to its
	// sessions; empty means BAYEUX_BROWSER and "/". The cookie is HttpOnly, and
	// Secure if the request came over TLS or CookieSecure is set.
	// CookieDomain and CookieSameSite are left out of it unless they are set;
	// pages of other sites need SameSite=None, which browsers take with Secure
	// alone.
	CookieName     string
	CookiePath     string
	CookieSecure   bool
	CookieDomain   string
	CookieSameSite http.SameSite
	// NewBrowser makes the value of a new cookie, of 16 to 128 bytes that a cookie
	// may have; nil means 130 random bits. KnownBrowser says whether a value was
	// made by NewBrowser: another one is as good as none, and is replaced. nil means
	// that every value of that length is known.
	NewBrowser   func() string
	KnownBrowser func(value string) bool
	// TrustClientID accepts a clientId over HTTP without the cookie of the
	// browser that shook hands. A WebSocket never needs the cookie.
	TrustClientID bool
	// NoSocketCookie sets no cookie when a WebSocket opens. The sessions of such
	// a WebSocket cannot go on over polling. It is for clients that open one
	// while they shake hands over HTTP, as Faye's do: of two cookies that are on
	// their way at once they keep either, and their session has one of them.
	NoSocketCookie bool
	// HoldsPerBrowser is how many connects of one browser are held at once over
	// HTTP/1.1; the others are answered at once and told to poll. 0 means 1, a
	// negative number means no limit.
	HoldsPerBrowser int

	// MaxMessageSize is the largest HTTP body or WebSocket message in bytes; 0
	// means 64 KiB. MaxBatch is the most messages in one of them; 0 means 100.
	// MaxDepth is how deep JSON may nest; 0 means 64.
	MaxMessageSize int
	MaxBatch       int
	MaxDepth       int
	// MaxSessionsPerAddress bounds the sessions of one network address, of IPv6
	// of one /64; handshakes beyond it are refused, and the logger hears of it. 0
	// means 1,000, a negative number means no limit. Behind a proxy set Address,
	// or all clients share the proxy's.
	MaxSessionsPerAddress int
	// Address is how to tell a request's network address; nil means the host of
	// its RemoteAddr. "" is not limited.
	Address func(r *http.Request) string
	// MaxSessionsPerBrowser bounds the sessions of one cookie; 0 means no limit.
	MaxSessionsPerBrowser int
	// OutboxMessages and OutboxBytes bound what one session keeps: what waits,
	// what is being written, and what the client has not confirmed, together; 0
	// means 1,000 messages and 1 MiB. A session over the bound is ended, and its
	// client is told to shake hands again. A write takes up to 64 KiB more.
	OutboxMessages int
	OutboxBytes    int
	// Redeliver sends again, when a session comes back on another connection,
	// what was written to the one before and not confirmed by a later connect:
	// each message at least once and in order. Without it what was written to
	// a connection that had died unnoticed is lost. What is remembered is
	// bounded as the outbox is; a session that comes back too late for the
	// bound is ended, and its client is told to shake hands again. Over polling
	// messages then leave with connects alone. It trusts a connect to come from
	// a client that has read the answer before: one that was given up, and
	// arrives behind its successors, can make a message be lost.
	Redeliver bool
	// OrderedPolling keeps the order of messages over polling, where two
	// responses on two connections can overtake each other: only one of them
	// carries messages at a time. A publish's answer leaves its messages to a
	// held connect, which is written first; without one it takes them along,
	// and connects then give it a short head start.
	OrderedPolling bool
	// MaxSubscriptions bounds the subscriptions of one session; 0 means 1,000.
	MaxSubscriptions int

	// CheckOrigin says whether a WebSocket may be opened by a page of the
	// request's origin; nil allows every origin. Over HTTP origins are the
	// business of CORS and not looked at here.
	CheckOrigin func(r *http.Request) bool
	// Authenticate is asked once for every HTTP request and every WebSocket;
	// what it returns is the session's [Session.Principal]. An error is
	// answered with HTTP 401. A session only takes requests of an equal
	// principal, so principals must be comparable. Nil means no principal.
	Authenticate func(r *http.Request) (principal any, err error)
	// Policy decides what clients may do.
	Policy Policy
	// Extensions look at every message, in this order.
	Extensions []Extension
	// OnHandshake may add to the reply of a successful handshake, before
	// anything else reaches the session.
	OnHandshake func(ctx context.Context, s *Session, request *Message, reply *Reply)

	// Observe hears of what happens, for metrics. It is called without locks on
	// the goroutine that did it, and must be quick.
	Observe func(e Event)
	// Logger gets what an operator should know; nil means [slog.Default]. It is
	// never given what clients wrote.
	Logger *slog.Logger
}

// Policy decides what remote clients may do. A nil function allows. A refusal
// is an [*Error]; any other error refuses with 403 and the operation's own
// text.
type Policy struct {
	// Handshake is asked before a session exists for others. The client is told
	// to stay away, unless the refusal is wrapped with [Again].
	Handshake func(ctx context.Context, s *Session, m *Message) error
	// Create is asked when a client subscribes or publishes to a broadcast
	// channel that nobody is subscribed to.
	Create func(ctx context.Context, s *Session, channel string) error
	// Subscribe is asked for each broadcast channel or pattern.
	Subscribe func(ctx context.Context, s *Session, channel string) error
	// Publish is asked for each message to a broadcast channel.
	Publish func(ctx context.Context, s *Session, channel string) error
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

func (o Options) withDefaults() Options {
	o.Timeout = or(o.Timeout, 20*time.Second)
	o.MaxInterval = or(o.MaxInterval, 10*time.Second)
	o.MultiSessionInterval = or(o.MultiSessionInterval, 2*time.Second)
	o.WriteTimeout = or(o.WriteTimeout, 10*time.Second)
	o.BodyTimeout = or(o.BodyTimeout, 10*time.Second)
	o.LazyTimeout = or(o.LazyTimeout, 5*time.Second)
	if o.NewBrowser == nil {
		o.NewBrowser = newID
	}
	o.CookieName = or(o.CookieName, "BAYEUX_BROWSER")
	o.CookiePath = or(o.CookiePath, "/")
	o.HoldsPerBrowser = or(o.HoldsPerBrowser, 1)
	o.MaxMessageSize = or(o.MaxMessageSize, 64<<10)
	o.MaxBatch = or(o.MaxBatch, 100)
	o.MaxDepth = or(o.MaxDepth, 64)
	o.MaxSessionsPerAddress = or(o.MaxSessionsPerAddress, 1000)
	o.OutboxMessages = or(o.OutboxMessages, 1000)
	o.OutboxBytes = or(o.OutboxBytes, 1<<20)
	o.MaxSubscriptions = or(o.MaxSubscriptions, 1000)
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}
