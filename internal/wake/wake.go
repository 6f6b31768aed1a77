// Package wake has the signal by which one goroutine tells another that there is
// something to look at.
package wake

// Signal is a channel that holds one token: however often it is notified before
// its reader looks, the reader wakes once. It is used by any number of
// notifying goroutines and one reader, which receives from it.
type Signal chan struct{}

// New makes a signal that has not been notified.
func New() Signal { return make(Signal, 1) }

// Notify wakes the reader, now or when it looks next. It never blocks.
func (s Signal) Notify() {
	select {
	case s <- struct{}{}:
	default:
	}
}
