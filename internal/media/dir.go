package media

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/halley-chat/halley/internal/chat"
)

// Dir is a [Store] in a directory of its own: "<last two digits of the chat's
// id>/<chat>/<file>", and "new/" for files on their way in. No name comes from
// outside, and nothing outside of the directory can be reached, symbolic links
// or not, because every call goes through an [os.Root].
type Dir struct{ root *os.Root }

// staging is the directory of the files that are on their way in.
const staging = "new"

// prefixLen is how many digits the directories have in which those of chats lie.
const prefixLen = 2

const (
	dirMode  = 0o700
	fileMode = 0o600
)

// OpenDir opens a directory, making it if it is missing, and forgets files
// that were on their way in when the last process ended. One process has it
// open at a time, which is for the caller to see to.
func OpenDir(name string) (*Dir, error) {
	if err := os.MkdirAll(name, dirMode); err != nil {
		return nil, fmt.Errorf("media: %w", err)
	}
	root, err := os.OpenRoot(name)
	if err != nil {
		return nil, fmt.Errorf("media: %w", err)
	}
	d := &Dir{root}
	err = root.RemoveAll(staging)
	if err == nil {
		err = root.Mkdir(staging, dirMode)
	}
	// What the directory itself is called must last as well.
	err = errors.Join(err, d.sync("."), syncPath(filepath.Dir(name)))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("media: %w", err), root.Close())
	}
	return d, nil
}

// Close lets go of the directory.
func (d *Dir) Close() error { return d.root.Close() }

func paths(ref Ref) (prefixDir, chatDir, name string, err error) {
	id, err := chat.ParseFileID(string(ref.File))
	if err != nil {
		return "", "", "", fmt.Errorf("%w: %q is no id", ErrNoFile, ref.File)
	}
	c := ref.Chat.String()
	prefixDir = c[len(c)-prefixLen:]
	chatDir = path.Join(prefixDir, c)
	return prefixDir, chatDir, path.Join(chatDir, string(id)), nil
}

// Stage is [Store].
func (d *Dir) Stage(context.Context) (Staged, error) {
	name := path.Join(staging, rand.Text())
	f, err := d.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return nil, fmt.Errorf("media: stage a file: %w", err)
	}
	return &stagedFile{d: d, name: name, f: f}, nil
}

// Open is [Store].
func (d *Dir) Open(_ context.Context, ref Ref) (io.ReadCloser, error) {
	_, _, name, err := paths(ref)
	if err != nil {
		return nil, err
	}
	f, err := d.root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoFile
	}
	if err != nil {
		return nil, fmt.Errorf("media: open a file: %w", err)
	}
	return f, nil
}

// Remove is [Store]. The chat's directory goes with its last file.
func (d *Dir) Remove(_ context.Context, ref Ref) error {
	_, chatDir, name, err := paths(ref)
	if errors.Is(err, ErrNoFile) {
		return nil
	}
	if err == nil {
		err = d.root.Remove(name)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("media: remove a file: %w", err)
	}
	_ = d.root.Remove(chatDir) // there may be other files in it
	return nil
}

// Walk is [Store]. What is no file of a chat is passed over.
func (d *Dir) Walk(ctx context.Context, before time.Time, visit func(Ref) error) error {
	prefixes, err := d.list(".")
	if err != nil {
		return err
	}
	for _, prefixDir := range prefixes {
		if !prefixDir.IsDir() || len(prefixDir.Name()) != prefixLen {
			continue // staging among them
		}
		chatDirs, err := d.list(prefixDir.Name())
		if err != nil {
			return err
		}
		for _, chatDir := range chatDirs {
			id, err := chat.ParseID(chatDir.Name())
			if err != nil || !chatDir.IsDir() {
				continue
			}
			if err := d.walkChat(ctx, path.Join(prefixDir.Name(), chatDir.Name()), id, before, visit); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *Dir) walkChat(ctx context.Context, chatDir string, id chat.ID, before time.Time, visit func(Ref) error) error {
	files, err := d.list(chatDir)
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return err
		}
		file, err := chat.ParseFileID(f.Name())
		if err != nil {
			continue
		}
		info, err := f.Info()
		if errors.Is(err, fs.ErrNotExist) || err == nil && !info.ModTime().Before(before) {
			continue
		}
		if err == nil {
			err = visit(Ref{id, file})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// list is what a directory holds; nothing if it has gone.
func (d *Dir) list(name string) ([]fs.DirEntry, error) {
	f, err := d.root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("media: list files: %w", err)
	}
	list, err := f.ReadDir(-1)
	return list, errors.Join(err, f.Close())
}

// sync makes what a directory holds last.
func (d *Dir) sync(name string) error {
	f, err := d.root.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func syncPath(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// stagedFile is a file in the staging directory.
type stagedFile struct {
	d    *Dir
	name string
	f    *os.File
	over bool
}

func (s *stagedFile) Write(b []byte) (int, error) { return s.f.Write(b) }

func (s *stagedFile) Reader() (io.ReadCloser, error) { return s.d.root.Open(s.name) }

func (s *stagedFile) Path() string { return filepath.Join(s.d.root.Name(), filepath.FromSlash(s.name)) }

func (s *stagedFile) Keep(_ context.Context, ref Ref) error {
	prefixDir, chatDir, name, err := paths(ref)
	if err != nil {
		return err
	}
	if err := s.f.Sync(); err != nil {
		return fmt.Errorf("media: keep a file: %w", err)
	}
	// Somebody may remove the last file of the chat meanwhile, and its
	// directory with it: before this one goes in, and while MkdirAll looks at
	// what it has found there.
	for range 100 {
		if err = s.d.root.MkdirAll(chatDir, dirMode); errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			break
		}
		if _, there := s.d.root.Lstat(name); there == nil {
			return ErrTaken
		}
		if err = s.d.root.Rename(s.name, name); !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if err == nil {
		s.over = true
		err = errors.Join(s.f.Close(), s.d.sync(chatDir), s.d.sync(prefixDir), s.d.sync("."))
	}
	if err != nil {
		return fmt.Errorf("media: keep a file: %w", err)
	}
	return nil
}

func (s *stagedFile) Discard() error {
	if s.over {
		return nil
	}
	s.over = true
	return errors.Join(s.f.Close(), s.d.root.Remove(s.name))
}
