package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"github.com/halley-chat/halley/internal/engine"
)

// fileName is the database's name in the data directory.
const fileName = "halley.db"

// Options change how a [Store] works. The zero value is good.
type Options struct {
	// RotateRows is the number of rows in the current log table at which the
	// tables are rotated; 400,000 if it is 0.
	RotateRows int
	// PackRows is the number of unpacked records at which a live log is packed; 64
	// if it is 0.
	PackRows int
	// Logger gets failures of the background work and everything that is found
	// damaged; [slog.Default] if it is nil.
	Logger *slog.Logger
	// Observer is called for appends and commits; it may be nil.
	Observer Observer

	// For the package's own tests. fault is called at every step between which a
	// crash is possible, and its error becomes the step's; opened is called with
	// every connection for writing; manifestRows is the threshold of [rowManifest].
	fault        func(step string) error
	opened       func(*conn) error
	manifestRows int
}

func (o *Options) step(name string) error {
	if o.fault == nil {
		return nil
	}
	return o.fault(name)
}

func (o *Options) prepare(c *conn) error {
	if o.opened == nil {
		return nil
	}
	return o.opened(c)
}

// Store is the database of one data directory: the logs, their summaries,
// claims and checkpoints ([engine.Log]), and the accounts ([staff.Store]). All
// methods may be called from any number of goroutines at once.
type Store struct {
	accounts

	// Static after construction.
	path      string
	opts      Options
	lock      *os.File
	pool      *sql.DB
	stmts     *readStmts
	codec     *codec
	queue     chan *item
	stop      chan struct{} // closed when the store is being closed
	stopped   chan struct{} // closed when the writer has ended
	packer    *packer
	damage    *damage    // guards itself
	counters  counters   // guards itself
	positions *positions // guards itself
	claims    claims     // guards itself
	closeOnce func() error
}

// Open opens the database in a data directory, and makes both if they are
// missing. It fails at once, with an error that wraps [ErrInUse], if another
// store has the directory open, and with one that wraps [ErrNewer] if the
// database was written by a newer halley. ctx bounds the opening only.
func Open(ctx context.Context, dir string, opts Options) (*Store, error) {
	if opts.RotateRows == 0 {
		opts.RotateRows = 400_000
	}
	if opts.PackRows == 0 {
		opts.PackRows = 64
	}
	if opts.manifestRows == 0 {
		opts.manifestRows = 8192
	}
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	path, err := prepareDir(dir)
	if err != nil {
		return nil, err
	}
	lock, err := takeLock(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	s := &Store{
		path: path, opts: opts, lock: lock, damage: &damage{log: opts.Logger},
		queue: make(chan *item, queueLength), stop: make(chan struct{}), stopped: make(chan struct{}),
	}
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("sqlite: open %s: %w", path, err), lock.Close())
	}
	return s, nil
}

// Exists says whether a directory holds a database. It changes nothing.
func Exists(dir string) (bool, error) {
	switch _, err := os.Stat(filepath.Join(dir, fileName)); {
	case err == nil:
		return true, nil
	case errors.Is(err, os.ErrNotExist):
		return false, nil
	default:
		return false, fmt.Errorf("sqlite: %w", err)
	}
}

// prepareDir creates the data directory and an empty database file, both for
// their owner only, and returns the file's absolute path.
func prepareDir(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("sqlite: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("sqlite: data directory: %w", err)
	}
	path := filepath.Join(dir, fileName)
	switch f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600); {
	case err == nil:
		if err := f.Close(); err != nil {
			return "", fmt.Errorf("sqlite: %w", err)
		}
	case !errors.Is(err, os.ErrExist):
		return "", fmt.Errorf("sqlite: data directory: %w", err)
	}
	return path, nil
}

// start loads the in-memory state and starts the goroutines. If it fails it has
// closed everything but the lock.
func (s *Store) start(ctx context.Context) (err error) {
	c, err := connect(dsn(s.path, false))
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.close())
		}
	}()
	if err := migrate(c); err != nil {
		return err
	}
	if err := s.opts.prepare(c); err != nil {
		return err
	}
	positions, manifest, err := load(c, s.opts, s.damage)
	if err != nil {
		return err
	}
	s.positions = positions
	if err := s.claims.load(c, s.damage); err != nil {
		return err
	}
	if s.codec, err = newCodec(); err != nil {
		return err
	}
	if s.pool, s.stmts, err = openReads(ctx, s.path); err != nil {
		return err
	}
	s.accounts = accounts{pool: s.pool, write: s.write, damage: s.damage}
	s.packer = newPacker(s)
	w := &writer{s: s, conn: c, group: newGroup(positions, manifest, &s.claims)}

	var ended sync.WaitGroup
	var writerErr error
	ended.Go(func() { writerErr = w.run() })
	ended.Go(s.packer.run)
	s.closeOnce = sync.OnceValue(func() error {
		close(s.stop)
		ended.Wait()
		return errors.Join(writerErr, s.stmts.close(), s.pool.Close(), s.lock.Close())
	})
	return nil
}

// HasChats says whether any chat was ever stored.
func (s *Store) HasChats(ctx context.Context) (bool, error) {
	var some bool
	if err := s.pool.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM chat)").Scan(&some); err != nil {
		return false, s.readError(ctx, err)
	}
	return some, nil
}

// Close waits for the group that is being written, fails what is queued with
// [engine.ErrClosed], and releases the data directory. It may be called more
// than once.
func (s *Store) Close() error { return s.closeOnce() }

// usable is ctx's error, or [engine.ErrClosed] if the store is closed.
func (s *Store) usable(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-s.stop:
		return engine.ErrClosed
	default:
		return nil
	}
}

// readError is the error of a failed read: that of its context or of the closed
// store, if one of them was the cause.
func (s *Store) readError(ctx context.Context, err error) error {
	if err := s.usable(ctx); err != nil {
		return err
	}
	return fmt.Errorf("sqlite: read: %w", err)
}
