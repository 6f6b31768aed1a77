// Station 8 of docs/road.md: it is shown, then answered.

package engine

import "sync"

// Watch is a subscription to one chat, one agent or the board. It ends with
// Cancel or Close; both may be called more than once and from any goroutine.
type Watch struct {
	gate *gate
	tidy func() // tells the publisher that the gate is closed; it does not wait
}

// Cancel ends the watch without waiting: a delivery in progress runs to its end,
// and no other follows. It may be called from within a delivery, which is then
// the last one.
func (w *Watch) Cancel() {
	w.gate.close()
	w.tidy()
}

// Close ends the watch and waits for a delivery in progress: once it has
// returned, no delivery is under way and none follows. It must not be called
// from within a delivery, which would wait for itself; see [Watch.Cancel].
func (w *Watch) Close() {
	w.Cancel()
	w.gate.wait()
}

// watcher is a watch as its room sees it.
type watcher[E, V any] struct {
	gate    *gate
	deliver func(events []E, view V, replay bool)
}

func (w *watcher[E, V]) notify(events []E, view V, replay bool) {
	w.gate.pass(func() { w.deliver(events, view, replay) })
}

// gate lets one goroutine make calls that somebody else may end at any time. No
// lock is held during a call.
type gate struct {
	mu      sync.Mutex
	idle    sync.Cond
	running bool // a call is under way
	closed  bool
}

func newGate() *gate {
	g := new(gate)
	g.idle.L = &g.mu
	return g
}

// pass makes the call unless the gate is closed. Calls must not overlap.
func (g *gate) pass(call func()) {
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		return
	}
	g.running = true
	g.mu.Unlock()
	defer func() {
		g.mu.Lock()
		g.running = false
		g.idle.Broadcast()
		g.mu.Unlock()
	}()
	call()
}

// close lets no further call pass.
func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
}

// wait returns once no call is under way.
func (g *gate) wait() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.running {
		g.idle.Wait()
	}
}

func (g *gate) isClosed() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.closed
}
