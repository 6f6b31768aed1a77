package media_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/media"
	"github.com/halley-chat/halley/internal/media/mediatest"
)

func openDir(t *testing.T, name string) *media.Dir {
	t.Helper()
	d, err := media.OpenDir(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func TestDir(t *testing.T) {
	mediatest.Suite(t, func(t *testing.T) media.Store { return openDir(t, filepath.Join(t.TempDir(), "files")) })
}

func TestMemory(t *testing.T) {
	mediatest.Suite(t, func(*testing.T) media.Store { return mediatest.NewStore() })
}

// tree is every file below a directory, by its path there.
func tree(t *testing.T, root string) map[string]fs.FileMode {
	t.Helper()
	all := make(map[string]fs.FileMode)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if rel, _ := filepath.Rel(root, path); !d.IsDir() {
			all[rel] = info.Mode()
		} else if info.Mode().Perm() != 0o700 && path != root {
			t.Errorf("%s has the mode %v", rel, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// A process that ends in the middle of an upload leaves nothing behind that
// outlives the next start, and what was kept stays.
func TestLeftoversOfACrash(t *testing.T) {
	root := filepath.Join(t.TempDir(), "data", "files")
	d := openDir(t, root)
	one := media.Ref{Chat: 0x1A2B3C4D5E6F7081, File: chat.NewFileID(1)}
	for i := range 2 {
		f, err := d.Stage(t.Context())
		if err == nil {
			_, err = io.WriteString(f, "x")
		}
		if err == nil && i == 0 {
			err = f.Keep(t.Context(), one)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if got := tree(t, root); len(got) != 2 {
		t.Fatalf("before: %v", got)
	}
	d = openDir(t, root)
	got := tree(t, root)
	if mode, there := got[filepath.Join("81", "1A2B3C4D5E6F7081", "0000000000000001")]; len(got) != 1 || !there || mode.Perm() != 0o600 {
		t.Errorf("afterwards: %v", got)
	}
	if err := d.Remove(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "81", "1A2B3C4D5E6F7081")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the chat's directory is left: %v", err)
	}
}

// A link that somebody put there does not lead out of the directory.
func TestLinksLeadNowhere(t *testing.T) {
	base := t.TempDir()
	root := filepath.Join(base, "files")
	d := openDir(t, root)
	if err := os.WriteFile(filepath.Join(base, "0000000000000001"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Mkdir(filepath.Join(root, "81"), 0o700), os.Symlink("../..", filepath.Join(root, "81", "1A2B3C4D5E6F7081"))); err != nil {
		t.Fatal(err)
	}
	f, err := d.Open(t.Context(), media.Ref{Chat: 0x1A2B3C4D5E6F7081, File: chat.NewFileID(1)})
	if err == nil {
		_ = f.Close()
		t.Error("a file outside was opened")
	}
}

// Where the directory is a disk of its own there are directories on it that are
// none of ours, and may not even be readable.
func TestOtherDirectoriesArePassedOver(t *testing.T) {
	root := filepath.Join(t.TempDir(), "files")
	d := openDir(t, root)
	other := filepath.Join(root, "lost+found", "1A2B3C4D5E6F7081")
	if err := errors.Join(os.MkdirAll(other, 0o700), os.WriteFile(filepath.Join(other, "0000000000000001"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	err := d.Walk(t.Context(), time.Now().Add(time.Hour), func(r media.Ref) error {
		t.Errorf("%v was visited", r)
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
