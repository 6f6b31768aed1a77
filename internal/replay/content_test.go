package replay

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"testing"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/media"
	"github.com/halley-chat/halley/internal/media/mediatest"
	"github.com/halley-chat/halley/internal/tape"
)

// What stands in for a file is taken for one of its sort, and what stands in
// for one of a sort that the tape does not name is taken for none.
func TestStandInsLookLikeTheirFiles(t *testing.T) {
	shelf := media.NewService(mediatest.NewStore(), slog.New(slog.DiscardHandler))
	var id chat.ID
	policy := media.Policy{FileRules: chat.FileRules{MaxFileSize: 1 << 20}, Types: media.Kinds()}
	check := func(name string, size int64) (string, error) {
		f := tape.NewMasker().Request(tape.Request{
			Method: "POST", URL: &url.URL{Path: "/genesys/2/chat-ntf"}, Header: http.Header{"Content-Type": {"multipart/form-data; boundary=b"}}, Parts: []tape.Part{{Name: "file", File: true, FileName: name, Size: size}},
		}).Fields[0].File
		body := content(f)
		if int64(len(body)) != size {
			t.Errorf("what stands in for %s has %d bytes", name, len(body))
		}
		d, err := shelf.Receive(t.Context(), standIn(f), bytes.NewReader(body), policy.MaxFileSize)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := d.Discard(); err != nil {
				t.Error(err)
			}
		}()
		err = d.Check(t.Context(), policy, id)
		return d.Type, err
	}
	kinds := media.Kinds()
	if len(kinds) < 20 {
		t.Fatalf("there are only %v", kinds)
	}
	for _, ext := range kinds {
		for _, size := range []int64{100, 5000} {
			t.Run(fmt.Sprintf("%s of %d bytes", ext, size), func(t *testing.T) {
				if _, err := check("Wilhelmina."+ext, size); err != nil {
					t.Errorf("%s of %d bytes: %v", ext, size, err)
				}
			})
		}
	}
	if _, err := check("Wilhelmina.exe", 100); err == nil {
		t.Error("a program is taken")
	}
	if kind, err := check("Wilhelmina", 100); err != nil || kind != "text/plain; charset=utf-8" && kind != "text/csv; charset=utf-8" {
		t.Errorf("a file without an extension: %v, %s", err, kind)
	}
}
