package app

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/config"
	"github.com/halley-chat/halley/internal/engine"
	"github.com/halley-chat/halley/internal/sqlite"
)

// A server makes its secret at the first start. Beside chats it refuses to make
// another one unless it is told to, and it refuses one that everybody can read.
func TestSecret(t *testing.T) {
	c := config.Default()
	c.Listen, c.Data = "127.0.0.1:0", t.TempDir()
	path := filepath.Join(c.Data, secretFile)
	try := func(fresh bool) (logged string, err error) {
		t.Helper()
		var out bytes.Buffer
		a, err := New(t.Context(), Options{Config: c, NewSecret: fresh, Logger: slog.New(slog.NewTextHandler(&out, nil))})
		if err == nil {
			err = errors.Join(a.listener.Close(), a.close(t.Context()))
		}
		return out.String(), err
	}
	for _, fresh := range []bool{false, false, true} { // no chats yet
		if _, err := try(fresh); err != nil {
			t.Fatalf("without chats, --new-secret %v: got %v, want a start", fresh, err)
		}
	}
	made, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	store, err := sqlite.Open(t.Context(), c.Data, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	id := chat.NewID(time.Now(), 1)
	_, err = store.Append(t.Context(), engine.Append{
		Log: engine.ChatLog(id), Records: []engine.Record{{Index: 1, Body: []byte("{}")}}, Summary: &chat.Summary{Chat: id, Phase: chat.PhaseEnded},
	})
	if err := errors.Join(err, store.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := try(true); err != nil {
		t.Errorf("with chats and their secret: got %v, want a start", err)
	}
	if b, err := os.ReadFile(path); err != nil || !bytes.Equal(b, made) {
		t.Errorf("the secret was changed although it was there (%v)", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := try(false); !errors.Is(err, errNoSecret) || !strings.Contains(err.Error(), c.Data) || !strings.Contains(err.Error(), "--new-secret") {
		t.Errorf("with chats and no secret: got %v, want errNoSecret, the directory and the way out", err)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the refused start has made a secret (%v)", err)
	}
	if logged, err := try(true); err != nil || !strings.Contains(logged, "new secret") {
		t.Errorf("with chats, no secret and --new-secret: got %v and the log %q, want a start and a warning", err, logged)
	}
	for mode, want := range map[os.FileMode]string{0o604: "refused", 0o602: "refused", 0o640: "warned", 0o600: ""} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		logged, err := try(false)
		got := ""
		switch {
		case err != nil && strings.Contains(err.Error(), "everybody") && strings.Contains(err.Error(), path):
			got = "refused"
		case err != nil:
			t.Errorf("mode %04o: %v", mode, err)
		case strings.Contains(logged, "group"):
			got = "warned"
		}
		if got != want {
			t.Errorf("mode %04o: got %q, want %q", mode, got, want)
		}
	}
}
