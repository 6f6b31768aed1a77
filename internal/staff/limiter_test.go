package staff

import (
	"fmt"
	"testing"
	"time"
)

func TestLimiterPerLoginAndAddress(t *testing.T) {
	l, now := newLimiter(), time.Unix(1_700_000_000, 0)
	for i := range perLoginAndAddress.burst {
		if wait := l.take("anna", "192.0.2.1", now); wait != 0 {
			t.Fatalf("attempt %d has to wait %s", i+1, wait)
		}
	}
	wait := l.take("anna", "192.0.2.1", now)
	if wait != perLoginAndAddress.every {
		t.Errorf("one over the burst waits %s, want %s", wait, perLoginAndAddress.every)
	}
	if wait := l.take("anna", "192.0.2.9", now); wait != 0 {
		t.Errorf("the same login from elsewhere has to wait %s", wait)
	}
	if wait := l.take("ben", "192.0.2.1", now); wait != 0 {
		t.Errorf("another login from the same address has to wait %s", wait)
	}
	if wait := l.take("anna", "192.0.2.1", now.Add(wait)); wait != 0 {
		t.Errorf("after the wait that was told it has to wait %s", wait)
	}
}

func TestLimiterPerLogin(t *testing.T) {
	l, now := newLimiter(), time.Unix(1_700_000_000, 0)
	allowed := 0
	for i := range 1000 {
		if l.take("anna", fmt.Sprintf("192.0.%d.%d", i/250, i%250), now) == 0 {
			allowed++
		}
	}
	if allowed != perLogin.burst {
		t.Errorf("%d attempts at one login from many addresses were let through, want %d", allowed, perLogin.burst)
	}
}

func TestLimiterPerAddress(t *testing.T) {
	l, now := newLimiter(), time.Unix(1_700_000_000, 0)
	allowed := 0
	for i := range 1000 {
		address := fmt.Sprintf("2001:db8::%x", i+1) // one network
		if l.take(fmt.Sprintf("login%d", i), address, now) == 0 {
			allowed++
		}
	}
	if allowed != perAddress.burst {
		t.Errorf("%d attempts from one network were let through, want %d", allowed, perAddress.burst)
	}
}

func TestLimiterGivesBack(t *testing.T) {
	l, now := newLimiter(), time.Unix(1_700_000_000, 0)
	for i := range 1000 {
		if wait := l.take("anna", "192.0.2.1", now); wait != 0 {
			t.Fatalf("after %d successful sign-ins the next has to wait %s", i, wait)
		}
		l.give("anna", "192.0.2.1", now)
	}
}

func TestLimiterIsBounded(t *testing.T) {
	l, now := newLimiter(), time.Unix(1_700_000_000, 0)
	for i := range maxBuckets {
		l.take(fmt.Sprintf("login%d", i), fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255), now)
	}
	if len(l.buckets) > maxBuckets || l.order.Len() != len(l.buckets) {
		t.Errorf("the limiter keeps %d keys in a list of %d, want at most %d", len(l.buckets), l.order.Len(), maxBuckets)
	}
}

func TestNetwork(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64",
		"fe80::1%eth0": "fe80::/64", "pipe": "pipe", "": "",
	} {
		if got := network(address); got != want {
			t.Errorf("network(%q) = %q, want %q", address, got, want)
		}
	}
}
