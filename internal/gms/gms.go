package gms

import (
	"context"
	"crypto/rand"
	"log/slog"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/halley-chat/halley/bayeux"
	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
	"github.com/halley-chat/halley/internal/media"
	"github.com/halley-chat/halley/internal/ratelimit"
)

// channelPrefix is what the channels of all services begin with.
const channelPrefix = "/service/chatV2/"

// The timers of the CometD mount. The public sample opens a second chat if its
// session is gone after an outage, so sessions live long.
const (
	connectTimeout = 20 * time.Second
	maxInterval    = 90 * time.Second
)

// Options are what an [Edge] is made of.
type Options struct {
	Engine   *engine.Engine
	Keys     *Keyring
	Services map[string]Service
	// ReadableFor is how long an ended chat can be read with its key; 0 means
	// 24 h.
	ReadableFor time.Duration
	// Patience is how long an operation may take before the client is told to
	// try again; 0 means 7 s, since clients give up at 10. RESTPatience is the
	// same over REST; 0 means 2.5 s, since clients give up at 3 there.
	Patience     time.Duration
	RESTPatience time.Duration
	// SecureCookies marks the browser's cookie as Secure whatever the request
	// came over.
	SecureCookies bool
	// MaxSessions bounds the Bayeux sessions of one network address; 0 means
	// bayeux' own default, a negative number no limit. Unlimited are the networks
	// to which no limit by address applies, whatever its kind.
	MaxSessions int
	Unlimited   []netip.Prefix
	// Carries says whether a device can be told of what happens. A device that
	// cannot is not taken; nil means that none can.
	Carries func(chat.Device) bool
	// Files keeps what visitors share; nil means that no service takes files.
	Files  *media.Service
	Logger *slog.Logger
}

// Stats counts what an operator should know.
type Stats struct {
	WrongKeys      atomic.Int64 // keys that were not made here, or not for that chat
	Refused        atomic.Int64 // operations answered with a statusCode other than 0
	Limited        atomic.Int64 // those among them that were more than a service's rates allow
	TooManyUploads atomic.Int64 // files that were refused because too many were on their way in
	RefusedOrigins atomic.Int64 // calls of pages whose origin is not listed
	NoDevice       atomic.Int64 // subscriptions that were not taken, because nobody here can tell such a device
}

// Edge is the Chat API. It is an [http.Handler] for /genesys/cometd and
// everything below; [Edge.REST] is the one for the paths below [RESTPath].
type Edge struct {
	// Static after construction.
	o        Options
	bayeux   *bayeux.Server
	node     string // what the names of this process's channels begin with
	stats    Stats
	board    *engine.Watch
	opens    *ratelimit.Limiter // of new chats, by service and network
	calls    *ratelimit.Limiter // of operations, by chat
	warned   *ratelimit.Limiter // of log lines about refused new chats, by service
	origins  *ratelimit.Limiter // of log lines about origins, by origin
	uploads  *uploadSlots
	openings *openings

	draining atomic.Bool

	mu sync.Mutex
	// Guarded by mu.
	bindings map[string]*binding // by channel
	pollers  map[string]*poller  // by channel
	polled   map[chat.ID]*poller // by chat
	closed   bool

	unbinding sync.WaitGroup
}

