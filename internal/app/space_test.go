package app

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/media"
	"github.com/halley-chat/halley/internal/media/mediatest"
)

// While little space is left files are refused with a reason, and the log says
// so once when it begins and once when it ends, uploads or not.
func TestLowSpace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		var free atomic.Int64
		var broken atomic.Bool
		s := newSpace(t.TempDir(), 1000, slog.New(slog.NewTextHandler(&out, nil)))
		s.free = func() (int64, error) {
			if broken.Load() {
				return 0, errors.New("no statfs")
			}
			return free.Load(), nil
		}
		free.Store(1000)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.run(ctx) }()
		files := media.NewService(guarded{mediatest.NewStore(), s}, slog.New(slog.DiscardHandler))
		receive := func() error {
			u, err := files.Receive(t.Context(), "a.txt", strings.NewReader("x"), 10)
			if err == nil {
				err = u.Discard()
			}
			return err
		}
		if err := receive(); err != nil {
			t.Errorf("with enough space: got %v, want the file to be taken", err)
		}
		free.Store(999)
		for range 3 {
			if err := receive(); chat.KindOf(err) != chat.Unavailable || !strings.Contains(err.Error(), "no room") {
				t.Errorf("with too little: got %v, want a refusal that says why", err)
			}
		}
		broken.Store(true)
		if err := receive(); err != nil {
			t.Errorf("with unknown space: got %v, want the file to be taken", err)
		}
		broken.Store(false)
		time.Sleep(time.Minute) // virtual; nobody uploads
		if !s.isLow.Load() {
			t.Error("the watch has not noticed that space is low")
		}
		free.Store(1 << 40)
		time.Sleep(time.Minute)
		stop()
		if err := <-done; err != nil {
			t.Errorf("run: got %v, want nil", err)
		}
		if low, again := strings.Count(out.String(), "space is low"), strings.Count(out.String(), "suffices again"); low != 2 || again != 2 {
			t.Errorf("the log: got %d beginnings and %d ends, want 2 and 2:\n%s", low, again, &out)
		}
	})
}

// The free space of a real directory is found out, and no watch is no limit.
func TestFreeSpace(t *testing.T) {
	s := newSpace(t.TempDir(), 1, slog.New(slog.DiscardHandler))
	if free, err := s.free(); err != nil || free <= 0 {
		t.Errorf("free space: got %d, %v, want some", free, err)
	}
	for least, want := range map[int64]bool{-1: false, 1: false, 1 << 62: true} {
		s := newSpace(t.TempDir(), least, slog.New(slog.DiscardHandler))
		if got := s.low(); got != want {
			t.Errorf("low with a least of %d bytes: got %v, want %v", least, got, want)
		}
	}
}
