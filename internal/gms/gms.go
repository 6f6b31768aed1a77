package gms

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/halley-chat/halley/bayeux"
	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
)

// Station 4 of the road of a message: an operation becomes a command. Station
// 10 is in render.go and binding.go.

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
	// try again; 0 means 7 s, since clients give up at 10.
	Patience time.Duration
	// SecureCookies marks the browser's cookie as Secure whatever the request
	// came over.
	SecureCookies bool
	Logger        *slog.Logger
}

// Stats counts what an operator should know.
type Stats struct {
	WrongKeys atomic.Int64 // keys that were not made here, or not for that chat
	Refused   atomic.Int64 // operations answered with a statusCode other than 0
}

// Edge is the CometD side of the Chat API. It is an [http.Handler] for
// /genesys/cometd and everything below.
type Edge struct {
	// Static after construction.
	o      Options
	bayeux *bayeux.Server
	node   string // what the names of this process's channels begin with
	stats  Stats
	unsee  func()

	draining atomic.Bool

	mu sync.Mutex
	// Guarded by mu.
	bindings map[string]*binding // by channel
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
	e := &Edge{o: o, node: rand.Text()[:10] + ".", bindings: make(map[string]*binding)}
	no := &bayeux.Error{Code: 403, Args: "denied_by_security_policy", Text: "denied"}
	refuse := func(context.Context, *bayeux.Session, string) error { return no }
	e.bayeux = bayeux.New(bayeux.Options{
		Timeout: connectTimeout, MaxInterval: maxInterval,
		TrustClientID: true, HoldsPerBrowser: -1, CookieSecure: o.SecureCookies,
		MaxMessageSize: 256 << 10,
		Redeliver:      true,
		OrderedPolling: true,
		CheckOrigin:    e.checkOrigin,
		// There are no broadcast channels here.
		Policy:      bayeux.Policy{Subscribe: refuse, Publish: refuse},
		OnHandshake: e.onHandshake,
		Logger:      o.Logger,
	})
	e.bayeux.Handle(channelPrefix+"*", e.handle)
	e.unsee = o.Engine.Board().Watch(e.adopt)
	return e
}

// ServeHTTP serves the Bayeux clients.
func (e *Edge) ServeHTTP(w http.ResponseWriter, r *http.Request) { e.bayeux.ServeHTTP(w, r) }

// Stats are the edge's counters.
func (e *Edge) Stats() *Stats { return &e.stats }

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
	e.mu.Unlock()
	e.unsee()
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
	if origin == "" || e.AllowsOrigin(origin) {
		return true
	}
	_, host, ok := strings.Cut(origin, "://")
	return ok && strings.EqualFold(host, r.Host)
}

// onHandshake tells a browser that comes back the key of its live chat: if its
// cookie ties it to exactly one, and if the page may know.
func (e *Edge) onHandshake(_ context.Context, s *bayeux.Session, _ *bayeux.Message, r *bayeux.Reply) {
	if !s.BrowserKnown() {
		return
	}
	live := e.o.Engine.Board().ByBrowser(BrowserDigest(s.Browser()))
	if len(live) != 1 {
		return
	}
	service, ok := e.o.Services[live[0].Service]
	if !ok || !service.trusts(s.Origin(), s.SameOrigin()) {
		return
	}
	key := e.o.Keys.key(identity{live[0].Chat, chat.VisitorNo, live[0].KeyEpoch})
	r.Set("secureKey", []byte(`"`+key+`"`)) // its alphabet needs no escaping
}

// handle carries out one operation and answers it with a notification.
func (e *Edge) handle(ctx context.Context, s *bayeux.Session, m *bayeux.Message) error {
	r, err := parseRequest(m.Data)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, e.o.Patience)
	defer cancel()
	c := &call{edge: e, session: s, channel: strings.TrimSuffix(strings.TrimSpace(m.Channel), "/"), request: r}
	if err := c.do(ctx); err != nil {
		c.refuse(err)
	}
	return nil
}

// call is one operation being carried out, by one goroutine.
type call struct {
	edge    *Edge
	session *bayeux.Session
	channel string // where its notifications go
	request request
	chat    chat.ID // 0 until it is known
}

// operations is the table of what can be asked.
var operations = map[string]func(*call, context.Context) error{
	"requestChat":          (*call).requestChat,
	"requestNotifications": (*call).requestNotifications,
	"sendMessage":          (*call).sendMessage,
	"startTyping":          (*call).startTyping,
	"stopTyping":           (*call).stopTyping,
	"disconnect":           (*call).disconnect,
	"refresh":              (*call).requestNotifications,
	"updateNickname":       (*call).updateNickname,
	"updateData":           (*call).updateData,
	"pushUrl":              (*call).pushURL,
	"customNotice":         (*call).customNotice,
	"readReceipt":          (*call).readReceipt,
}

func (c *call) do(ctx context.Context) error {
	op, ok := operations[c.request.text("operation")]
	if !ok {
		return chat.Refuse(chat.Unknown, "no such operation")
	}
	return op(c, ctx)
}

// refuse answers with an error. The chat and everything else stay as they are.
func (c *call) refuse(err error) {
	v, known := verdictOf(err)
	if !known {
		c.edge.o.Logger.Error("gms: an operation failed", "chat", c.chat.String(), "err", err)
	}
	c.edge.stats.Refused.Add(1)
	r := response{StatusCode: v.status, ChatEnded: v.ended, Alias: alias, Messages: []message{}, NextPosition: 1}
	if v.status == statusPermanent {
		r.Errors = []failure{v.failure}
	}
	if b, ok := c.session.Value().(*binding); ok && c.chat != 0 && b.chatID() == c.chat {
		r.NextPosition = max(b.next.Load(), 1)
	}
	if c.chat != 0 {
		r.ChatID, r.UserID = c.chat.String(), userID(c.chat, chat.VisitorNo)
	}
	c.send(r)
}

// send queues a notification for the session. If it cannot be queued, the
// session is over and its client will ask for what it missed.
func (c *call) send(r response) { send(c.session, c.channel, r) }

func send(s *bayeux.Session, channel string, r response) {
	b, err := json.Marshal(r)
	if err != nil {
		// Attributes are the only raw JSON in it, and they were parsed before.
		panic("gms: a response cannot be encoded: " + err.Error())
	}
	_ = s.Deliver(channel, b)
}
