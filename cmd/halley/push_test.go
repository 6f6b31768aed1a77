package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/halley-chat/halley/internal/push"
)

func TestAskedFor(t *testing.T) {
	for n, want := range map[int]string{0: "0 dead letters are to be sent again", 1: "1 dead letter is to be sent again", 2: "2 dead letters are to be sent again"} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			if got := askedFor(n); got != want {
				t.Errorf("%d: %q, want %q", n, got, want)
			}
		})
	}
	if got := state(push.DeadLetter{}) + state(push.DeadLetter{Asked: time.Unix(1, 0)}); got != "deadasked" {
		t.Errorf("the states are %q", got)
	}
}

func TestBuried(t *testing.T) {
	for n, want := range map[int]string{0: "0 dead letters were deleted", 1: "1 dead letter was deleted", 2: "2 dead letters were deleted"} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			if got := buried(n); got != want {
				t.Errorf("%d: %q, want %q", n, got, want)
			}
		})
	}
}
