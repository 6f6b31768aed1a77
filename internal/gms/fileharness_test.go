package gms

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"github.com/halley-chat/halley/bayeux/bayeuxtest"
	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/media"
	"github.com/halley-chat/halley/test/schema"
)

// scanner refuses what holds a word, and fails at another.
type scanner struct{}

func (scanner) Scan(ctx context.Context, file media.Staged, _ int64) error {
	r, err := file.Reader()
	if err != nil {
		return err
	}
	b, err := io.ReadAll(r)
	switch {
	case bytes.Contains(b, []byte("HARMFUL")):
		return media.ErrInfected
	case bytes.Contains(b, []byte("HANG")):
		<-ctx.Done()
		return ctx.Err()
	}
	return err
}

// filePolicies are those of the services that take files. "manned" wants an
// agent to be there first.
var filePolicies = map[string]*media.Policy{
	"files": {
		FileRules: chat.FileRules{MaxFiles: 2, MaxFileSize: 1000, MaxTotalSize: 1500, MaxFetches: 2},
		Types:     []string{"png", "txt"}, Deletion: "odd", Scanner: scanner{}, ScanWithin: time.Second,
	},
	"manned": {
		FileRules: chat.FileRules{MaxFiles: 2, MaxFileSize: 2000, MaxTotalSize: 3000, MaxFetches: 2, NeedAgent: true},
		Types:     []string{"txt"}, Deletion: "odd",
	},
	// In no fixture by itself.
	"large": {
		FileRules: chat.FileRules{MaxFiles: 9, MaxFileSize: 1 << 20, MaxTotalSize: 9 << 20, MaxFetches: 9},
		Types:     []string{"txt"}, Deletion: "odd", Scanner: scanner{}, ScanWithin: time.Minute,
	},
}

func fileRules(service string) chat.Rules {
	r := allFeaturesRules(service)
	if p := filePolicies[service]; p != nil {
		r.Files = p.FileRules
	}
	return r
}

// fileClient sends forms about the files of one chat.
type fileClient struct {
	h         *fixture
	service   string
	key, chat string
	// Of the latest answer.
	status int
	header http.Header
	body   string
}

// field is a part of a form; with a file name it is the file.
type field struct{ name, value, file string }

func uploadForm(target string, fields ...field) *http.Request {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, f := range fields {
		h := textproto.MIMEHeader{"Content-Type": {"application/octet-stream"}}
		h.Set("Content-Disposition", `form-data; name="`+f.name+`"`)
		if f.file != "" {
			h.Set("Content-Disposition", `form-data; name="`+f.name+`"; filename="`+f.file+`"`)
		}
		part, _ := w.CreatePart(h)
		_, _ = io.WriteString(part, f.value)
	}
	_ = w.Close()
	r := httptest.NewRequest(http.MethodPost, target, &b)
	r.Header.Set("Content-Type", w.FormDataContentType())
	return r
}

func (h *fixture) handler(path string) http.Handler {
	if strings.HasPrefix(path, RESTPath) {
		return h.edge.REST()
	}
	return h.edge.Notify()
}

// send sends a request. Answers that are no file are checked for what each must
// have.
func (p *fileClient) send(r *http.Request) bayeuxtest.Frame {
	p.h.t.Helper()
	w := httptest.NewRecorder()
	p.h.handler(r.URL.Path).ServeHTTP(w, r)
	return p.take(w)
}

func (p *fileClient) take(w *httptest.ResponseRecorder) bayeuxtest.Frame {
	p.h.t.Helper()
	p.status, p.header, p.body = w.Code, w.Header(), w.Body.String()
	if w.Code >= 500 {
		p.h.t.Fatalf("status %d", w.Code)
	}
	if w.Header().Get("Content-Disposition") != "" {
		return nil
	}
	var n bayeuxtest.Frame
	if err := json.Unmarshal(w.Body.Bytes(), &n); err != nil {
		p.h.t.Fatalf("%v: %s", err, w.Body)
	}
	if err := schema.Response(w.Body.Bytes()); err != nil {
		p.h.t.Fatal(err)
	}
	ok := n["statusCode"] == 0.0
	if ok != (w.Code == 200) || ok == (n["errors"] != nil) || !ok && n["statusCode"] != 2.0 {
		p.h.t.Fatalf("status %d: %v", w.Code, n)
	}
	return n
}

func (p *fileClient) ids(fields ...field) []field {
	return append([]field{{name: "userId", value: "00"}, {name: "secureKey", value: p.key}, {name: "alias", value: "117"}}, fields...)
}

func (p *fileClient) path(op string) string { return RESTPath + p.service + "/" + p.chat + "/" + op }

// rest calls a path of the chat's with a form, ids first.
func (p *fileClient) rest(op string, fields ...field) bayeuxtest.Frame {
	p.h.t.Helper()
	return p.send(uploadForm(p.path(op), p.ids(fields...)...))
}

// ntf does the same at the address of CometD's clients.
func (p *fileClient) ntf(op string, fields ...field) bayeuxtest.Frame {
	p.h.t.Helper()
	return p.send(uploadForm(NotifyPath, p.ids(append([]field{{name: "operation", value: op}}, fields...)...)...))
}

func note(body string) field { return field{"file", body, "note.txt"} }

// fileClient opens a chat over REST.
func (h *fixture) fileClient(service string) (*fileClient, *restClient) {
	h.t.Helper()
	p := h.polling(service)
	return &fileClient{h: h, service: service, key: p.key, chat: p.chat}, p
}

// id is the file-id of an answer.
func fileID(t testing.TB, n bayeuxtest.Frame) string {
	t.Helper()
	id, _ := n.At("userData", "file-id").(string)
	if _, err := chat.ParseFileID(id); err != nil {
		t.Fatalf("no file id: %v", n)
	}
	return id
}

// code is the code and the advice of a refusal.
func refusalOf(n bayeuxtest.Frame) (code float64, advice string) {
	if list, ok := n["errors"].([]any); ok && len(list) == 1 {
		f := list[0].(map[string]any)
		code, _ = f["code"].(float64)
		advice, _ = f["advice"].(string)
	}
	return code, advice
}
