package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"
)

// Probe writes and syncs, and changes nothing: it gives the database header the
// value that it has. It fails as an append would fail now.
func (s *Store) Probe(ctx context.Context) error {
	return s.write(ctx, func(c *conn) error {
		var id int64
		err := c.query("PRAGMA application_id", nil, func(v []driver.Value) error {
			id, _ = v[0].(int64)
			return nil
		})
		if err != nil {
			return err
		}
		return c.exec(fmt.Sprintf("PRAGMA application_id = %d", id))
	}, nil)
}
