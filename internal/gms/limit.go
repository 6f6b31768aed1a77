package gms

import (
	"container/list"
	"net/netip"
	"sync"
	"time"
)

// maxCharged bounds a limiter's memory. What was charged the longest ago is
// forgotten first, which forgives it.
const maxCharged = 50_000

// limiter holds callers to a rate, each by a key of its own. A call costs a
// time, and a caller may be ahead of the clock by so much.
type limiter struct {
	max int // of the keys that are kept

	mu sync.Mutex
	// Guarded by mu.
	debts map[string]*list.Element
	order *list.List // of *debt, the one charged last in front
}

// debt is until when a caller has used up what it may.
type debt struct {
	key   string
	until time.Time
}

func newLimiter() *limiter {
	return &limiter{max: maxCharged, debts: make(map[string]*list.Element), order: list.New()}
}

// rate is so many calls in a time, all of them at once or evenly; 0 calls
// means that there is no limit.
type rate struct {
	calls int
	in    time.Duration
}

// take charges a call, or says no and charges nothing.
func (l *limiter) take(key string, r rate, now time.Time) bool {
	if r.calls <= 0 {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	until := now
	el := l.debts[key]
	if el != nil {
		if d := el.Value.(*debt); d.until.After(now) {
			until = d.until
		}
	}
	until = until.Add(r.in / time.Duration(r.calls))
	if until.Sub(now) > r.in {
		return false
	}
	if el == nil {
		if l.order.Len() >= l.max {
			oldest := l.order.Back()
			l.order.Remove(oldest)
			delete(l.debts, oldest.Value.(*debt).key)
		}
		l.debts[key] = l.order.PushFront(&debt{key, until})
		return true
	}
	el.Value.(*debt).until = until
	l.order.MoveToFront(el)
	return true
}

// give takes back the charge of a call that came to nothing.
func (l *limiter) give(key string, r rate) {
	if r.calls <= 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if el := l.debts[key]; el != nil {
		d := el.Value.(*debt)
		d.until = d.until.Add(-r.in / time.Duration(r.calls))
	}
}

// network is what one household of addresses has in common: an IPv6 address
// counts as its /64. What is no address counts as it stands.
func network(address string) string {
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
