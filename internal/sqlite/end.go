package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"github.com/halley-chat/halley/internal/chat"
)

// End is an operator's request to end a chat.
type End struct {
	ID       int64 // given by the store
	Chat     chat.ID
	Reason   string // for the audit log
	Operator string // the system's user
	At       time.Time
}

// Ends are the requests to end chats, made by a command and carried out by the
// server that has the database open.
type Ends struct {
	// Static after construction.
	pool  *sql.DB
	write func(ctx context.Context, work func(*conn) error, after func()) error
}

// Ends are the requests to end chats.
func (s *Store) Ends() Ends { return Ends{s.pool, s.write} }

// Ends are the requests to end chats.
func (a *Shared) Ends() Ends { return Ends{a.pool, a.writeShared} }

// keptOutcomes is how long it is kept what came of a request.
const keptOutcomes = 30 * 24 * time.Hour

func endsError(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("sqlite: requests to end chats: %w", err)
}

// Request adds a request and returns its number.
func (e Ends) Request(ctx context.Context, r End) (id int64, err error) {
	err = e.write(ctx, func(c *conn) error {
		err := c.exec("INSERT INTO chat_end (chat, reason, operator, ts) VALUES (?, ?, ?, ?)", int64(r.Chat), r.Reason, r.Operator, r.At.UnixMilli())
		if err == nil {
			err = c.query("SELECT last_insert_rowid()", nil, func(v []driver.Value) error {
				n, err := integers(v)
				if err == nil {
					id = n[0]
				}
				return err
			})
		}
		return err
	}, nil)
	return id, endsError(err)
}

// Open lists at most limit requests that nobody has carried out yet.
func (e Ends) Open(ctx context.Context, limit int) (list []End, err error) {
	rows, err := e.pool.QueryContext(ctx, "SELECT id, chat, reason, operator, ts FROM chat_end WHERE outcome = '' ORDER BY id LIMIT ?", limit)
	if err != nil {
		return nil, endsError(err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var r End
		var id, at int64
		if err := rows.Scan(&r.ID, &id, &r.Reason, &r.Operator, &at); err != nil {
			return nil, endsError(err)
		}
		r.Chat, r.At = chat.ID(id), time.UnixMilli(at).UTC()
		list = append(list, r)
	}
	return list, endsError(rows.Err())
}

// Finish writes down what came of a request, and forgets others that were
// finished long ago.
func (e Ends) Finish(ctx context.Context, id int64, outcome string, now time.Time) error {
	return endsError(e.write(ctx, func(c *conn) error {
		if err := c.exec("UPDATE chat_end SET outcome = ? WHERE id = ?", outcome, id); err != nil {
			return err
		}
		return c.exec("DELETE FROM chat_end WHERE outcome <> '' AND ts < ?", now.Add(-keptOutcomes).UnixMilli())
	}, nil))
}

// Outcome is what came of a request; empty if it has not been carried out.
func (e Ends) Outcome(ctx context.Context, id int64) (outcome string, err error) {
	err = e.pool.QueryRowContext(ctx, "SELECT outcome FROM chat_end WHERE id = ?", id).Scan(&outcome)
	return outcome, endsError(err)
}
