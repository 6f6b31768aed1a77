package sqlite

import (
	"database/sql/driver"
	"fmt"

	"github.com/halley-chat/halley/internal/engine"
)

// load finds the position of every record that stands in a log table: from
// the manifest as far as it reaches, and from the tables themselves beyond it.
// Damaged rows are reported and make no start fail.
func load(c *conn, opts Options, d *damage) (*positions, *rowManifest, error) {
	var spans [2]span
	for table := range spans {
		var err error
		if spans[table], err = spanOf(c, table); err != nil {
			return nil, nil, err
		}
	}
	p := newPositions()
	if spans[1].last > spans[0].last {
		p.current = 1
	}
	var scanned []entry
	for _, table := range []int{1 - p.current, p.current} {
		if spans[table].last > 0 {
			next, err := loadManifest(c, p, spans[table], d)
			if err != nil {
				return nil, nil, err
			}
			entries, err := scan(c, table, next, d)
			if err == nil {
				err = p.restore(c, entries, d)
			}
			if err != nil {
				return nil, nil, err
			}
			p.next = max(p.next, spans[table].last+1) // the last rows may have been left out
			scanned = append(scanned, entries...)
		}
		p.currentFrom = p.next
	}
	if at := spans[p.current]; at.last > 0 {
		p.currentFrom = at.first
	}
	// Only now: much of what is long may be packed already, and the next append
	// to a log proposes it.
	p.long = opts.PackRows
	m := &rowManifest{rows: opts.manifestRows}
	return p, m, m.resume(c, scanned)
}

// span is the range of row ids in a log table; last is 0 if it has none.
type span struct{ first, last int64 }

func spanOf(c *conn, table int) (s span, err error) {
	query := fmt.Sprintf("SELECT coalesce((SELECT min(id) FROM log%[1]d), 0), coalesce((SELECT max(id) FROM log%[1]d), 0)", table)
	err = c.query(query, nil, func(v []driver.Value) error {
		n, err := integers(v)
		if err == nil {
			s = span{n[0], n[1]}
		}
		return err
	})
	return s, err
}

// loadManifest adds what the manifest knows of a log table, from its first row
// on, and returns the first row that it does not know. It ends at a row that is
// damaged: the table itself is read from there on.
func loadManifest(c *conn, p *positions, at span, d *damage) (next int64, err error) {
	next = at.first
	var known []entry
	broken := false
	err = c.query("SELECT id, n, body FROM roster WHERE id + n > ? AND id <= ? ORDER BY id", []any{at.first, at.last},
		func(v []driver.Value) error {
			if broken {
				return nil
			}
			n, err := integers(v[:2])
			body, ok := v[2].([]byte)
			if err == nil && !ok {
				err = errManifest
			}
			if err == nil && n[0] > next {
				return nil // there is a gap, and the table itself is read from here on
			}
			var entries []entry
			if err == nil {
				err = decodeEntries(body, n[0], n[1], func(e entry) {
					if e.id >= next && e.id <= at.last {
						entries = append(entries, e)
					}
				})
			}
			if err != nil {
				broken = true
				d.report(fmt.Sprintf("manifest from row %d on", next), err)
				return nil
			}
			known = append(known, entries...)
			next = min(n[0]+n[1], at.last+1)
			return nil
		})
	if err == nil {
		err = p.restore(c, known, d)
	}
	return next, err
}

// scan lists the rows of a log table from an id on and checks them. A damaged
// row is reported; it is listed as bad if it still names a log, and left out if
// it does not.
func scan(c *conn, table int, from int64, d *damage) ([]entry, error) {
	var rows []entry
	query := fmt.Sprintf("SELECT id, kind, log, idx, ts, body, sum FROM log%d WHERE id >= ? ORDER BY id", table)
	err := c.query(query, []any{from}, func(v []driver.Value) error {
		e, named, err := checkRow(v)
		if err != nil {
			d.report(fmt.Sprintf("row %d of log%d", e.id, table), err)
		}
		if named {
			rows = append(rows, e)
		}
		return nil
	})
	return rows, err
}

// checkRow reads the columns that scan asks for. named is false if the row
// does not say which record of which log it is.
func checkRow(v []driver.Value) (e entry, named bool, err error) {
	e.id, _ = v[0].(int64)
	n, err := integers(v[:4])
	if err != nil {
		return e, false, err
	}
	e.log, e.index = engine.LogID{Kind: engine.LogKind(n[1]), ID: n[2]}, n[3]
	if n[1] != int64(e.log.Kind) || e.index < 1 {
		return e, false, fmt.Errorf("%w: there is no record %d of a log of kind %d", ErrDamaged, n[3], n[1])
	}
	ts, isTime := v[4].(int64)
	body, isBody := v[5].([]byte)
	sum, isSum := storedSum(v[6])
	if !isTime || !isBody || !isSum || !matches(sum, recordSum(e.log, e.index, ts, body)) {
		e.bad = true
		return e, true, fmt.Errorf("%w: record %d of %s", ErrDamaged, e.index, logName(e.log))
	}
	return e, true, nil
}

// restore adds rows that were found in a log table, in the order of their ids.
// The index of a good row is that of its record; where one is missing before
// it, its row was damaged so much that it could not be told whose it is. A bad
// row is taken for the record that it names if it is the next one of that log
// and no good row says the same, so that reading it fails and the log is no
// shorter than it was.
func (p *positions) restore(c *conn, entries []entry, d *damage) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	bad := make(map[int64]bool) // rows that were added although they are bad
	for _, e := range entries {
		p.next = max(p.next, e.id+1)
		at, ok := p.logs[e.log]
		if !ok {
			if e.bad {
				packed, err := packedLast(c, e.log)
				if err != nil {
					return err
				}
				if e.index != packed+1 {
					continue
				}
			}
			at = &position{first: e.index}
			p.logs[e.log] = at
		}
		missing := e.index - at.last() - 1
		if e.bad {
			if missing != 0 {
				continue
			}
			bad[e.id] = true
		}
		if i := e.index - at.first; missing < 0 && i >= 0 && bad[at.rows[i]] {
			at.rows[i] = e.id
			continue
		}
		if missing < 0 || missing > maxMissing {
			d.report(fmt.Sprintf("row %d", e.id), fmt.Errorf("%w: record %d of %s comes after record %d", ErrDamaged, e.index, logName(e.log), at.last()))
			continue
		}
		at.rows = append(append(at.rows, make([]int64, missing)...), e.id)
	}
	return nil
}

// maxMissing bounds how many records of one log may be missing in a row. More
// can only be a mistake.
const maxMissing = 100_000
