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

// Service takes files in and hands them out. It is safe for concurrent use.
type Service struct {
	// Static after construction.
	store Store
	log   *slog.Logger
	slots chan struct{} // one token for each file on its way in
	stats Stats
}

// maxUnderWay is how many files may be on their way in at once.
const maxUnderWay = 256

// NewService makes a service over a store.
func NewService(store Store, log *slog.Logger) *Service {
	if log == nil {
		log = slog.Default()
	}
	return &Service{store: store, log: log, slots: make(chan struct{}, maxUnderWay)}
}

// Stats are the service's counters.
func (s *Service) Stats() *Stats { return &s.stats }

// Upload is a file that has arrived and is not kept yet. It belongs to one
// goroutine, which ends it with Discard, also after Keep.
type Upload struct {
	service *Service
	staged  Staged
	head    []byte
	done    bool // kept or discarded

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
func (s *Service) Receive(ctx context.Context, name string, r io.Reader, limit int64) (*Upload, error) {
	select {
	case s.slots <- struct{}{}:
	default:
		return nil, ErrBusy
	}
	u := &Upload{service: s, Name: cleanName(name)}
	var err error
	if u.staged, err = s.store.Stage(ctx); err == nil {
		err = u.fill(r, limit)
	}
	if err != nil {
		return nil, errors.Join(err, u.Discard())
	}
	return u, nil
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

func (u *Upload) fill(r io.Reader, limit int64) error {
	in := &source{Reader: io.LimitReader(r, limit+1)}
	head := make([]byte, headSize)
	n, err := io.ReadFull(in, head)
	u.head = head[:n]
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
		if in.err != nil {
			err = in.err
		}
	}
	if err == nil {
		_, err = u.staged.Write(u.head)
	}
	u.Size = int64(n)
	if err == nil && n == headSize {
		var more int64
		more, err = io.Copy(onlyWriter{u.staged}, in)
		u.Size += more
	}
	switch {
	case in.err != nil:
		return in.err
	case err != nil:
		return fmt.Errorf("media: take a file in: %w", err)
	case u.Size > limit:
		return chat.RefuseOver(chat.TooLarge, "the file is too large", limit)
	case u.Size == 0:
		return chat.Refuse(chat.Invalid, "the file is empty")
	}
	return nil
}

// onlyWriter keeps io.Copy to its own buffer.
type onlyWriter struct{ io.Writer }

// Check looks at what the file is and lets the scanner look at it. Refusals are
// of the kinds [chat.WrongType], [ErrHarmful] among them, [chat.TooLarge] and
// [chat.Unavailable], which is [ErrUnscanned].
func (u *Upload) Check(ctx context.Context, p Policy, id chat.ID) error {
	if u.Size > p.MaxFileSize {
		return chat.RefuseOver(chat.TooLarge, "the file is too large", p.MaxFileSize)
	}
	name, mime, err := classify(p.Types, u.Name, u.head)
	if err != nil {
		u.service.stats.WrongTypes.Add(1)
		return err
	}
	u.Name, u.Type = name, mime
	if p.Scanner == nil {
		return nil
	}
	within, cancel := context.WithTimeout(ctx, p.ScanWithin)
	defer cancel()
	err = p.Scanner.Scan(within, u.staged, u.Size)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrInfected):
		u.service.stats.Infected.Add(1)
		u.service.log.Warn("media: the scanner refused a file", "chat", id.String())
		return ErrHarmful
	case ctx.Err() != nil:
		return ErrUnscanned // whoever sent the file has gone
	default:
		// A file that nobody has looked at is not taken.
		u.service.stats.ScanFailed.Add(1)
		u.service.log.Error("media: the scanner failed", "chat", id.String(), "err", err)
		return ErrUnscanned
	}
}

// The refusals that come of a scanner: it refused the file, or it failed.
var (
	ErrHarmful   = chat.Refuse(chat.WrongType, "the file was found to be harmful")
	ErrUnscanned = chat.Refuse(chat.Unavailable, "the file could not be looked at")
)

// Keep makes the file durable and gives it an id in its chat.
func (u *Upload) Keep(ctx context.Context, id chat.ID) (Ref, error) {
	var random [8]byte
	_, _ = rand.Read(random[:]) // it never fails
	ref := Ref{id, chat.NewFileID(binary.BigEndian.Uint64(random[:]))}
	if err := u.staged.Keep(ctx, ref); err != nil {
		return Ref{}, err
	}
	u.service.stats.Taken.Add(1)
	return ref, nil
}

// Discard forgets the file unless it was kept. It may be called twice.
func (u *Upload) Discard() error {
	if u.done {
		return nil
	}
	u.done = true
	<-u.service.slots
	if u.staged == nil {
		return nil
	}
	return u.staged.Discard()
}

// Open opens a kept file; [ErrNoFile] if there is none.
func (s *Service) Open(ctx context.Context, ref Ref) (io.ReadCloser, error) {
	return s.store.Open(ctx, ref)
}

// Remove removes a kept file. What fails is done by the next [Service.Sweep].
func (s *Service) Remove(ctx context.Context, ref Ref) error { return s.store.Remove(ctx, ref) }

// orphanAge is how old a file is before it is missed in its chat's log.
const orphanAge = time.Hour

// Sweep removes files of more than an hour that known does not know: those
// whose sharing was refused or never became durable, and those that were
// deleted while the server ended. It stops at the first error.
func (s *Service) Sweep(ctx context.Context, known func(context.Context, Ref) (bool, error)) error {
	return s.store.Walk(ctx, time.Now().Add(-orphanAge), func(ref Ref) error {
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
func (s *Service) Run(ctx context.Context, known func(context.Context, Ref) (bool, error)) error {
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
