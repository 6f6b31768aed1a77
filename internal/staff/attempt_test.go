package staff

import (
	"fmt"
	"testing"
	"time"

	"github.com/halley-chat/halley/internal/ratelimit"
)

// limited counts how many of n attempts at the same moment are let through.
func limited(n int, of func(i int) Attempt) (allowed int) {
	l, now := ratelimit.New(maxBuckets), time.Unix(1_700_000_000, 0)
	for i := range n {
		if l.Take(now, of(i).charges(false)...) == 0 {
			allowed++
		}
	}
	return allowed
}

func TestLimitsOfAttempts(t *testing.T) {
	for name, c := range map[string]struct {
		of   func(i int) Attempt
		want int
	}{
		"one login from one address": {
			func(int) Attempt { return Attempt{Login: "anna", Address: "192.0.2.1"} }, perLoginAndAddress.Burst,
		},
		"one login from many addresses": {
			func(i int) Attempt { return Attempt{Login: "anna", Address: fmt.Sprintf("192.0.%d.%d", i/250, i%250)} }, perLogin.Burst,
		},
		"many logins from one network": {
			func(i int) Attempt {
				return Attempt{Login: fmt.Sprint("login", i), Address: fmt.Sprintf("2001:db8::%x", i+1)}
			},
			perAddress.Burst,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := limited(1000, c.of); got != c.want {
				t.Errorf("got %d attempts let through, want %d", got, c.want)
			}
		})
	}
}

func TestTrustIsOfALoginAndAServer(t *testing.T) {
	d, other := NewDirectory(nil, Options{Key: []byte("one")}), NewDirectory(nil, Options{Key: []byte("another")})
	browser := d.Browser("Anna")
	for name, c := range map[string]struct {
		d              *Directory
		login, browser string
		want           bool
	}{
		"the same":        {d, "anna", browser, true},
		"another login":   {d, "ben", browser, false},
		"another server":  {other, "anna", browser, false},
		"another browser": {d, "anna", "x" + browser, false},
		"cut":             {d, "anna", browser[:len(browser)-1], false},
		"none":            {d, "anna", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.d.trusts(c.login, c.browser); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}
