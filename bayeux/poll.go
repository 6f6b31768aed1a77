package bayeux

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"
)

// serveLongPolling answers one POST (clause 10).
// spec:10.1 spec:10.10
func (srv *Server) serveLongPolling(w http.ResponseWriter, r *http.Request) {
	p, err := srv.peer(r, transportLongPolling)
	if err != nil {
		http.Error(w, "not signed in", http.StatusUnauthorized)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(srv.opts.MaxMessageSize)))
	if err != nil {
		srv.stats.BadBodies.Add(1)
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			// spec:10.2
			http.Error(w, "the body is too large", http.StatusRequestEntityTooLarge)
		} else {
			http.Error(w, "the body cannot be read", http.StatusBadRequest)
		}
		return
	}
	messages, err := decode(body, srv.opts.MaxBatch, srv.opts.MaxDepth)
	if err != nil {
		srv.badBody(w, err)
		return
	}
	(&poll{srv: srv, batch: batch{srv: srv, peer: p}, w: w, r: r}).serve(messages)
}

// spec:3.4
func (srv *Server) badBody(w http.ResponseWriter, err error) {
	srv.stats.BadBodies.Add(1)
	http.Error(w, err.Error(), http.StatusBadRequest)
}

// wrote tells the observer of messages that leave together.
func (srv *Server) wrote(s *Session, n int) {
	if n > 0 {
		srv.observe(Event{Kind: Written, Session: s, N: n})
	}
}

// poll is one polling request. It belongs to the request's goroutine.
type poll struct {
	srv   *Server
	batch batch
	w     http.ResponseWriter
	r     *http.Request
	// callback is the JavaScript function to call with the answer; empty for
	// long-polling.
	callback string
	written  chan struct{} // of the hold, if there was one
}

func (p *poll) serve(messages []*Message) {
	b := &p.batch
	defer func() {
		if p.written != nil {
			close(p.written)
		}
	}()
	b.session = p.srv.find(b.peer, messages[0].ClientID)
	if s := b.session; s != nil && isConnect(messages[0]) {
		// A client that asks not to be held has lost a connection, or is new.
		s.attach(nil, messages[0].clientAdvice().timeout == 0)
	}
	if b.session != nil {
		b.session.requestArrived(isConnect(messages[0]))
	}
	defer b.end(false)
	if b.session != nil && !isConnect(messages[0]) {
		b.begin(b.session)
	}
	if err := b.run(p.r.Context(), messages); err != nil {
		p.srv.badBody(p.w, err)
		return
	}
	if b.connect != nil && !p.hold() {
		return
	}
	p.write()
	b.end(true)
}

// hold keeps the connect until something happens. It reports whether there is
// an answer to write.
func (p *poll) hold() bool {
	b, s := &p.batch, p.batch.session
	if !p.srv.mayHold(b.peer) {
		// spec:8.4
		a := p.srv.normalAdvice()
		a.interval, a.multiple = p.srv.opts.MultiSessionInterval, true
		if a.interval < 0 {
			a.reconnect, a.interval = "none", 0
			b.connect.fail(errTooManyConnects)
		}
		b.connect.advice = a
		p.srv.lockAdvised(s)
		b.replies = append(b.replies, b.connect.finish(s))
		return true
	}
	ended := make(chan outcome, 1)
	h := &hold{
		cycle: b.cycle, reply: b.connect, until: time.Now().Add(b.wait), delivers: true,
		release: func(o outcome) {
			// Not by the request's own goroutine, which comes too late for a
			// connect that takes this one's place.
			p.srv.unhold(b.peer)
			ended <- o
		},
		replyWritten: make(chan struct{}),
	}
	p.written = h.replyWritten
	if !s.hold(h) {
		p.srv.unhold(b.peer)
		b.replies = append(b.replies, b.connect.over(s.reason()).finish(s))
		return true
	}
	select {
	case o := <-ended:
		return p.over(o)
	case <-p.r.Context().Done():
		p.abandon(h, ended)
		return false
	}
}

