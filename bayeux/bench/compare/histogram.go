package main

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// histogram counts durations in buckets of at most three per cent of their
// value. Any goroutine may add to it.
type histogram struct{ buckets [64 * steps]atomic.Int64 }

const (
	stepBits = 5
	steps    = 1 << stepBits
)

func bucket(d time.Duration) int {
	us := uint64(max(d, 0)) / 1000
	if us < steps {
		return int(us)
	}
	e := bits.Len64(us) - stepBits - 1
	return e<<stepBits + int(us>>e)
}

// upper is the greatest duration that belongs in a bucket.
func upper(b int) time.Duration {
	if b < 2*steps {
		return time.Duration(b+1)*time.Microsecond - 1
	}
	e := b>>stepBits - 1
	return time.Duration(uint64(b-e<<stepBits+1)<<e)*time.Microsecond - 1
}

func (h *histogram) add(d time.Duration) { h.buckets[bucket(d)].Add(1) }

func (h *histogram) reset() {
	for i := range h.buckets {
		h.buckets[i].Store(0)
	}
}

// quantile is the duration that a share q of all do not exceed, 0 if there are
// none.
func (h *histogram) quantile(q float64) time.Duration {
	var total int64
	for i := range h.buckets {
		total += h.buckets[i].Load()
	}
	if total == 0 {
		return 0
	}
	rest := int64(q * float64(total))
	for i := range h.buckets {
		if rest -= h.buckets[i].Load(); rest < 0 {
			return upper(i)
		}
	}
	return upper(len(h.buckets) - 1)
}
