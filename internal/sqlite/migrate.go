package sqlite

import (
	"database/sql/driver"
	"embed"
	"errors"
	"fmt"
)

//go:embed schema/*.sql
var schema embed.FS

// schemaVersion is the version of the schema that this package works with:
// the number of the last file in schema.
const schemaVersion = 6

// ErrNewer says that the database was written by a newer halley.
var ErrNewer = errors.New("the database was written by a newer halley")

// version is the version of a database's schema; 0 if it is new.
func version(c *conn) (n int64, err error) {
	err = c.query("PRAGMA user_version", nil, func(row []driver.Value) error {
		n = row[0].(int64)
		return nil
	})
	return n, err
}

// migrate brings a database to [schemaVersion], each step in a transaction of
// its own. It fails with [ErrNewer] if it is beyond that.
func migrate(c *conn) error {
	for {
		done := false
		err := c.transact(func(c *conn) error {
			n, err := version(c)
			if err != nil {
				return err
			}
			switch {
			case n > schemaVersion:
				return fmt.Errorf("%w: its schema has version %d, and this one knows versions up to %d", ErrNewer, n, schemaVersion)
			case n == schemaVersion:
				done = true
				return nil
			}
			text, err := schema.ReadFile(fmt.Sprintf("schema/%04d.sql", n+1))
			if err != nil {
				return err
			}
			if _, err := c.run(string(text), nil); err != nil {
				return fmt.Errorf("migrate to version %d: %w", n+1, err)
			}
			_, err = c.run(fmt.Sprintf("PRAGMA user_version = %d", n+1), nil)
			return err
		})
		if done || err != nil {
			return err
		}
	}
}
