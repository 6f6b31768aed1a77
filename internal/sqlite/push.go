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
	pool   *sql.DB
	write  func(ctx context.Context, work func(*conn) error, after func()) error
	damage *damage
}

var _ push.Store = Pushes{}

// Pushes is how far events have been pushed.
func (s *Store) Pushes() Pushes { return Pushes{s.pool, s.write, s.damage} }

// Pushes is how far events have been pushed, as a running server keeps it.
func (a *Shared) Pushes() Pushes { return Pushes{a.pool, a.writeShared, a.accounts.damage} }

func pushError(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("sqlite: pushes: %w", err)
}

// Track is [push.Store].
func (p Pushes) Track(ctx context.Context, ids []chat.ID) error {
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
			p.damage.report(fmt.Sprintf("push cursor of chat %v", chat.ID(id)), err)
			continue
		}
		all[chat.ID(id)] = done
	}
	return all, pushError(rows.Err())
}

// Advance is [push.Store].
func (p Pushes) Advance(ctx context.Context, id chat.ID, done int64, dead *push.DeadLetter) error {
	return pushError(p.write(ctx, func(c *conn) error {
		err := c.exec("INSERT INTO push_cursor (chat, done) VALUES (?, ?) ON CONFLICT DO UPDATE SET done = max(done, excluded.done)", int64(id), done)
		if err != nil || dead == nil {
			return err
		}
		err = c.exec("INSERT INTO push_dead (chat, idx, type, carrier, reason, attempts, ts) VALUES (?, ?, ?, ?, ?, ?, ?)",
			int64(dead.Chat), dead.Index, dead.Type, string(dead.Carrier), dead.Reason, int64(dead.Attempts), dead.At.UnixMilli())
		if err == nil {
			err = c.exec("DELETE FROM push_dead WHERE ts < ? AND asked = 0", dead.At.Add(-push.MaxDeadTime).UnixMilli())
		}
		if err == nil {
			err = c.exec("DELETE FROM push_dead WHERE id <= (SELECT max(id) FROM push_dead) - ? AND asked = 0", int64(push.MaxDead))
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
func (p Pushes) DeadLetters(ctx context.Context, limit int) ([]push.DeadLetter, error) {
	return p.dead(ctx, "ORDER BY id DESC LIMIT ?", limit)
}

// dead lists the dead letters that the end of a query says.
func (p Pushes) dead(ctx context.Context, end string, args ...any) (list []push.DeadLetter, err error) {
	rows, err := p.pool.QueryContext(ctx, "SELECT id, chat, idx, type, carrier, reason, attempts, ts, asked FROM push_dead "+end, args...)
	if err != nil {
		return nil, pushError(err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var d push.DeadLetter
		var id, at, asked int64
		if err := rows.Scan(&d.ID, &id, &d.Index, &d.Type, &d.Carrier, &d.Reason, &d.Attempts, &at, &asked); err != nil {
			p.damage.report(fmt.Sprintf("dead letter %d", d.ID), err)
			continue
		}
		d.Chat, d.At = chat.ID(id), time.UnixMilli(at).UTC()
		if asked != 0 {
			d.Asked = time.UnixMilli(asked).UTC()
		}
		list = append(list, d)
	}
	return list, pushError(rows.Err())
}

// Purge is [push.Store].
func (p Pushes) Purge(ctx context.Context, ids ...int64) (int, error) {
	return p.each(ctx, ids, "DELETE FROM push_dead")
}

// each does something to the dead letters with such ids, or to all if there are
// none, and counts them.
func (p Pushes) each(ctx context.Context, ids []int64, query string, args ...any) (n int, err error) {
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
			return count(c.run(query, namedValues(args)))
		}
		for _, id := range ids {
			if err := count(c.run(query+" WHERE id = ?", namedValues(append(args[:len(args):len(args)], id)))); err != nil {
				return err
			}
		}
		return nil
	}, nil)
	return n, pushError(err)
}

// RequestRetry is [push.Store].
func (p Pushes) RequestRetry(ctx context.Context, at time.Time, ids ...int64) (int, error) {
	return p.each(ctx, ids, "UPDATE push_dead SET asked = CASE asked WHEN 0 THEN ? ELSE asked END", at.UnixMilli())
}

// Asked is [push.Store].
func (p Pushes) RetryRequested(ctx context.Context) ([]push.DeadLetter, error) {
	return p.dead(ctx, "WHERE asked <> 0 ORDER BY id")
}

// ResolveRetry is [push.Store].
func (p Pushes) ResolveRetry(ctx context.Context, id int64, dead *push.DeadLetter) error {
	return pushError(p.write(ctx, func(c *conn) error {
		if dead == nil {
			return c.exec("DELETE FROM push_dead WHERE id = ?", id)
		}
		return c.exec("UPDATE push_dead SET carrier = ?, reason = ?, attempts = ?, ts = ?, asked = 0 WHERE id = ?",
			string(dead.Carrier), dead.Reason, int64(dead.Attempts), dead.At.UnixMilli(), id)
	}, nil))
}
