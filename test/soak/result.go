package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// result is what became of the runs of a suite.
type result struct {
	suite      string
	took       []time.Duration
	busy       int      // how many of them had busy loops beside them
	kept       []string // the outputs of those that failed
	unprepared error    // why the runs could not go on
}

func (r *result) add(took time.Duration, busy bool) {
	r.took = append(r.took, took)
	if busy {
		r.busy++
	}
}

// broken says whether anything failed, or nothing ran.
func (r *result) broken() bool {
	return r.unprepared != nil || len(r.kept) > 0 || len(r.took) == 0
}

// String is the line of the suite, and below it the files of what failed.
func (r result) String() string {
	var b strings.Builder
	word := "ok  "
	if r.broken() {
		word = "FAIL"
	}
	runs := len(r.took)
	fmt.Fprintf(&b, "%s  %-28s %3d of %3d", word, r.suite, runs-len(r.kept), runs)
	if runs > 0 {
		sorted := slices.Sorted(slices.Values(r.took))
		fmt.Fprintf(&b, "   median %6.1f s, longest %6.1f s, %d beside busy loops",
			sorted[(runs-1)/2].Seconds(), sorted[runs-1].Seconds(), r.busy)
	}
	for _, f := range r.kept {
		fmt.Fprintf(&b, "\n      %s", f)
	}
	if r.unprepared != nil {
		fmt.Fprintf(&b, "\n      %v", r.unprepared)
	}
	return b.String()
}

// spin keeps n threads busy until the returned function is called, which waits
// for them to end.
func spin(n int) (stop func()) {
	var over atomic.Bool
	var loops sync.WaitGroup
	for range n {
		loops.Go(func() {
			for !over.Load() {
			}
		})
	}
	return func() {
		over.Store(true)
		loops.Wait()
	}
}
