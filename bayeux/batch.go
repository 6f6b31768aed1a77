// Station 3 of docs/road.md: whose is it, and is it allowed?

package bayeux

import (
	"context"
	"errors"
	"slices"
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

// batch is the processing of one body's messages, in order (clause 5). It
// belongs to one goroutine.
type batch struct {
	srv     *Server
	peer    *peer
	session *Session // the one the body belongs to; nil if unknown
	alone   bool     // the body has one message
	replies []*Reply
	// connect is the reply of a connect that shall be held for at most wait.
	connect *Reply
	wait    time.Duration
	count   uint64 // of that connect, see connects
	// restart says that a reply was made whose writing starts the expiry anew.
	restart  bool
	fresh    bool       // a handshake made the session
	begun    []*Session // marked as busy until the answer is on its way
	toNotify []*Session // have something new and are notified when the body is done
}

// begin marks a session as busy until end.
func (b *batch) begin(s *Session) {
	if s.beginBody() {
		b.begun = append(b.begun, s)
	}
}

// end undoes begin. Callers defer it, because a handler may panic.
func (b *batch) end(carried bool) {
	for _, s := range b.begun {
		s.endBody(carried)
	}
	b.begun = nil
}

// answersConnect says whether a connect of the session is among what is
// answered.
func (b *batch) answersConnect() bool { return b.restart && !b.fresh }

// run processes the messages.
// spec:5.1.1 spec:5.4 spec:13.1 spec:14.1
func (b *batch) run(ctx context.Context, messages []*Message) error {
	b.alone = len(messages) == 1
	isHandshake := func(m *Message) bool { return m.Channel == metaHandshake }
	if !b.alone && slices.ContainsFunc(messages, isHandshake) {
		return errBatchedHandshake
	}
	b.srv.stats.Messages.Add(int64(len(messages)))
	defer func() { notifyAll(b.toNotify) }()
	for _, m := range messages {
		r := b.process(ctx, m)
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

// process processes a message: its form, its channel's name, the extensions,
// then the channel's own work. A nil reply means that the connect is to be held.
//
// The name of a meta channel must be written exactly: whoever looks at a reply
// or at a body's first message must be able to tell by the name as it came.
// spec:5.3 spec:4.3
func (b *batch) process(ctx context.Context, m *Message) *Reply {
	if m.err != nil {
		return replyTo(m).fail(m.err)
	}
	name, wild, ok := normalChannel(m.Channel)
	if !ok || isMeta(name) && name != m.Channel {
		return replyTo(m).fail(errChannelInvalid)
	}
	var known *Session
	if name != metaHandshake && b.belongs(m) {
		known = b.session
	}
	refused := b.srv.incoming(ctx, known, m)
	r := replyTo(m) // with what the extensions want to add
	switch {
	case refused != nil:
		return r.fail(refused)
	case name == metaHandshake:
		return b.handshake(ctx, m, r)
	case !b.belongs(m) || b.session.reason() != "":
		return b.unknown(name, r)
	case isMeta(name):
		return b.meta(ctx, name, m, r)
	case wild:
		return r.fail(errChannelInvalid)
	case isService(name):
		return b.service(ctx, name, m, r)
	default:
		return b.broadcast(ctx, name, m, r)
	}
}

// belongs says whether a message names the session that the body belongs to.
// spec:5.1 spec:1.3.3
func (b *batch) belongs(m *Message) bool { return b.session != nil && m.ClientID == b.session.id }

// unknown refuses a message of a session that is not known or over.
// spec:2.4 spec:14.4
func (b *batch) unknown(name string, r *Reply) *Reply {
	if name == metaConnect {
		r.advice = &advice{reconnect: "handshake", bare: true}
	}
	return r.fail(errUnknownClient)
}

// meta processes a message on a meta channel but a handshake.
// spec:6.6 spec:6.10
func (b *batch) meta(ctx context.Context, name string, m *Message, r *Reply) *Reply {
	switch name {
	case metaConnect:
		return b.answerOrHold(m, r)
	case metaSubscribe:
		return b.subscribe(ctx, m, r)
	case metaUnsubscribe:
		return b.unsubscribe(m, r)
	case metaDisconnect:
		b.session.end(Disconnected)
		return r
	default:
		return r.fail(errCreateDenied)
	}
}

// handshake makes a session. It is marked as busy until the reply is on its
// way, so that nothing reaches the client before it (clause 14.9).
// spec:2.6 spec:6.1 spec:14.9
func (b *batch) handshake(ctx context.Context, m *Message, r *Reply) *Reply {
	s := b.srv.newSession(*b.peer, b.srv.opts.Ack && wantsAck(m))
	r.lead, r.transports = true, b.srv.transports
	deny := func(err error) *Reply {
		r.advice = &advice{reconnect: "none", bare: true}
		if errors.As(err, new(retryable)) {
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
	b.begin(s)
	b.session, b.fresh, b.restart = s, true, true
	r.clientID, r.advice = s.id, b.srv.normalAdvice()
	s.connects.advised = b.peer.transport
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
// spec:7.1 spec:7.1.1 spec:7.6 spec:7.6.3 spec:11.6 spec:14.3 spec:14.7 spec:14.15
func (b *batch) answerOrHold(m *Message, r *Reply) *Reply {
	s := b.session
	s.releaseHeld(holdReplaced)
	if s.inactive() {
		s.Disconnect()
		return r.sessionOver(Kicked).fail(errUnknownClient)
	}
	s.outbox.confirm()
	s.acknowledged(m)
	wait, first := b.noteConnect(m, r)
	b.restart = true
	switch {
	case b.srv.draining.Load() > 0:
		r.advice = b.srv.drainAdvice()
		return r
	case first || wait == 0 || b.mustAnswer():
		return r
	}
	b.connect, b.wait = r, wait
	return nil
}

// noteConnect takes over what a connect says of this cycle, and advises the
// client where that is due. wait is the effective timeout; first says that it
// is the session's first connect.
// spec:2.2 spec:2.2.1 spec:2.3
func (b *batch) noteConnect(m *Message, r *Reply) (wait time.Duration, first bool) {
	s, o, asked := b.session, &b.srv.opts, m.clientAdvice()
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &s.connects
	c.count++
	b.count = c.count
	first, c.any = !c.any, true
	c.interval = 0
	if asked.interval > 0 {
		c.interval = min(time.Duration(asked.interval)*time.Millisecond, o.MaxInterval)
	}
	if m.Advice != nil || c.advised != b.peer.transport {
		r.advice = b.srv.normalAdvice()
		if asked.interval >= 0 {
			r.advice.interval = c.interval
		}
		c.advised = b.peer.transport
	}
	wait = o.Timeout
	if asked.timeout >= 0 {
		wait = min(wait, time.Duration(asked.timeout)*time.Millisecond)
	}
	return wait, first
}

// mustAnswer says whether the transport's conditions keep a connect from being
// held: over polling it must be alone in its body, and where messages leave
// with connects, none may wait.
// spec:7.1.2 spec:7.1.3 spec:11.1.3
func (b *batch) mustAnswer() bool {
	s := b.session
	if b.peer.transport == transportWebSocket {
		return s.connectOnly() && s.mustDeliver()
	}
	return !b.alone || s.mustDeliver() && !s.connectBlocked()
}

// mustDeliver says whether there is something that a connect must not be held
// for. What a body that is being processed delivers goes with that body's
// answer: two answers could overtake each other (clause 7.1, open batch).
func (s *Session) mustDeliver() bool {
	s.mu.Lock()
	busy := s.busy > 0
	s.mu.Unlock()
	return !busy && s.outbox.waiting()
}

// subscribe subscribes to each of the channels named, up to the first refusal.
// spec:6.2 spec:6.3 spec:6.4
func (b *batch) subscribe(ctx context.Context, m *Message, r *Reply) *Reply {
	return eachSubscription(m, r, errSubDenied, func(name string) *Error {
		if isService(name) {
			return nil
		}
		if e := b.srv.mayUse(ctx, b.session, Subscribe, name); e != nil {
			return e
		}
		return b.session.subscribe(name)
	})
}

// unsubscribe takes subscriptions back.
// spec:6.5
func (b *batch) unsubscribe(m *Message, r *Reply) *Reply {
	return eachSubscription(m, r, errUnsubFailed, func(name string) *Error {
		b.session.unsubscribe(name)
		return nil
	})
}

// eachSubscription calls do with the normal form of every channel that a
// message names, until one is refused. denyMeta is what meta channels fail with.
func eachSubscription(m *Message, r *Reply, denyMeta *Error, do func(name string) *Error) *Reply {
	names, e := m.subscriptions()
	if e != nil {
		return r.fail(e)
	}
	for _, given := range names {
		name, _, ok := normalChannel(given)
		switch {
		case !ok:
			e = errSubInvalid
		case isMeta(name):
			e = denyMeta
		default:
			e = do(name)
		}
		if e != nil {
			return r.fail(e)
		}
	}
	return r
}

// service has a service channel's handler work.
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

// broadcast publishes a message.
// spec:1.3.5 spec:4.5 spec:6.7
func (b *batch) broadcast(ctx context.Context, name string, m *Message, r *Reply) *Reply {
	if m.Data == nil {
		return r.fail(errNoData)
	}
	if e := b.srv.mayUse(ctx, b.session, Publish, name); e != nil {
		return r.fail(e)
	}
	b.srv.fanOut(b.session, name, m.broadcast(), &b.toNotify)
	return r
}

// isConnect says whether a body begins with a connect, which is not a reason
// to keep messages back (5.2).
// spec:5.2
func isConnect(m *Message) bool { return m.Channel == metaConnect }
