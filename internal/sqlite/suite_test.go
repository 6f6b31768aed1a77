package sqlite

import (
	"context"
	"testing"

	"go.uber.org/goleak"

	"github.com/halley-chat/halley/internal/engine/enginetest"
	"github.com/halley-chat/halley/internal/staff"
	"github.com/halley-chat/halley/internal/staff/stafftest"
)

func TestMain(m *testing.M) {
	child()
	goleak.VerifyTestMain(m)
}

// small makes packing and rotation happen all the time.
var small = Options{RotateRows: 150, PackRows: 8, manifestRows: 40}

func opened(t *testing.T, dir string, opts Options) *Store {
	t.Helper()
	s, err := Open(context.Background(), dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// placed remembers the directory for opening it again.
type placed struct {
	*Store
	dir string
}

func TestLog(t *testing.T) {
	for name, opts := range map[string]Options{"Defaults": {}, "AlwaysPacking": small} {
		t.Run(name, func(t *testing.T) {
			enginetest.LogSuite(t,
				func(t *testing.T) enginetest.Inspector {
					dir := t.TempDir()
					return placed{opened(t, dir, opts), dir}
				},
				enginetest.Reopen(func(t *testing.T, l enginetest.Inspector) enginetest.Inspector {
					p := l.(placed)
					if err := p.Close(); err != nil {
						t.Fatal(err)
					}
					return placed{opened(t, p.dir, opts), p.dir}
				}),
			)
		})
	}
}

func TestAccounts(t *testing.T) {
	t.Run("Store", func(t *testing.T) {
		stafftest.StoreSuite(t, func(t *testing.T) staff.Store { return opened(t, t.TempDir(), Options{}) })
	})
	t.Run("Alone", func(t *testing.T) {
		stafftest.StoreSuite(t, func(t *testing.T) staff.Store { return beside(t, t.TempDir()) })
	})
	t.Run("Beside", func(t *testing.T) {
		stafftest.StoreSuite(t, func(t *testing.T) staff.Store {
			dir := t.TempDir()
			opened(t, dir, Options{})
			return beside(t, dir)
		})
	})
}

func beside(t *testing.T, dir string) *Shared {
	t.Helper()
	a, err := OpenShared(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return a
}
