package sqlite

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
)

// observed counts what an [Observer] is told.
type observed struct {
	// Guarded by mu.
	mu                            sync.Mutex
	appended, refused, items, bad int
}

func (o *observed) Appended(took time.Duration, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.appended++; err != nil || took <= 0 {
		o.refused++
	}
}

func (o *observed) Committed(items int, took time.Duration, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.items += items; err != nil || took <= 0 {
		o.bad++
	}
}

// The observer and the statistics tell of every append and every group, refused
// and failed ones too.
func TestObserver(t *testing.T) {
	var o observed
	f := &failing{step: "commit"}
	s := opened(t, t.TempDir(), Options{Observer: &o, fault: f.fault})
	log := engine.ChatLog(1)
	for n := range int64(3) {
		grow(t, s, log, n, 1, chat.PhaseActive)
	}
	if _, err := s.Append(t.Context(), growth(log, 1, 1, chat.PhaseActive)); !errors.Is(err, engine.ErrConflict) {
		t.Errorf("an append at the wrong index: got %v, want ErrConflict", err)
	}
	f.on.Store(true)
	if _, err := s.Append(t.Context(), growth(log, 3, 1, chat.PhaseActive)); !errors.Is(err, errFault) {
		t.Errorf("an append whose commit fails: got %v, want the fault", err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.appended != 5 || o.refused != 2 || o.items != 5 || o.bad != 1 {
		t.Errorf("observed: got %d appends, %d refused, %d items, %d failed groups, want 5, 2, 5, 1", o.appended, o.refused, o.items, o.bad)
	}
	if got := s.Stats(); got.Groups != 5 || got.Failures != 1 || got.LogRows != 3 || got.Queue != 0 || got.QueueCapacity != queueLength || got.Damaged != 0 {
		t.Errorf("stats: got %+v, want 5 groups, 1 failure, 3 rows, an empty queue and no damage", got)
	}
}
