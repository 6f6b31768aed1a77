package bayeux

import (
	"context"
	"errors"
	"time"
)

// The meta channels (clause 6).
const (
	metaHandshake   = "/meta/handshake"
	metaConnect     = "/meta/connect"
	metaSubscribe   = "/meta/subscribe"
	metaUnsubscribe = "/meta/unsubscribe"
	metaDisconnect  = "/meta/disconnect"
)

// errBatchedHandshake: a handshake must be alone in its body (clause 5.1).
var errBatchedHandshake = errors.New("bayeux: a handshake must be the only message")

// batch is the processing of one body, in order (clause 5). It belongs to one
// goroutine.
type batch struct {
	srv     *Server
	peer    *peer
	session *Session // the one the body belongs to; nil if unknown
	alone   bool     // the body has one message
	replies []*Reply
	// connect is the reply of a connect that shall be held for at most wait.
	connect *Reply
	wait    time.Duration
	cycle   uint64 // of that connect
	// restart says that a reply was made whose writing starts the expiry anew.
	restart bool
	fresh   bool       // a handshake made the session
	begun   []*Session // marked as busy until the answer is on its way
	later   []*Session // have something new and are woken when the body is done
}

// begin marks a session as busy until end.
func (b *batch) begin(s *Session) {
	if s.begin() {
		b.begun = append(b.begun, s)
	}
}

// end undoes begin. Callers defer it, because a handler may panic.
func (b *batch) end(carried bool) {
	for _, s := range b.begun {
		s.finish(carried)
	}
	b.begun = nil
}

// run processes the messages.
func (b *batch) run(ctx context.Context, messages []*Message) error {
	b.alone = len(messages) == 1
	// spec:5.1.1
	for _, m := range messages {
		if m.Channel == metaHandshake && !b.alone {
			return errBatchedHandshake
		}
	}
	b.srv.stats.Messages.Add(int64(len(messages)))
	defer func() { notifyAll(b.later) }()
	// spec:5.4 spec:13.1 spec:14.1
	for _, m := range messages {
		r := b.one(ctx, m)
		if r == nil {
			continue
		}
		if r.err != nil {
			b.srv.stats.Refused.Add(1)
		}
		b.replies = append(b.replies, r.finish(b.session))
	}
	return nil
}

// one processes a message. A nil reply means that the connect is to be held.
// spec:5.3
func (b *batch) one(ctx context.Context, m *Message) *Reply {
	if m.err != nil {
		return replyTo(m).fail(m.err)
	}
	name, wild, ok := normalChannel(m.Channel)
	if !ok {
		return replyTo(m).fail(errChannelInvalid)
	}
	if isMeta(name) && name != m.Channel {
		// Whoever looks at a reply or at a body's first message must be able to
		// tell by the name as it was written.
		return replyTo(m).fail(errChannelInvalid)
	}
	var known *Session
	if b.session != nil && name != metaHandshake && m.ClientID == b.session.id {
		known = b.session
	}
	refused := b.srv.incoming(ctx, known, m)
	r := replyTo(m) // with what the extensions want to add
	if refused != nil {
		return r.fail(refused)
	}
	if name == metaHandshake {
		return b.handshake(ctx, m, r)
	}
	// spec:5.1 spec:1.3.3
	if b.session == nil || m.ClientID != b.session.id || b.session.reason() != "" {
		r.fail(errUnknownClient)
		if name == metaConnect {
			// spec:2.4 spec:14.4
			r.advice = &advice{reconnect: "handshake", bare: true}
		}
		return r
	}
	switch {
	case name == metaConnect:
		return b.answerOrHold(m, r)
	case name == metaSubscribe:
		return b.subscribe(ctx, m, r)
	case name == metaUnsubscribe:
		return b.unsubscribe(m, r)
	// spec:6.6
	case name == metaDisconnect:
		b.session.end(Disconnected)
		return r
	// spec:6.10
	case isMeta(name):
		return r.fail(errCreateDenied)
	// spec:4.5
	case wild:
		return r.fail(errChannelInvalid)
	case isService(name):
		return b.service(ctx, name, m, r)
	default:
		return b.broadcast(ctx, name, m, r)
	}
}

// spec:6.1
func (b *batch) handshake(ctx context.Context, m *Message, r *Reply) *Reply {
	s := &Session{
		srv: b.srv, id: newID(), browser: b.peer.browser, principal: b.peer.principal,
		address: b.peer.address, active: time.Now(),
		origin: b.peer.origin, own: b.peer.own, known: b.peer.known, transport: b.peer.transport,
		outbox: outbox{maxMessages: b.srv.opts.OutboxMessages, maxBytes: b.srv.opts.OutboxBytes, redeliver: b.srv.opts.Redeliver},
	}
	s.outbox.acks = b.srv.opts.Ack && wantsAck(m)
	r.lead, r.transports = true, b.srv.types
	deny := func(err error) *Reply {
		// spec:2.6
		r.advice = &advice{reconnect: "none", bare: true}
		if errors.As(err, new(again)) {
			r.advice.reconnect = "handshake"
		}
		return r.fail(asError(err, errHandshakeDenied))
	}
	if ask := b.srv.opts.Policy.Handshake; ask != nil {
		if err := ask(ctx, s, m); err != nil {
			return deny(err)
		}
	}
	if err := b.srv.register(s); err != nil {
		if err == errServerClosed {
			r.advice = b.srv.normalAdvice()
			return r.fail(errHandshakeDenied)
		}
		return deny(err)
	}
	// spec:14.9
	// Marked as busy until the reply is on its way, so that nothing reaches
	// the client before it (clause 14.9).
	b.begin(s)
	b.session, b.fresh, b.restart = s, true, true
	r.clientID, r.advice = s.id, b.srv.normalAdvice()
	s.advised = b.peer.transport
	if s.outbox.acks {
		r.SetExt("ack", []byte("true"))
	}
	if add := b.srv.opts.OnHandshake; add != nil {
		add(ctx, s, m, r)
	}
	b.srv.stats.Handshakes.Add(1)
	b.srv.observe(Event{Kind: SessionOpened, Session: s})
	return r
}

