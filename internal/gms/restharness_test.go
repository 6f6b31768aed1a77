package gms

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"net/url"
	"strings"
	"testing"

	"github.com/halley-chat/halley/bayeux/bayeuxtest"
	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/test/schema"
)

// restClient is a client of the REST side.
type restClient struct {
	h         *fixture
	service   string
	key, chat string // as told last
	// Of the latest answer.
	status int
	header http.Header
}

func (h *fixture) restClient(service string) *restClient { return &restClient{h: h, service: service} }

// send sends a request and checks what every answer must have.
func (p *restClient) send(r *http.Request) bayeuxtest.Frame {
	p.h.t.Helper()
	w := httptest.NewRecorder()
	p.h.edge.REST().ServeHTTP(w, r)
	p.status, p.header = w.Code, w.Header()
	if w.Code >= 500 {
		p.h.t.Fatalf("status %d", w.Code)
	}
	var n bayeuxtest.Frame
	if err := json.Unmarshal(w.Body.Bytes(), &n); err != nil {
		p.h.t.Fatalf("%v: %s", err, w.Body)
	}
	if err := schema.Response(w.Body.Bytes()); err != nil {
		p.h.t.Fatal(err)
	}
	status, ended := n["statusCode"].(float64), n["chatEnded"].(bool)
	if n["alias"] != "1" || w.Header().Get("Content-Type") != "application/json" {
		p.h.t.Fatalf("%v: %v", w.Header(), n)
	}
	if _, key := n["secureKey"]; key != (status == 0 && !ended) {
		p.h.t.Fatalf("the key is there: %v: %v", key, n)
	}
	if (status == 2) != (n["errors"] != nil) && w.Code != http.StatusNotFound || status != 2 && w.Code != http.StatusOK {
		p.h.t.Fatalf("status %d: %v", w.Code, n)
	}
	if key, ok := n["secureKey"].(string); ok {
		p.key, p.chat = key, n["chatId"].(string)
	}
	return n
}

func (p *restClient) url(op string) string {
	u := RESTPath + p.service
	if op != "" {
		u += "/" + p.chat + "/" + op
	}
	return u
}

func formRequest(target, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, target, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8")
	return r
}

func multipartRequest(target string, fields ...string) *http.Request {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for i := 0; i < len(fields); i += 2 {
		// Some clients label their values as bytes.
		part, _ := w.CreatePart(textproto.MIMEHeader{
			"Content-Disposition": {fmt.Sprintf(`form-data; name="%s"`, fields[i])}, "Content-Type": {"application/octet-stream"},
		})
		_, _ = part.Write([]byte(fields[i+1]))
	}
	_ = w.Close()
	r := httptest.NewRequest(http.MethodPost, target, &b)
	r.Header.Set("Content-Type", w.FormDataContentType())
	return r
}

// do calls an operation with all ids, as most clients do, the alias being
// stale; fields are names and values.
func (p *restClient) do(op string, fields ...string) bayeuxtest.Frame {
	p.h.t.Helper()
	v := url.Values{"userId": {"00"}, "alias": {"117"}, "secureKey": {p.key}}
	for i := 0; i < len(fields); i += 2 {
		v.Set(fields[i], fields[i+1])
	}
	return p.send(formRequest(p.url(op), v.Encode()))
}

// polling opens a chat over REST.
func (h *fixture) polling(service string) *restClient {
	h.t.Helper()
	p := h.restClient(service)
	if n := p.do("", "nickname", "Vera", "subject", "help"); n["statusCode"] != 0.0 {
		h.t.Fatalf("start: %v", n)
	}
	return p
}

// summary is the chat's entry on the board; ok is false once it has ended.
func (h *fixture) summary(id string) (chat.Summary, bool) {
	h.t.Helper()
	n, err := chat.ParseID(id)
	if err != nil {
		h.t.Fatal(err)
	}
	return h.engine.Board().Get(n)
}

// count is how many facts of a kind the chat's log holds.
func count[F chat.Fact](t testing.TB, events []chat.Event) int {
	t.Helper()
	n := 0
	for _, e := range events {
		if _, ok := e.Fact.(F); ok {
			n++
		}
	}
	return n
}
