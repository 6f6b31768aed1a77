package pushtest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/push"
)

// StoreSuite runs the tests that every adapter of [push.Store] must pass. open
// makes an empty store and leaves its closing to t.Cleanup.
func StoreSuite(t *testing.T, open func(t *testing.T) push.Store) {
	for name, test := range map[string]func(*testing.T, push.Store){
		"Cursors":        testCursors,
		"DeadLetters":    testDead,
		"DeadLettersAge": testAge,
		"Purge":          testBury,
		"Ask":            testAsk,
		"ResolveRetry":   testSettle,
		"MaxConcurrent":  testAtOnce,
		"Context":        testContext,
		"AskedIsKept":    testAskedIsKept,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 250_000_000, time.UTC)

func letter(id chat.ID, index int64) *push.DeadLetter {
	return &push.DeadLetter{
		ID: 99, Chat: id, Index: index, Type: "Said", Carrier: chat.CarrierFCM, Reason: "503 UNAVAILABLE", Attempts: 7, At: noon,
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func cursors(t *testing.T, s push.Store, want map[chat.ID]int64) {
	t.Helper()
	got, err := s.Cursors(t.Context())
	must(t, err)
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("cursors (-want +got):\n%s", diff)
	}
}

func testCursors(t *testing.T, s push.Store) {
	ctx := t.Context()
	cursors(t, s, nil)
	must(t, s.Track(ctx, []chat.ID{1, 1 << 62}))
	must(t, s.Advance(ctx, 1, 7, nil))
	must(t, s.Track(ctx, []chat.ID{1, 2}))
	must(t, s.Track(ctx, nil))
	must(t, s.Advance(ctx, 1, 5, nil)) // not back
	must(t, s.Advance(ctx, 3, 4, nil))
	must(t, s.Forget(ctx, 2))
	must(t, s.Forget(ctx, 9))
	cursors(t, s, map[chat.ID]int64{1: 7, 1 << 62: 0, 3: 4})
}

func dead(t *testing.T, s push.Store, limit int) []push.DeadLetter {
	t.Helper()
	list, err := s.DeadLetters(t.Context(), limit)
	must(t, err)
	return list
}

func testDead(t *testing.T, s push.Store) {
	ctx := t.Context()
	if got := dead(t, s, 10); len(got) != 0 {
		t.Errorf("an empty store has %v", got)
	}
	must(t, s.Advance(ctx, 1, 7, letter(1, 7)))
	must(t, s.Advance(ctx, 2, 8, letter(2, 8)))
	must(t, s.Forget(ctx, 1))
	got := dead(t, s, 10)
	if len(got) != 2 || got[0].ID <= got[1].ID {
		t.Fatalf("got the dead letters %v, want two, the latest first", got)
	}
	want := []push.DeadLetter{*letter(2, 8), *letter(1, 7)}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(push.DeadLetter{}, "ID")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := dead(t, s, 1); len(got) != 1 || got[0].Chat != 2 {
		t.Errorf("the latest is %v", got)
	}
	cursors(t, s, map[chat.ID]int64{2: 8})
}

func testAge(t *testing.T, s push.Store) {
	old, young := letter(1, 1), letter(1, 2)
	old.At = noon.Add(-push.MaxDeadTime)
	must(t, s.Advance(t.Context(), 1, 1, old))
	must(t, s.Advance(t.Context(), 1, 2, young))
	if got := dead(t, s, 10); len(got) != 2 {
		t.Errorf("one that is not too old has gone: %v", got)
	}
	young.At = noon.Add(time.Millisecond)
	must(t, s.Advance(t.Context(), 1, 3, young))
	if got := dead(t, s, 10); len(got) != 2 || got[1].Index != 2 {
		t.Errorf("one that is too old is there: %v", got)
	}
}

func testBury(t *testing.T, s push.Store) {
	ctx := t.Context()
	for i := range int64(5) {
		must(t, s.Advance(ctx, 1, i+1, letter(1, i+1)))
	}
	all := dead(t, s, 10)
	for _, c := range []struct {
		ids  []int64
		n    int
		left int
	}{
		{[]int64{all[0].ID, all[3].ID}, 2, 3},
		{[]int64{all[0].ID, 1 << 40}, 0, 3},
		{nil, 3, 0},
		{nil, 0, 0},
	} {
		n, err := s.Purge(ctx, c.ids...)
		must(t, err)
		if left := len(dead(t, s, 10)); n != c.n || left != c.left {
			t.Errorf("burying %v buried %d and left %d, want %d and %d", c.ids, n, left, c.n, c.left)
		}
	}
	must(t, s.Advance(ctx, 1, 9, letter(1, 9)))
	if got := dead(t, s, 10); len(got) != 1 || got[0].ID <= all[0].ID {
		t.Errorf("ids begin anew: %v after %v", got, all)
	}
}

func testAtOnce(t *testing.T, s push.Store) {
	ctx := t.Context()
	var work sync.WaitGroup
	for id := range chat.ID(8) {
		work.Go(func() {
			for i := range int64(8) {
				if err := s.Advance(ctx, id+1, i+1, letter(id+1, i+1)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	work.Wait()
	want := make(map[chat.ID]int64)
	for id := range chat.ID(8) {
		want[id+1] = 8
	}
	cursors(t, s, want)
	seen := make(map[int64]bool)
	for _, d := range dead(t, s, 100) {
		seen[d.ID] = true
	}
	if len(seen) != 64 {
		t.Errorf("%d letters of 64", len(seen))
	}
}

func testContext(t *testing.T, s push.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Cursors(ctx)
	_, err2 := s.DeadLetters(ctx, 1)
	_, err3 := s.Purge(ctx)
	_, err4 := s.RequestRetry(ctx, noon)
	_, err5 := s.RetryRequested(ctx)
	for _, err := range []error{s.Track(ctx, []chat.ID{1}), s.Advance(ctx, 1, 1, nil), s.Forget(ctx, 1), s.ResolveRetry(ctx, 1, nil), err, err2, err3, err4, err5} {
		if err == nil {
			t.Error("a call with an ended context succeeds")
		}
	}
	cursors(t, s, nil)
}
