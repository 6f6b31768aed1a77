package replay

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"

	"github.com/halley-chat/halley/internal/tape"
)

// answer is what the server said to a request.
type answer struct {
	err    error
	status int
	header http.Header
	body   map[string]any // of the REST side
	bytes  int
}

// maxAnswer bounds an answer, in bytes.
const maxAnswer = 64 << 20

// exchange sends one request and takes in the answer. messages are those to
// send over Bayeux.
func (pb *playback) exchange(ctx context.Context, a *action, messages []map[string]any) *answer {
	if !a.connect {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, pb.p.o.Wait)
		defer cancel()
	}
	r, err := pb.request(ctx, a, messages)
	if err != nil {
		return &answer{err: err}
	}
	resp, err := pb.p.client.Do(r)
	if err != nil {
		return &answer{err: err}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return &answer{err: err}
	}
	pb.storeCookies(a, resp.Cookies())
	got := &answer{status: resp.StatusCode, header: resp.Header, bytes: len(body)}
	switch a.Via {
	case tape.REST, tape.Files:
		var o map[string]any
		if decode(body, &o) == nil {
			got.body = o
			pb.receive(a.session, nil, o)
		}
	case tape.CallbackPolling:
		if from, to := bytes.IndexByte(body, '('), bytes.LastIndexByte(body, ')'); from >= 0 && to > from {
			body = body[from+1 : to]
		}
		fallthrough
	default:
		if list, ok := bayeux(body); ok {
			pb.receive(a.session, list, nil)
		}
	}
	return got
}

// request makes the request of a line.
func (pb *playback) request(ctx context.Context, a *action, messages []map[string]any) (*http.Request, error) {
	pb.mu.Lock()
	defer pb.mu.Unlock()
	u := *pb.p.base
	u.Path = pb.path(a)
	query := make(url.Values)
	for _, f := range pb.fields(a.session, a.Query) {
		query.Add(f[0], f[1])
	}
	header := pb.headers(a)
	var body []byte
	switch {
	case len(messages) > 0:
		text := pb.body(a, messages)
		if a.Via == tape.CallbackPolling {
			query.Set("message", string(text))
			break
		}
		body = text
		header.Set("Content-Type", kind(a, "application/json"))
	case a.Form == "json":
		body = []byte(encoded(pb.filled(a.session, "", a.Body)))
		header.Set("Content-Type", kind(a, "application/json"))
	case a.Form == "multipart":
		var buf bytes.Buffer
		w := multipart.NewWriter(&buf)
		if err := pb.parts(w, a); err != nil {
			return nil, err
		}
		body = buf.Bytes()
		header.Set("Content-Type", w.FormDataContentType())
	case a.Form != "":
		form := make(url.Values)
		for _, f := range pb.fields(a.session, a.Fields) {
			form.Add(f[0], f[1])
		}
		body = []byte(form.Encode())
		header.Set("Content-Type", kind(a, "application/x-www-form-urlencoded"))
	}
	u.RawQuery = query.Encode()
	r, err := http.NewRequestWithContext(ctx, a.Method, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header = header
	return r, nil
}

// kind is the media type that the client had named, or the usual one.
func kind(a *action, usual string) string {
	if t := a.Headers["Content-Type"]; t != "" && t != "other" {
		return t
	}
	return usual
}

// body is the text of Bayeux messages. The caller holds mu.
func (pb *playback) body(a *action, messages []map[string]any) []byte {
	list := make([]any, len(messages))
	for i, m := range messages {
		list[i] = pb.filled(a.session, "", m)
	}
	if a.Bare && len(list) == 1 {
		return []byte(encoded(list[0]))
	}
	return []byte(encoded(list))
}

// parts writes a multipart body. Files are of the size that they had, and of
// their type as far as their first bytes tell it.
func (pb *playback) parts(w *multipart.Writer, a *action) error {
	for _, f := range a.Fields {
		if f.File == nil {
			for _, one := range pb.fields(a.session, []tape.Field{f}) {
				if err := w.WriteField(one[0], one[1]); err != nil {
					return err
				}
			}
			continue
		}
		head := textproto.MIMEHeader{"Content-Disposition": {multipart.FileContentDisposition(f.Name, standIn(f.File))}}
		if f.File.Type != "" {
			head.Set("Content-Type", f.File.Type)
		}
		part, err := w.CreatePart(head)
		if err != nil {
			return err
		}
		if _, err := part.Write(content(f.File)); err != nil {
			return err
		}
	}
	return w.Close()
}

func decode(b []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	return dec.Decode(into)
}

// bayeux reads Bayeux messages: a list, or one by itself.
func bayeux(b []byte) ([]map[string]any, bool) {
	var list []map[string]any
	if decode(b, &list) == nil {
		return list, true
	}
	var one map[string]any
	if decode(b, &one) == nil {
		return []map[string]any{one}, true
	}
	return nil, false
}

// last is the last part of a path.
func last(path string) string {
	path = strings.TrimSuffix(path, "/")
	return path[strings.LastIndexByte(path, '/')+1:]
}
