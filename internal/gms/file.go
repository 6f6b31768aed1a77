package gms

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/httpx"
	"github.com/halley-chat/halley/internal/media"
)

// Files go over plain HTTP for clients of both sides: below the chat's path
// over REST, and at [NotifyPath] for those of CometD, where the key alone says
// which chat is meant and a field says what is asked for.

// NotifyPath is the address at which clients of CometD exchange files.
const NotifyPath = "/genesys/2/chat-ntf"

// maxTail is how much may follow the end of a form, in bytes.
const maxTail = 4 << 10

// fileCall is one call about a file, carried out by one goroutine.
type fileCall struct {
	call
	rest  *rest
	ntf   bool   // at NotifyPath
	op    string // under the names of NotifyPath; empty until it is known
	file  string // the file's id, as it came
	form  *media.Form
	types []string // those that the service of the chat takes, once it is known
	owned chat.ID  // the chat, once the key has been looked at
	// What is given back in the end: the slot of the file, nil if it has none,
	// and the presence of a visitor who polls.
	releaseSlot func()
	poller      *poller
}

const (
	opLimits   = "fileGetLimits"
	opUpload   = "fileUpload"
	opDownload = "fileDownload"
	opDelete   = "fileDelete"
)

// fileOperations are the operations about files.
var fileOperations = map[string]func(*fileCall, context.Context, chat.Summary, *media.Policy) error{
	opLimits:         (*fileCall).limits,
	"fileGetsLimits": (*fileCall).limits, // one client writes it so
	opUpload:         (*fileCall).upload,
	opDownload:       (*fileCall).download,
	opDelete:         (*fileCall).remove,
}

// serveFile serves the paths of files over REST; path is what follows the
// chat's id.
func (f *rest) serveFile(path []string) {
	c := f.fileCall()
	switch {
	case len(path) == 1:
		c.op = opUpload
	case len(path) == 2 && path[1] == "limits":
		c.op = opLimits
	case len(path) == 3 && path[2] == "download":
		c.op, c.file = opDownload, path[1]
	case len(path) == 3 && path[2] == "delete":
		c.op, c.file = opDelete, path[1]
	}
	service, ok := f.edge.o.Services[f.name]
	switch {
	case !ok:
		c.refuse(errNoSuchService)
	case f.r.Method != http.MethodPost:
		f.w.Header().Set("Allow", "POST, OPTIONS")
		c.refuse(errMethod)
	case c.op == "" || service.Files == nil || f.edge.o.Files == nil:
		c.refuse(errNoOperation)
	case !f.allowed(service):
		c.refuse(f.edge.refuseOrigin(f.origin()))
	default:
		c.serve()
	}
}

// Notify is the handler for [NotifyPath].
func (e *Edge) Notify() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f := &rest{edge: e, w: w, r: r, any: true}
		c := f.fileCall()
		c.ntf = true
		switch {
		case r.Method != http.MethodPost:
			w.Header().Set("Allow", "POST, OPTIONS")
			c.refuse(errMethod)
		case e.o.Files == nil:
			c.refuse(errNoOperation)
		case !e.checkOrigin(r):
			c.refuse(errOrigin)
		default:
			c.serve()
		}
	})
}

// fileCall is a call about a file. Whatever it is refused for, its client looks
// for errors, with a status of 400 or another of the fours.
func (f *rest) fileCall() *fileCall {
	c := &fileCall{call: call{edge: f.edge, transport: f}, rest: f}
	f.finish = func(r *response, v *verdict) {
		if r.StatusCode == statusOK || v.noErrors {
			return
		}
		advice := translate(v.Advice, c.language())
		if v.failure == verdicts[chat.WrongType].failure && len(c.types) > 0 {
			advice += " (" + strings.Join(c.types, ", ") + ")"
		}
		r.StatusCode, r.Errors = statusPermanent, []failure{{v.Code, advice}}
		if v.http == 0 {
			v.http = http.StatusBadRequest
		}
	}
	return c
}

func (c *fileCall) serve() {
	defer c.release()
	err := c.receive()
	if err == nil {
		err = c.carryOut()
	} else {
		httpx.Linger(c.rest.w, c.rest.r)
	}
	if c.form != nil {
		if err := c.form.Discard(); err != nil {
			c.edge.o.Logger.Warn("gms: a file on its way in could not be removed", "chat", c.chat.String(), "err", err)
		}
	}
	if err != nil {
		c.refuse(err)
	}
}

