package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/staff"
)

// accounts is [staff.Store], given how to read and how to write.
type accounts struct {
	// Static after construction.
	pool   *sql.DB
	write  func(ctx context.Context, work func(*conn) error, after func()) error
	damage *damage
}

var _ staff.Store = accounts{}

// uniqueViolation is SQLite's extended code for a violated UNIQUE constraint.
const uniqueViolation = 2067

// CreateAccount is [staff.Store].
func (k accounts) CreateAccount(ctx context.Context, a staff.Account) (id chat.StaffID, err error) {
	err = k.write(ctx, func(c *conn) error {
		err := c.exec("INSERT INTO account (login, name, role, capacity, disabled, password) VALUES (?, ?, ?, ?, ?, ?)",
			a.Login, a.Name, string(a.Role), int64(a.Capacity), flag(a.Disabled), a.Password)
		if errorCode(err) == uniqueViolation {
			return staff.ErrExists
		}
		if err != nil {
			return err
		}
		return c.query("SELECT id FROM account WHERE login = ?", []any{a.Login}, func(v []driver.Value) error {
			id = chat.StaffID(v[0].(int64))
			return nil
		})
	}, nil)
	if err != nil {
		return 0, staffError(err)
	}
	return id, nil
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// UpdateAccount is [staff.Store].
func (k accounts) UpdateAccount(ctx context.Context, a staff.Account) error {
	return staffError(k.write(ctx, func(c *conn) error {
		done, err := c.run("UPDATE account SET name = ?, role = ?, capacity = ?, disabled = ?, password = ? WHERE id = ?",
			namedValues([]any{a.Name, string(a.Role), int64(a.Capacity), flag(a.Disabled), a.Password, int64(a.ID)}))
		if err != nil {
			return err
		}
		if n, err := done.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, staff.ErrNotFound)
		}
		return nil
	}, nil))
}

const selectAccount = "SELECT id, login, name, role, capacity, disabled, password FROM account "

type scanner interface{ Scan(dest ...any) error }

func scanAccount(row scanner) (a staff.Account, err error) {
	err = row.Scan(&a.ID, &a.Login, &a.Name, &a.Role, &a.Capacity, &a.Disabled, &a.Password)
	return a, staffError(err)
}

// staffError maps an error to those of the port.
func staffError(err error) error {
	switch {
	case err == nil || errors.Is(err, staff.ErrExists) || errors.Is(err, staff.ErrNotFound):
		return err
	case errors.Is(err, sql.ErrNoRows):
		return staff.ErrNotFound
	}
	return fmt.Errorf("sqlite: accounts: %w", err)
}

// Account is [staff.Store].
func (k accounts) Account(ctx context.Context, id chat.StaffID) (staff.Account, error) {
	return scanAccount(k.pool.QueryRowContext(ctx, selectAccount+"WHERE id = ?", int64(id)))
}

// AccountByLogin is [staff.Store].
func (k accounts) AccountByLogin(ctx context.Context, login string) (staff.Account, error) {
	return scanAccount(k.pool.QueryRowContext(ctx, selectAccount+"WHERE login = ?", login))
}

// Accounts is [staff.Store]. A row that is damaged is reported and left out, so
// that the others can sign in.
func (k accounts) Accounts(ctx context.Context) (all []staff.Account, err error) {
	rows, err := k.pool.QueryContext(ctx, selectAccount+"ORDER BY id")
	if err != nil {
		return nil, staffError(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id any
		a, err := scanAccount(rows)
		if err != nil {
			if rows.Scan(&id, new(any), new(any), new(any), new(any), new(any), new(any)) == nil {
				k.damage.report(fmt.Sprintf("account %v", id), err)
				continue
			}
			return nil, err
		}
		all = append(all, a)
	}
	return all, staffError(rows.Err())
}

// Version is [staff.Store]. It counts the changes of accounts in the database
// itself, so appends leave it as it is.
func (k accounts) Version(ctx context.Context) (n int64, err error) {
	err = k.pool.QueryRowContext(ctx, "SELECT n FROM account_version").Scan(&n)
	return n, staffError(err)
}