// abandon gives up a held connect whose client has gone: what is queued stays
// queued, and the session's clock runs from now.
// spec:7.8
func (p *poll) abandon(h *hold, ended <-chan outcome) {
	if p.batch.session.unhold(h) {
		p.srv.unhold(p.batch.peer)
		return
	}
	<-ended
	p.batch.session.answered()
}

// over makes the answer of a connect whose hold has ended, and reports whether
// it is still to be written.
func (p *poll) over(o outcome) bool {
	b, s := &p.batch, p.batch.session
	switch o {
	case holdReplaced:
		// spec:7.6.1
		// The newer connect is the one that counts; this one must touch neither
		// the queue nor the expiry (7.6).
		http.Error(p.w, "a newer connect took this one's place", http.StatusInternalServerError)
		return false
	case holdOver:
		b.connect.over(s.reason())
	case holdDrain:
		b.connect.advice = p.srv.drainAdvice()
	}
	b.replies = append(b.replies, b.connect.finish(s))
	return true
}

// lockAdvised makes the next connect of a session bring fresh advice, because
// this one was told something unusual (8, Java quirk).
// spec:8.5
func (srv *Server) lockAdvised(s *Session) {
	s.mu.Lock()
	s.advised = ""
	s.mu.Unlock()
}

// write sends what the outbox holds and the replies.
// spec:1.2 spec:7.2 spec:14.2
func (p *poll) write() {
	b := &p.batch
	var queued []entry
	written := 0
	if s := b.session; s != nil {
		ordered := p.srv.opts.OrderedPolling && !b.fresh
		if ordered && b.restart {
			s.beginConnectReply()
			defer s.endConnectReply()
		}
		if !ordered || b.restart && !s.behind() || !b.restart && p.callback == "" && s.mayPiggyback(p.r.Context()) {
			// spec:14.17.1
			only := p.callback != "" || p.srv.opts.Redeliver && !ordered
			queued, written = s.collectPolled(b, only)
		}
		if ordered && b.restart && len(queued) > 0 {
			s.connectCarriesMessages()
		}
	}
	if b.fresh && !b.peer.known {
		// spec:8.1 spec:14.10
		http.SetCookie(p.w, p.srv.cookie(b.peer, p.r))
	}
	size := 2
	for _, e := range queued {
		size += len(e.body) + 1
	}
	out := appendArray(make([]byte, 0, size+256*len(b.replies)), queued, b.replies)
	kind := "application/json;charset=UTF-8"
	if p.callback != "" {
		kind, out = "text/javascript;charset=UTF-8", callbackBody(p.callback, out)
	}
	if b.session != nil {
		p.srv.wrote(b.session, len(queued))
	}
	err := p.send(kind, out)
	if b.session == nil {
		return
	}
	if err != nil {
		b.session.outbox.failed(queued)
		if b.restart || len(queued) > 0 {
			b.session.lose()
			// A connect may have come meanwhile.
			b.session.redeliverToHeldPoll()
		}
		if b.session.outbox.waiting() {
			b.session.notify()
		}
	} else if b.restart && written > 0 {
		b.session.outbox.sent(written)
	}
	if b.restart {
		b.session.answered()
	}
}

// send writes an answer.
func (p *poll) send(kind string, body []byte) error {
	h := p.w.Header()
	h.Set("Content-Type", kind)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	// A response writer that knows no deadlines or does not flush is no error:
	// then the server around it decides about both.
	control := http.NewResponseController(p.w)
	_ = control.SetWriteDeadline(time.Now().Add(p.srv.opts.WriteTimeout))
	_, err := p.w.Write(body)
	if err == nil {
		if err = control.Flush(); errors.Is(err, http.ErrNotSupported) {
			err = nil
		}
	}
	_ = control.SetWriteDeadline(time.Time{})
	return err
}
