package media

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/halley-chat/halley/internal/chat"
)

// Policy says which files a service takes, and how they are looked at.
type Policy struct {
	chat.FileRules
	// Types are the extensions of the sorts that are taken, as [Kinds] has
	// them.
	Types []string
	// Scanner looks at each file; nil means that nobody does. It has
	// ScanWithin for it.
	Scanner    Scanner
	ScanWithin time.Duration
	// Deletion is what the service tells its clients about deleting; it has no
	// meaning here.
	Deletion string
}

// Stats counts what an operator should know.
type Stats struct {
	Taken      atomic.Int64 // files that were kept
	WrongTypes atomic.Int64 // files of a type that is not taken
	Infected   atomic.Int64 // files that the scanner refused
	ScanFailed atomic.Int64 // files that the scanner could not judge, which are refused too
	Orphans    atomic.Int64 // kept files that no log knew, and which were removed
}

// Shelf takes files in and hands them out. It is safe for concurrent use.
type Shelf struct {
	// Static after construction.
	store Store
	log   *slog.Logger
	slots chan struct{} // one token for each file on its way in
	stats Stats
}

// maxUnderWay is how many files may be on their way in at once.
const maxUnderWay = 64

// NewShelf makes a shelf over a store.
func NewShelf(store Store, log *slog.Logger) *Shelf {
	if log == nil {
		log = slog.Default()
	}
	return &Shelf{store: store, log: log, slots: make(chan struct{}, maxUnderWay)}
}

// Stats are the shelf's counters.
func (s *Shelf) Stats() *Stats { return &s.stats }

// Draft is a file that has come in and is not kept yet. It belongs to one
// goroutine, which ends it with Discard, also after Keep.
type Draft struct {
	shelf  *Shelf
	staged Staged
	head   []byte
	over   bool

	// Name is what the sender calls the file, made harmless.
	Name string
	// Size is its length in bytes.
	Size int64
	// Type is its media type, once it has been checked.
	Type string
}

// ErrBusy refuses a file because too many are on their way in already.
var ErrBusy = chat.Refuse(chat.Unavailable, "too many files are on their way in")

// Receive takes in the bytes of a file. One of more than limit bytes is refused
// with [chat.TooLarge] as soon as that is known, and not read any further.
func (s *Shelf) Receive(ctx context.Context, name string, r io.Reader, limit int64) (*Draft, error) {
	select {
	case s.slots <- struct{}{}:
	default:
		return nil, ErrBusy
	}
	d := &Draft{shelf: s, Name: cleanName(name)}
	var err error
	if d.staged, err = s.store.Stage(ctx); err == nil {
		err = d.fill(r, limit)
	}
	if err != nil {
		return nil, errors.Join(err, d.Discard())
	}
	return d, nil
}

// source tells errors of the sender from those of the store.
type source struct {
	io.Reader
	err error
}

func (s *source) Read(b []byte) (int, error) {
	n, err := s.Reader.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

func (d *Draft) fill(r io.Reader, limit int64) error {
	in := &source{Reader: io.LimitReader(r, limit+1)}
	head := make([]byte, headSize)
	n, err := io.ReadFull(in, head)
	d.head = head[:n]
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
		if in.err != nil {
			err = in.err
		}
	}
	if err == nil {
		_, err = d.staged.Write(d.head)
	}
	d.Size = int64(n)
	if err == nil && n == headSize {
		var more int64
		more, err = io.Copy(onlyWriter{d.staged}, in)
		d.Size += more
	}
	switch {
	case in.err != nil:
		return in.err
	case err != nil:
		return fmt.Errorf("media: take a file in: %w", err)
	case d.Size > limit:
		return chat.RefuseOver(chat.TooLarge, "the file is too large", limit)
	case d.Size == 0:
		return chat.Refuse(chat.Invalid, "the file is empty")
	}
	return nil
}

// onlyWriter keeps io.Copy to its own buffer.
type onlyWriter struct{ io.Writer }

