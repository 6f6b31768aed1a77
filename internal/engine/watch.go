package engine

import (
	"bytes"
	"runtime"
	"sync"
)

// Watch is somebody's view of one chat or agent, from [Engine.Watch] until
// Close.
type Watch struct {
	gate *gate
	tidy func()
}

// Close ends the watch. It returns once a delivery in progress has returned,
// and no other follows. Called from within a delivery it does not wait, so
// that a watcher can end its own watch; that delivery is then the last. It may
// be called more than once and from any goroutine.
func (w *Watch) Close() {
	w.gate.close()
	w.tidy()
}

// watcher is a watch as its room sees it.
type watcher[E, V any] struct {
	gate    *gate
	deliver func(events []E, view V, replay bool)
}

func (w *watcher[E, V]) tell(runner string, events []E, view V, replay bool) {
	w.gate.pass(runner, func() { w.deliver(events, view, replay) })
}

// gate lets one goroutine, the runner, call a function that somebody else may
// want to be rid of at any time. No lock is held during the call.
type gate struct {
	mu     sync.Mutex
	idle   sync.Cond
	runner string // who is in the call now; empty if nobody is
	closed bool
}

func newGate() *gate {
	g := new(gate)
	g.idle.L = &g.mu
	return g
}

// pass makes the call unless the gate is closed.
func (g *gate) pass(runner string, call func()) {
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		return
	}
	g.runner = runner
	g.mu.Unlock()
	defer func() {
		g.mu.Lock()
		g.runner = ""
		g.idle.Broadcast()
		g.mu.Unlock()
	}()
	call()
}

// close closes the gate and waits for a call in progress, unless it is called
// from within that call.
func (g *gate) close() {
	self := goroutine()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	for g.runner != "" && g.runner != self {
		g.idle.Wait()
	}
}

func (g *gate) isClosed() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.closed
}

// goroutine names the calling goroutine. It serves one purpose only, to know a
// call of close from within the call that it would wait for: nothing else
// tells that apart from a call by another goroutine at the same moment.
func goroutine() string {
	buf := make([]byte, 64)
	buf = buf[:runtime.Stack(buf, false)]
	buf = bytes.TrimPrefix(buf, []byte("goroutine "))
	number, _, _ := bytes.Cut(buf, []byte(" "))
	return string(number)
}
