package sqlite

import (
	"context"
	"time"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/staff"
)

// CreateSession is [staff.Store].
func (k accounts) CreateSession(ctx context.Context, s staff.Session) error {
	return staffError(k.write(ctx, func(c *conn) error {
		return c.exec("INSERT OR REPLACE INTO session (token, staff, created, expires) VALUES (?, ?, ?, ?)",
			s.TokenHash[:], int64(s.Staff), s.Created.UnixMilli(), s.Expires.UnixMilli())
	}, nil))
}

// Session is [staff.Store].
func (k accounts) Session(ctx context.Context, tokenHash [32]byte) (staff.Session, error) {
	var created, expires int64
	s := staff.Session{TokenHash: tokenHash}
	err := k.pool.QueryRowContext(ctx, "SELECT staff, created, expires FROM session WHERE token = ?", tokenHash[:]).
		Scan(&s.Staff, &created, &expires)
	if err != nil {
		return staff.Session{}, staffError(err)
	}
	s.Created, s.Expires = time.UnixMilli(created).UTC(), time.UnixMilli(expires).UTC()
	return s, nil
}

// DeleteSession is [staff.Store].
func (k accounts) DeleteSession(ctx context.Context, tokenHash [32]byte) error {
	return staffError(k.write(ctx, func(c *conn) error {
		return c.exec("DELETE FROM session WHERE token = ?", tokenHash[:])
	}, nil))
}

// LiveSessions is [staff.Store].
func (k accounts) LiveSessions(ctx context.Context, id chat.StaffID, now time.Time) (n int, err error) {
	err = k.pool.QueryRowContext(ctx, "SELECT COUNT(*) FROM session WHERE staff = ? AND expires > ?", int64(id), now.UnixMilli()).Scan(&n)
	return n, staffError(err)
}

// DeleteSessions is [staff.Store].
func (k accounts) DeleteSessions(ctx context.Context, id chat.StaffID, expiredBefore time.Time) error {
	return staffError(k.write(ctx, func(c *conn) error {
		if id != 0 {
			return c.exec("DELETE FROM session WHERE staff = ?", int64(id))
		}
		return c.exec("DELETE FROM session WHERE expires < ?", expiredBefore.UnixMilli())
	}, nil))
}