// Check looks at what the file is and lets the scanner look at it. Refusals are
// of the kinds [chat.WrongType], [ErrHarmful] among them, [chat.TooLarge] and
// [chat.Unavailable], which is [ErrUnscanned].
func (d *Draft) Check(ctx context.Context, p Policy, id chat.ID) error {
	if d.Size > p.MaxFileSize {
		return chat.RefuseOver(chat.TooLarge, "the file is too large", p.MaxFileSize)
	}
	name, mime, err := known(p.Types, d.Name, d.head)
	if err != nil {
		d.shelf.stats.WrongTypes.Add(1)
		return err
	}
	d.Name, d.Type = name, mime
	if p.Scanner == nil {
		return nil
	}
	within, cancel := context.WithTimeout(ctx, p.ScanWithin)
	defer cancel()
	err = p.Scanner.Scan(within, d.staged, d.Size)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrInfected):
		d.shelf.stats.Infected.Add(1)
		d.shelf.log.Warn("media: the scanner refused a file", "chat", id.String())
		return ErrHarmful
	case ctx.Err() != nil:
		return ErrUnscanned // whoever sent the file has gone
	default:
		// A file that nobody has looked at is not taken.
		d.shelf.stats.ScanFailed.Add(1)
		d.shelf.log.Error("media: the scanner failed", "chat", id.String(), "err", err)
		return ErrUnscanned
	}
}

// The refusals that come of a scanner: it refused the file, or it failed.
var (
	ErrHarmful   = chat.Refuse(chat.WrongType, "the file was found to be harmful")
	ErrUnscanned = chat.Refuse(chat.Unavailable, "the file could not be looked at")
)

// Keep makes the file durable and gives it an id in its chat.
func (d *Draft) Keep(ctx context.Context, id chat.ID) (Ref, error) {
	var random [8]byte
	_, _ = rand.Read(random[:]) // it never fails
	ref := Ref{id, chat.NewFileID(binary.BigEndian.Uint64(random[:]))}
	if err := d.staged.Keep(ctx, ref); err != nil {
		return Ref{}, err
	}
	d.shelf.stats.Taken.Add(1)
	return ref, nil
}

// Discard forgets the file unless it was kept. It may be called twice.
func (d *Draft) Discard() error {
	if d.over {
		return nil
	}
	d.over = true
	<-d.shelf.slots
	if d.staged == nil {
		return nil
	}
	return d.staged.Discard()
}

// Open opens a kept file; [ErrNoFile] if there is none.
func (s *Shelf) Open(ctx context.Context, ref Ref) (io.ReadCloser, error) {
	return s.store.Open(ctx, ref)
}

// Remove removes a kept file. What fails is done by the next [Shelf.Sweep].
func (s *Shelf) Remove(ctx context.Context, ref Ref) error { return s.store.Remove(ctx, ref) }

// orphanAge is how old a file is before it is missed in its chat's log.
const orphanAge = time.Hour

// Sweep removes files of more than an hour that known does not know: those
// whose sharing was refused or never became durable, and those that were
// deleted while the server ended. It stops at the first error.
func (s *Shelf) Sweep(ctx context.Context, known func(context.Context, Ref) (bool, error)) error {
	return s.store.Each(ctx, time.Now().Add(-orphanAge), func(ref Ref) error {
		there, err := known(ctx, ref)
		if err != nil || there {
			return err
		}
		if err := s.store.Remove(ctx, ref); err != nil {
			return err
		}
		s.stats.Orphans.Add(1)
		s.log.Info("media: a file that no log knows was removed", "chat", ref.Chat.String(), "file", string(ref.File))
		return nil
	})
}

// Run sweeps at once and then every hour, until ctx ends. It returns nil.
func (s *Shelf) Run(ctx context.Context, known func(context.Context, Ref) (bool, error)) error {
	for {
		if err := s.Sweep(ctx, known); err != nil && ctx.Err() == nil {
			s.log.Warn("media: looking for files that no log knows failed", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(orphanAge):
		}
	}
}
