package sqlite

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/push"
	"github.com/halley-chat/halley/internal/push/pushtest"
)

func TestPushes(t *testing.T) {
	t.Run("Store", func(t *testing.T) {
		pushtest.StoreSuite(t, func(t *testing.T) push.Store { return opened(t, t.TempDir(), Options{}).Pushes() })
	})
	t.Run("Beside", func(t *testing.T) {
		pushtest.StoreSuite(t, func(t *testing.T) push.Store {
			dir := t.TempDir()
			opened(t, dir, Options{})
			return beside(t, dir).Pushes()
		})
	})
}

// How far has been pushed outlasts the process, and old databases learn of it.
func TestPushesLast(t *testing.T) {
	dir, ctx := t.TempDir(), context.Background()
	s := opened(t, dir, Options{})
	if err := s.Pushes().Advance(ctx, 5, 7, &push.DeadLetter{Chat: 5, Index: 7}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again := opened(t, dir, Options{}).Pushes()
	got, err := again.Cursors(ctx)
	if diff := cmp.Diff(map[chat.ID]int64{5: 7}, got); err != nil || diff != "" {
		t.Errorf("cursors: got the error %v, want none (-want +got):\n%s", err, diff)
	}
	if dead, err := again.DeadLetters(ctx, 9); err != nil || len(dead) != 1 {
		t.Errorf("dead letters: got %v, %v, want one", dead, err)
	}
	edit(t, dir, "UPDATE sqlite_sequence SET seq = 10001 WHERE name = 'push_dead'")
	if err := again.Advance(ctx, 5, 8, &push.DeadLetter{Chat: 5, Index: 8}); err != nil {
		t.Fatal(err)
	}
	if dead, err := again.DeadLetters(ctx, 9); err != nil || len(dead) != 1 || dead[0].Index != 8 {
		t.Errorf("10,001 letters later: %v %v", dead, err)
	}
	// Whoever stands beside the server sees the same and may clear it away.
	if n, err := beside(t, dir).Pushes().Purge(ctx); err != nil || n != 1 {
		t.Errorf("purge beside the server: got %d, %v, want one letter", n, err)
	}
}
