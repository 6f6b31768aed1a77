package gms

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
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

const (
	// uploadWithin is how long a form with a file may take to arrive.
	uploadWithin = 2 * time.Minute
	// downloadWithin is how long a file may take to leave.
	downloadWithin = 10 * time.Minute
	// lingerFor and lingerBytes are how long, and how much of, a form that is
	// refused is still read.
	lingerFor   = 5 * time.Second
	lingerBytes = 8 << 20
)

// filing is one call about a file, carried out by one goroutine.
type filing struct {
	call
	rest *rest
	ntf  bool   // at NotifyPath
	op   string // under the names of NotifyPath; empty until it is known
	file string // the file's id, as it came
	form *media.Form
	own  chat.ID // the chat, once the key has been looked at
}

const (
	opLimits   = "fileGetLimits"
	opUpload   = "fileUpload"
	opDownload = "fileDownload"
	opDelete   = "fileDelete"
)

// filings are the operations about files.
var filings = map[string]func(*filing, context.Context, chat.Summary, *media.Policy) error{
	opLimits:         (*filing).limits,
	"fileGetsLimits": (*filing).limits, // one client writes it so
	opUpload:         (*filing).upload,
	opDownload:       (*filing).download,
	opDelete:         (*filing).remove,
}

// serveFile serves the paths of files over REST; path is what follows the
// chat's id.
func (f *rest) serveFile(path []string) {
	c := f.filing()
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
		c.refuse(errOrigin)
	default:
		c.serve()
	}
}

// Notify is the handler for [NotifyPath].
func (e *Edge) Notify() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f := &rest{edge: e, w: w, r: r, origin: r.Header.Get("Origin"), any: true}
		c := f.filing()
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

// filing is a call about a file. Whatever it is refused for, its client looks
// for errors, with a status of 400 or another of the fours.
func (f *rest) filing() *filing {
	c := &filing{call: call{edge: f.edge, face: f}, rest: f}
	f.finish = func(r *response, v *verdict) {
		if r.StatusCode == statusOK || v.mute {
			return
		}
		r.StatusCode, r.Errors = statusPermanent, []failure{{v.Code, translate(v.Advice, c.language())}}
		if v.http == 0 {
			v.http = http.StatusBadRequest
		}
	}
	return c
}

func (c *filing) serve() {
	err := c.receive()
	if err == nil {
		err = c.carryOut()
	} else {
		c.linger()
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

// linger throws away some of what is left of a form that is refused. Browsers
// look for the answer only when they have sent all, and a connection that is
// closed before takes the answer with it. Who sends much more has to do without.
func (c *filing) linger() {
	deadline := http.NewResponseController(c.rest.w).SetReadDeadline
	_ = deadline(time.Now().Add(lingerFor))
	_, _ = io.CopyN(io.Discard, c.rest.r.Body, lingerBytes)
	_ = deadline(time.Time{})
}

// receive reads the call's fields, and its file if there is one.
func (c *filing) receive() error {
	r := c.rest.r
	// Where the deadline cannot be set, the server's own limits hold.
	deadline := http.NewResponseController(c.rest.w).SetReadDeadline
	_ = deadline(time.Now().Add(uploadWithin))
	// Looking at the file and sending one may take longer.
	defer func() { _ = deadline(time.Time{}) }()
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
		return c.admit(before, query)
	})
	if err == nil {
		c.request, err = readFields(c.form.Values, query)
	}
	return err
}

// readFields puts together what a form and a query brought.
func readFields(values, query url.Values) (request, error) {
	f := &form{fields: make(request), data: make(request)}
	if err := errors.Join(f.add(values), f.add(query)); err != nil {
		return nil, err
	}
	return f.request()
}

