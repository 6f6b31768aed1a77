package sqlite

import (
	"sync/atomic"
	"time"
)

// Observer hears of what the writer does, for metrics. Its methods are called
// by the writer and by whoever appends, from any number of goroutines at once,
// and must not block.
type Observer interface {
	// Appended is called for every append that was answered, with the time
	// from the call to the answer. err is nil, a refusal of [engine.Log] or a
	// failure.
	Appended(took time.Duration, err error)
	// Committed is called for every group, with the number of items in it and
	// the time that its transaction took. If err is set nothing of it was
	// acknowledged.
	Committed(items int, took time.Duration, err error)
}

// Stats describe a store now.
type Stats struct {
	Queue         int   // items that wait for the writer
	QueueCapacity int   // beyond which callers wait to be let in
	Groups        int64 // transactions since the start
	Failures      int64 // of those, how many failed
	Damaged       int64 // things found damaged since the start, each counted once
	LogRows       int64 // rows in the log table that is written to
}

// counters are the parts of [Stats] that are counted.
type counters struct{ groups, failures atomic.Int64 }

// Stats is a snapshot.
func (s *Store) Stats() Stats {
	return Stats{
		Queue: len(s.queue), QueueCapacity: cap(s.queue),
		Groups: s.counters.groups.Load(), Failures: s.counters.failures.Load(),
		Damaged: s.damage.count.Load(), LogRows: s.positions.filled(),
	}
}
