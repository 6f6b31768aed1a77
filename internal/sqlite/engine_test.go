package sqlite

import (
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
)

// served runs an engine over a store until the test ends or stop is called.
func served(t *testing.T, s *Store) (e *engine.Engine, stop func()) {
	t.Helper()
	e = engine.New(engine.Options{Log: s, Bus: engine.NewLocalBus(), Rules: func(string) chat.Rules { return chat.DefaultRules() }})
	if err := e.Start(t.Context()); err != nil {
		t.Fatalf("start: %v", err)
	}
	return e, func() {
		if err := e.Close(t.Context()); err != nil {
			t.Errorf("close: %v", err)
		}
	}
}

// A server starts although a chat's summary, and another chat's log, cannot be
// read. The first chat is listed again, from its log; the second is left out.
func TestStartWithDamage(t *testing.T) {
	dir := t.TempDir()
	s := opened(t, dir, Options{})
	e, stop := served(t, s)
	var ids []chat.ID
	for _, name := range []string{"good", "no summary", "no log"} {
		id, _, err := e.Open(t.Context(), chat.Command{At: time.Now(), Do: chat.Open{Name: name, Opening: chat.Opening{Service: "s", Queue: "q"}}})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	stop()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	change := `UPDATE chat SET body = x'7b' WHERE id = ?; UPDATE chat SET body = x'7b' WHERE id = ?;
		UPDATE log0 SET body = x'7b' WHERE kind = 1 AND log = ?`
	for _, id := range []chat.ID{ids[1], ids[2], ids[2]} {
		change = strings.Replace(change, "?", strconv.FormatInt(int64(id), 10), 1)
	}
	edit(t, dir, change)

	var logged syncBuffer
	s = opened(t, dir, Options{Logger: slog.New(slog.NewTextHandler(&logged, nil))})
	e, stop = served(t, s)
	defer stop()
	eventually(t, "the chat without a summary is listed", func() bool { _, ok := e.Board().Get(ids[1]); return ok })
	for _, id := range ids[:2] {
		if sum, ok := e.Board().Get(id); !ok || sum.Phase != chat.PhaseWaiting || sum.Queue != "q" {
			t.Errorf("chat %v on the board: got %+v, %v, want it waiting", id, sum, ok)
		}
	}
	if sum, ok := e.Board().Get(ids[2]); ok {
		t.Errorf("the chat without a log is on the board: %+v", sum)
	}
	for _, id := range ids[1:] {
		if want := "summary of chat " + id.String(); !strings.Contains(logged.String(), want) {
			t.Errorf("the log does not have %q:\n%s", want, logged.String())
		}
	}
	if s.Stats().Damaged < 3 {
		t.Errorf("damaged: got %d, want two summaries and a log at least", s.Stats().Damaged)
	}
}