// admit says how long the file may be, as far as that is known by what came
// before it. If the key did, the chat is asked, so that what would be refused in
// the end is not read at all.
func (c *filing) admit(before, query url.Values) (int64, error) {
	var err error
	if c.request, err = readFields(before, query); err != nil {
		return 0, err
	}
	if op := c.operation(true); op != opUpload {
		return 0, errForm
	}
	if c.request.text(keyField) == "" {
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
	return policy.MaxFileSize, fileRefusal(policy.Admit(chat.UseOf(sum.Files, true), true, len(sum.Agents) > 0, 0))
}

// operation is what is asked for. A form with a file and no operation is an
// upload.
func (c *filing) operation(file bool) string {
	op := c.op
	if c.ntf {
		if op = c.request.text("operation"); op == "" && file {
			op = opUpload
		}
	}
	return op
}

// owned finds the chat of the call, as it is now. The key is looked at once, and
// the call counts once.
func (c *filing) owned(ctx context.Context) (chat.Summary, error) {
	if c.own == 0 {
		sum, err := c.owner(ctx)
		if err == nil {
			c.own = sum.Chat
		}
		return sum, err
	}
	sum, ok, err := c.edge.o.Engine.Summary(ctx, c.own)
	if err == nil && !ok {
		err = chat.Refuse(chat.NotFound, "there is no such chat")
	}
	return sum, err
}

// policy finds the chat of the call, and what its service has to say about
// files.
func (c *filing) policy(ctx context.Context) (chat.Summary, *media.Policy, error) {
	sum, err := c.owned(ctx)
	if err != nil {
		return sum, nil, err
	}
	service := c.edge.o.Services[sum.Service]
	switch {
	case !c.rest.allowed(service):
		return sum, nil, errOrigin
	case service.Files == nil:
		return sum, nil, errNoOperation
	case !sum.Open() && time.Since(over(sum)) > c.edge.o.ReadableFor:
		return sum, nil, chat.Refuse(chat.NotFound, "the chat is over for too long")
	}
	return sum, service.Files, nil
}

func (c *filing) carryOut() error {
	do, ok := filings[c.operation(c.form != nil && c.form.File != nil)]
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
	c.edge.heard(sum.Chat)
	return do(c, ctx, sum, policy)
}

// heard notes that a visitor who polls has called.
func (e *Edge) heard(id chat.ID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if p := e.polled[id]; p != nil {
		p.touch()
	}
}

// fileRefusal is a refusal about a file in words of its own: that a file is not
// there does not mean that the chat is not.
func fileRefusal(err error) error {
	switch {
	case errors.Is(err, media.ErrHarmful):
		return errHarmful
	case errors.Is(err, media.ErrUnscanned):
		return errUnlooked
	}
	switch chat.KindOf(err) {
	case chat.NotFound, chat.Forbidden:
		return errNoFile
	case chat.Conflict:
		return errNobody
	}
	return err
}

// tell gives the chat a command and answers with what is added to the response.
func (c *filing) tell(ctx context.Context, sum chat.Summary, do chat.Action, add map[string]string) error {
	finish := c.rest.finish
	c.rest.finish = func(r *response, v *verdict) {
		finish(r, v)
		if r.StatusCode == statusOK {
			r.UserData = add
		}
	}
	cmd := chat.Command{By: chat.TheVisitor(), Do: do}
	if !c.ntf {
		return c.rest.command(ctx, &c.call, sum, cmd, false)
	}
	// What the command causes has been shown to a bound session before Do
	// returns.
	res, err := c.edge.o.Engine.Do(ctx, sum.Chat, cmd)
	if err == nil {
		c.rest.answer(c.edge.quiet(res.Summary), verdict{})
	}
	return err
}

// quiet is a response without events. Its nextPosition is the one told last,
// wherever that was, so that a client which goes on from there misses nothing.
func (e *Edge) quiet(sum chat.Summary) response {
	r := e.blank(sum)
	r.NextPosition = max(e.told(sum.Chat), 1)
	e.mu.Lock()
	b := e.bindings[sum.Channel]
	e.mu.Unlock()
	if b != nil {
		r.NextPosition = max(r.NextPosition, b.next.Load())
	}
	return r
}

// limits tells what may be sent and what has been, in the shape that clients
// look for.
func (c *filing) limits(_ context.Context, sum chat.Summary, p *media.Policy) error {
	use := chat.UseOf(sum.Files, true)
	n := func(v int64) string { return strconv.FormatInt(v, 10) }
	text := "file-client-cfg-get"
	r := c.edge.quiet(sum)
	r.Messages = []message{{
		From: party{Nickname: sum.Name, ParticipantID: chat.VisitorNo, Type: partyTypes[chat.RoleVisitor]},
		Type: "Notice", Text: &text, UTCTime: time.Now().UnixMilli(),
		UserData: map[string]string{
			"upload-max-files": n(int64(p.MaxFiles)), "upload-max-file-size": n(p.MaxFileSize), "upload-max-total-size": n(p.MaxTotalSize),
			"upload-file-types": strings.Join(p.Types, ":"), "upload-need-agent": strconv.FormatBool(p.NeedAgent),
			"delete-file": p.Deletion, "download-attempts": n(int64(p.MaxFetches)),
			"used-upload-max-files": n(int64(use.Files)), "used-upload-max-total-size": n(use.Size), "used-download-attempts": n(int64(use.Fetches)),
		},
	}}
	c.rest.answer(r, verdict{})
	return nil
}

// upload keeps the file, and only then tells the chat of it.
func (c *filing) upload(ctx context.Context, sum chat.Summary, p *media.Policy) error {
	if c.form == nil || c.form.File == nil {
		return chat.Refuse(chat.Invalid, "there is no file")
	}
	if !sum.Open() {
		return chat.Refuse(chat.Ended, "the chat has ended")
	}
	draft := c.form.File
	if err := fileRefusal(p.Admit(chat.UseOf(sum.Files, true), true, len(sum.Agents) > 0, draft.Size)); err != nil {
		return err
	}
	data, err := c.request.userData()
	if err != nil {
		return err
	}
	// The scanner has its own time.
	if err := draft.Check(c.rest.r.Context(), *p, sum.Chat); err != nil {
		return fileRefusal(err)
	}
	ref, err := draft.Keep(c.rest.r.Context(), sum.Chat)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.edge.o.RESTPatience)
	defer cancel()
	err = c.tell(ctx, sum, chat.Share{
		File: ref.File, Name: draft.Name, Size: draft.Size, Type: draft.Type, Description: data["file-description"],
	}, map[string]string{"file-id": string(ref.File)})
	if kind := chat.KindOf(err); err != nil && kind != 0 && kind != chat.Unavailable {
		// It has certainly not been shared.
		c.drop(ctx, ref)
	}
	return fileRefusal(err)
}

