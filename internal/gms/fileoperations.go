package gms

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/httpx"
	"github.com/halley-chat/halley/internal/media"
)

// What calls about files do once their chat is known.

// fileRefusal is a refusal about a file in words of its own: that a file is not
// there does not mean that the chat is not.
func fileRefusal(err error) error {
	switch {
	case errors.Is(err, media.ErrHarmful):
		return errHarmful
	case errors.Is(err, media.ErrUnscanned):
		return errNotScanned
	}
	switch chat.KindOf(err) {
	case chat.NotFound, chat.Forbidden:
		return errNoFile
	case chat.Conflict:
		return errNoAgentYet
	}
	return err
}

// execute gives the chat a command and answers with what is added to the response.
func (c *fileCall) execute(ctx context.Context, sum chat.Summary, do chat.Action, add map[string]string) error {
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
	switch {
	case err != nil:
		return err
	case !res.Summary.Open():
		// It has ended in the same moment, which is told beside an event only.
		return c.rest.readLog(ctx, nil, sum.Chat, 0)
	}
	c.rest.answer(c.emptyResponse(res.Summary), verdict{})
	return nil
}

// emptyResponse is a response without events. Its nextPosition is the one that was told
// last on the caller's side, so that a client which goes on from there misses
// nothing.
func (c *fileCall) emptyResponse(sum chat.Summary) response {
	e := c.edge
	r := e.newResponse(sum)
	r.NextPosition = max(e.lastPosition(sum.Chat), 1)
	e.mu.Lock()
	b := e.bindings[sum.Channel]
	e.mu.Unlock()
	if c.ntf && b != nil {
		r.NextPosition = max(b.next.Load(), 1)
	}
	return r
}

// limits tells what may be sent and what has been, in the shape that clients
// look for.
func (c *fileCall) limits(_ context.Context, sum chat.Summary, p *media.Policy) error {
	use := chat.UseOf(sum.Files, true)
	n := func(v int64) string { return strconv.FormatInt(v, 10) }
	text := "file-client-cfg-get"
	r := c.emptyResponse(sum)
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
func (c *fileCall) upload(ctx context.Context, sum chat.Summary, p *media.Policy) error {
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
	err = c.execute(ctx, sum, chat.Share{
		File: ref.File, Name: draft.Name, Size: draft.Size, Type: draft.Type, Description: data["file-description"],
	}, map[string]string{"file-id": string(ref.File)})
	if kind := chat.KindOf(err); err != nil && kind != 0 && kind != chat.Unavailable {
		// It has certainly not been shared.
		c.drop(ctx, ref)
	}
	return fileRefusal(err)
}

// drop removes a file that no chat has. What fails is swept up later.
func (c *fileCall) drop(ctx context.Context, ref media.Ref) {
	if err := c.edge.o.Files.Remove(ctx, ref); err != nil {
		c.edge.o.Logger.Warn("gms: a file could not be removed", "chat", ref.Chat.String(), "file", string(ref.File), "err", err)
	}
}

// download hands out a file, also one of a chat that has ended as long as that
// can be read.
func (c *fileCall) download(ctx context.Context, sum chat.Summary, _ *media.Policy) error {
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
	httpx.Attachment(pacedWriter{c.rest.w, c.writePace()}, f.Name, f.Type, f.Size, body)
	_ = deadline(time.Time{}) // the connection may be used again
	return nil
}

// remove deletes a file of the visitor's own.
func (c *fileCall) remove(ctx context.Context, sum chat.Summary, _ *media.Policy) error {
	id, err := chat.ParseFileID(c.file)
	if err != nil {
		return errNoFile
	}
	if !sum.Open() {
		return chat.Refuse(chat.Ended, "the chat has ended")
	}
	if err := c.execute(ctx, sum, chat.Unshare{File: id}, nil); err != nil {
		return fileRefusal(err)
	}
	c.drop(context.WithoutCancel(ctx), media.Ref{Chat: sum.Chat, File: id})
	return nil
}

// KnowsFile says whether a chat's log knows a file, for [media.Service.Sweep].
func (e *Edge) KnowsFile(ctx context.Context, ref media.Ref) (bool, error) {
	sum, ok, err := e.o.Engine.Summary(ctx, ref.Chat)
	if err != nil || !ok {
		return false, err
	}
	_, known := chat.FindFile(sum.Files, ref.File)
	return known, nil
}
