package desk

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/halley-chat/halley/internal/audit"
	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/httpx"
	"github.com/halley-chat/halley/internal/media"
	"github.com/halley-chat/halley/internal/staff"
)

const (
	// uploadWithin is how long a form with a file may take to arrive.
	uploadWithin = 2 * time.Minute
	// downloadWithin is how long a file may take to leave.
	downloadWithin = 10 * time.Minute
)

// The entries of a chat's log that are about files.
type (
	sharedEvent struct {
		chatHead
		fileShape
		Description string `json:"description,omitempty"`
		ID          string `json:"id,omitempty"`
	}
	unsharedEvent struct {
		chatHead
		File chat.FileID `json:"file"`
	}
	fileShape struct {
		File      chat.FileID `json:"file"`
		Name      string      `json:"name"`
		Size      int64       `json:"size"` // in bytes
		MediaType string      `json:"mediaType"`
	}
)

// registerFiles mounts the files of chats.
func (d *Desk) registerFiles(mux *http.ServeMux) {
	if d.files == nil {
		return
	}
	const path = "/api/v1/chats/{chat}/files"
	mux.HandleFunc("POST "+path, d.own(d.member(d.upload)))
	mux.HandleFunc("GET "+path+"/{file}", d.own(d.member(d.download)))
	mux.HandleFunc("DELETE "+path+"/{file}", d.own(d.member(d.unshare)))
}

// fileRequest is an agent's request about the files of one chat.
type fileRequest struct {
	who     staff.SignedIn
	summary chat.Summary
}

func (e fileRequest) by() chat.Actor { return chat.Staff(e.who.Account.ID) }

// member wraps a handler about a chat: somebody must be signed in, and the chat
// must be there. What the handler returns is answered.
func (d *Desk) member(h func(http.ResponseWriter, *http.Request, fileRequest) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		who, err := d.signedIn(r)
		if err != nil {
			d.fail(w, "authenticate", err)
			return
		}
		e := fileRequest{who: who}
		id, err := chat.ParseID(r.PathValue("chat"))
		if err == nil {
			var ok bool
			if e.summary, ok, err = d.engine.Summary(r.Context(), id); err == nil && !ok {
				err = errNoChat
			}
		} else {
			err = errNoChat
		}
		if err == nil {
			err = h(w, r, e)
		}
		if err != nil {
			httpx.Linger(w, r)
			d.failFile(w, err)
		}
	}
}

var errNoChat = chat.Refuse(chat.NotFound, "there is no such chat")

// fileStatus are the HTTP statuses of refusals about files; others are 400.
var fileStatus = map[chat.Kind]int{
	chat.Forbidden: http.StatusForbidden, chat.NotFound: http.StatusNotFound, chat.Unknown: http.StatusNotFound,
	chat.Ended: http.StatusConflict, chat.Conflict: http.StatusConflict, chat.TooMany: http.StatusConflict,
	chat.TooLarge: http.StatusRequestEntityTooLarge, chat.TooLong: http.StatusRequestEntityTooLarge,
	chat.WrongType: http.StatusUnsupportedMediaType, chat.Unavailable: http.StatusServiceUnavailable,
}

func (d *Desk) failFile(w http.ResponseWriter, err error) {
	r, told := explain(err)
	if !told && !errors.Is(err, context.Canceled) {
		d.complain("exchange a file", err)
	}
	status, listed := fileStatus[chat.KindOf(err)]
	switch {
	case listed:
	case chat.KindOf(err) == 0:
		status = http.StatusServiceUnavailable
	default:
		status = http.StatusBadRequest
	}
	answer(w, status, refused(r))
}

// upload shares a file with a chat in which the agent is.
func (d *Desk) upload(w http.ResponseWriter, r *http.Request, e fileRequest) error {
	policy := d.policies[e.summary.Service]
	switch {
	case !e.summary.Live():
		return chat.Refuse(chat.Ended, "the chat has ended")
	case !slices.Contains(e.summary.Agents, e.who.Account.ID):
		return chat.Refuse(chat.Forbidden, "you are not in this chat")
	case policy == nil:
		return chat.Refuse(chat.Unknown, "the chats of this service take no files")
	}
	kind, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" {
		return media.ErrForm
	}
	// Where the deadline cannot be set, the server's own limits hold.
	deadline := http.NewResponseController(w).SetReadDeadline
	_ = deadline(time.Now().Add(uploadWithin))
	form, err := d.files.ReadForm(r.Context(), r.Body, parameters["boundary"], func(url.Values) (int64, error) {
		return policy.MaxFileSize, policy.Admit(chat.UseOf(e.summary.Files, false), false, true, 0)
	})
	_ = deadline(time.Time{}) // looking at the file may take longer
	if err != nil {
		return err
	}
	defer func() { _ = form.Discard() }() // a start removes what is left
	if form.File == nil {
		return chat.Refuse(chat.Invalid, "there is no file")
	}
	if err := form.File.Check(r.Context(), *policy, e.summary.Chat); err != nil {
		return err
	}
	ref, err := form.File.Keep(r.Context(), e.summary.Chat)
	if err != nil {
		return err
	}
	return d.share(w, r, e, form, ref)
}

