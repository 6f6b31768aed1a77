// Station 3 of docs/road.md: whose is it, and is it allowed?

package bayeux

import (
	"context"
	"crypto/rand"
	"errors"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Handler gets what clients publish to a service channel. The publish is
// acknowledged after it returns, and what it delivers to s before it returns
// goes ahead of the acknowledgement. An error refuses the publish: an
// [*Error] as it is, any other as 500::server_error. ctx ends with the
// request or the WebSocket; m is only valid until the handler returns.
//
// Messages of one WebSocket are handled one after the other, so a handler
// that takes long holds up the client's other messages.
type Handler func(ctx context.Context, s *Session, m *Message) error

// Server is a Bayeux server. Make one with [New]; it serves the path that it
// is mounted on and everything below.
type Server struct {
	// Static after construction.
	opts       Options
	hub        *hub
	handlers   map[string]Handler        // static once serving
	channels   map[string]ChannelOptions // static once serving
	transports string                    // supportedConnectionTypes as JSON
	stats      Stats
	base       context.Context // ends with Close
	stop       context.CancelFunc
	sockets    sync.WaitGroup // read loops of WebSockets

	draining atomic.Int64 // spread of the drain in nanoseconds, 0 while not draining

	mu sync.RWMutex
	// Guarded by mu.
	sessions map[string]*Session
	open     map[*socket]struct{}
	holds    map[string]int // held connects by browser
	browsers map[string]int // sessions by browser, if they are limited
	networks map[string]int // sessions by network, if they are limited
	warned   time.Time      // when the logger last heard of too many sessions of a network
	closed   bool
}

// New makes a server.
// spec:1.3.7 spec:10.3.3 spec:14.11
func New(o Options) *Server {
	base, stop := context.WithCancel(context.Background())
	transports := `["websocket","long-polling"]`
	if o.CallbackPolling {
		transports = `["websocket","long-polling","callback-polling"]`
	}
	return &Server{
		opts: o.withDefaults(), hub: newHub(), transports: transports,
		handlers: make(map[string]Handler), channels: make(map[string]ChannelOptions),
		base: base, stop: stop,
		sessions: make(map[string]*Session), open: make(map[*socket]struct{}), holds: make(map[string]int),
		browsers: make(map[string]int), networks: make(map[string]int),
	}
}

// Handle registers the handler of a service channel or of a pattern of them,
// such as /service/chat/*; the most specific one is called. Call it before the
// server serves. It panics on a name that is not below /service/.
func (srv *Server) Handle(channel string, h Handler) {
	name, _, ok := normalChannel(channel)
	if !ok || !isService(name) {
		panic("bayeux: Handle needs a channel below /service/, got " + channel)
	}
	srv.handlers[name] = h
}

func (srv *Server) handler(channel string) (h Handler) {
	patterns(channel, func(name string) bool {
		h = srv.handlers[name]
		return h == nil
	})
	return h
}

// Stats are the server's counters.
func (srv *Server) Stats() *Stats { return &srv.stats }

// Sessions is the number of sessions that live now.
func (srv *Server) Sessions() int {
	srv.mu.RLock()
	defer srv.mu.RUnlock()
	return len(srv.sessions)
}

// Sockets is the number of WebSockets that are open now.
func (srv *Server) Sockets() int {
	srv.mu.RLock()
	defer srv.mu.RUnlock()
	return len(srv.open)
}

// Session finds a session by its id; nil if there is none.
func (srv *Server) Session(id string) *Session {
	srv.mu.RLock()
	defer srv.mu.RUnlock()
	return srv.sessions[id]
}

// Publish sends data, which is JSON, to everybody subscribed to a broadcast
// channel. It encodes once and never blocks.
// spec:4.5
func (srv *Server) Publish(channel string, data []byte) error {
	name, wild, ok := normalChannel(channel)
	if !ok || wild || isMeta(name) || isService(name) {
		return errChannelInvalid
	}
	var toNotify []*Session
	srv.fanOut(nil, name, NewDelivery(channel, data), &toNotify)
	notifyAll(toNotify)
	return nil
}

// notifyPerGoroutine is how many sessions one goroutine notifies: to notify a session
// mostly means to write to its client.
const notifyPerGoroutine = 64

// notifyAll notifies the transports of sessions with new messages.
func notifyAll(list []*Session) {
	some := func(list []*Session) {
		for _, s := range list {
			s.notify()
		}
	}
	for len(list) > notifyPerGoroutine {
		go some(list[:notifyPerGoroutine:notifyPerGoroutine])
		list = list[notifyPerGoroutine:]
	}
	some(list)
}

// receivers pools lists of subscribers for fanOut.
var receivers = sync.Pool{New: func() any { return new([]*Session) }}

// fanOut queues a message for all subscribers, encoded once. from is the
// session that published it, nil if it was the application. Sessions to be
// woken are appended to toNotify: when all of a body has been published, so that
// what it brings to one session leaves in one write.
// spec:13.3 spec:14.19
func (srv *Server) fanOut(from *Session, channel string, d *Delivery, toNotify *[]*Session) {
	if !srv.outgoing(nil, d) {
		return
	}
	srv.stats.Publishes.Add(1)
	set := srv.settings(channel)
	size := len(channel) + 16
	for _, f := range d.fields {
		size += len(f.key) + len(f.value) + 4
	}
	e := entry{body: d.append(make([]byte, 0, size)), lazy: set.lazy > 0}
	list := receivers.Get().(*[]*Session)
	*list = srv.hub.members((*list)[:0], channel)
	for _, s := range *list {
		if s == from && set.noEcho {
			continue
		}
		// A session that is over or overflows has been told; the others go on.
		if wake, _ := s.enqueue(e, set.lazy); wake {
			*toNotify = append(*toNotify, s)
		}
	}
	srv.observe(Event{Kind: Published, Session: from, Channel: channel, N: len(*list)})
	clear(*list)
	receivers.Put(list)
}

// Drain prepares the end: from now on every connect is answered at once with
// the advice to try again after a random time of at most spread, so that the
// clients do not all come back together. Sessions stay.
// spec:14.15
func (srv *Server) Drain(spread time.Duration) {
	srv.draining.Store(int64(max(spread, time.Millisecond)))
	for _, s := range srv.all() {
		s.releaseHeld(holdDrain)
	}
}

// Close ends every session and every WebSocket and waits for them until ctx
// ends, whose error it then returns. Clients are not told to stop: they will
// try to connect again.
// spec:14.16
func (srv *Server) Close(ctx context.Context) error {
	srv.mu.Lock()
	srv.closed = true
	srv.mu.Unlock()
	for _, s := range srv.all() {
		s.end(ServerClosed)
	}
	srv.mu.RLock()
	sockets := make([]*socket, 0, len(srv.open))
	for c := range srv.open {
		sockets = append(sockets, c)
	}
	srv.mu.RUnlock()
	for _, c := range sockets {
		go c.close(closeGoingAway, "the server is closing")
	}
	srv.stop()
	done := make(chan struct{})
	go func() {
		srv.sockets.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// wrote tells the observer of messages that leave together.
func (srv *Server) wrote(s *Session, n int) {
	if n > 0 {
		srv.stats.Sent.Add(int64(n))
		srv.stats.Writes.Add(1)
		srv.observe(Event{Kind: Written, Session: s, N: n})
	}
}

func (srv *Server) all() []*Session {
	srv.mu.RLock()
	defer srv.mu.RUnlock()
	list := make([]*Session, 0, len(srv.sessions))
	for _, s := range srv.sessions {
		list = append(list, s)
	}
	return list
}

// peer is whoever sends: one HTTP request or one WebSocket.
type peer struct {
	principal   any
	browser     string // the cookie's value, or the one that will be set
	cookieKnown bool   // the cookie came with the request
	origin      string
	sameOrigin  bool // the origin is this server's own
	transport   string
	address     string
	limited     bool // its holds count against the browser's limit
}

const (
	transportWebSocket   = "websocket"
	transportLongPolling = "long-polling"
	transportCallback    = "callback-polling"
	transportLocal       = "local"
)

// peer reads who sends a request. An error is the application's refusal.
func (srv *Server) peer(r *http.Request, transport string) (*peer, error) {
	p := &peer{origin: r.Header.Get("Origin"), transport: transport, limited: r.ProtoMajor < 2}
	if srv.opts.Address != nil {
		p.address = srv.opts.Address(r)
	} else if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		p.address = host
	}
	if u, err := url.Parse(p.origin); err == nil && u.Host != "" {
		// Behind a proxy that ends TLS only the host can be compared.
		secure := r.TLS != nil || srv.opts.CookieSecure
		p.sameOrigin = strings.EqualFold(u.Host, r.Host) && (u.Scheme == "https" || !secure)
	}
	if c, err := r.Cookie(srv.opts.CookieName); err == nil && srv.knowsBrowser(c.Value) {
		p.browser, p.cookieKnown = c.Value, true
	} else {
		p.browser = srv.opts.NewBrowser()
	}
	if srv.opts.Authenticate != nil {
		principal, err := srv.opts.Authenticate(r)
		if err != nil {
			return nil, err
		}
		p.principal = principal
	}
	return p, nil
}

// authenticated is the peer that sends a request; nil if the application
// refuses it, and then the request is answered.
// spec:3.4
func (srv *Server) authenticated(w http.ResponseWriter, r *http.Request, transport string) *peer {
	p, err := srv.peer(r, transport)
	if err != nil {
		srv.stats.BadBodies.Unauthenticated.Add(1)
		http.Error(w, "not signed in", http.StatusUnauthorized)
		return nil
	}
	return p
}

// knowsBrowser says whether the value of a browser's cookie counts.
// spec:8.1
func (srv *Server) knowsBrowser(value string) bool {
	return len(value) >= 16 && len(value) <= 128 && (srv.opts.KnownBrowser == nil || srv.opts.KnownBrowser(value))
}

// cookie is what ties the browser to its sessions.
// spec:8.1
func (srv *Server) cookie(p *peer, r *http.Request) *http.Cookie {
	return &http.Cookie{
		Name: srv.opts.CookieName, Value: p.browser, Path: srv.opts.CookiePath,
		HttpOnly: true, Secure: r.TLS != nil || srv.opts.CookieSecure,
		Domain: srv.opts.CookieDomain, SameSite: srv.opts.CookieSameSite,
	}
}

// newID is a name that nobody can guess: 130 random bits.
// spec:12.4
func newID() string { return strings.ToLower(rand.Text()) }

// owner is the session that a body belongs to: the first that one of its
// messages names; nil if it names none that is known.
// spec:5.1
func (srv *Server) owner(p *peer, messages []*Message) *Session {
	tried := ""
	for _, m := range messages {
		if m.ClientID == tried {
			continue
		}
		if s := srv.find(p, m.ClientID); s != nil {
			return s
		}
		tried = m.ClientID
	}
	return nil
}

// find is the session that a message of the peer may belong to (clause 8).
// spec:12.5 spec:8.2
func (srv *Server) find(p *peer, clientID string) *Session {
	if clientID == "" {
		return nil
	}
	s := srv.Session(clientID)
	switch {
	case s == nil, s.by.principal != p.principal:
		return nil
	case p.transport != transportWebSocket && !srv.opts.TrustClientID && s.by.browser != p.browser:
		return nil
	}
	return s
}

var errServerClosed = errors.New("bayeux: the server is closed")

// register makes a session known. It fails if the server is closed or if its
// browser or network has too many.
// spec:12.7
func (srv *Server) register(s *Session) error {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if srv.closed {
		return errServerClosed
	}
	o := &srv.opts
	over := func(limit int, counts map[string]int, key string) bool {
		return limit > 0 && key != "" && counts[key] >= limit
	}
	switch {
	case over(o.MaxSessionsPerBrowser, srv.browsers, s.by.browser):
		return errTooManySessions
	case over(o.MaxSessionsPerAddress, srv.networks, network(s.by.address)):
		srv.warnAddressLimit()
		return errTooManySessions
	}
	srv.count(s, 1)
	srv.sessions[s.id] = s
	return nil
}

// warnAddressLimit tells the operator that handshakes are refused, at most once a
// minute: it may be a flood, or a proxy whose clients all have its address.
// Caller holds mu; the logger is called without it.
func (srv *Server) warnAddressLimit() {
	if now := time.Now(); now.Sub(srv.warned) >= time.Minute {
		srv.warned = now
		go srv.opts.Logger.Warn("bayeux: too many sessions of one address, handshakes refused", "max", srv.opts.MaxSessionsPerAddress)
	}
}

// network is what an address is counted under: of IPv6 its /64, since whoever
// has one address has all of them.
func network(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	if a = a.Unmap(); a.Is4() {
		return a.String()
	}
	p, err := a.WithZone("").Prefix(64)
	if err != nil {
		return address
	}
	return p.String()
}

// count adds to the number of sessions of a browser and of an address, where
// those are limited. Caller holds mu.
func (srv *Server) count(s *Session, n int) {
	add := func(limit int, counts map[string]int, key string) {
		if limit <= 0 || key == "" {
			return
		}
		if counts[key] += n; counts[key] <= 0 {
			delete(counts, key)
		}
	}
	add(srv.opts.MaxSessionsPerBrowser, srv.browsers, s.by.browser)
	add(srv.opts.MaxSessionsPerAddress, srv.networks, network(s.by.address))
}

// forget removes a session that has ended.
func (srv *Server) forget(s *Session, subs []string) {
	for _, name := range subs {
		srv.hub.remove(name, s)
	}
	srv.mu.Lock()
	if srv.sessions[s.id] == s {
		delete(srv.sessions, s.id)
		srv.count(s, -1)
	}
	srv.mu.Unlock()
	reason := s.reason()
	srv.stats.Ended.of(reason).Add(1)
	srv.observe(Event{Kind: SessionClosed, Session: s, Reason: reason})
}

// mayHold counts a held connect of a browser; false means that its limit is
// reached. A true one is paid back with unhold.
// spec:8.4
func (srv *Server) mayHold(p *peer) bool {
	if srv.opts.HoldsPerBrowser < 0 || !p.limited {
		return true
	}
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if srv.holds[p.browser] >= srv.opts.HoldsPerBrowser {
		return false
	}
	srv.holds[p.browser]++
	return true
}

func (srv *Server) unhold(p *peer) {
	if srv.opts.HoldsPerBrowser < 0 || !p.limited {
		return
	}
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if srv.holds[p.browser]--; srv.holds[p.browser] <= 0 {
		delete(srv.holds, p.browser)
	}
}

// normalAdvice is what clients are advised when all is well.
// spec:2.1
func (srv *Server) normalAdvice() *advice {
	return &advice{reconnect: "retry", interval: srv.opts.Interval, timeout: srv.opts.Timeout}
}

// drainAdvice tells a client to come back after a random while, in the
// milliseconds that advice is given in: one of none would be to come back at once.
func (srv *Server) drainAdvice() *advice {
	a := srv.normalAdvice()
	spread := time.Duration(srv.draining.Load())
	a.interval = time.Duration(mathrand.Int64N(spread.Milliseconds())+1) * time.Millisecond
	return a
}

// ServeHTTP serves WebSocket upgrades, long-polling requests and, if that is
// switched on, callback-polling ones.
// spec:3.4 spec:10.7
func (srv *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == http.MethodGet && strings.EqualFold(r.Header.Get("Upgrade"), "websocket"):
		srv.serveWebSocket(w, r)
	case r.Method == http.MethodPost:
		srv.serveLongPolling(w, r)
	case r.Method == http.MethodGet && srv.opts.CallbackPolling && r.URL.Query().Has("jsonp"):
		srv.serveCallbackPolling(w, r)
	case r.Method == http.MethodOptions:
		// The headers of CORS are the business of whoever allows origins.
		w.Header().Set("Allow", "GET, POST, OPTIONS")
	default:
		srv.stats.BadBodies.Transport.Add(1)
		w.Header().Set("Allow", "GET, POST")
		http.Error(w, "no Bayeux transport fits this request", http.StatusBadRequest)
	}
}
