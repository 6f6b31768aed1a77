package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

const (
	queueLength = 4096            // events that wait to be written
	batchLength = 256             // events of one append
	retryAfter  = time.Second     // between two attempts while the store fails
	lastAttempt = 2 * time.Second // for what waits when the log stops
	noteEvery   = time.Minute     // between two summaries of what was throttled

	// Refused sign-ins can be caused by anybody. Beyond a burst, so many of
	// them are kept one by one per second, and the others are counted.
	refusedBurst  = 200
	refusedPerSec = 2
)

// Log is the [Recorder] of a running server. Its methods may be called from
// any number of goroutines.
type Log struct {
	// Static after construction.
	store Store
	log   *slog.Logger
	queue chan Event

	recorded, lost atomic.Int64
	unreported     atomic.Int64 // of lost: not yet written as an [EventsLost]

	// Guarded by mu.
	mu        sync.Mutex
	tokens    float64 // refused sign-ins that may still be kept one by one
	refilled  time.Time
	throttled int64 // refused sign-ins that were only counted

	failing bool // owned by Run: the last append failed, and the logger knows
}

// NewLog makes a log over a store. It writes nothing before [Log.Run].
func NewLog(store Store, logger *slog.Logger) *Log {
	return &Log{store: store, log: logger, queue: make(chan Event, queueLength), tokens: refusedBurst}
}

// Stats counts events since the start.
type Stats struct {
	Recorded int64 // durable
	Lost     int64 // not kept: the queue was full, or the store failed until the end
	Waiting  int   // queued now
}

// Stats is a snapshot.
func (l *Log) Stats() Stats {
	return Stats{Recorded: l.recorded.Load(), Lost: l.lost.Load(), Waiting: len(l.queue)}
}

// Record is [Recorder]. An event for which the queue has no room is lost; how
// many were is recorded when there is room again. Events that are queued when
// the process is killed are lost too: usually those of a few milliseconds.
func (l *Log) Record(e Event) {
	e = e.normalized()
	if e.Kind == SignInRefused && e.Count == 0 && !l.admit(e.At) {
		return
	}
	select {
	case l.queue <- e:
	default:
		l.lose(1)
	}
}

func (l *Log) lose(n int64) {
	l.lost.Add(n)
	l.unreported.Add(n)
}

// admit says whether a refused sign-in is kept as an event of its own.
func (l *Log) admit(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if passed := now.Sub(l.refilled).Seconds(); passed > 0 {
		l.tokens = min(l.tokens+passed*refusedPerSec, refusedBurst)
	}
	l.refilled = now
	if l.tokens < 1 {
		l.throttled++
		return false
	}
	l.tokens--
	return true
}

// Run writes what is recorded until ctx ends, then what still waits, and
// returns nil. It logs the head of the chain then, which, kept with the
// server's log, detects later changes.
func (l *Log) Run(ctx context.Context) error {
	note := time.NewTicker(noteEvery)
	defer note.Stop()
	for {
		select {
		case <-ctx.Done():
			l.stop(nil)
			return nil
		case e := <-l.queue:
			if batch := l.gather(e); !l.write(ctx, batch) {
				l.stop(batch)
				return nil
			}
		case <-note.C:
			l.noteThrottled()
		}
	}
}

// stop makes one attempt at the batch that is left and at what still waits.
func (l *Log) stop(batch []Event) {
	l.noteThrottled()
	ctx, cancel := context.WithTimeout(context.Background(), lastAttempt)
	defer cancel()
	for {
		if len(batch) > 0 {
			if err := l.append(ctx, batch); err != nil {
				l.lose(int64(len(batch)))
				l.log.Error("audit: events were lost", "count", len(batch), "err", err)
			}
		}
		if len(l.queue) == 0 {
			break
		}
		batch = l.gather(<-l.queue)
	}
	if head, err := l.store.AuditHead(ctx); err == nil && head.Number > 0 {
		l.log.Info("audit: head", "head", head.String())
	}
}

// noteThrottled records how many refused sign-ins were not kept one by one.
func (l *Log) noteThrottled() {
	l.mu.Lock()
	n := l.throttled
	l.throttled = 0
	l.mu.Unlock()
	if n > 0 {
		l.Record(Event{Kind: SignInRefused, Count: n, Detail: "too many to list one by one"})
	}
}

// gather takes the first event and those that wait behind it.
func (l *Log) gather(first Event) []Event {
	batch := []Event{first}
	for len(batch) < batchLength {
		select {
		case e := <-l.queue:
			batch = append(batch, e)
		default:
			return batch
		}
	}
	return batch
}

// write appends a batch, again and again while the store fails. It says false
// if ctx has ended before that.
func (l *Log) write(ctx context.Context, batch []Event) bool {
	for {
		err := l.append(ctx, batch)
		switch {
		case err == nil && l.failing:
			l.failing = false
			l.log.Info("audit: events can be written again")
			return true
		case err == nil:
			return true
		case !l.failing && ctx.Err() == nil:
			l.failing = true
			l.log.Error("audit: events cannot be written, will retry", "err", err)
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(retryAfter):
		}
	}
}

// append makes one attempt at a batch, with the number of those that were lost
// before it.
func (l *Log) append(ctx context.Context, batch []Event) error {
	lost := l.unreported.Load()
	if lost > 0 {
		batch = append(batch[:len(batch):len(batch)], Event{Kind: EventsLost, Count: lost}.normalized())
	}
	bodies, err := encode(batch)
	if err != nil {
		return err
	}
	if _, err := l.store.AppendAudit(ctx, bodies); err != nil {
		return err
	}
	l.unreported.Add(-lost)
	l.recorded.Add(int64(len(bodies)))
	return nil
}

func encode(batch []Event) ([][]byte, error) {
	bodies := make([][]byte, len(batch))
	for i, e := range batch {
		var err error
		if bodies[i], err = json.Marshal(e); err != nil {
			return nil, fmt.Errorf("audit: encode an event: %w", err)
		}
	}
	return bodies, nil
}

// Append makes one event durable before it returns. It is for commands, which
// have no server's queue to use.
func Append(ctx context.Context, s Store, e Event) error {
	bodies, err := encode([]Event{e.normalized()})
	if err != nil {
		return err
	}
	if _, err := s.AppendAudit(ctx, bodies); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return nil
}
