// Station 1 of docs/road.md: bytes come in.
// Station 12 of docs/road.md: bytes go out.

package bayeux

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// pollTransport is the transport of a client that polls: messages leave with the
// answers to its requests.
type pollTransport struct {
	order pollOrder // guarded by the session's lock
}

// notify implements transport: it answers the held connect, if there is one. Otherwise
// the next request takes what is queued.
func (c *pollTransport) notify(s *Session) { s.answerHeld() }

// sessionEnded implements transport; the end of a session releases its held connect.
func (c *pollTransport) sessionEnded(*Session, Reason) {}

// serveLongPolling answers one POST (clause 10).
// spec:10.1 spec:10.10
func (srv *Server) serveLongPolling(w http.ResponseWriter, r *http.Request) {
	p := srv.authenticated(w, r, transportLongPolling)
	if p == nil {
		return
	}
	body, err := srv.readBody(w, r)
	if err != nil {
		srv.refuseBody(w, err)
		return
	}
	messages, err := srv.decodeTexts(textsOf(body, r.Header.Get("Content-Type")))
	if err != nil {
		srv.refuseBody(w, err)
		return
	}
	(&poll{srv: srv, batch: batch{srv: srv, peer: p}, w: w, r: r}).serve(messages)
}

// readBody reads a request's body, which must be there within BodyTimeout.
// spec:10.2 spec:10.12
func (srv *Server) readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	// A response writer that knows no deadlines is no error: then the server
	// around it decides.
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(srv.opts.BodyTimeout))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(srv.opts.MaxMessageSize)))
	if err == nil {
		_ = control.SetReadDeadline(time.Time{})
	}
	return body, err
}

// textsOf are the texts in which a POST's body holds messages: the body itself,
// or the parameters of a form called message. What begins as JSON is JSON,
// whatever its content type says.
// spec:10.1.1
func textsOf(body []byte, contentType string) [][]byte {
	start := bytes.TrimLeft(body, " \t\r\n")
	if !strings.HasPrefix(contentType, "application/x-www-form-urlencoded") || len(start) > 0 && (start[0] == '[' || start[0] == '{') {
		return [][]byte{body}
	}
	form, err := url.ParseQuery(string(body))
	if err != nil || len(form["message"]) == 0 {
		return [][]byte{body}
	}
	return toBytes(form["message"])
}

func toBytes(list []string) [][]byte {
	texts := make([][]byte, len(list))
	for i, text := range list {
		texts[i] = []byte(text)
	}
	return texts
}

// decodeTexts decodes texts that are one body together.
// spec:14.13
func (srv *Server) decodeTexts(texts [][]byte) (messages []*Message, err error) {
	for _, text := range texts {
		some, err := decode(sanitizeText(text), srv.opts.MaxBatch-len(messages), srv.opts.MaxDepth)
		if err != nil {
			return nil, err
		}
		messages = append(messages, some...)
	}
	return messages, nil
}

// refuseBody refuses a request whose body cannot be read or is not Bayeux.
// spec:3.4 spec:10.2 spec:10.12
func (srv *Server) refuseBody(w http.ResponseWriter, err error) {
	srv.stats.BadBodies.count(err)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		http.Error(w, "the body is too large", http.StatusRequestEntityTooLarge)
	case errors.Is(err, os.ErrDeadlineExceeded):
		w.Header().Set("Connection", "close")
		http.Error(w, "the body did not come in time", http.StatusRequestTimeout)
	case isBodyError(err):
		http.Error(w, err.Error(), http.StatusBadRequest)
	default:
		http.Error(w, "the body cannot be read", http.StatusBadRequest)
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
	callback     string
	replyWritten chan struct{} // of the hold, if there was one
}

// serve processes the request's messages and answers it. A connect with timeout 0
// comes from a client that has lost a connection, or is new.
func (p *poll) serve(messages []*Message) {
	b := &p.batch
	defer func() {
		if p.replyWritten != nil {
			close(p.replyWritten)
		}
	}()
	defer b.end(false)
	b.session = p.srv.owner(b.peer, messages)
	if s := b.session; s != nil {
		connect := isConnect(messages[0])
		if connect {
			s.attach(&s.polling, messages[0].clientAdvice().timeout == 0)
		}
		s.requestArrived(connect)
		if !connect {
			b.begin(s)
		}
	}
	if err := b.run(p.r.Context(), messages); err != nil {
		p.srv.refuseBody(p.w, err)
		return
	}
	if b.connect != nil && !p.hold() {
		return
	}
	p.answer()
	b.end(true)
}

// hold holds the connect until it is released or the client disconnects. It is
// false if there is no answer to write.
func (p *poll) hold() bool {
	b, s := &p.batch, p.batch.session
	if !p.srv.mayHold(b.peer) {
		p.overLimit()
		return true
	}
	ended := make(chan outcome, 1)
	h := &hold{
		count: b.count, reply: b.connect, until: time.Now().Add(b.wait), delivers: true,
		release: func(o outcome) {
			// Here and not in the request's goroutine, so that the quota is free for
			// the connect that replaces this one.
			p.srv.unhold(b.peer)
			ended <- o
		},
		replyWritten: make(chan struct{}),
	}
	p.replyWritten = h.replyWritten
	if !s.hold(h) {
		p.srv.unhold(b.peer)
		b.replies = append(b.replies, b.connect.sessionOver(s.reason()).finish(s))
		return true
	}
	select {
	case o := <-ended:
		return p.holdEnded(o)
	case <-p.r.Context().Done():
		p.abandon(h, ended)
		return false
	}
}

