package httpx

import (
	"mime"
	"net/http/httptest"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestAttachment(t *testing.T) {
	w := httptest.NewRecorder()
	Attachment(w, `übung "1".pdf`, "application/pdf", 5, strings.NewReader("hello and more"))
	for name, want := range map[string]string{
		"Content-Type": "application/pdf", "Content-Length": "5", "Content-Security-Policy": "sandbox; default-src 'none'",
		"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store",
		"Content-Disposition": `attachment; filename="_bung _1_.pdf"; filename*=UTF-8''%C3%BCbung%20%221%22.pdf`,
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if w.Code != 200 || w.Body.String() != "hello" {
		t.Errorf("got status %d and body %q, want 200 and \"hello\"", w.Code, w.Body)
	}
}

// Whatever a file is called, the header is one line, and a browser that reads
// it finds the name.
func TestDisposition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.String().Draw(t, "name")
		value := disposition(name)
		kind, parameters, err := mime.ParseMediaType(value)
		if err != nil || kind != "attachment" || strings.ContainsAny(value, "\r\n\x00") {
			t.Fatalf("the name %q: got %q, %v, want an attachment of one line", name, value, err)
		}
		for _, r := range value {
			if r < ' ' || r > '~' {
				t.Fatalf("the name %q: got %q, want printable ASCII", name, value)
			}
		}
		if got := parameters["filename"]; got != name {
			t.Fatalf("%q is read as %q", name, got)
		}
	})
}