// New makes the edge. Close it before the engine.
func New(o Options) *Edge {
	if o.ReadableFor == 0 {
		o.ReadableFor = 24 * time.Hour
	}
	if o.Patience == 0 {
		o.Patience = 7 * time.Second
	}
	if o.RESTPatience == 0 {
		o.RESTPatience = 2500 * time.Millisecond
	}
	e := &Edge{
		o: o, node: rand.Text()[:10] + ".", opens: ratelimit.New(maxBuckets), calls: ratelimit.New(maxBuckets), origins: ratelimit.New(maxLoggedOrigins), warned: ratelimit.New(max(len(o.Services), 1)), uploads: newUploadSlots(), openings: newOpenings(),
		bindings: make(map[string]*binding), pollers: make(map[string]*poller), polled: make(map[chat.ID]*poller),
	}
	no := &bayeux.Error{Code: 403, Args: "denied_by_security_policy", Text: "denied"}
	refuse := func(context.Context, *bayeux.Session, string) error { return no }
	e.bayeux = bayeux.New(bayeux.Options{
		Timeout: connectTimeout, MaxInterval: maxInterval,
		TrustClientID: true, HoldsPerBrowser: -1, CookieSecure: o.SecureCookies,
		MaxSessionsPerAddress: o.MaxSessions, Address: e.limitedAddress,
		NewBrowser: o.Keys.newBrowser, KnownBrowser: o.Keys.knowsBrowser,
		MaxMessageSize: 256 << 10,
		Redeliver:      true,
		OrderedPolling: true,
		// Which of the services take part is said in authorize.go.
		CallbackPolling: e.anyOverCallback(),
		CheckOrigin:     e.checkOrigin,
		// There are no broadcast channels here.
		Policy:      bayeux.Policy{Subscribe: refuse, Publish: refuse},
		OnHandshake: e.onHandshake,
		Extensions:  []bayeux.Extension{{Incoming: e.beforeDisconnect}},
		Logger:      o.Logger,
	})
	e.bayeux.Handle(channelPrefix+"*", e.handle)
	e.board = o.Engine.Board().Watch(e.unbindOrphan)
	return e
}

// ServeHTTP serves the Bayeux clients.
func (e *Edge) ServeHTTP(w http.ResponseWriter, r *http.Request) { e.bayeux.ServeHTTP(w, r) }

// Stats are the edge's counters.
func (e *Edge) Stats() *Stats { return &e.stats }

// BayeuxStats are the counters of the edge's Bayeux server.
func (e *Edge) BayeuxStats() *bayeux.Stats { return e.bayeux.Stats() }

// Drain refuses new chats from now on and sends held connects home, to come
// back within spread.
func (e *Edge) Drain(spread time.Duration) {
	e.draining.Store(true)
	e.bayeux.Drain(spread)
}

// Close ends all Bayeux sessions, without a word to the chats: whoever comes
// back to the next process finds its chat as it was.
func (e *Edge) Close(ctx context.Context) error {
	e.mu.Lock()
	e.closed = true
	pollers := slices.Collect(maps.Values(e.pollers))
	e.mu.Unlock()
	for _, p := range pollers {
		p.end()
	}
	e.board.Close()
	err := e.bayeux.Close(ctx)
	e.unbinding.Wait()
	return err
}

// AllowsOrigin says whether pages of an origin may call at all, which is so if
// any service allows them.
func (e *Edge) AllowsOrigin(origin string) bool {
	for _, s := range e.o.Services {
		if s.allows(origin, false) {
			return true
		}
	}
	return false
}

func (e *Edge) checkOrigin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" || e.AllowsOrigin(origin) || sameOrigin(origin, r) {
		return true
	}
	_ = e.refuseOrigin(origin) // whoever asks answers
	return false
}

// sameOrigin says whether an origin is that of the address that was called.
func sameOrigin(origin string, r *http.Request) bool {
	_, host, ok := strings.Cut(origin, "://")
	return ok && strings.EqualFold(host, r.Host)
}

// onHandshake tells a browser that comes back the key of its live chat: if its
// cookie ties it to exactly one of those whose keys the page may know.
func (e *Edge) onHandshake(_ context.Context, s *bayeux.Session, _ *bayeux.Message, r *bayeux.Reply) {
	if !s.BrowserKnown() || s.Transport() == callbackPolling {
		return
	}
	live := slices.DeleteFunc(e.o.Engine.Board().ByBrowser(BrowserDigest(s.Browser())), func(sum chat.Summary) bool {
		service, ok := e.o.Services[sum.Service]
		return !ok || !service.trusts(s.Origin(), s.SameOrigin())
	})
	if len(live) != 1 {
		return
	}
	key := e.o.Keys.key(identity{live[0].Chat, chat.VisitorNo, live[0].KeyEpoch})
	r.Set("secureKey", []byte(`"`+key+`"`)) // its alphabet needs no escaping
}
