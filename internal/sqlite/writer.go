// Station 7 of docs/road.md: it becomes durable.

package sqlite

import (
	"errors"
	"fmt"
	"time"

	"github.com/halley-chat/halley/internal/engine"
)

const (
	// queueLength bounds the items that wait for the writer. Callers block while
	// the queue is full.
	queueLength = 1024
	// maxGroup and maxGroupBytes bound one transaction in items and bytes, so
	// that other processes get a chance to write in between.
	maxGroup      = 512
	maxGroupBytes = 4 << 20
)

// writer is the goroutine that owns the connection that writes.
type writer struct {
	s *Store // static

	// Owned by run.
	conn  *conn // nil after a failure: the outcome of the last commit is then unknown
	group *group
	items []*item // of the group
}

// run commits items in groups until stop is closed, and then closes the
// connection. Items that are still queued are failed by their callers.
func (w *writer) run() error {
	defer close(w.s.stopped)
	for {
		select {
		case <-w.s.stop:
			return w.disconnect()
		case it := <-w.s.queue:
			start := time.Now()
			w.gather(it)
			w.commit()
			w.throttle(time.Since(start))
		}
	}
}

// throttle slows the writer down, so that the packer catches up, after a group
// that took so long.
func (w *writer) throttle(took time.Duration) {
	d := backpressure(w.s.positions.filled(), int64(w.s.opts.RotateRows), took)
	if d == 0 {
		return
	}
	select {
	case <-time.After(d):
	case <-w.s.stop:
	}
}

// backpressure is how long the writer pauses after a group that took so long:
// not at all, unless the log table has three times the rows at which it rotates.
// Then appends have outrun the packer for a while, and throughput is halved.
func backpressure(filled, rotateRows int64, took time.Duration) time.Duration {
	if filled < 3*rotateRows {
		return 0
	}
	return min(took, 50*time.Millisecond)
}

// gather makes a group of the first item and those queued behind it.
func (w *writer) gather(first *item) {
	clear(w.items)
	w.items = w.items[:0]
	bytes := 0
	for it := first; ; {
		if it.state.CompareAndSwap(waiting, taken) {
			w.items = append(w.items, it)
			bytes += it.size()
		}
		if len(w.items) == maxGroup || bytes > maxGroupBytes {
			return
		}
		select {
		case it = <-w.s.queue:
		default:
			return
		}
	}
}

func (it *item) size() (n int) {
	if it.append != nil {
		for _, r := range it.append.Records {
			n += len(r.Body)
		}
	}
	return n
}

// commit makes the group durable and answers its items. None is answered before
// the outcome of all is known: an item that was refused because of another one
// in the group must not get that answer if the other one fails.
func (w *writer) commit() {
	if len(w.items) == 0 {
		return
	}
	var due []engine.LogID
	start := time.Now()
	err := w.try()
	w.s.counters.groups.Add(1)
	if o := w.s.opts.Observer; o != nil {
		o.Committed(len(w.items), time.Since(start), err)
	}
	if err != nil {
		w.s.counters.failures.Add(1)
		err = fmt.Errorf("sqlite: write: %w", errors.Join(err, w.disconnect()))
		for _, it := range w.items {
			it.tails, it.err = nil, err
		}
	} else {
		due = w.group.commit()
	}
	for _, it := range w.items {
		close(it.done)
	}
	w.s.packer.propose(due)
}

// try runs the transaction. On success every item has its outcome.
func (w *writer) try() error {
	if err := w.connect(); err != nil {
		return err
	}
	w.group.reset(w.conn)
	if err := w.conn.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	for _, it := range w.items {
		if it.append != nil {
			it.tails, it.err = w.group.stage(it)
			continue
		}
		failed, fatal := w.conn.savepoint(it.work)
		if fatal != nil {
			return fatal
		}
		if it.err = failed; failed == nil && it.after != nil {
			w.group.after = append(w.group.after, it.after)
		}
	}
	if err := w.group.write(); err != nil {
		return err
	}
	if err := w.s.opts.step("commit"); err != nil {
		return err
	}
	if err := w.conn.exec("COMMIT"); err != nil {
		return err
	}
	return w.s.opts.step("committed")
}

// connect reopens the connection after a failure and reads which records of the
// failed group were committed after all.
func (w *writer) connect() error {
	if w.conn != nil {
		return nil
	}
	c, err := connect(dsn(w.s.path, false))
	if err != nil {
		return err
	}
	err = w.s.opts.prepare(c)
	var entries []entry
	if err == nil {
		entries, err = scan(c, w.s.positions.table(), w.s.positions.next, w.s.damage)
	}
	if err == nil {
		err = w.s.positions.restore(c, entries, w.s.damage)
	}
	if err == nil {
		err = w.group.manifest.resume(c, entries)
	}
	if err == nil {
		err = w.s.claims.load(c, w.s.damage)
	}
	if err != nil {
		return errors.Join(err, c.close())
	}
	w.conn = c
	return nil
}

// disconnect closes the connection, which rolls back what is open.
func (w *writer) disconnect() error {
	if w.conn == nil {
		return nil
	}
	c := w.conn
	w.conn = nil
	return c.close()
}
