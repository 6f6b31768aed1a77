package enginetest

import (
	"sync"

	"github.com/halley-chat/halley/internal/engine"
)

// Fail asks f about every append whose turn has come, before anything is
// checked. An error from f is the append's outcome, and nothing changes: a
// store that cannot write. Nil ends it. f is called one append at a time and
// must not call the log.
func (l *Log) Fail(f func(engine.Append) error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fail = f
}

// Lose asks f about every append that has succeeded. An error from f is
// returned in place of the answer although the append stands: a connection
// that broke after the commit. Nil ends it. f is called one append at a time
// and must not call the log.
func (l *Log) Lose(f func(engine.Append) error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lose = f
}

// FailReads asks f about every other call: reads, and the saving of
// checkpoints. An error from f is the call's outcome. The log is the zero
// LogID for Live and Claims. Nil ends it. f must not call the log.
func (l *Log) FailReads(f func(engine.LogID) error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failRead = f
}

// Hold keeps all appends that come from now on waiting for their turn until
// release is called. While they wait they honour the end of their context. A
// second Hold before the release joins the first: one release frees them all.
// release may be called more than once.
func (l *Log) Hold() (release func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gate == nil && !l.closed {
		l.gate = make(chan struct{})
	}
	gate := l.gate
	return sync.OnceFunc(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.gate == gate {
			l.release()
		}
	})
}

// release is called with mu locked.
func (l *Log) release() {
	if l.gate != nil {
		close(l.gate)
		l.gate = nil
	}
}

// Waiting is the number of appends that are held back now.
func (l *Log) Waiting() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.waiting
}

// Appends is the number of appends that have become durable, those whose
// answer was lost included.
func (l *Log) Appends() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.appends
}

// RecordsRead is the number of records that [Log.Read] has returned.
func (l *Log) RecordsRead() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.recordsRead
}
