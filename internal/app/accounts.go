package app

import (
	"context"
	"errors"

	"github.com/halley-chat/halley/internal/sqlite"
	"github.com/halley-chat/halley/internal/staff"
)

// HasData says whether a data directory holds anything yet.
func HasData(dir string) (bool, error) { return sqlite.Exists(dir) }

// WithDirectory opens the accounts in a data directory, beside a running
// server or without one, and hands them to do.
func WithDirectory(ctx context.Context, dir string, do func(*staff.Directory) error) error {
	store, err := sqlite.OpenShared(ctx, dir)
	if err != nil {
		return err
	}
	d := staff.NewDirectory(store, staff.Options{})
	err = d.Refresh(ctx)
	if err == nil {
		err = do(d)
	}
	return errors.Join(err, store.Close())
}
