package media_test

import (
	"bytes"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/media"
	"github.com/halley-chat/halley/internal/media/mediatest"
)

// The address of a scanner may hold what opens its door, and is not logged.
func TestAScannersAddressIsNotLogged(t *testing.T) {
	var out bytes.Buffer
	s := media.NewService(mediatest.NewStore(), slog.New(slog.NewTextHandler(&out, nil)))
	srv := httptest.NewServer(nil)
	srv.Close() // nobody is there
	h := media.NewHook(srv.URL + "/scan?token=open-sesame")
	defer h.Close()
	p := policy("txt")
	p.Scanner = h
	if err := receive(t, s, "a.txt", "hello").Check(t.Context(), p, 1); chat.KindOf(err) != chat.Unavailable {
		t.Errorf("nobody looked at it, and: %v", err)
	}
	if log := out.String(); !strings.Contains(log, "the scanner failed") || !strings.Contains(log, "refused") || strings.Contains(log, "sesame") {
		t.Errorf("the log says %s", log)
	}
}
