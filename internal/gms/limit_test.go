package gms

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// However calls come, no stretch of time of the rate's length has more than
// twice its calls, and somebody who keeps to it is never refused.
func TestLimiter(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		r := rate{rapid.IntRange(1, 20).Draw(t, "calls"), time.Minute}
		l := newLimiter()
		now, taken := start, []time.Time{}
		for range rapid.IntRange(1, 200).Draw(t, "n") {
			now = now.Add(time.Duration(rapid.IntRange(0, 10_000).Draw(t, "ms")) * time.Millisecond)
			if l.take("a", r, now) {
				taken = append(taken, now)
			}
		}
		for i := range taken {
			in := 0
			for _, at := range taken[i:] {
				if at.Sub(taken[i]) < r.in {
					in++
				}
			}
			if in > 2*r.calls {
				t.Fatalf("%d calls within %s at %d", in, r.in, r.calls)
			}
		}
		now = now.Add(r.in) // all is forgiven
		for i := range r.calls {
			if !l.take("a", r, now) {
				t.Fatalf("call %d of %d at once was refused", i+1, r.calls)
			}
		}
		if l.take("a", r, now) {
			t.Fatal("one too many was let through")
		}
		l.give("a", r)
		if !l.take("a", r, now) {
			t.Fatal("a charge that was given back was kept")
		}
		for range 50 {
			if now = now.Add(r.in/time.Duration(r.calls) + 1); !l.take("a", r, now) {
				t.Fatal("an even pace was refused")
			}
		}
		if !l.take("b", r, now) || !l.take("a", rate{}, now) {
			t.Fatal("somebody else, or somebody without a limit, was refused")
		}
	})
}

func TestLimiterForgetsTheOldest(t *testing.T) {
	l, r, now := newLimiter(), rate{1, time.Minute}, time.Now()
	l.max = 3
	for i := range 4 {
		l.take(fmt.Sprint(i), r, now)
	}
	if len(l.debts) != 3 || l.order.Len() != 3 {
		t.Errorf("%d and %d are kept", len(l.debts), l.order.Len())
	}
	if l.take("1", r, now) || l.take("3", r, now) || !l.take("0", r, now) {
		t.Error("not the oldest was forgotten")
	}
}

func TestNetwork(t *testing.T) {
	for a, want := range map[string]string{
		"192.0.2.7": "192.0.2.7", "::ffff:192.0.2.7": "192.0.2.7",
		"2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64", "fe80::1%eth0": "fe80::/64", "": "", "@": "@",
	} {
		if got := network(a); got != want {
			t.Errorf("%s: %s", a, got)
		}
	}
}
