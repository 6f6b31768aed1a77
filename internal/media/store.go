package media

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/halley-chat/halley/internal/chat"
)

// Ref says which file of which chat is meant.
type Ref struct {
	Chat chat.ID
	File chat.FileID
}

// Store is the port behind which files lie. Its methods may be called from any
// number of goroutines at once.
type Store interface {
	// Stage begins a file that has no name yet.
	Stage(ctx context.Context) (Staged, error)
	// Open opens a kept file; [ErrNoFile] if there is none.
	Open(ctx context.Context, ref Ref) (io.ReadCloser, error)
	// Remove removes a kept file. It is no error if there is none.
	Remove(ctx context.Context, ref Ref) error
	// Walk calls visit for every file that was kept before a moment, in any
	// order, until visit fails; it returns that error. visit may remove the
	// file.
	Walk(ctx context.Context, before time.Time, visit func(Ref) error) error
}

// Staged is a file on its way into a [Store]. It belongs to one goroutine,
// which ends it with Keep or Discard.
type Staged interface {
	io.Writer
	// Reader reads what has been written, from its beginning. It is an
	// [os.File] if the store has one. Closing it leaves the file staged.
	Reader() (io.ReadCloser, error)
	// Path is where a program on this machine finds what has been written;
	// empty if it cannot.
	Path() string
	// Keep makes the file durable under its name; [ErrTaken] if there is one
	// of that name, in which case the file stays staged.
	Keep(ctx context.Context, ref Ref) error
	// Discard forgets the file unless it was kept. It may be called twice.
	Discard() error
}

// The errors of a [Store].
var (
	ErrNoFile = errors.New("media: there is no such file")
	ErrTaken  = errors.New("media: there is a file of that name")
)
