package app

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/halley-chat/halley/internal/audit"
	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/config"
	"github.com/halley-chat/halley/internal/engine"
	"github.com/halley-chat/halley/internal/sqlite"
)

// A chat is ended by a command beside the running server, once; the audit log
// has who did it and why. A request that no server has seen waits for the next.
func TestOperatorEndsAChat(t *testing.T) {
	c := config.Default()
	c.Listen, c.Data = "127.0.0.1:0", t.TempDir()
	run := func() (a *App, stop func()) {
		t.Helper()
		a, err := New(t.Context(), Options{Config: c, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- a.Run(ctx) }()
		return a, func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	}
	request := func(id chat.ID, within time.Duration) string {
		t.Helper()
		outcome, err := RequestEnd(t.Context(), c.Data, sqlite.End{Chat: id, Reason: "spam", Operator: "root"}, within)
		if err != nil {
			t.Fatal(err)
		}
		return outcome
	}
	a, stop := run()
	var ids []chat.ID
	for range 2 {
		id, _, err := a.engine.Open(t.Context(), chat.Command{At: time.Now(), Do: chat.Open{Name: "x", Opening: chat.Opening{Service: "s", Queue: "q"}}})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	ended := make(chan chat.Event, 8)
	w, err := a.engine.Watch(t.Context(), ids[0], 1, func(b engine.Batch) {
		for _, e := range b.Events {
			if _, ok := e.Fact.(chat.Finished); ok {
				ended <- e
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if got := request(ids[0], time.Minute); got != Ended {
		t.Errorf("ending a chat: got %q, want %q", got, Ended)
	}
	if f, _ := (<-ended).Fact.(chat.Finished); f.Reason != chat.EndedOperator {
		t.Errorf("the chat's participants were told %+v, want the reason %q", f, chat.EndedOperator)
	}
	if got := request(ids[0], time.Minute); !strings.Contains(got, "ended") || got == Ended {
		t.Errorf("ending it again: got %q, want a refusal", got)
	}
	if got := request(12345, time.Minute); !strings.Contains(got, "no such chat") {
		t.Errorf("ending no chat: got %q, want a refusal", got)
	}
	stop()
	if got := request(ids[1], 0); got != "" {
		t.Errorf("without a server: got %q, want no outcome", got)
	}
	a, stop = run()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if sum, _, err := a.engine.Summary(t.Context(), ids[1]); err != nil || sum.Phase == chat.PhaseEnded {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the next server does not end the chat")
		}
	}
	stop()
	var reasons []string
	err = WithAudit(t.Context(), c.Data, func(s audit.Store) error {
		if _, err := audit.Verify(t.Context(), s); err != nil {
			return err
		}
		return audit.Each(t.Context(), s, 0, func(e audit.Entry) error {
			ev, err := e.Event()
			if ev.Kind == audit.ChatEnded {
				reasons = append(reasons, ev.Operator+" "+ev.Detail+" "+ev.Chat.String())
			}
			return err
		})
	})
	if want := []string{"root spam " + ids[0].String(), "root spam " + ids[1].String()}; err != nil || strings.Join(reasons, ";") != strings.Join(want, ";") {
		t.Errorf("the audit log: got %v, %v, want %v", reasons, err, want)
	}
}
