package sqlite

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// ErrInUse says that another process has opened the data directory.
var ErrInUse = errors.New("another halley is using it")

// takeLock takes the advisory lock of a data directory without waiting. The
// system releases it with the process, however that ends. It is a separate file
// because closing any descriptor of the database would release SQLite's own
// POSIX locks on it.
func takeLock(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "halley.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("sqlite: data directory %s: %w", dir, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = ErrInUse
		}
		return nil, fmt.Errorf("sqlite: data directory %s: %w", dir, err)
	}
	return f, nil
}