// share tells the chat of a file that has been kept.
func (d *Desk) share(w http.ResponseWriter, r *http.Request, e fileRequest, form *media.Form, ref media.Ref) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), commandTimeout)
	defer cancel()
	f := form.File
	res, err := d.engine.Do(ctx, ref.Chat, chat.Command{ID: form.Values.Get("id"), By: e.by(), Do: chat.Share{
		File: ref.File, Name: f.Name, Size: f.Size, Type: f.Type, Description: form.Values.Get("description"),
	}})
	kind := chat.KindOf(err)
	if res.Repeat || err != nil && kind != 0 && kind != chat.Unavailable {
		d.drop(ctx, ref) // it has certainly not been shared
	}
	if err != nil {
		return err
	}
	for _, event := range res.Events {
		if s, ok := event.Fact.(chat.Shared); ok {
			answer(w, http.StatusOK, fileShape{s.File, s.Name, s.Size, s.Type})
			return nil
		}
	}
	return chat.Refuse(chat.Conflict, "the command's id was used for something else")
}

// drop removes a file that no chat has. What fails is swept up later.
func (d *Desk) drop(ctx context.Context, ref media.Ref) {
	if err := d.files.Remove(ctx, ref); err != nil {
		d.complain("remove a file", err)
	}
}

// download hands out a file of a chat that the agent is or was in.
func (d *Desk) download(w http.ResponseWriter, r *http.Request, e fileRequest) error {
	ok, err := d.was(r.Context(), e.summary.Chat, e.who.Account.ID)
	if err != nil {
		return err
	}
	if !ok {
		return chat.Refuse(chat.Forbidden, "you were never in this chat")
	}
	f, ok := chat.FindFile(e.summary.Files, chat.FileID(r.PathValue("file")))
	if !ok {
		return errNoFile
	}
	body, err := d.files.Open(r.Context(), media.Ref{Chat: e.summary.Chat, File: f.ID})
	if errors.Is(err, media.ErrNoFile) {
		d.complain("find a shared file", err)
		return errNoFile
	}
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }() // it was only read
	d.audit.Record(audit.Event{Kind: audit.FileFetched, Actor: e.who.Account.ID, Chat: e.summary.Chat, File: string(f.ID)})
	deadline := http.NewResponseController(w).SetWriteDeadline
	_ = deadline(time.Now().Add(downloadWithin))
	httpx.Attachment(w, f.Name, f.Type, f.Size, body)
	_ = deadline(time.Time{}) // the connection may be used again
	return nil
}

var errNoFile = chat.Refuse(chat.NotFound, "there is no such file")

// was says whether an agent is or was in a chat.
func (d *Desk) was(ctx context.Context, id chat.ID, who chat.StaffID) (bool, error) {
	for from := int64(1); ; {
		page, err := d.engine.Read(ctx, id, from, readPage)
		if err != nil {
			return false, err
		}
		for _, e := range page {
			if f, ok := e.Fact.(chat.Joined); ok && f.Staff == who {
				return true, nil
			}
			from = e.Index + 1
		}
		if len(page) < readPage {
			return false, nil
		}
	}
}

// unshare deletes a file of a chat in which the agent is, whoever shared it.
func (d *Desk) unshare(w http.ResponseWriter, r *http.Request, e fileRequest) error {
	id, err := chat.ParseFileID(r.PathValue("file"))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), commandTimeout)
	defer cancel()
	if _, err := d.engine.Do(ctx, e.summary.Chat, chat.Command{By: e.by(), Do: chat.Unshare{File: id}}); err != nil {
		return err
	}
	d.drop(context.WithoutCancel(ctx), media.Ref{Chat: e.summary.Chat, File: id})
	w.WriteHeader(http.StatusNoContent)
	return nil
}