// answerOrHold decides whether a connect is answered at once or held (7.1).
func (b *batch) answerOrHold(m *Message, r *Reply) *Reply {
	s, srv := b.session, b.srv
	// spec:7.6 spec:7.6.3 spec:14.7
	s.releaseHeld(holdReplaced)
	asked := m.clientAdvice()
	wait := srv.opts.Timeout
	if asked.timeout >= 0 {
		wait = min(wait, time.Duration(asked.timeout)*time.Millisecond)
	}
	// spec:11.6
	if s.idle() {
		s.Disconnect()
		return r.over(Kicked).fail(errUnknownClient)
	}
	s.outbox.confirm()
	s.acknowledged(m)
	s.mu.Lock()
	s.cycle++
	b.cycle = s.cycle
	first := !s.connected
	s.connected = true
	s.interval = 0
	if asked.interval > 0 {
		s.interval = min(time.Duration(asked.interval)*time.Millisecond, srv.opts.MaxInterval)
	}
	// spec:2.2 spec:2.2.1
	if m.Advice != nil || s.advised != b.peer.transport {
		r.advice = srv.normalAdvice()
		if asked.interval >= 0 {
			r.advice.interval = s.interval
		}
		s.advised = b.peer.transport
	}
	s.mu.Unlock()

	b.restart = true
	// spec:14.15
	if srv.draining.Load() > 0 {
		r.advice = srv.drainAdvice()
		return r
	}
	// spec:7.1 spec:7.1.1 spec:14.3
	if first || wait == 0 {
		return r
	}
	// spec:7.1.2 spec:7.1.3 spec:11.1.3
	polls := b.peer.transport != transportWebSocket
	if polls && !b.alone || (polls || s.connectOnly()) && s.pressing() && !(polls && s.behind()) {
		return r
	}
	b.connect, b.wait = r, wait
	return nil
}

// spec:6.2 spec:6.3 spec:6.4
func (b *batch) subscribe(ctx context.Context, m *Message, r *Reply) *Reply {
	names, e := m.subscriptions()
	if e != nil {
		return r.fail(e)
	}
	for _, given := range names {
		name, _, ok := normalChannel(given)
		switch {
		case !ok:
			return r.fail(errSubInvalid)
		case isMeta(name):
			return r.fail(errSubDenied)
		case isService(name):
			continue
		}
		if e := b.srv.mayUse(ctx, b.session, Subscribe, name); e != nil {
			return r.fail(e)
		}
		if e := b.session.subscribe(name); e != nil {
			return r.fail(e)
		}
	}
	return r
}

func (s *Session) subscribe(name string) *Error {
	s.mu.Lock()
	if s.ended != "" {
		s.mu.Unlock()
		return errUnknownClient
	}
	// spec:14.14
	if !s.subs.has(name) && len(s.subs.list) >= s.srv.opts.MaxSubscriptions {
		s.mu.Unlock()
		return errSubTooMany
	}
	// Under the same lock as the session's own list, so that the two agree
	// whatever else happens to the session.
	s.subs.add(name)
	s.srv.hub.add(name, s)
	s.mu.Unlock()
	s.srv.observe(Event{Kind: Subscribed, Session: s, Channel: name})
	return nil
}

// spec:6.5
func (b *batch) unsubscribe(m *Message, r *Reply) *Reply {
	names, e := m.subscriptions()
	if e != nil {
		return r.fail(e)
	}
	for _, given := range names {
		name, _, ok := normalChannel(given)
		switch {
		case !ok:
			return r.fail(errSubInvalid)
		case isMeta(name):
			return r.fail(errUnsubFailed)
		}
		b.session.unsubscribe(name)
	}
	return r
}

func (s *Session) unsubscribe(name string) {
	s.mu.Lock()
	was := s.subs.remove(name)
	if was {
		s.srv.hub.remove(name, s)
	}
	s.mu.Unlock()
	if was {
		s.srv.observe(Event{Kind: Unsubscribed, Session: s, Channel: name})
	}
}

// spec:6.9 spec:12.3
func (b *batch) service(ctx context.Context, name string, m *Message, r *Reply) *Reply {
	h := b.srv.handler(name)
	if h == nil {
		return r
	}
	if err := h(ctx, b.session, m); err != nil {
		return r.fail(asError(err, errInternal))
	}
	return r
}

func (b *batch) broadcast(ctx context.Context, name string, m *Message, r *Reply) *Reply {
	// spec:1.3.5
	if m.Data == nil {
		return r.fail(errNoData)
	}
	if e := b.srv.mayUse(ctx, b.session, Publish, name); e != nil {
		return r.fail(e)
	}
	// spec:6.7
	b.srv.fanOut(b.session, name, m.broadcast(), &b.later)
	return r
}

// over completes the reply of a connect whose session has ended (2.5).
// spec:2.5
func (r *Reply) over(reason Reason) *Reply {
	switch reason {
	case Disconnected, Kicked:
		r.advice = &advice{reconnect: "none", bare: true}
	default:
		r.fail(errUnknownClient)
		r.advice = &advice{reconnect: "handshake", bare: true}
	}
	return r
}

// isConnect says whether a body begins with a connect, which is not a reason
// to keep messages back (5.2).
// spec:5.2
func isConnect(m *Message) bool { return m.Channel == metaConnect }
