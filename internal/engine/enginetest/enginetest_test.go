package enginetest_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
	"github.com/halley-chat/halley/internal/engine/enginetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestLogInMemory(t *testing.T) {
	enginetest.LogSuite(t, func(*testing.T) enginetest.Inspector { return enginetest.NewLog() })
}

func TestBusInMemory(t *testing.T) {
	enginetest.BusSuite(t, func(*testing.T) engine.Bus { return enginetest.NewBus() })
}

func first(id chat.ID) engine.Append {
	return engine.Append{
		Log:     engine.ChatLog(id),
		Records: []engine.Record{{Index: 1, At: time.Unix(0, 0), Body: []byte("x")}},
	}
}

func lastOf(t *testing.T, l enginetest.Inspector, id chat.ID) int64 {
	t.Helper()
	n, err := l.Last(t.Context(), engine.ChatLog(id))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestFaults checks that a failed append leaves nothing, and that a lost
// answer leaves everything.
func TestFaults(t *testing.T) {
	l, broken := enginetest.NewLog(), errors.New("broken")
	l.Fail(func(a engine.Append) error {
		if a.Log == engine.ChatLog(1) {
			return broken
		}
		return nil
	})
	if _, err := l.Append(t.Context(), first(1)); !errors.Is(err, broken) || lastOf(t, l, 1) != 0 {
		t.Errorf("a failing append says %v and leaves %d records", err, lastOf(t, l, 1))
	}
	if _, err := l.Append(t.Context(), first(2)); err != nil {
		t.Errorf("an append that f lets pass says %v", err)
	}
	l.Fail(nil)
	l.Lose(func(engine.Append) error { return broken })
	if _, err := l.Append(t.Context(), first(1)); !errors.Is(err, broken) || lastOf(t, l, 1) != 1 {
		t.Errorf("an append with a lost answer says %v and leaves %d records", err, lastOf(t, l, 1))
	}
	l.Lose(nil)
	if n := l.Appends(); n != 2 {
		t.Errorf("%d appends became durable, want 2", n)
	}
	l.FailReads(func(engine.LogID) error { return broken })
	if _, err := l.Read(t.Context(), engine.ChatLog(1), 1, 1); !errors.Is(err, broken) {
		t.Errorf("a failing read says %v", err)
	}
}

// TestHold runs in a bubble: appends that are held back wait there without
// using a processor, honour their contexts, and go on when released.
func TestHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := enginetest.NewLog()
		release := l.Hold()
		impatient, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		var gaveUp, waited error
		go func() { _, gaveUp = l.Append(impatient, first(1)) }()
		go func() { _, waited = l.Append(t.Context(), first(2)) }()
		synctest.Wait()
		if n := l.Waiting(); n != 2 {
			t.Errorf("%d appends are held back, want 2", n)
		}
		time.Sleep(2 * time.Hour) // of the bubble: no time passes outside
		synctest.Wait()
		if !errors.Is(gaveUp, context.DeadlineExceeded) || l.Waiting() != 1 {
			t.Errorf("the impatient append says %v", gaveUp)
		}
		release()
		synctest.Wait()
		if waited != nil || lastOf(t, l, 1) != 0 || lastOf(t, l, 2) != 1 {
			t.Errorf("after the release: %v, %d and %d records, want 0 and 1", waited, lastOf(t, l, 1), lastOf(t, l, 2))
		}
	})
}

// TestClose checks that closing frees what is held back.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := enginetest.NewLog()
		l.Hold()
		var err error
		go func() { _, err = l.Append(t.Context(), first(1)) }()
		synctest.Wait()
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if !errors.Is(err, engine.ErrClosed) {
			t.Errorf("a held append says %v after the close, want ErrClosed", err)
		}
		if _, err := l.Last(t.Context(), engine.ChatLog(1)); !errors.Is(err, engine.ErrClosed) {
			t.Errorf("a read says %v after the close, want ErrClosed", err)
		}
	})
}

// TestBusFaults checks that dropped notices are lost and held ones come late
// and in order.
func TestBusFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := enginetest.NewBus()
		var heard []int64
		defer b.Subscribe(func(n engine.Notice) { heard = append(heard, n.Log.ID) })()
		b.Drop(func(n engine.Notice) bool { return n.Log.ID == 2 })
		release := b.Hold()
		for id := range int64(4) {
			b.Publish(engine.Notice{Log: engine.LogID{Kind: engine.ChatKind, ID: id}})
		}
		synctest.Wait()
		if len(heard) != 0 {
			t.Errorf("heard %v while all is held", heard)
		}
		release()
		synctest.Wait()
		if len(heard) != 3 || heard[0] != 0 || heard[1] != 1 || heard[2] != 3 {
			t.Errorf("heard %v, want [0 1 3]", heard)
		}
	})
}
