// Station 4 of docs/road.md: an operation becomes a command.

package gms

import (
	"context"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/halley-chat/halley/internal/chat"
)

// RESTPath is what the paths of the REST side begin with; the name of a service
// follows.
const RESTPath = "/genesys/2/chat/"

// bodyWithin is how long the body of a call may take to arrive.
const bodyWithin = 10 * time.Second

// paths are the operations by their names over REST.
var paths = func() map[string]string {
	m := make(map[string]string)
	for name, op := range operations {
		if op.path != "" {
			m[op.path] = name
		}
	}
	return m
}()

// rest is the transport of one HTTP request: the outcome is its answer.
type rest struct {
	// Static after construction.
	edge *Edge
	w    http.ResponseWriter
	r    *http.Request
	name string  // of the service
	path chat.ID // the chat in the path; 0 if there is none, or no readable one
	any  bool    // the key alone says which chat is meant
	// nextPosition is the one of the answer to a caller who is shown more
	// than it has asked for; 0 if it is shown what it has asked for.
	nextPosition int64
	// finish puts the last hand to a response; nil if nothing does.
	finish func(*response, *verdict)
}

// REST is the REST side of the API: a handler for the paths below [RESTPath].
// Every answer is the response object; none has a status of 500 or above.
func (e *Edge) REST() http.Handler { return http.HandlerFunc(e.serveREST) }

func (e *Edge) serveREST(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, RESTPath), "/"), "/")
	f := &rest{edge: e, w: w, r: r, name: parts[0]}
	c := &call{edge: e, transport: f}
	if len(parts) >= 3 && parts[2] == "file" {
		f.path, _ = chat.ParseID(parts[1])
		f.serveFile(parts[2:])
		return
	}
	service, ok := e.o.Services[f.name]
	name := ""
	switch len(parts) {
	case 1:
		name = opOpen
	case 3:
		// A chat that is none is found out by the key, which is not its own.
		f.path, _ = chat.ParseID(parts[1])
		name = paths[parts[2]]
	}
	switch {
	case !ok:
		c.refuse(errNoSuchService)
		return
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", "POST, OPTIONS")
		c.refuse(errMethod)
		return
	case name == "":
		c.refuse(errNoOperation)
		return
	case !f.allowed(service):
		c.refuse(e.refuseOrigin(f.origin()))
		return
	}
	// Where the deadline cannot be set, the server's own limits hold.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyWithin))
	var err error
	if c.request, err = readRequest(w, r); err != nil {
		c.refuse(err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), e.o.RESTPatience)
	defer cancel()
	c.do(ctx, name)
}

func (f *rest) service() string { return f.name }

func (f *rest) allowed(s Service) bool { return s.allows(f.origin(), sameOrigin(f.origin(), f.r)) }

func (f *rest) rejoin(context.Context, *call, Service) (bool, error) { return false, nil }

func (f *rest) address() string { return addressOf(f.r) }

// addressOf is where a request comes from, without the port.
func addressOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

func (f *rest) carries(Service) bool { return true }

func (f *rest) origin() string { return f.r.Header.Get("Origin") }

func (f *rest) defaultPosition() int64 { return 0 }

func (f *rest) sessionChat() (chat.ID, error) {
	return 0, chat.Refuse(chat.Invalid, "the key is missing")
}

func (f *rest) matches(id chat.ID) bool { return f.any || id == f.path }

func (f *rest) lastPosition(id chat.ID) int64 { return f.edge.lastPosition(id) }

func (f *rest) answer(r response, v verdict) {
	if f.nextPosition > 0 {
		r.NextPosition = min(r.NextPosition, f.nextPosition)
	}
	if f.finish != nil {
		f.finish(&r, &v)
	}
	h := f.w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	status := http.StatusOK
	if v.http != 0 {
		status = v.http
	}
	f.w.WriteHeader(status)
	_, _ = f.w.Write(r.encode()) // whoever asked may have gone
}

