package app

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/halley-chat/halley/internal/gms"
)

// secretFile holds what visitors' keys are derived from. All nodes of a
// cluster have the same one.
const secretFile = "secret"

// secret reads the server's secret, or makes one in a file that only the
// owner can read.
func secret(dir string) ([]byte, error) {
	path := filepath.Join(dir, secretFile)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return makeSecret(path)
	}
	if err != nil {
		return nil, fmt.Errorf("read the server's secret: %w", err)
	}
	if len(b) < gms.MinSecret {
		return nil, fmt.Errorf("%s is damaged: it has %d bytes and needs %d", path, len(b), gms.MinSecret)
	}
	return b, nil
}

// makeSecret writes the secret so that a crash leaves a whole file or none.
func makeSecret(path string) ([]byte, error) {
	b := make([]byte, gms.MinSecret)
	rand.Read(b)
	f, err := os.CreateTemp(filepath.Dir(path), secretFile+".*") // made with mode 0600
	if err != nil {
		return nil, fmt.Errorf("make the server's secret: %w", err)
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err == nil {
		return b, syncDir(filepath.Dir(path))
	}
	return nil, errors.Join(fmt.Errorf("make the server's secret: %w", err), os.Remove(f.Name()))
}

// syncDir makes a rename in a directory outlast a power cut: without the
// secret all keys given out so far would be worth nothing.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
