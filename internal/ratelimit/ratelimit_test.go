package ratelimit_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/halley-chat/halley/internal/ratelimit"
)

// However calls come, no stretch of time of the rate's length has more than
// twice its calls, and somebody who keeps to it is never refused.
func TestLimiter(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		calls := rapid.IntRange(1, 20).Draw(t, "calls")
		a := ratelimit.Charge{Key: "a", Limit: ratelimit.Per(calls, time.Minute)}
		l := ratelimit.New(10)
		now, taken := start, []time.Time{}
		for range rapid.IntRange(1, 200).Draw(t, "n") {
			now = now.Add(time.Duration(rapid.IntRange(0, 10_000).Draw(t, "ms")) * time.Millisecond)
			wait := l.Take(now, a)
			if wait == 0 {
				taken = append(taken, now)
				continue
			}
			if rapid.Bool().Draw(t, "wait") {
				now = now.Add(wait + time.Microsecond)
				if again := l.Take(now, a); again != 0 {
					t.Fatalf("after the wait of %s: got a wait of %s, want none", wait, again)
				}
				taken = append(taken, now)
			}
		}
		for i := range taken {
			in := 0
			for _, at := range taken[i:] {
				if at.Sub(taken[i]) < time.Minute {
					in++
				}
			}
			if in > 2*calls {
				t.Fatalf("got %d calls within a minute at %d, want %d at most", in, calls, 2*calls)
			}
		}
		now = now.Add(time.Minute + time.Millisecond) // the bucket is full again
		for i := range calls {
			if wait := l.Take(now, a); wait != 0 {
				t.Fatalf("call %d of %d at once has to wait %s, want 0", i+1, calls, wait)
			}
		}
		if l.Take(now, a) == 0 {
			t.Fatal("one call too many was let through")
		}
		l.Give(now, a)
		if wait := l.Take(now, a); wait != 0 {
			t.Fatalf("after a token was given back: got a wait of %s, want none", wait)
		}
		if l.Take(now, ratelimit.Charge{Key: "b", Limit: a.Limit}) != 0 || l.Take(now, ratelimit.Charge{Key: "a"}) != 0 {
			t.Fatal("somebody else, or somebody without a limit, was refused")
		}
	})
}

// A call that costs several tokens takes all of them or none.
func TestAllOrNone(t *testing.T) {
	l, now := ratelimit.New(10), time.Unix(1_700_000_000, 0)
	wide := ratelimit.Charge{Key: "wide", Limit: ratelimit.Limit{Burst: 3, Every: time.Second}}
	narrow := ratelimit.Charge{Key: "narrow", Limit: ratelimit.Limit{Burst: 1, Every: time.Minute}}
	if wait := l.Take(now, wide, narrow); wait != 0 {
		t.Fatalf("got a wait of %s, want none", wait)
	}
	for range 5 {
		if wait := l.Take(now, wide, narrow); wait != time.Minute {
			t.Fatalf("got a wait of %s, want a minute", wait)
		}
	}
	for range 2 {
		if wait := l.Take(now, wide); wait != 0 {
			t.Fatalf("calls that were refused have used up tokens: got a wait of %s, want none", wait)
		}
	}
	// What is given back never makes more than the burst.
	for range 9 {
		l.Give(now, wide)
	}
	for range 3 {
		l.Take(now, wide)
	}
	if l.Take(now, wide) == 0 {
		t.Error("got more than the burst after tokens were given back")
	}
}

func TestTheBucketUsedLeastRecentlyIsForgotten(t *testing.T) {
	l, now := ratelimit.New(3), time.Unix(1_700_000_000, 0)
	charge := func(i int) ratelimit.Charge {
		return ratelimit.Charge{Key: fmt.Sprint(i), Limit: ratelimit.Per(1, time.Minute)}
	}
	for i := range 4 {
		l.Take(now, charge(i))
	}
	if l.Len() != 3 {
		t.Errorf("got %d buckets, want 3", l.Len())
	}
	if l.Take(now, charge(1)) == 0 || l.Take(now, charge(3)) == 0 || l.Take(now, charge(0)) != 0 {
		t.Error("another bucket than the one used least recently was forgotten")
	}
}

func TestNetwork(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.7": "192.0.2.7", "::ffff:192.0.2.7": "192.0.2.7", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64",
		"fe80::1%eth0": "fe80::/64", "pipe": "pipe", "": "", "@": "@",
	} {
		t.Run(address, func(t *testing.T) {
			if got := ratelimit.Network(address); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}
