package record

import (
	"bytes"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/halley-chat/halley/internal/tape"
)

// What is held of a form is bounded whatever of it is long, and none of what is
// left out keeps the form from passing.
func TestLongNamesAreNotHeld(t *testing.T) {
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	_ = w.WriteField("operation", "fileUpload")
	long := strings.Repeat("n", 300<<10)
	for range 20 {
		part, _ := w.CreateFormFile("file", long)
		_, _ = io.CopyN(part, zeros{}, 2<<20)
		_ = w.WriteField(long, "x")
	}
	_ = w.Close()
	size := int64(body.Len())
	r := httptest.NewRequest(http.MethodPost, "/genesys/2/chat-ntf", nil)
	r.Header.Set("Content-Type", w.FormDataContentType())
	c := newCapture(io.NopCloser(&body), size, true)
	c.end = func(bool) {}
	c.split(r.Header)
	n, err := io.Copy(io.Discard, c)
	_, _, seen, parts := c.content()
	if err != nil || n != size || seen != size {
		t.Fatalf("%d of %d bytes passed, %d were seen: %v", n, size, seen, err)
	}
	held := 0
	for _, p := range parts {
		held += len(p.Name) + len(p.FileName) + len(p.Type) + len(p.Value)
	}
	if held > maxBody || len(parts) == 0 || parts[0].Name != "operation" {
		t.Errorf("%d bytes are held of %d parts", held, len(parts))
	}
}

// A line that waits counts with everything that it holds.
func TestHeadersCount(t *testing.T) {
	s, err := newTapeWriter(Options{File: filepath.Join(t.TempDir(), "tape"), MaxSize: 1 << 20, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	busy, wait := make(chan struct{}), make(chan struct{})
	s.put(0, func(*tape.Masker) tape.Line {
		close(busy)
		<-wait
		return tape.Line{Kind: tape.KindFrame}
	})
	<-busy
	const long = 500 << 10
	x := &exchange{proxy: &proxy{writer: s}, via: tape.REST}
	r := httptest.NewRequest(http.MethodPost, "/genesys/2/chat/support/?"+strings.Repeat("q", long), nil)
	r.Header.Set("X-Long", strings.Repeat("h", long))
	x.begin(r)
	if held := s.held.Load(); held < 2*long {
		t.Errorf("a request of %d bytes counts as %d", 2*long, held)
	}
	before := s.held.Load()
	x.answered(&http.Response{Request: r, StatusCode: 200, Body: http.NoBody, Header: http.Header{"X-Long": {strings.Repeat("h", long)}}})
	if held := s.held.Load() - before; held < long {
		t.Errorf("an answer of %d bytes counts as %d", long, held)
	}
	close(wait)
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
}
