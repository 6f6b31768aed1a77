package mediatest

import (
	"bytes"
	"context"
	"io"
	"maps"
	"sync"
	"time"

	"github.com/halley-chat/halley/internal/media"
)

// Store is a [media.Store] in memory, for tests.
type Store struct {
	mu sync.Mutex
	// Guarded by mu.
	files  map[media.Ref]kept
	staged int
	fault  error
}

type kept struct {
	body []byte
	at   time.Time
}

// NewStore makes an empty store.
func NewStore() *Store { return &Store{files: make(map[media.Ref]kept)} }

// Staged is how many files are on their way in.
func (s *Store) Staged() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.staged
}

// Files are the names of the kept files.
func (s *Store) Files() []media.Ref {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []media.Ref
	for ref := range s.files {
		list = append(list, ref)
	}
	return list
}

// Fail lets every call fail with an error from now on; nil ends that.
func (s *Store) Fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = err
}

// Stage is [media.Store].
func (s *Store) Stage(context.Context) (media.Staged, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fault != nil {
		return nil, s.fault
	}
	s.staged++
	return &staged{s: s}, nil
}

// Open is [media.Store].
func (s *Store) Open(_ context.Context, ref media.Ref) (io.ReadCloser, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, ok := s.files[ref]
	switch {
	case s.fault != nil:
		return nil, s.fault
	case !ok:
		return nil, media.ErrNoFile
	}
	return io.NopCloser(bytes.NewReader(k.body)), nil
}

// Remove is [media.Store].
func (s *Store) Remove(_ context.Context, ref media.Ref) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fault != nil {
		return s.fault
	}
	delete(s.files, ref)
	return nil
}

// Walk is [media.Store].
func (s *Store) Walk(ctx context.Context, before time.Time, visit func(media.Ref) error) error {
	s.mu.Lock()
	files, fault := maps.Clone(s.files), s.fault
	s.mu.Unlock()
	if fault != nil {
		return fault
	}
	for ref, k := range files {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !k.at.Before(before) {
			continue
		}
		if err := visit(ref); err != nil {
			return err
		}
	}
	return nil
}

type staged struct {
	s    *Store
	body bytes.Buffer
	over bool
}

func (f *staged) Write(b []byte) (int, error) {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	if f.s.fault != nil {
		return 0, f.s.fault
	}
	return f.body.Write(b)
}

func (f *staged) Reader() (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(bytes.Clone(f.body.Bytes()))), nil
}

func (f *staged) Path() string { return "" }

func (f *staged) Keep(_ context.Context, ref media.Ref) error {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	if f.s.fault != nil {
		return f.s.fault
	}
	if _, there := f.s.files[ref]; there {
		return media.ErrTaken
	}
	f.s.files[ref] = kept{bytes.Clone(f.body.Bytes()), time.Now()}
	f.s.staged--
	f.over = true
	return nil
}

func (f *staged) Discard() error {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	if !f.over {
		f.over = true
		f.s.staged--
	}
	return nil
}
