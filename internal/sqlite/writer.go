package sqlite

import (
	"errors"
	"fmt"
	"time"

	"github.com/halley-chat/halley/internal/engine"
)

const (
	// queueLength is how many items wait for the writer before those who bring
	// more have to wait to be let in.
	queueLength = 1024
	// maxGroup and maxGroupBytes bound one transaction, so that it is short
	// enough for other processes to write in between.
	maxGroup      = 512
	maxGroupBytes = 4 << 20
)

// writer is the goroutine that owns the connection that writes.
type writer struct {
	s *Store // static

	// Owned by run.
	conn  *conn // nil after a failure: what the database holds is then uncertain
	group *group
	items []*item // of the group
}

// run takes items until stop is closed. Then it lets those that still wait go
// and closes the connection.
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

// rest lets the packer catch up after a group that took so long.
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

// backpressure is how long the writer rests after a group that took so long. It
// does not, unless the log table holds far more rows than it should: then more
// has been appended for a while than can be packed, and everybody is slowed
// down to half.
func backpressure(filled, rotateRows int64, took time.Duration) time.Duration {
	if filled < 3*rotateRows {
		return 0
	}
	return min(took, 50*time.Millisecond)
}

// gather takes the first item and those that wait behind it.
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

// commit makes the items durable and answers them. Nobody is answered before
// the outcome of all is certain: an item refused because of another one in
// the group must not be told so if that other one fails.
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
		alone, lost := w.conn.savepoint(it.work)
		if lost != nil {
			return lost
		}
		if it.err = alone; alone == nil && it.after != nil {
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

// connect opens the connection again after a failure, and finds out what of
// the failed group is in the database after all.
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
