package app

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/media"
)

// spaceEvery is how often the free space of the data directory is looked at
// while nobody uploads anything.
const spaceEvery = 10 * time.Second

// space watches the free space of a directory's file system. Its methods may be
// called from any number of goroutines.
type space struct {
	// Static after construction.
	least int64 // bytes; 0 watches nothing
	free  func() (int64, error)
	log   *slog.Logger

	isLow atomic.Bool

	mu sync.Mutex // held while the state is compared and logged
}

func newSpace(dir string, least int64, log *slog.Logger) *space {
	return &space{least: least, log: log, free: func() (int64, error) {
		var fs syscall.Statfs_t
		if err := syscall.Statfs(dir, &fs); err != nil {
			return 0, fmt.Errorf("app: free space of the data directory: %w", err)
		}
		return int64(fs.Bavail) * int64(fs.Bsize), nil
	}}
}

// low looks at the free space and says whether it is below the least. The first
// look that finds a change logs it. What cannot be found out is not low.
func (s *space) low() bool {
	if s.least <= 0 {
		return false
	}
	free, err := s.free()
	low := err == nil && free < s.least
	s.mu.Lock()
	defer s.mu.Unlock()
	if was := s.isLow.Swap(low); was != low {
		if low {
			s.log.Error("disk space is low: uploads are refused", "free", free, "min_free_space", s.least)
		} else {
			s.log.Info("disk space suffices again: uploads are taken", "free", free, "min_free_space", s.least)
		}
	}
	return low
}

// run looks until ctx ends.
func (s *space) run(ctx context.Context) error {
	tick := time.NewTicker(spaceEvery)
	defer tick.Stop()
	for s.low(); ; s.low() {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// errNoSpace refuses a file while the disk is nearly full. What is left is for
// the log.
var errNoSpace = chat.Refuse(chat.Unavailable, "the server has no room for files at the moment")

// guarded is a store of files that takes none while space is low.
type guarded struct {
	media.Store
	space *space
}

// Stage is [media.Store].
func (g guarded) Stage(ctx context.Context) (media.Staged, error) {
	if g.space.low() {
		return nil, errNoSpace
	}
	return g.Store.Stage(ctx)
}
