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
	// RotateRows is how many rows a log table holds before the other one is
	// emptied and takes over; 400,000 if it is 0.
	RotateRows int
	// PackRows is how many records make a live log's tail worth packing; 64 if
	// it is 0.
	PackRows int
	// Logger hears of packing that failed, which nobody waits for;
	// [slog.Default] if it is nil.
	Logger *slog.Logger
	// Observer hears of appends and commits; nobody does if it is nil.
	Observer Observer

	// For the package's own tests: fault is called at every step that a crash
	// could separate from the next, and its error is the step's; opened is
	// called for every connection that is going to write; manifestRows is [rowManifest]'s.
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

// prepareDir makes the data directory and an empty database file, which only the
// owner may read, and returns the file's path.
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

// start reads what memory must know and starts the goroutines. If it fails it
// leaves nothing open but the lock.
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

// Close lets the group that is being written end, fails what still waits with
// [engine.ErrClosed], and releases the data directory. It may be called more
// than once.
func (s *Store) Close() error { return s.closeOnce() }

// usable says why a call must not go on: its context or the store has ended.
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

// readError is what a failed read says: the end of its context or of the
// store if that was the reason.
func (s *Store) readError(ctx context.Context, err error) error {
	if err := s.usable(ctx); err != nil {
		return err
	}
	return fmt.Errorf("sqlite: read: %w", err)
}
