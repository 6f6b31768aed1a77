package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/push"
)

// Pushes is the part of a database that knows how far events have been pushed
// to devices ([push.Store]).
type Pushes struct {
	// Static after construction.
	pool  *sql.DB
	write func(ctx context.Context, work func(*conn) error, after func()) error
}

var _ push.Store = Pushes{}

// Pushes is how far events have been pushed.
func (s *Store) Pushes() Pushes { return Pushes{s.pool, s.write} }

// Pushes is how far events have been pushed, as a running server keeps it.
func (a *Accounts) Pushes() Pushes { return Pushes{a.pool, a.writeBeside} }

func pushError(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("sqlite: pushes: %w", err)
}

// Enroll is [push.Store].
func (p Pushes) Enroll(ctx context.Context, ids []chat.ID) error {
	return pushError(p.write(ctx, func(c *conn) error {
		for _, id := range ids {
			if err := c.exec("INSERT INTO push_cursor (chat, done) VALUES (?, 0) ON CONFLICT DO NOTHING", int64(id)); err != nil {
				return err
			}
		}
		return nil
	}, nil))
}

// Cursors is [push.Store].
func (p Pushes) Cursors(ctx context.Context) (_ map[chat.ID]int64, err error) {
	rows, err := p.pool.QueryContext(ctx, "SELECT chat, done FROM push_cursor")
	if err != nil {
		return nil, pushError(err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	all := make(map[chat.ID]int64)
	for rows.Next() {
		var id, done int64
		if err := rows.Scan(&id, &done); err != nil {
			return nil, pushError(err)
		}
		all[chat.ID(id)] = done
	}
	return all, pushError(rows.Err())
}

// Advance is [push.Store].
func (p Pushes) Advance(ctx context.Context, id chat.ID, done int64, dead *push.Dead) error {
	return pushError(p.write(ctx, func(c *conn) error {
		err := c.exec("INSERT INTO push_cursor (chat, done) VALUES (?, ?) ON CONFLICT DO UPDATE SET done = max(done, excluded.done)", int64(id), done)
		if err != nil || dead == nil {
			return err
		}
		err = c.exec("INSERT INTO push_dead (chat, idx, type, carrier, reason, attempts, ts) VALUES (?, ?, ?, ?, ?, ?, ?)",
			int64(dead.Chat), dead.Index, dead.Type, string(dead.Carrier), dead.Reason, int64(dead.Attempts), dead.At.UnixMilli())
		if err == nil {
			err = c.exec("DELETE FROM push_dead WHERE ts < ?", dead.At.Add(-push.MaxDeadTime).UnixMilli())
		}
		if err == nil {
			err = c.exec("DELETE FROM push_dead WHERE id <= (SELECT max(id) FROM push_dead) - ?", int64(push.MaxDead))
		}
		return err
	}, nil))
}

// Forget is [push.Store].
func (p Pushes) Forget(ctx context.Context, id chat.ID) error {
	return pushError(p.write(ctx, func(c *conn) error {
		return c.exec("DELETE FROM push_cursor WHERE chat = ?", int64(id))
	}, nil))
}

// DeadLetters is [push.Store].
func (p Pushes) DeadLetters(ctx context.Context, limit int) (list []push.Dead, err error) {
	rows, err := p.pool.QueryContext(ctx, "SELECT id, chat, idx, type, carrier, reason, attempts, ts FROM push_dead ORDER BY id DESC LIMIT ?", limit)
	if err != nil {
		return nil, pushError(err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var d push.Dead
		var id, at int64
		if err := rows.Scan(&d.ID, &id, &d.Index, &d.Type, &d.Carrier, &d.Reason, &d.Attempts, &at); err != nil {
			return nil, pushError(err)
		}
		d.Chat, d.At = chat.ID(id), time.UnixMilli(at).UTC()
		list = append(list, d)
	}
	return list, pushError(rows.Err())
}

// Bury is [push.Store].
func (p Pushes) Bury(ctx context.Context, ids ...int64) (n int, err error) {
	err = p.write(ctx, func(c *conn) error {
		n = 0
		count := func(done driver.Result, err error) error {
			if err != nil {
				return err
			}
			k, err := done.RowsAffected()
			n += int(k)
			return err
		}
		if len(ids) == 0 {
			return count(c.run("DELETE FROM push_dead", nil))
		}
		for _, id := range ids {
			if err := count(c.run("DELETE FROM push_dead WHERE id = ?", named([]any{id}))); err != nil {
				return err
			}
		}
		return nil
	}, nil)
	return n, pushError(err)
}