// receive reads the call's fields, and its file if there is one.
func (c *fileCall) receive() error {
	r := c.rest.r
	deadline := http.NewResponseController(c.rest.w).SetReadDeadline
	body := r.Body
	r.Body = pacedBody{body, c.readPace()}
	defer func() {
		r.Body = body
		_ = deadline(time.Time{}) // looking at the file and sending one may take longer
	}()
	boundary, ok := media.Multipart(r.Header.Get("Content-Type"))
	if !ok {
		var err error
		c.request, err = readRequest(c.rest.w, r)
		return err
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return errForm
	}
	c.form, err = c.edge.o.Files.ReadForm(r.Context(), r.Body, boundary, func(before url.Values) (int64, error) {
		return c.limitUpload(before, query)
	})
	if err == nil {
		c.request, err = readFields(c.form.Values, query)
	}
	if err == nil && !ends(r.Body) {
		err = errForm
	}
	return err
}

// ends reads what follows the end of a form, and says whether that is little.
// What is not read here the server waits for, without an end, before it answers.
func ends(body io.Reader) bool {
	_, err := io.CopyN(io.Discard, body, maxTail)
	return errors.Is(err, io.EOF)
}

// readFields puts together what a form and a query brought.
func readFields(values, query url.Values) (request, error) {
	f := &form{fields: make(request), data: make(request)}
	if err := errors.Join(f.add(values), f.add(query)); err != nil {
		return nil, err
	}
	return f.request()
}

// limitUpload says how long the file may be, as far as that is known by what came
// before it. If the key did, the chat is asked, so that what would be refused in
// the end is not read at all.
func (c *fileCall) limitUpload(before, query url.Values) (int64, error) {
	var err error
	if c.request, err = readFields(before, query); err != nil {
		return 0, err
	}
	if op := c.operation(true); op != opUpload {
		return 0, errForm
	}
	if c.request.text(keyField) == "" {
		if err := c.acquireSlot(0); err != nil {
			return 0, err
		}
		var most int64
		for _, s := range c.edge.o.Services {
			if s.Files != nil {
				most = max(most, s.Files.MaxFileSize)
			}
		}
		return most, nil
	}
	ctx, cancel := context.WithTimeout(c.rest.r.Context(), c.edge.o.RESTPatience)
	defer cancel()
	sum, policy, err := c.policy(ctx)
	if err != nil {
		return 0, err
	}
	if !sum.Open() {
		return 0, chat.Refuse(chat.Ended, "the chat has ended")
	}
	if err := fileRefusal(policy.Admit(chat.UseOf(sum.Files, true), true, len(sum.Agents) > 0, 0)); err != nil {
		return 0, err
	}
	if err := c.acquireSlot(sum.Chat); err != nil {
		return 0, err
	}
	return policy.MaxFileSize, c.keepAlive(ctx, sum)
}

// operation is what is asked for. A form with a file and no operation is an
// upload.
func (c *fileCall) operation(file bool) string {
	op := c.op
	if c.ntf {
		if op = c.request.text("operation"); op == "" && file {
			op = opUpload
		}
	}
	return op
}

// current finds the chat of the call, as it is now. The key is looked at once, and
// the call counts once.
func (c *fileCall) current(ctx context.Context) (chat.Summary, error) {
	if c.owned == 0 {
		sum, err := c.owner(ctx)
		if err == nil {
			c.owned = sum.Chat
		}
		return sum, err
	}
	sum, ok, err := c.edge.o.Engine.Summary(ctx, c.owned)
	if err == nil && !ok {
		err = chat.Refuse(chat.NotFound, "there is no such chat")
	}
	return sum, err
}

// policy finds the chat of the call, and what its service has to say about
// files.
func (c *fileCall) policy(ctx context.Context) (chat.Summary, *media.Policy, error) {
	sum, err := c.current(ctx)
	if err != nil {
		return sum, nil, err
	}
	service := c.edge.o.Services[sum.Service]
	switch {
	case !c.rest.allowed(service):
		return sum, nil, c.edge.refuseOrigin(c.rest.origin())
	case service.Files == nil:
		return sum, nil, errNoOperation
	case !sum.Open() && time.Since(endedAt(sum)) > c.edge.o.ReadableFor:
		return sum, nil, chat.Refuse(chat.NotFound, "the chat is over for too long")
	}
	c.types = service.Files.Types
	return sum, service.Files, nil
}

func (c *fileCall) carryOut() error {
	do, ok := fileOperations[c.operation(c.form != nil && c.form.File != nil)]
	if !ok {
		return errNoOperation
	}
	ctx, cancel := context.WithTimeout(c.rest.r.Context(), c.edge.o.RESTPatience)
	defer cancel()
	sum, policy, err := c.policy(ctx)
	if err != nil {
		return err
	}
	if c.ntf {
		c.file = c.request.text("fileId")
	}
	if err := c.keepAlive(ctx, sum); err != nil {
		return err
	}
	return do(c, ctx, sum, policy)
}
