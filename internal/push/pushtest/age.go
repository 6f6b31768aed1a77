package pushtest

import (
	"testing"
	"time"

	"github.com/halley-chat/halley/internal/push"
)

// testAskedIsKept: a letter does not get too old while somebody wants it to be
// sent again.
func testAskedIsKept(t *testing.T, s push.Store) {
	ctx := t.Context()
	must(t, s.Advance(ctx, 1, 1, letter(1, 1)))
	must(t, s.Advance(ctx, 1, 2, letter(1, 2)))
	_, err := s.RequestRetry(ctx, noon, dead(t, s, 10)[1].ID)
	must(t, err)
	late := letter(1, 3)
	late.At = noon.Add(push.MaxDeadTime + time.Hour)
	must(t, s.Advance(ctx, 1, 3, late))
	got := dead(t, s, 10)
	if len(got) != 2 || got[0].Index != 3 || got[1].Index != 1 {
		t.Fatalf("got the dead letters %v, want those of events 3 and 1", got)
	}
	must(t, s.ResolveRetry(ctx, got[1].ID, letter(1, 1)))
	late.Index = 4
	must(t, s.Advance(ctx, 1, 4, late))
	if got := dead(t, s, 10); len(got) != 2 || got[1].Index != 3 {
		t.Errorf("afterwards %v", got)
	}
}
