package app

import (
	"context"
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

// errNoSecret says that a data directory has chats and no secret.
var errNoSecret = errors.New("the file secret is missing, and without it the keys that visitors hold do not open their chats")

// secret reads the server's secret. If there is none it makes one, in a file
// that only the owner can read, unless there are chats already whose keys came
// from another one; fresh says that those are to be given up. A secret that
// everybody can read is refused.
func (a *App) secret(ctx context.Context, fresh bool) ([]byte, error) {
	path := filepath.Join(a.o.Config.Data, secretFile)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		switch known, err := a.store.HasChats(ctx); {
		case err != nil:
			return nil, err
		case known && !fresh:
			return nil, fmt.Errorf("%s has chats, but %w: restore it from a backup, or serve once with --new-secret", a.o.Config.Data, errNoSecret)
		case known:
			a.log.Warn("a new secret is made: visitors' keys that were given out before are void")
		}
		return makeSecret(path)
	}
	if err != nil {
		return nil, fmt.Errorf("read the server's secret: %w", err)
	}
	switch mode := info.Mode().Perm(); {
	case mode&0o007 != 0:
		return nil, fmt.Errorf("%s can be read or changed by everybody on this machine (mode %04o): chmod 600 it, or make a new one", path, mode)
	case mode&0o070 != 0:
		a.log.Warn("the file secret can be read or changed by its group", "mode", fmt.Sprintf("%04o", mode))
	}
	b, err := os.ReadFile(path)
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
