package sqlite

import (
	"database/sql/driver"
	"encoding/binary"
	"fmt"

	"github.com/halley-chat/halley/internal/engine"
)

// rowManifest writes down which record stands in which row of a log table, a
// few thousand rows at a time, in the transaction that adds the last of them. A
// start reads some megabytes of it in place of the log tables. It is owned by
// the writer. The table is called roster.
type rowManifest struct {
	rows    int     // static: how many rows one row of the table describes, at least
	pending []entry // committed and not yet in the table; their ids are consecutive
}

// write adds a row for what is pending and the group's entries if that is
// enough. It says whether it did; commit must be told once the transaction has
// been committed.
func (m *rowManifest) write(c *conn, entries []entry) (written bool, err error) {
	n := len(m.pending) + len(entries)
	if n < m.rows {
		return false, nil
	}
	first := entries[0].id
	if len(m.pending) > 0 {
		first = m.pending[0].id
	}
	return true, c.exec("INSERT INTO roster (id, n, body) VALUES (?, ?, ?)", first, int64(n), encodeEntries(first, m.pending, entries))
}

func (m *rowManifest) commit(entries []entry, written bool) {
	if written {
		m.pending = m.pending[:0]
		return
	}
	m.pending = append(m.pending, entries...)
}

// resume makes pending what is in the log tables and not in the manifest, given
// the rows that were just read from the tables. Bad rows are left out: a start
// has to look at them again.
func (m *rowManifest) resume(c *conn, rows []entry) error {
	var end int64
	err := c.query("SELECT coalesce(max(id + n), 0) FROM roster", nil, func(v []driver.Value) error {
		n, err := integers(v)
		if err == nil {
			end = n[0]
		}
		return err
	})
	for _, e := range rows {
		if !e.bad {
			m.pending = append(m.pending, e)
		}
	}
	start := 0
	for i, e := range m.pending {
		switch {
		case e.id < end:
			start = i + 1
		case i > start && e.id != m.pending[i-1].id+1:
			start = i // a row of the manifest has no gaps
		}
	}
	m.pending = m.pending[start:]
	return err
}

// trimManifest deletes the rows that describe only log rows before the given
// one.
func trimManifest(c *conn, currentFrom int64) error {
	return c.exec("DELETE FROM roster WHERE id + n <= ?", currentFrom)
}

// The first byte of a manifest row's body is its format. plainEntries: for each
// row the kind of the log (one byte), its id and the index (uvarint).
// summedEntries: a CRC-32C (4 bytes, big endian) of the first row's id, the
// number of rows and the rest, which is as in plainEntries.
const (
	plainEntries  = 1
	summedEntries = 2
)

const entriesHead = 5 // bytes before the entries in summedEntries

// encodeEntries is the body for entries whose ids follow each other from first
// on.
func encodeEntries(first int64, parts ...[]entry) []byte {
	body := make([]byte, entriesHead, 4096)
	n := 0
	for _, entries := range parts {
		n += len(entries)
		for _, e := range entries {
			body = append(body, byte(e.log.Kind))
			body = binary.AppendUvarint(body, uint64(e.log.ID))
			body = binary.AppendUvarint(body, uint64(e.index))
		}
	}
	body[0] = summedEntries
	binary.BigEndian.PutUint32(body[1:], uint32(sumOf(body[entriesHead:], first, int64(n))))
	return body
}

var errManifest = fmt.Errorf("%w: a row of the manifest", ErrDamaged)

// decodeEntries calls each for every entry of a body, whose rows begin with
// first. On an error, which wraps [ErrDamaged], what each was told is void.
func decodeEntries(body []byte, first, n int64, each func(entry)) error {
	switch {
	case len(body) > 0 && body[0] == plainEntries:
		body = body[1:]
	case len(body) < entriesHead || body[0] != summedEntries:
		return fmt.Errorf("%w: its format is not known", errManifest)
	case int64(binary.BigEndian.Uint32(body[1:])) != sumOf(body[entriesHead:], first, n):
		return fmt.Errorf("%w: its checksum differs", errManifest)
	default:
		body = body[entriesHead:]
	}
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
