package sqlite

import (
	"database/sql/driver"
	"fmt"

	"github.com/halley-chat/halley/internal/engine"
)

// load finds the position of every record that stands in a log table: from
// the manifest as far as it reaches, and from the tables themselves beyond it.
func load(c *conn, opts Options) (*positions, *rowManifest, error) {
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
			next, err := loadManifest(c, p, spans[table])
			if err != nil {
				return nil, nil, err
			}
			entries, err := scan(c, table, next)
			if err != nil {
				return nil, nil, err
			}
			p.add(entries)
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
	r := &rowManifest{rows: opts.manifestRows}
	return p, r, r.resume(c, scanned)
}

// span is the range of row ids in a log table; last is 0 if it has none.
type span struct{ first, last int64 }

func spanOf(c *conn, table int) (s span, err error) {
	query := fmt.Sprintf("SELECT coalesce((SELECT min(id) FROM log%[1]d), 0), coalesce((SELECT max(id) FROM log%[1]d), 0)", table)
	err = c.query(query, nil, func(v []driver.Value) error {
		s = span{v[0].(int64), v[1].(int64)}
		return nil
	})
	return s, err
}

// loadManifest adds what the manifest knows of a log table, from its first row on,
// and returns the row after that.
func loadManifest(c *conn, p *positions, at span) (next int64, err error) {
	next = at.first
	var entries []entry
	err = c.query("SELECT id, n, body FROM roster WHERE id + n > ? AND id <= ? ORDER BY id", []any{at.first, at.last},
		func(v []driver.Value) error {
			first, n := v[0].(int64), v[1].(int64)
			if first > next {
				return nil // there is a gap, and the table itself is read from here on
			}
			entries = entries[:0]
			err := decodeEntries(v[2].([]byte), first, n, func(e entry) {
				if e.id >= next && e.id <= at.last {
					entries = append(entries, e)
				}
			})
			p.add(entries)
			next = min(first+n, at.last+1)
			return err
		})
	return next, err
}

// scan lists the rows of a log table from an id on, without their bodies.
func scan(c *conn, table int, from int64) ([]entry, error) {
	var rows []entry
	err := c.query(fmt.Sprintf("SELECT id, kind, log, idx FROM log%d WHERE id >= ? ORDER BY id", table), []any{from},
		func(v []driver.Value) error {
			rows = append(rows, entry{
				id:    v[0].(int64),
				log:   engine.LogID{Kind: engine.LogKind(v[1].(int64)), ID: v[2].(int64)},
				index: v[3].(int64),
			})
			return nil
		})
	return rows, err
}
