package main

import "testing"

func TestBuried(t *testing.T) {
	for n, want := range map[int]string{0: "0 dead letters were deleted", 1: "1 dead letter was deleted", 2: "2 dead letters were deleted"} {
		if got := buried(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}
