package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Snapshot copies the database of a data directory into a new file, beside a
// running server or without one. The copy is of one moment after the call
// began; everything that was acknowledged before the call is in it. It is
// synced before the call returns. The server goes on writing meanwhile, and its
// write-ahead log grows until the copy is done.
func Snapshot(ctx context.Context, dir, to string) (err error) {
	path, err := existing(dir)
	if err == nil {
		to, err = filepath.Abs(to)
	}
	if err != nil {
		return fmt.Errorf("sqlite: snapshot: %w", err)
	}
	// SQLite takes an empty file for a new database, and would make one that
	// everybody can read.
	f, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("sqlite: snapshot: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	c, err := connect(dsn(path, false))
	if err != nil {
		return fmt.Errorf("sqlite: snapshot: %w", err)
	}
	defer func() { err = errors.Join(err, c.close()) }()
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := c.exec("VACUUM INTO ?", to); err != nil {
		return fmt.Errorf("sqlite: snapshot: %w", err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("sqlite: snapshot: %w", err)
	}
	return nil
}

// existing is the absolute path of the database in a data directory, as a
// connection needs it, or an error if there is none.
func existing(dir string) (string, error) {
	path, err := filepath.Abs(filepath.Join(dir, fileName))
	if err != nil {
		return "", err
	}
	_, err = os.Stat(path)
	return path, err
}
