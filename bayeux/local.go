package bayeux

import (
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

// Local is a session inside the process: the application subscribes and
// publishes as a client would, without a connection. The policy and the
// authorizers are not asked, and it does not expire.
type Local struct {
	session *Session
	deliver func(message jsontext.Value)

	mu sync.Mutex
	// Guarded by mu.
	running bool
	again   bool
}

// NewLocal makes a session inside the process. deliver is called with every
// message for it, whole and as JSON, one at a time and in order; it may block,
// while messages wait up to the bounds of the outbox, after which the session
// is ended. It fails if the server is closed.
// spec:14.18
func (srv *Server) NewLocal(deliver func(message jsontext.Value)) (*Local, error) {
	l := &Local{deliver: deliver}
	l.session = srv.newSession(peer{transport: transportLocal}, false)
	l.session.transport = l
	if err := srv.register(l.session); err != nil {
		return nil, err
	}
	srv.observe(Event{Kind: SessionOpened, Session: l.session})
	return l, nil
}

// Session is the session itself.
func (l *Local) Session() *Session { return l.session }

// Subscribe subscribes to a broadcast channel or a pattern. It fails on a name
// that is neither, on too many subscriptions, and with [ErrGone].
func (l *Local) Subscribe(channel string) error {
	name, _, ok := normalChannel(channel)
	if !ok || isMeta(name) || isService(name) {
		return errSubInvalid
	}
	if e := l.session.subscribe(name); e == errUnknownClient {
		return ErrGone
	} else if e != nil {
		return e
	}
	return nil
}

// Unsubscribe takes a subscription back. One that is not there is no error.
func (l *Local) Unsubscribe(channel string) {
	if name, _, ok := normalChannel(channel); ok {
		l.session.unsubscribe(name)
	}
}

// Publish publishes data, which is JSON, to a broadcast channel, to this
// session too if it is subscribed.
func (l *Local) Publish(channel string, data jsontext.Value) error {
	name, wild, ok := normalChannel(channel)
	switch {
	case !ok || wild || isMeta(name) || isService(name):
		return errChannelInvalid
	case l.session.reason() != "":
		return ErrGone
	}
	var toNotify []*Session
	l.session.srv.fanOut(l.session, name, NewDelivery(channel, data), &toNotify)
	notifyAll(toNotify)
	return nil
}

// Close ends the session. What waits for it is dropped.
func (l *Local) Close() { l.session.end(Disconnected) }

// notify implements transport: a goroutine delivers what is queued, unless one is
// running.
func (l *Local) notify(*Session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.running {
		l.again = true
		return
	}
	l.running = true
	go l.run()
}

// sessionEnded implements transport; run checks the session itself.
func (l *Local) sessionEnded(*Session, Reason) {}

func (l *Local) deliverAll() {
	h := l.session.outbox.take()
	defer l.session.outbox.settle(h)
	for _, e := range h.entries {
		if l.session.reason() != "" {
			return
		}
		l.deliver(e.body)
	}
}

func (l *Local) run() {
	for {
		l.deliverAll()
		l.mu.Lock()
		if !l.again {
			l.running = false
			l.mu.Unlock()
			return
		}
		l.again = false
		l.mu.Unlock()
	}
}
