package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/halley-chat/halley/internal/audit"
)

// Audit is the part of a database that holds the audit log ([audit.Store]).
type Audit struct {
	// Static after construction.
	pool  *sql.DB
	write func(ctx context.Context, work func(*conn) error, after func()) error
}

var _ audit.Store = Audit{}

// Audit is the audit log.
func (s *Store) Audit() Audit { return Audit{s.pool, s.write} }

// Audit is the audit log, to which a running server may append too.
func (a *Shared) Audit() Audit { return Audit{a.pool, a.writeShared} }

func auditError(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("sqlite: audit log: %w", err)
}

const selectAuditHead = "SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1"

// AppendAudit is [audit.Store]. The last entry is read in the transaction that
// appends, so that several processes continue one chain.
func (a Audit) AppendAudit(ctx context.Context, events [][]byte) (head audit.Head, err error) {
	err = a.write(ctx, func(c *conn) error {
		head = audit.Head{}
		err := c.query(selectAuditHead, nil, func(v []driver.Value) error {
			number, ok := v[0].(int64)
			hash, good := v[1].([]byte)
			if !ok || !good || len(hash) != len(head.Hash) {
				return errors.New("the last entry has no hash")
			}
			head.Number = number
			copy(head.Hash[:], hash)
			return nil
		})
		for _, body := range events {
			if err != nil {
				return err
			}
			head.Number++
			head.Hash = audit.Next(head.Hash, head.Number, body)
			err = c.exec("INSERT INTO audit (id, body, hash) VALUES (?, ?, ?)", head.Number, body, head.Hash[:])
		}
		return err
	}, nil)
	return head, auditError(err)
}

// AuditEntries is [audit.Store].
func (a Audit) AuditEntries(ctx context.Context, after int64, limit int) (list []audit.Entry, err error) {
	rows, err := a.pool.QueryContext(ctx, "SELECT id, body, hash FROM audit WHERE id > ? ORDER BY id LIMIT ?", after, limit)
	if err != nil {
		return nil, auditError(err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var e audit.Entry
		var hash []byte
		if err := rows.Scan(&e.Number, &e.Body, &hash); err != nil {
			return nil, auditError(err)
		}
		copy(e.Hash[:], hash)
		list = append(list, e)
	}
	return list, auditError(rows.Err())
}

// AuditHead is [audit.Store].
func (a Audit) AuditHead(ctx context.Context) (head audit.Head, err error) {
	var hash []byte
	switch err := a.pool.QueryRowContext(ctx, selectAuditHead).Scan(&head.Number, &hash); {
	case errors.Is(err, sql.ErrNoRows):
		return audit.Head{}, nil
	case err != nil:
		return audit.Head{}, auditError(err)
	}
	copy(head.Hash[:], hash)
	return head, nil
}
