package staff

import (
	"container/list"
	"fmt"
	"net/netip"
	"sync"
	"time"
)

// TooManyError refuses a sign-in because too many failed before it.
type TooManyError struct {
	After time.Duration // when it is worth another try
}

// Error says that there were too many attempts.
func (e *TooManyError) Error() string {
	return fmt.Sprintf("staff: too many failed sign-ins, try again in %s", e.After.Round(time.Second))
}

// allowance is how many failed sign-ins one key has: burst at once, and one
// more each time that every has passed.
type allowance struct {
	burst int
	every time.Duration
}

// A login is guessed from one address, or from many; an address guesses many
// logins. Only the first of the three can be used up by somebody else sitting
// behind the same address, so that an agent is not easily kept out by others.
var (
	perLoginAndAddress = allowance{burst: 8, every: 15 * time.Second}
	perLogin           = allowance{burst: 60, every: 5 * time.Second}
	perAddress         = allowance{burst: 60, every: 2 * time.Second}
)

// maxBuckets bounds the limiter's memory. The key not used for the longest
// time is forgotten first, which forgives it.
const maxBuckets = 30_000

// limiter counts failed sign-ins. A sign-in takes its tokens first and gets
// them back when it succeeds, so that many attempts at once count as well.
type limiter struct {
	mu      sync.Mutex
	buckets map[string]*list.Element
	order   *list.List // of *bucket, the one used last in front
}

type bucket struct {
	key   string
	spent float64
	at    time.Time
}

func newLimiter() *limiter {
	return &limiter{buckets: make(map[string]*list.Element), order: list.New()}
}

type charge struct {
	key string
	allowance
}

func charges(login, address string) []charge {
	address = network(address)
	return []charge{
		{"b " + login + " " + address, perLoginAndAddress},
		{"l " + login, perLogin},
		{"a " + address, perAddress},
	}
}

// network is what one household of addresses has in common: an IPv6 address
// counts as its /64. What is no address counts as it stands.
func network(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	ip = ip.Unmap()
	if ip.Is4() {
		return ip.String()
	}
	prefix, err := ip.WithZone("").Prefix(64)
	if err != nil {
		return address
	}
	return prefix.String()
}

// take charges an attempt, or says how long to wait and charges nothing.
func (l *limiter) take(login, address string, now time.Time) (wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	cs := charges(login, address)
	for _, c := range cs {
		spent := l.bucket(c, now).spent
		if over := spent + 1 - float64(c.burst); over > 0 {
			wait = max(wait, time.Duration(over*float64(c.every)))
		}
	}
	if wait > 0 {
		return wait
	}
	for _, c := range cs {
		l.bucket(c, now).spent++
	}
	return 0
}

// give returns the charge of an attempt that did not fail.
func (l *limiter) give(login, address string, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range charges(login, address) {
		b := l.bucket(c, now)
		b.spent = max(0, b.spent-1)
	}
}

// bucket finds a key's bucket with what time has paid back already taken off.
func (l *limiter) bucket(c charge, now time.Time) *bucket {
	if el, ok := l.buckets[c.key]; ok {
		l.order.MoveToFront(el)
		b := el.Value.(*bucket)
		if elapsed := now.Sub(b.at); elapsed > 0 {
			b.spent = max(0, b.spent-float64(elapsed)/float64(c.every))
			b.at = now
		}
		return b
	}
	if l.order.Len() >= maxBuckets {
		oldest := l.order.Back()
		l.order.Remove(oldest)
		delete(l.buckets, oldest.Value.(*bucket).key)
	}
	b := &bucket{key: c.key, at: now}
	l.buckets[c.key] = l.order.PushFront(b)
	return b
}
