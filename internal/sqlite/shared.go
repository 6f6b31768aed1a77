package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"
)

// Shared is a database opened without its lock, beside a server that may be
// running: accounts ([staff.Store]), dead letters, the audit log and requests,
// but no logs. All methods may be called from any number of goroutines at once.
type Shared struct {
	accounts

	// Static after construction.
	pool      *sql.DB
	closeOnce func() error

	mu sync.Mutex

	// Guarded by mu.
	conn *conn
}

// busyTimeout is how long a write waits for another process's transaction, and
// busyRetry the interval between attempts. SQLite's own busy handler backs off,
// and a busy server leaves only short gaps.
const (
	busyTimeout = 5 * time.Second
	busyRetry   = time.Millisecond
)

// OpenShared opens the database of a data directory that a running server may be
// using. It creates what is missing and migrates an older database, unless a
// server has it open: then it fails with [ErrInUse]. It fails with [ErrNewer] as
// [Open] does. ctx bounds the opening only.
func OpenShared(ctx context.Context, dir string) (*Shared, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	path, err := prepareDir(dir)
	if err != nil {
		return nil, err
	}
	c, err := connectShared(path)
	if err != nil {
		return nil, fmt.Errorf("sqlite: open %s: %w", path, err)
	}
	pool, err := openPool(path, 1)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("sqlite: open %s: %w", path, err), c.close())
	}
	a := &Shared{pool: pool, conn: c}
	a.accounts = accounts{pool: pool, write: a.writeShared, damage: &damage{log: slog.Default()}}
	a.closeOnce = sync.OnceValue(func() error {
		a.mu.Lock()
		defer a.mu.Unlock()
		return errors.Join(pool.Close(), c.close())
	})
	return a, nil
}

// Close releases the database. It may be called more than once; nothing else
// may be called after it.
func (a *Shared) Close() error { return a.closeOnce() }

func connectShared(path string) (*conn, error) {
	c, err := connect(dsn(path, false))
	if err != nil {
		return nil, err
	}
	n, err := version(c)
	if err == nil && n != schemaVersion {
		err = migrateLocked(path, c)
	}
	if err == nil {
		err = c.exec("PRAGMA busy_timeout = 0") // writeShared retries itself
	}
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

// migrateLocked migrates while holding the lock of the data directory, so that
// the schema never changes under a running server. For a database that is too
// new migrate fails, whoever holds the lock.
func migrateLocked(path string, c *conn) error {
	if n, err := version(c); err != nil || n > schemaVersion {
		return errors.Join(err, migrate(c))
	}
	lock, err := takeLock(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("its schema is older than this halley, and cannot be changed now: %w", err)
	}
	return errors.Join(migrate(c), lock.Close())
}

func (a *Shared) writeShared(ctx context.Context, work func(*conn) error, after func()) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for start := time.Now(); ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := a.conn.transact(work)
		if err == nil && after != nil {
			after()
		}
		if errorCode(err)&0xff != busy || time.Since(start) > busyTimeout {
			return err
		}
		time.Sleep(busyRetry)
	}
}

// busy is SQLite's code for a lock that another process holds.
const busy = 5
