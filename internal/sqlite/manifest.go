package sqlite

import (
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/halley-chat/halley/internal/engine"
)

// rowManifest writes down which record stands in which row of a log table, a few
// thousand rows at a time, in the transaction that adds the last of them. A
// start reads some megabytes of it in place of all the log tables. It is owned
// by the writer.
type rowManifest struct {
	rows    int     // static: how many rows one row of the table speaks of, at least
	pending []entry // committed, and not written down yet; their ids follow each other
}

// write writes down what is pending together with the group's entries if that
// is enough. It says whether it did; commit must be told if the transaction is
// committed.
func (m *rowManifest) write(c *conn, entries []entry) (written bool, err error) {
	n := len(m.pending) + len(entries)
	if n < m.rows {
		return false, nil
	}
	first := entries[0].id
	if len(m.pending) > 0 {
		first = m.pending[0].id
	}
	body := encodeEntries(encodeEntries([]byte{plainEntries}, m.pending), entries)
	return true, c.exec("INSERT INTO roster (id, n, body) VALUES (?, ?, ?)", first, int64(n), body)
}

func (m *rowManifest) commit(entries []entry, written bool) {
	if written {
		m.pending = m.pending[:0]
		return
	}
	m.pending = append(m.pending, entries...)
}

// resume makes pending what stands in the log tables and not in the manifest,
// of the rows that were just read from the tables.
func (m *rowManifest) resume(c *conn, rows []entry) error {
	var end int64
	err := c.query("SELECT coalesce(max(id + n), 0) FROM roster", nil, func(v []driver.Value) error {
		end = v[0].(int64)
		return nil
	})
	m.pending = append(m.pending, rows...)
	start := 0
	for i, e := range m.pending {
		switch {
		case e.id < end:
			start = i + 1
		case i > start && e.id != m.pending[i-1].id+1:
			start = i // a manifest's row has no gaps
		}
	}
	m.pending = m.pending[start:]
	return err
}

// trimManifest deletes what speaks of rows before the given one only.
func trimManifest(c *conn, currentFrom int64) error {
	return c.exec("DELETE FROM roster WHERE id + n <= ?", currentFrom)
}

// plainEntries is the first byte of a manifest's body. It says that the rest is,
// for each row, the kind of the log (one byte), its id and the index (uvarint).
const plainEntries = 1

func encodeEntries(body []byte, entries []entry) []byte {
	for _, e := range entries {
		body = append(body, byte(e.log.Kind))
		body = binary.AppendUvarint(body, uint64(e.log.ID))
		body = binary.AppendUvarint(body, uint64(e.index))
	}
	return body
}

var errManifest = errors.New("a row of the manifest cannot be read")

// decodeEntries calls each for every entry of a manifest's body, whose rows
// begin with first.
func decodeEntries(body []byte, first, n int64, each func(entry)) error {
	if len(body) == 0 || body[0] != plainEntries {
		return fmt.Errorf("%w: its format is not known", errManifest)
	}
	body = body[1:]
	for i := range n {
		if len(body) == 0 {
			return fmt.Errorf("%w: it ends at entry %d of %d", errManifest, i, n)
		}
		kind := body[0]
		id, k := binary.Uvarint(body[1:])
		if k <= 0 {
			return fmt.Errorf("%w: it ends at entry %d of %d", errManifest, i, n)
		}
		index, m := binary.Uvarint(body[1+k:])
		if m <= 0 {
			return fmt.Errorf("%w: it ends at entry %d of %d", errManifest, i, n)
		}
		body = body[1+k+m:]
		each(entry{id: first + i, log: engine.LogID{Kind: engine.LogKind(kind), ID: int64(id)}, index: int64(index)})
	}
	return nil
}
