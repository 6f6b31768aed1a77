package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/halley-chat/halley/internal/sqlite"
)

// The names within a data directory and a backup.
const (
	database = "halley.db"
	secret   = "secret"
	files    = "files"
	staging  = "new" // within files: what is on its way in
	list     = "backup.json"
)

// List is what a backup says of itself.
type List struct {
	Version string          `json:"version"` // of the halley that made it
	Made    time.Time       `json:"made"`    // when the snapshot was begun
	Files   map[string]File `json:"files"`   // by their paths, with slashes
}

// File is one file of a backup.
type File struct {
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Bytes is the length of all files.
func (l List) Bytes() (n int64) {
	for _, f := range l.Files {
		n += f.Size
	}
	return n
}

// Make copies a data directory to a directory that does not exist yet. A server
// may be using the data: everything that it had acknowledged before the call is
// in the backup. If it fails it leaves nothing behind.
//
// Files are copied before the snapshot and once more after it, so that each file
// that the snapshot knows is there, but for one that was deleted meanwhile.
func Make(ctx context.Context, data, to, version string) (l List, err error) {
	if _, err := os.Lstat(to); !errors.Is(err, fs.ErrNotExist) {
		return l, fmt.Errorf("backup: %s exists already", to)
	}
	if err := os.MkdirAll(filepath.Dir(filepath.Clean(to)), 0o700); err != nil {
		return l, fmt.Errorf("backup: %w", err)
	}
	partial, err := os.MkdirTemp(filepath.Dir(filepath.Clean(to)), "."+filepath.Base(to)+".*")
	if err != nil {
		return l, fmt.Errorf("backup: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("backup: %w", err), os.RemoveAll(partial))
		}
	}()
	l = List{Version: version, Made: time.Now().UTC(), Files: make(map[string]File)}
	if err := l.copyFiles(ctx, data, partial); err != nil {
		return l, err
	}
	if err := sqlite.Snapshot(ctx, data, filepath.Join(partial, database)); err != nil {
		return l, err
	}
	if l.Files[database], err = digest(filepath.Join(partial, database)); err != nil {
		return l, err
	}
	if err := l.copyFiles(ctx, data, partial); err != nil {
		return l, err
	}
	// A directory in which no server has run has no secret yet.
	if err := l.copyFile(data, partial, secret); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return l, err
	}
	body, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return l, err
	}
	if err := write(filepath.Join(partial, list), strings.NewReader(string(body)+"\n")); err != nil {
		return l, err
	}
	return l, publish(partial, to)
}

// publish gives a complete directory its name.
func publish(partial, to string) error {
	err := syncDirs(partial)
	if err == nil {
		err = os.Rename(partial, to)
	}
	if err == nil {
		err = syncDir(filepath.Dir(filepath.Clean(to)))
	}
	return err
}

// copyFiles copies the shared files that are not in the backup yet.
func (l List) copyFiles(ctx context.Context, data, to string) error {
	err := filepath.WalkDir(filepath.Join(data, files), func(path string, d fs.DirEntry, err error) error {
		if cerr := ctx.Err(); cerr != nil {
			return cerr
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil // deleted meanwhile, or there are no files at all
		}
		if err != nil {
			return err
		}
		name, err := filepath.Rel(data, path)
		if err != nil {
			return err
		}
		if d.IsDir() && filepath.ToSlash(name) == files+"/"+staging {
			return fs.SkipDir
		}
		if _, known := l.Files[filepath.ToSlash(name)]; known || !d.Type().IsRegular() {
			return nil
		}
		if err := l.copyFile(data, to, name); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
	return err
}

// copyFile copies one file and adds it to the list.
func (l List) copyFile(data, to, name string) error {
	in, err := os.Open(filepath.Join(data, name))
	if err != nil {
		return err
	}
	defer in.Close()
	target := filepath.Join(to, name)
	if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
		return err
	}
	h := sha256.New()
	counted := &counter{}
	if err := write(target, io.TeeReader(in, io.MultiWriter(h, counted))); err != nil {
		return err
	}
	l.Files[filepath.ToSlash(name)] = File{Size: counted.n, SHA256: hex.EncodeToString(h.Sum(nil))}
	return nil
}

type counter struct{ n int64 }

func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return len(p), nil
}

// write makes a new file, which only the owner may read, and syncs it.
func write(path string, body io.Reader) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, body)
	return errors.Join(err, f.Sync(), f.Close())
}

func digest(path string) (File, error) {
	f, err := os.Open(path)
	if err != nil {
		return File{}, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	return File{Size: n, SHA256: hex.EncodeToString(h.Sum(nil))}, err
}

// syncDirs syncs a directory and all below it.
func syncDirs(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		return syncDir(path)
	})
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
