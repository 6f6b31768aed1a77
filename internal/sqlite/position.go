package sqlite

import (
	"math"
	"sync"

	"github.com/halley-chat/halley/internal/engine"
)

// position says where the records of one log stand in the log tables: record
// first+i in row rows[i], which is 0 if that row was lost. Earlier records are packed. A record that is packed
// may still be listed here; the listed ones always include the last one, or
// else the log has no position at all.
type position struct {
	first int64
	rows  []int64
	due   bool // it has been proposed for packing
}

func (p *position) last() int64 { return p.first + int64(len(p.rows)) - 1 }

// positions maps logs to rows of the log tables. Only the writer changes it,
// after a commit, so it never refers to a row that is not durable. A log without
// an entry is packed as a whole or does not exist.
type positions struct {
	long int // static after loading: how many rows make a tail worth packing

	mu sync.RWMutex

	// Guarded by mu.
	logs        map[engine.LogID]*position
	current     int   // the table that is written to: 0 or 1
	currentFrom int64 // rows from here on stand in the current table, earlier ones in the other
	next        int64 // the id of the next row
}

func newPositions() *positions {
	return &positions{long: math.MaxInt, logs: make(map[engine.LogID]*position), currentFrom: 1, next: 1}
}

// entry is a row of a log table without its content.
type entry struct {
	id    int64
	log   engine.LogID
	index int64
	bad   bool // the row is damaged; it may not be what it says it is
}

// add appends committed rows, in the order of their ids. It returns the logs that
// have reached the packing threshold by it, and marks them as proposed.
func (p *positions) add(entries []entry) (long []engine.LogID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range entries {
		at, ok := p.logs[e.log]
		if !ok {
			at = &position{first: e.index}
			p.logs[e.log] = at
		}
		at.rows = append(at.rows, e.id)
		if len(at.rows) >= p.long && !at.due {
			at.due = true
			long = append(long, e.log)
		}
		p.next = e.id + 1
	}
	return long
}

// last is the index of a log's last record; ok is false if the log has no rows.
func (p *positions) last(log engine.LogID) (n int64, ok bool) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	at, ok := p.logs[log]
	if !ok {
		return 0, false
	}
	return at.last(), true
}

// rowRange is a copy of a part of a position, good without the lock: rows are
// never moved, at most they are gone.
type rowRange struct {
	known       bool // the log has a position
	first       int64
	last        int64 // of the whole log
	rows        []int64
	current     int
	currentFrom int64
}

// from copies the rows of at most limit records of a log from an index on. If
// the index is packed already it copies from the first one that is not.
func (p *positions) from(log engine.LogID, index int64, limit int) rowRange {
	p.mu.RLock()
	defer p.mu.RUnlock()
	at, ok := p.logs[log]
	if !ok {
		return rowRange{}
	}
	s := rowRange{known: true, first: at.first, last: at.last(), current: p.current, currentFrom: p.currentFrom}
	if index > s.last {
		return s
	}
	start := max(index-at.first, 0)
	end := min(int64(limit), int64(len(at.rows))-start) + start
	s.first += start
	s.rows = append(s.rows, at.rows[start:end]...)
	return s
}

// table is the number of the table that holds a row.
func (s rowRange) table(row int64) int {
	if row >= s.currentFrom {
		return s.current
	}
	return 1 - s.current
}

// packed removes the rows of a log up to an index, which are in chunks now.
func (p *positions) packed(log engine.LogID, upTo int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at, ok := p.logs[log]
	if !ok {
		return
	}
	n := min(max(upTo-at.first+1, 0), int64(len(at.rows)))
	if n == int64(len(at.rows)) {
		delete(p.logs, log)
		return
	}
	at.first += n
	at.rows = append([]int64(nil), at.rows[n:]...)
	at.due = false
}

// propose marks a log as proposed for packing. It says false if there is
// nothing to pack or the log is marked already.
func (p *positions) propose(log engine.LogID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	at, ok := p.logs[log]
	if !ok || at.due {
		return false
	}
	at.due = true
	return true
}

// withdraw undoes propose for a log that could not be queued or packed.
func (p *positions) withdraw(log engine.LogID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if at, ok := p.logs[log]; ok {
		at.due = false
	}
}

// older lists the logs that have rows in the table that is not written to.
func (p *positions) older() []engine.LogID {
	p.mu.RLock()
	defer p.mu.RUnlock()
	var logs []engine.LogID
	for log, at := range p.logs {
		if at.rows[0] < p.currentFrom {
			logs = append(logs, log)
		}
	}
	return logs
}

// filled is the number of rows in the table that is written to.
func (p *positions) filled() int64 {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.next - p.currentFrom
}

// table is the number of the table that is written to.
func (p *positions) table() int {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.current
}

// start is the id of the first row in the table that is written to.
func (p *positions) start() int64 {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.currentFrom
}

// swap makes the other table, which is empty, the one that is written to.
func (p *positions) swap() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.current, p.currentFrom = 1-p.current, p.next
}