// drop removes a file that no chat has. What fails is swept up later.
func (c *filing) drop(ctx context.Context, ref media.Ref) {
	if err := c.edge.o.Files.Remove(ctx, ref); err != nil {
		c.edge.o.Logger.Warn("gms: a file could not be removed", "chat", ref.Chat.String(), "file", string(ref.File), "err", err)
	}
}

// download hands out a file, also one of a chat that has ended as long as that
// can be read.
func (c *filing) download(ctx context.Context, sum chat.Summary, _ *media.Policy) error {
	id, err := chat.ParseFileID(c.file)
	if err != nil {
		return errNoFile
	}
	res, err := c.edge.o.Engine.Do(ctx, sum.Chat, chat.Command{By: chat.TheVisitor(), Do: chat.Fetch{File: id}})
	if err != nil {
		return fileRefusal(err)
	}
	f, ok := chat.FindFile(res.Summary.Files, id)
	if !ok {
		return errNoFile // deleted in the same moment
	}
	body, err := c.edge.o.Files.Open(ctx, media.Ref{Chat: sum.Chat, File: id})
	if err != nil {
		if errors.Is(err, media.ErrNoFile) {
			c.edge.o.Logger.Error("gms: a shared file is not there", "chat", sum.Chat.String(), "file", string(id))
			return errNoFile
		}
		return err
	}
	defer func() { _ = body.Close() }() // it was only read
	deadline := http.NewResponseController(c.rest.w).SetWriteDeadline
	_ = deadline(time.Now().Add(downloadWithin))
	httpx.Attachment(c.rest.w, f.Name, f.Type, f.Size, body)
	_ = deadline(time.Time{}) // the connection may be used again
	return nil
}

// remove deletes a file of the visitor's own.
func (c *filing) remove(ctx context.Context, sum chat.Summary, _ *media.Policy) error {
	id, err := chat.ParseFileID(c.file)
	if err != nil {
		return errNoFile
	}
	if !sum.Open() {
		return chat.Refuse(chat.Ended, "the chat has ended")
	}
	if err := c.tell(ctx, sum, chat.Unshare{File: id}, nil); err != nil {
		return fileRefusal(err)
	}
	c.drop(context.WithoutCancel(ctx), media.Ref{Chat: sum.Chat, File: id})
	return nil
}

// KnowsFile says whether a chat's log knows a file, for [media.Shelf.Sweep].
func (e *Edge) KnowsFile(ctx context.Context, ref media.Ref) (bool, error) {
	sum, ok, err := e.o.Engine.Summary(ctx, ref.Chat)
	if err != nil || !ok {
		return false, err
	}
	_, known := chat.FindFile(sum.Files, ref.File)
	return known, nil
}
