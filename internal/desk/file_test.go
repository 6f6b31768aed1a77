package desk

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
	"github.com/halley-chat/halley/internal/media"
	"github.com/halley-chat/halley/internal/staff"
)

var filePolicies = map[string]*media.Policy{"shop": {
	FileRules: chat.FileRules{MaxFiles: 2, MaxFileSize: 1000, MaxTotalSize: 1500, NeedAgent: true, MaxFetches: 1},
	Types:     []string{"txt"},
}}

// clerk is an agent's browser as the REST side sees it.
type clerk struct {
	h      *fixture
	cookie string
}

func (h *fixture) clerk(login string) clerk {
	h.t.Helper()
	token, _, err := h.staff.SignIn(h.t.Context(), staff.Attempt{Login: login, Password: secret, Address: "192.0.2.1"})
	if err != nil {
		h.t.Fatal(err)
	}
	return clerk{h, token}
}

func (c clerk) send(r *http.Request) *httptest.ResponseRecorder {
	c.h.t.Helper()
	mux := http.NewServeMux()
	c.h.desk.Register(mux)
	if c.cookie != "" {
		r.AddCookie(&http.Cookie{Name: Cookie, Value: c.cookie})
	}
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	return w
}

func filesOf(id chat.ID) string { return "http://desk.example/api/v1/chats/" + id.String() + "/files" }

// form is an upload; fields are names and values.
func form(target, name, body string, fields ...string) *http.Request {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	part, _ := w.CreateFormFile("file", name)
	_, _ = io.WriteString(part, body)
	for i := 0; i < len(fields); i += 2 {
		_ = w.WriteField(fields[i], fields[i+1])
	}
	_ = w.Close()
	r := httptest.NewRequest("POST", target, &b)
	r.Header.Set("Content-Type", w.FormDataContentType())
	return r
}

func (c clerk) call(method, target string) *httptest.ResponseRecorder {
	c.h.t.Helper()
	return c.send(httptest.NewRequest(method, target, nil))
}

// An agent shares a file; the desk is told, and whoever is or was in the chat
// can load it until it is deleted.
func TestAgentFiles(t *testing.T) {
	inBubble(t, func(h *fixture) {
		b := h.signIn("anna")
		b.resume(nil)
		id := h.taken(b)
		b.settled()
		c := h.clerk("anna")
		w := c.send(form(filesOf(id), "offer.txt", "an offer", "id", "c-7", "description", "ours"))
		var file struct {
			File, Name, MediaType string
			Size                  int
		}
		if err := json.Unmarshal(w.Body.Bytes(), &file); err != nil || w.Code != 200 || file.Name != "offer.txt" || file.Size != 8 {
			t.Fatalf("upload: %d %s", w.Code, w.Body)
		}
		got := pushes(b.settled(), "chat")
		want := object{
			"type": "shared", "file": file.File, "name": "offer.txt", "size": 8.0, "mediaType": "text/plain; charset=utf-8", "description": "ours", "id": "c-7",
		}
		event := got[0]["events"].([]any)[0].(object)
		for k, v := range want {
			if event[k] != v {
				t.Errorf("the event's %s is %v, want %v", k, event[k], v)
			}
		}
		if event["from"].(object)["name"] != "Anna" {
			t.Errorf("the event is %v", event)
		}
		// The same command again shares nothing more.
		again := c.send(form(filesOf(id), "offer.txt", "an offer", "id", "c-7"))
		if again.Body.String() != w.Body.String() || len(h.files.Files()) != 1 {
			t.Errorf("again: %d %s, kept are %v", again.Code, again.Body, h.files.Files())
		}
		w = c.call("GET", filesOf(id)+"/"+file.File)
		if w.Code != 200 || w.Body.String() != "an offer" || w.Header().Get("Content-Disposition") != `attachment; filename="offer.txt"` ||
			w.Header().Get("X-Content-Type-Options") != "nosniff" || !strings.HasPrefix(w.Header().Get("Content-Security-Policy"), "sandbox") ||
			w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("download: %d %s %v", w.Code, w.Body, w.Header())
		}
		if w := h.clerk("ben").call("GET", filesOf(id)+"/"+file.File); w.Code != 403 || errorCode(t, w.Result()) != "forbidden" {
			t.Errorf("an agent who never was there: %d %s", w.Code, w.Body)
		}
		// The visitor shares one too, which the agent may delete.
		h.do(id, chat.TheVisitor(), chat.Share{File: chat.NewFileID(1), Name: "a.txt", Size: 1, Type: "text/plain"})
		if w := c.call("DELETE", filesOf(id)+"/"+string(chat.NewFileID(1))); w.Code != 204 {
			t.Errorf("delete: %d %s", w.Code, w.Body)
		}
		if got := events(b.settled(), id); len(got) != 2 || !strings.HasSuffix(got[0], " shared") || !strings.HasSuffix(got[1], " unshared") {
			t.Errorf("events %v", got)
		}
		b.must(object{"op": "leave", "chat": id.String()})
		if w := c.call("GET", filesOf(id)+"/"+file.File); w.Code != 200 {
			t.Errorf("after leaving: %d", w.Code)
		}
		h.do(id, chat.TheVisitor(), chat.Leave{})
		if w := c.call("GET", filesOf(id)+"/"+file.File); w.Code != 200 {
			t.Errorf("after the end: %d", w.Code)
		}
		if w := c.call("DELETE", filesOf(id)+"/"+file.File); w.Code != 409 || len(h.files.Files()) != 1 {
			t.Errorf("deleting after the end: %d", w.Code)
		}
	})
}

