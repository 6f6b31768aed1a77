package pushtest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/push"
)

// three keeps three dead letters, the oldest first.
func three(t *testing.T, s push.Store) []push.DeadLetter {
	t.Helper()
	for i := range int64(3) {
		must(t, s.Advance(t.Context(), 1, i+1, letter(1, i+1)))
	}
	list := dead(t, s, 10)
	return []push.DeadLetter{list[2], list[1], list[0]}
}

func asked(t *testing.T, s push.Store, what string, want ...push.DeadLetter) {
	t.Helper()
	got, err := s.RetryRequested(t.Context())
	must(t, err)
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s, asked for (-want +got):\n%s", what, diff)
	}
}

func testAsk(t *testing.T, s push.Store) {
	ctx := t.Context()
	l := three(t, s)
	asked(t, s, "at first")
	early, late := noon.Add(time.Hour), noon.Add(2*time.Hour)
	ask := func(want int, at time.Time, ids ...int64) {
		t.Helper()
		if n, err := s.RequestRetry(ctx, at, ids...); err != nil || n != want {
			t.Errorf("asking for %v: %d, %v, want %d", ids, n, err, want)
		}
	}
	ask(2, early.Add(300*time.Microsecond), l[2].ID, l[0].ID, 1<<40)
	l[0].Asked, l[2].Asked = early, early
	asked(t, s, "two", l[0], l[2])
	ask(3, late)
	l[1].Asked = late
	asked(t, s, "all", l[0], l[1], l[2])
	if diff := cmp.Diff([]push.DeadLetter{l[2], l[1], l[0]}, dead(t, s, 10)); diff != "" {
		t.Errorf("the list (-want +got):\n%s", diff)
	}
	if n, err := s.Purge(ctx, l[1].ID); err != nil || n != 1 {
		t.Errorf("burying: %d, %v", n, err)
	}
	asked(t, s, "after one was buried", l[0], l[2])
	ask(0, late, l[1].ID)
	must(t, s.Forget(ctx, 1))
	asked(t, s, "after the chat was let go", l[0], l[2])
}

func testSettle(t *testing.T, s push.Store) {
	ctx := t.Context()
	l := three(t, s)
	if _, err := s.RequestRetry(ctx, noon); err != nil {
		t.Fatal(err)
	}
	must(t, s.ResolveRetry(ctx, l[0].ID, nil))
	must(t, s.ResolveRetry(ctx, l[0].ID, nil))
	failed := push.DeadLetter{
		ID: l[1].ID, Chat: 1, Index: 2, Type: "Said", Carrier: chat.CarrierHook, Reason: "422", Attempts: 9, At: noon.Add(time.Hour),
	}
	must(t, s.ResolveRetry(ctx, l[1].ID, &failed))
	must(t, s.ResolveRetry(ctx, l[0].ID, &failed))
	l[2].Asked = noon
	asked(t, s, "afterwards", l[2])
	if diff := cmp.Diff([]push.DeadLetter{l[2], failed}, dead(t, s, 10)); diff != "" {
		t.Errorf("the list (-want +got):\n%s", diff)
	}
	cursors(t, s, map[chat.ID]int64{1: 3})
}
