// Package ratelimit holds callers to rates, each by a key of its own: token
// buckets of golang.org/x/time/rate in a bounded list.
package ratelimit

import (
	"container/list"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Limit is a rate: Burst tokens at once, and one more each time that Every has
// passed. Without Burst there is no limit.
type Limit struct {
	Burst int
	Every time.Duration
}

// Per is so many calls in a time, all of them at once or evenly; 0 calls are no
// limit.
func Per(calls int, in time.Duration) Limit {
	if calls <= 0 {
		return Limit{}
	}
	return Limit{calls, in / time.Duration(calls)}
}

// Charge is what a call costs: one token of a key, whose limit is always the
// same.
type Charge struct {
	Key string
	Limit
}

// Limiter has a bucket for each key. All methods may be called from any number
// of goroutines.
type Limiter struct {
	max int // of the buckets

	mu sync.Mutex
	// Guarded by mu.
	buckets map[string]*list.Element
	order   *list.List // of *bucket, the one used last in front
}

type bucket struct {
	key    string
	tokens *rate.Limiter
}

// New makes a limiter that keeps at most max buckets. The one that was not used
// for the longest time is forgotten first, which forgives its key.
func New(max int) *Limiter {
	return &Limiter{max: max, buckets: make(map[string]*list.Element), order: list.New()}
}

// Take takes a token for every charge and returns 0, or takes none and returns
// how long it is until all can be taken.
func (l *Limiter) Take(now time.Time, charges ...Charge) (wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range charges {
		if c.Burst <= 0 {
			continue
		}
		if missing := 1 - l.bucket(c).TokensAt(now); missing > 0 {
			wait = max(wait, time.Duration(missing*float64(c.Every)), 1)
		}
	}
	if wait > 0 {
		return wait
	}
	for _, c := range charges {
		if c.Burst > 0 {
			l.bucket(c).AllowN(now, 1)
		}
	}
	return 0
}

// Give gives back what a call has taken that came to nothing.
func (l *Limiter) Give(now time.Time, charges ...Charge) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range charges {
		if c.Burst > 0 {
			l.bucket(c).AllowN(now, -1) // adds one, up to the burst
		}
	}
}

// bucket is that of a charge. The caller holds mu.
func (l *Limiter) bucket(c Charge) *rate.Limiter {
	if el, ok := l.buckets[c.Key]; ok {
		l.order.MoveToFront(el)
		return el.Value.(*bucket).tokens
	}
	if l.order.Len() >= l.max {
		oldest := l.order.Back()
		l.order.Remove(oldest)
		delete(l.buckets, oldest.Value.(*bucket).key)
	}
	b := &bucket{c.Key, rate.NewLimiter(rate.Every(c.Every), c.Burst)}
	l.buckets[c.Key] = l.order.PushFront(b)
	return b.tokens
}

// Len is how many buckets are kept.
func (l *Limiter) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.order.Len()
}

// Network is what the addresses of one household have in common, by which they
// are limited: an IPv6 address counts as its /64. What is no address counts as
// it stands.
func Network(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is4() {
		return ip.String()
	}
	prefix, err := ip.Prefix(64)
	if err != nil {
		return address
	}
	return prefix.String()
}