// What is refused has a status and a code, and leaves nothing behind.
func TestAgentFileRefusals(t *testing.T) {
	inBubble(t, func(h *fixture) {
		b := h.signIn("anna")
		b.resume(nil)
		id := h.taken(b)
		ended := h.taken(b)
		b.must(object{"op": "end", "chat": ended.String()})
		waiting := h.open()
		c := h.clerk("anna")
		if w := c.send(form(filesOf(id), "a.txt", strings.Repeat("x", 900))); w.Code != 200 {
			t.Fatal(w.Body)
		}
		before, err := h.engine.Read(t.Context(), id, 1, 100)
		if err != nil {
			t.Fatal(err)
		}
		foreign := form(filesOf(id), "a.txt", "x")
		foreign.Header.Set("Origin", "https://evil.example")
		site := httptest.NewRequest("GET", filesOf(id)+"/0000000000000001", nil)
		site.Header.Set("Sec-Fetch-Site", "cross-site")
		plain := httptest.NewRequest("POST", filesOf(id), strings.NewReader("x"))
		get := func(target string) *http.Request { return httptest.NewRequest("GET", target, nil) }
		for name, x := range map[string]struct {
			who    clerk
			r      *http.Request
			status int
			code   string
		}{
			"not signed in":         {clerk{h, ""}, form(filesOf(id), "a.txt", "x"), 401, "unauthorized"},
			"another's cookie":      {clerk{h, "nonsense"}, form(filesOf(id), "a.txt", "x"), 401, "unauthorized"},
			"a page elsewhere":      {c, foreign, 403, "forbidden"},
			"a link elsewhere":      {c, site, 403, "forbidden"},
			"not in the chat":       {h.clerk("ben"), form(filesOf(id), "a.txt", "x"), 403, "forbidden"},
			"a waiting chat":        {c, form(filesOf(waiting), "a.txt", "x"), 403, "forbidden"},
			"an ended chat":         {c, form(filesOf(ended), "a.txt", "x"), 409, "ended"},
			"no such chat":          {c, form(filesOf(99), "a.txt", "x"), 404, "not-found"},
			"no chat at all":        {c, form("http://desk.example/api/v1/chats/x/files", "a.txt", "x"), 404, "not-found"},
			"no such file":          {c, get(filesOf(id) + "/0000000000000001"), 404, "not-found"},
			"no file at all":        {c, get(filesOf(id) + "/..%2fx"), 404, "not-found"},
			"deleting no such file": {c, httptest.NewRequest("DELETE", filesOf(id)+"/0000000000000001", nil), 404, "not-found"},
			"too large":             {c, form(filesOf(id), "a.txt", strings.Repeat("x", 1001)), 413, "too-large"},
			"too large together":    {c, form(filesOf(id), "a.txt", strings.Repeat("x", 601)), 413, "too-large"},
			"of another type":       {c, form(filesOf(id), "a.exe", "x"), 415, "wrong-type"},
			"no form":               {c, plain, 400, "invalid"},
			"no file in the form":   {c, form(filesOf(id), "", "x"), 400, "invalid"},
			"a long description":    {c, form(filesOf(id), "a.txt", "x", "description", strings.Repeat("x", 2000)), 413, "too-long"},
			"a long id":             {c, form(filesOf(id), "a.txt", "x", "id", strings.Repeat("x", 200)), 400, "invalid"},
		} {
			w := x.who.send(x.r)
			if code := errorCode(t, w.Result()); w.Code != x.status || code != x.code {
				t.Errorf("%s: got status %d and code %q, want %d and %q", name, w.Code, code, x.status, x.code)
			}
			if h.files.Staged() != 0 || len(h.files.Files()) != 1 {
				t.Errorf("%s left %d files on their way, and %v", name, h.files.Staged(), h.files.Files())
			}
		}
		h.log.Fail(func(engine.Append) error { return errors.New("no space left") })
		if w := c.send(form(filesOf(id), "a.txt", "x")); w.Code != 503 || errorCode(t, w.Result()) != "unavailable" {
			t.Errorf("without a store: %d %s", w.Code, w.Body)
		}
		h.log.Fail(nil)
		after, err := h.engine.Read(t.Context(), id, 1, 100)
		if err != nil || len(after) != len(before) {
			t.Errorf("the log has grown from %d to %d, %v", len(before), len(after), err)
		}
		if w := c.send(form(filesOf(id), "a.txt", "x")); w.Code != 200 {
			t.Fatal(w.Body)
		}
		if w := c.send(form(filesOf(id), "a.txt", "x")); w.Code != 409 || errorCode(t, w.Result()) != "too-many" {
			t.Errorf("too many files: %d %s", w.Code, w.Body)
		}
	})
}

// A browser looks for the answer when it has sent all of a file, so some of
// what is refused is read nevertheless.
func TestARefusedFileIsReadToItsEnd(t *testing.T) {
	inBubble(t, func(h *fixture) {
		b := h.signIn("anna")
		b.resume(nil)
		id := h.taken(b)
		for name, who := range map[string]string{"too large": "anna", "not in the chat": "ben"} {
			r := form(filesOf(id), "a.txt", strings.Repeat("x", 1<<20))
			body := r.Body
			if w := h.clerk(who).send(r); w.Code != 413 && w.Code != 403 {
				t.Errorf("%s: got status %d: %s, want 413 or 403", name, w.Code, w.Body)
			}
			if left, err := io.Copy(io.Discard, body); err != nil || left != 0 {
				t.Errorf("%s: %d bytes are left, %v", name, left, err)
			}
		}
	})
}
