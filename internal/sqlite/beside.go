package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"
)

// Accounts is the part of a database that knows who works here
// ([staff.Store]), opened without the rest. All methods may be called from any
// number of goroutines at once.
type Accounts struct {
	accounts

	// Static after construction.
	pool *sql.DB
	shut func() error

	mu sync.Mutex

	// Guarded by mu.
	conn *conn
}

// lockPatience is how long a write waits for another process to end its own,
// and lockPause how long it is between two attempts. SQLite's own waiting gets
// slower with each attempt, and a busy server leaves only short gaps.
const (
	lockPatience = 5 * time.Second
	lockPause    = time.Millisecond
)

// OpenStaff opens only the accounts in a data directory, which a running
// server may be using. It makes what is missing and migrates an older
// database, unless a server has it open: then it fails with [ErrInUse]. It
// fails with [ErrNewer] as [Open] does. ctx bounds the opening only.
func OpenStaff(ctx context.Context, dir string) (*Accounts, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	path, err := place(dir)
	if err != nil {
		return nil, err
	}
	c, err := connectBeside(path)
	if err != nil {
		return nil, fmt.Errorf("sqlite: open %s: %w", path, err)
	}
	pool, err := openPool(path, 1)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("sqlite: open %s: %w", path, err), c.close())
	}
	a := &Accounts{pool: pool, conn: c}
	a.accounts = accounts{pool: pool, write: a.writeBeside}
	a.shut = sync.OnceValue(func() error {
		a.mu.Lock()
		defer a.mu.Unlock()
		return errors.Join(pool.Close(), c.close())
	})
	return a, nil
}

// Close releases the database. It may be called more than once; nothing else
// may be called after it.
func (a *Accounts) Close() error { return a.shut() }

func connectBeside(path string) (*conn, error) {
	c, err := connect(dsn(path, false))
	if err != nil {
		return nil, err
	}
	n, err := version(c)
	if err == nil && n != schemaVersion {
		err = migrateBeside(path, c)
	}
	if err == nil {
		err = c.exec("PRAGMA busy_timeout = 0") // writeBeside waits by itself
	}
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

// migrateBeside migrates under the lock of the data directory, so that no
// server runs on a schema that changes under it. A database that is too new is
// told so by migrate, whoever holds the lock.
func migrateBeside(path string, c *conn) error {
	if n, err := version(c); err != nil || n > schemaVersion {
		return errors.Join(err, migrate(c))
	}
	lock, err := takeLock(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("its schema is older than this halley, and cannot be changed now: %w", err)
	}
	return errors.Join(migrate(c), lock.Close())
}

func (a *Accounts) writeBeside(ctx context.Context, work func(*conn) error, after func()) error {
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
		if code(err)&0xff != busy || time.Since(start) > lockPatience {
			return err
		}
		time.Sleep(lockPause)
	}
}

// busy is SQLite's code for a lock that another process holds.
const busy = 5
