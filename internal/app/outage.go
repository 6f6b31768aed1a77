package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/halley-chat/halley/internal/engine"
)

// probeEvery is how often at most the store is written to in order to find out
// whether it can be.
const probeEvery = time.Second

// outage knows whether the store takes appends. It hears of every one as the
// store's observer, and logs one line when an outage begins and one when it is
// over. Its methods may be called from any number of goroutines.
type outage struct {
	// Static after construction.
	log     *slog.Logger
	metrics *storeMetrics // nil for none

	mu sync.Mutex
	// Guarded by mu.
	since  time.Time // since when appends fail; zero while they do not
	err    error     // why the last one did
	probed time.Time // when the store was probed last
}

// Appended implements [sqlite.Observer].
func (o *outage) Appended(took time.Duration, err error) {
	if o.metrics != nil {
		o.metrics.append(took.Seconds())
	}
	switch {
	case err == nil:
		o.took()
	case errors.Is(err, engine.ErrConflict), errors.Is(err, engine.ErrCapacity), errors.Is(err, engine.ErrClosed),
		errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		// A refusal, or nobody waited: it says nothing about the disk.
	default:
		o.failed(err)
	}
}

// Committed implements [sqlite.Observer].
func (o *outage) Committed(items int, took time.Duration, err error) {
	if o.metrics != nil && err == nil {
		o.metrics.group(float64(items))
		o.metrics.commit(took.Seconds())
	}
	if err != nil {
		o.failed(err)
	}
}

func (o *outage) took() {
	o.mu.Lock()
	since := o.since
	o.since, o.err = time.Time{}, nil
	o.mu.Unlock()
	if !since.IsZero() {
		o.log.Info("the store takes writes again", "after", time.Since(since).Round(time.Millisecond).String())
	}
}

func (o *outage) failed(err error) {
	o.mu.Lock()
	first := o.since.IsZero()
	if first {
		o.since = time.Now()
	}
	o.err = err
	o.mu.Unlock()
	if first {
		o.log.Error("the store takes no writes: chats are refused until it does", "err", err)
	}
}

// lasts says whether appends fail.
func (o *outage) lasts() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return !o.since.IsZero()
}

// check says whether the store takes writes now, by trying it unless that was
// done a moment ago.
func (o *outage) check(ctx context.Context, probe func(context.Context) error) error {
	o.mu.Lock()
	now := time.Now()
	due := now.Sub(o.probed) >= probeEvery
	if due {
		o.probed = now
	}
	o.mu.Unlock()
	if due {
		if err := probe(ctx); err != nil {
			o.failed(err)
		} else {
			o.took()
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.since.IsZero() {
		return nil
	}
	return fmt.Errorf("the store takes no writes since %s", o.since.UTC().Format(time.RFC3339))
}
