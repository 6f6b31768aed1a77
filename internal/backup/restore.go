package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/halley-chat/halley/internal/sqlite"
)

// Read reads the list of a backup.
func Read(dir string) (l List, err error) {
	body, err := os.ReadFile(filepath.Join(dir, list))
	if errors.Is(err, fs.ErrNotExist) {
		return l, fmt.Errorf("backup: %s has no %s: it is no backup, or one that was not finished", dir, list)
	}
	if err == nil {
		err = json.Unmarshal(body, &l)
	}
	if err == nil && l.Files[database].Size == 0 {
		err = errors.New("it lists no database")
	}
	if err != nil {
		return l, fmt.Errorf("backup: %s: %w", filepath.Join(dir, list), err)
	}
	return l, nil
}

// Restore makes a data directory out of a backup. It refuses one that has
// anything in it. Every file is compared with the backup's list on its way, and
// the database is checked before the directory gets its name; problem is called
// for each thing that is wrong with a record, which does not keep the rest from
// being restored. If it fails it leaves nothing behind.
func Restore(ctx context.Context, from, data string, problem func(sqlite.Problem)) (l List, r sqlite.Report, err error) {
	if l, err = Read(from); err != nil {
		return l, r, err
	}
	if err := empty(data); err != nil {
		return l, r, fmt.Errorf("restore: %w", err)
	}
	parent := filepath.Dir(filepath.Clean(data))
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return l, r, fmt.Errorf("restore: %w", err)
	}
	partial, err := os.MkdirTemp(parent, "."+filepath.Base(data)+".*")
	if err != nil {
		return l, r, fmt.Errorf("restore: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("restore: %w", err), os.RemoveAll(partial))
		}
	}()
	got := List{Files: make(map[string]File)}
	for _, name := range sorted(l.Files) {
		if err := ctx.Err(); err != nil {
			return l, r, err
		}
		if !filepath.IsLocal(filepath.FromSlash(name)) {
			return l, r, fmt.Errorf("the backup lists %q, which is not in it", name)
		}
		if err := got.copyFile(from, partial, filepath.FromSlash(name)); err != nil {
			return l, r, err
		}
		if got.Files[name] != l.Files[name] {
			return l, r, fmt.Errorf("%s in the backup is not what was written there", name)
		}
	}
	if r, err = sqlite.Check(ctx, partial, problem); err != nil {
		return l, r, err
	}
	if err := os.Remove(data); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return l, r, err
	}
	return l, r, publish(partial, data)
}

func sorted(files map[string]File) []string {
	var names []string
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// empty refuses a directory that has anything in it.
func empty(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case len(entries) > 0:
		return fmt.Errorf("%s is not empty, and nothing is overwritten", dir)
	}
	return nil
}