// open answers with the events of the opening itself, so that the chat need
// not be read.
func (f *rest) open(ctx context.Context, c *call, open chat.Open) error {
	e := f.edge
	p := e.newPoller(0)
	if _, err := e.register(p, 0); err != nil {
		p.end()
		return err
	}
	open.Opening.Channel = p.name
	id, res, err := e.o.Engine.Open(ctx, chat.Command{By: chat.TheVisitor(), Do: open})
	if err != nil {
		p.end()
		return err
	}
	c.chat = id
	e.settle(p, id)
	r := e.notification(res.Summary, make(participants), res.Events, 1)
	p.tell(r.NextPosition)
	f.answer(r, verdict{})
	return nil
}

// read answers a refresh. What the visitor has typed so far may come with it.
func (f *rest) read(ctx context.Context, c *call, sum chat.Summary, from int64) error {
	if !sum.Open() {
		return f.readLog(ctx, nil, sum.Chat, from)
	}
	p, err := f.edge.poll(ctx, sum.Chat)
	if err == nil {
		err = p.reportTyping(ctx, c, c.request.text("message"))
	}
	if err == nil {
		err = p.bindIfUnbound(ctx)
	}
	switch {
	case chat.KindOf(err) == chat.Ended:
		return f.readLog(ctx, p, sum.Chat, from)
	case err != nil:
		return err
	}
	return f.readFrom(ctx, p, from)
}

// readFrom answers from the poller's memory, or from the log if that does not
// reach back so far.
func (f *rest) readFrom(ctx context.Context, p *poller, from int64) error {
	r, ok := p.read(from)
	if !ok {
		return f.readLog(ctx, p, p.id(), from)
	}
	f.answer(r, verdict{})
	return nil
}

func (f *rest) readLog(ctx context.Context, p *poller, id chat.ID, from int64) error {
	r, err := f.edge.page(ctx, id, from)
	if err != nil {
		return err
	}
	switch {
	case from != 0 && p != nil:
		p.tell(r.NextPosition)
	case from == 0 && p != nil:
		r.NextPosition = p.next()
	case from == 0:
		// How far the client has read is not known any more.
		r.NextPosition = 1
	}
	f.answer(r, verdict{})
	return nil
}

// endsForVisitor says whether the chat is over for the visitor with an event.
func endsForVisitor(e chat.Event) bool {
	switch f := e.Fact.(type) {
	case chat.Left:
		return f.No == chat.VisitorNo
	case chat.Finished:
		return true
	}
	return false
}

// command answers with events only if the request names a position, and with
// what it caused if it ended the chat.
func (f *rest) command(ctx context.Context, c *call, sum chat.Summary, cmd chat.Command, _ bool) error {
	if !sum.Open() {
		return chat.Refuse(chat.Ended, "the chat has ended")
	}
	p, err := f.edge.poll(ctx, sum.Chat)
	if err != nil {
		return err
	}
	res, err := f.edge.o.Engine.Do(ctx, sum.Chat, cmd)
	if err != nil {
		return err
	}
	switch do := cmd.Do.(type) {
	case chat.Say:
		p.typed("")
	case chat.Type:
		p.typed(do.Preview)
	}
	// A visitor who could not be bound is bound by its next call.
	if err := p.bindIfUnbound(ctx); err != nil && chat.KindOf(err) == 0 {
		f.edge.o.Logger.Error("gms: a visitor who polls could not be bound", "chat", c.chat.String(), "err", err)
	}
	from := c.request.position(0)
	// The chat may as well have been ended by somebody else in the same moment.
	if end := slices.IndexFunc(res.Events, endsForVisitor); end >= 0 && from == 0 && !res.Summary.Open() {
		from, f.nextPosition = res.Events[end].Index, p.next()
	}
	err = f.readFrom(ctx, p, from)
	if chat.KindOf(err) == chat.Unavailable {
		// The command has been carried out, and to say anything else would
		// have it sent again. The events can be asked for.
		r, _ := p.read(0)
		f.answer(r, verdict{})
		return nil
	}
	return err
}