// overLimit answers a connect beyond the browser's limit of held ones. The next
// connect gets fresh advice, because this advice is unusual (clause 8.5).
// spec:8.4 spec:8.5
func (p *poll) overLimit() {
	b, s := &p.batch, p.batch.session
	a := p.srv.normalAdvice()
	a.interval, a.multiple = p.srv.opts.MultiSessionInterval, true
	if a.interval < 0 {
		a.reconnect, a.interval = "none", 0
		b.connect.fail(errTooManyConnects)
	}
	b.connect.advice = a
	s.mu.Lock()
	s.connects.advised = ""
	s.mu.Unlock()
	b.replies = append(b.replies, b.connect.finish(s))
}

// abandon ends the hold of a client that has disconnected: what is queued stays,
// and the expiry starts.
// spec:7.8
func (p *poll) abandon(h *hold, ended <-chan outcome) {
	if p.batch.session.unhold(h) {
		p.srv.unhold(p.batch.peer)
		return
	}
	<-ended
	p.batch.session.answered()
}

// holdEnded makes the reply of a connect whose hold has ended, and reports whether
// it is still to be written. One that was replaced touches neither the outbox
// nor the expiry: the newer connect is the one that counts.
// spec:7.6.1
func (p *poll) holdEnded(o outcome) bool {
	b, s := &p.batch, p.batch.session
	switch o {
	case holdReplaced:
		http.Error(p.w, "a newer connect took this one's place", http.StatusInternalServerError)
		return false
	case holdOver:
		b.connect.sessionOver(s.reason())
	case holdDrain:
		b.connect.advice = p.srv.drainAdvice()
	}
	b.replies = append(b.replies, b.connect.finish(s))
	return true
}

// answer writes the messages that may leave, and the replies.
// spec:1.2 spec:7.2 spec:14.2 spec:8.1 spec:14.10
func (p *poll) answer() {
	b := &p.batch
	if p.ordered() && b.restart {
		b.session.beginConnectReply()
		defer b.session.endConnectReply()
	}
	h := p.collect()
	if b.fresh && !b.peer.cookieKnown {
		http.SetCookie(p.w, p.srv.cookie(b.peer, p.r))
	}
	if b.session == nil {
		_ = p.send(nil) // there is nothing to requeue
		return
	}
	p.srv.wrote(b.session, len(h.entries))
	err := http.ErrAbortHandler // unless send returns: a response writer may panic
	defer func() { p.settle(h, err) }()
	err = p.send(h.entries)
}

// ordered says whether this answer must keep the order of clause 13.
func (p *poll) ordered() bool {
	return p.srv.opts.OrderedPolling && p.batch.session != nil && !p.batch.fresh
}

// collect takes what leaves with this answer.
// spec:14.17.1
func (p *poll) collect() transmission {
	b, s := &p.batch, p.batch.session
	if s == nil || p.ordered() && !p.mayCarry() {
		return transmission{}
	}
	h := s.collectForPoll(b, p.callback != "" || p.srv.opts.Redeliver && !p.ordered())
	if p.ordered() && b.restart && len(h.entries) > 0 {
		s.connectCarriesMessages()
	}
	return h
}

// mayCarry says whether this answer may carry messages without overtaking, or
// being overtaken by, another that does.
// spec:13.5
func (p *poll) mayCarry() bool {
	s := p.batch.session
	if p.batch.restart {
		return !s.connectBlocked()
	}
	return p.callback == "" && s.mayPiggyback(p.r.Context())
}

// settle records the outcome of writing an answer. Only a connect's reply that has
// been written can be confirmed by a later connect.
func (p *poll) settle(h transmission, err error) {
	b, s := &p.batch, p.batch.session
	switch {
	case err != nil:
		s.outbox.failed(h, 0)
		if b.restart || len(h.entries) > 0 {
			s.lostConnection()
			// A connect may have come meanwhile.
			s.redeliverToHeldPoll()
		}
		if s.outbox.waiting() {
			s.notify()
		}
	case b.restart:
		s.outbox.settle(h)
		s.outbox.reply(h)
	default:
		s.outbox.settle(h)
	}
	if b.restart {
		s.answered()
	}
}

// send writes an answer, in chunks, so that a client that does not read costs no
// second copy of its outbox.
// spec:14.22
func (p *poll) send(messages []entry) error {
	parts, size := arrayParts(messages, p.batch.replies)
	kind := "application/json;charset=UTF-8"
	if p.callback != "" {
		kind = "text/javascript;charset=UTF-8"
		body := callbackBody(p.callback, appendArray(make([]byte, 0, size), messages, p.batch.replies))
		parts, size = [][]byte{body}, len(body)
	}
	h := p.w.Header()
	h.Set("Content-Type", kind)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(size))
	h.Set("Cache-Control", "no-store")
	control := http.NewResponseController(p.w)
	defer func() { _ = control.SetWriteDeadline(time.Time{}) }()
	if err := p.writeParts(parts, progressWriter{p.w, control.SetWriteDeadline, p.srv.opts.WriteTimeout}); err != nil {
		return err
	}
	// A response writer that does not flush is no error: the server around it
	// does.
	if err := control.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}

// writeParts writes the parts, small ones combined.
func (p *poll) writeParts(parts [][]byte, to io.Writer) error {
	buf := frames.Get().(*[]byte)
	defer putBuffer(&frames, buf)
	b := (*buf)[:0]
	for _, part := range parts {
		if len(b) > 0 && len(b)+len(part) > progressPiece {
			if _, err := to.Write(b); err != nil {
				return err
			}
			b = b[:0]
		}
		if len(part) > progressPiece {
			if _, err := to.Write(part); err != nil {
				return err
			}
			continue
		}
		b = append(b, part...)
	}
	*buf = b
	_, err := to.Write(b)
	return err
}
