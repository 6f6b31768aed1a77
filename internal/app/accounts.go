package app

import (
	"context"
	"errors"
	"os/user"

	"github.com/halley-chat/halley/internal/audit"
	"github.com/halley-chat/halley/internal/sqlite"
	"github.com/halley-chat/halley/internal/staff"
)

// HasData says whether a data directory holds anything yet.
func HasData(dir string) (bool, error) { return sqlite.Exists(dir) }

// WithDirectory opens the accounts in a data directory, beside a running
// server or without one, and hands them to do, with what puts an event into the
// audit log in the name of the [Operator].
func WithDirectory(ctx context.Context, dir string, do func(*staff.Directory, func(audit.Event) error) error) error {
	store, err := sqlite.OpenShared(ctx, dir)
	if err != nil {
		return err
	}
	d := staff.NewDirectory(store, staff.Options{Public: publicPasswords})
	err = d.Refresh(ctx)
	if err == nil {
		err = do(d, func(e audit.Event) error {
			e.Operator = Operator()
			return audit.Append(ctx, store.Audit(), e)
		})
	}
	return errors.Join(err, store.Close())
}

// Operator is the system's user who runs this command, for the audit log.
func Operator() string {
	u, err := user.Current()
	if err != nil {
		return "unknown"
	}
	if u.Username == "" {
		return u.Uid
	}
	return u.Username
}

// WithAudit opens the audit log in a data directory, beside a running server or
// without one, and hands it to do.
func WithAudit(ctx context.Context, dir string, do func(audit.Store) error) error {
	store, err := sqlite.OpenShared(ctx, dir)
	if err != nil {
		return err
	}
	return errors.Join(do(store.Audit()), store.Close())
}
