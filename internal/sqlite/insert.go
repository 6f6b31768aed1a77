// Station 7 of docs/road.md: it becomes durable.

package sqlite

import (
	"database/sql/driver"
	"fmt"
	"strings"
)

// batches are the row counts for which a multi-row insert is prepared. It costs a
// third less per row than one statement for each.
var batches = [...]int{64, 8, 1}

var inserts = func() (queries [2][len(batches)]string) {
	for table := range queries {
		for i, n := range batches {
			values := strings.TrimSuffix(strings.Repeat("(?, ?, ?, ?, ?, ?, ?), ", n), ", ")
			queries[table][i] = fmt.Sprintf("INSERT INTO log%d (id, kind, log, idx, ts, body, sum) VALUES %s", table, values)
		}
	}
	return queries
}()

// insert puts rows into a log table.
func (c *conn) insert(table int, entries []entry, contents []content) error {
	const columns = 7
	var args [columns * 64]driver.NamedValue
	for i, n := range batches {
		for len(entries) >= n {
			for k, e := range entries[:n] {
				for j, v := range [columns]driver.Value{e.id, int64(e.log.Kind), e.log.ID, e.index, contents[k].ts, contents[k].body, contents[k].sum} {
					args[k*columns+j] = driver.NamedValue{Ordinal: k*columns + j + 1, Value: v}
				}
			}
			if _, err := c.run(inserts[table][i], args[:n*columns]); err != nil {
				return err
			}
			entries, contents = entries[n:], contents[n:]
		}
	}
	return nil
}
