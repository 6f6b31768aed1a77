package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/halley-chat/halley/internal/chat"
)

// storedSummary is a summary row. It is encoded by the goroutine that
// appends, to keep the writer free.
type storedSummary struct {
	id              chat.ID
	live            bool
	deadline, ended int64
	body            []byte
}

func encodeSummary(s chat.Summary) (storedSummary, error) {
	body, err := json.Marshal(s)
	if err != nil {
		return storedSummary{}, fmt.Errorf("sqlite: encode a summary: %w", err)
	}
	return storedSummary{
		id: s.Chat, live: s.Phase != chat.PhaseEnded,
		deadline: millis(s.Deadline), ended: millis(s.Ended), body: body,
	}, nil
}

// millis is a moment as it is stored; 0 is the zero time.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func (s storedSummary) write(c *conn) error {
	live := int64(0)
	if s.live {
		live = 1
	}
	return c.exec(`INSERT INTO chat (id, live, deadline, ended, body) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET live = excluded.live, deadline = excluded.deadline, ended = excluded.ended, body = excluded.body`,
		int64(s.id), live, s.deadline, s.ended, s.body)
}

func decodeSummary(id int64, body []byte) (s chat.Summary, err error) {
	if err := json.Unmarshal(body, &s); err != nil {
		return s, fmt.Errorf("sqlite: decode the summary of chat %v: %w", chat.ID(id), err)
	}
	return s, nil
}

// Summary is [engine.Log].
func (s *Store) Summary(ctx context.Context, id chat.ID) (chat.Summary, bool, error) {
	if err := s.usable(ctx); err != nil {
		return chat.Summary{}, false, err
	}
	var body []byte
	switch err := s.stmts.summary.QueryRowContext(ctx, int64(id)).Scan(&body); {
	case errors.Is(err, sql.ErrNoRows):
		return chat.Summary{}, false, nil
	case err != nil:
		return chat.Summary{}, false, s.readError(ctx, err)
	}
	sum, err := decodeSummary(int64(id), body)
	return sum, err == nil, err
}

// livePage is how many summaries are read at a time. Nothing is held open
// while they are looked at.
const livePage = 500

// Live is [engine.Log]. The order is that of the chats' ids. A chat whose
// summary changes meanwhile is shown as it was or as it is.
func (s *Store) Live(ctx context.Context, yield func(chat.Summary) bool) error {
	if err := s.usable(ctx); err != nil {
		return err
	}
	for after := int64(-1); ; {
		page, err := s.livePage(ctx, after)
		if err != nil {
			return s.readError(ctx, err)
		}
		for _, sum := range page {
			if !yield(sum) {
				return nil
			}
		}
		if len(page) < livePage {
			return nil
		}
		after = int64(page[livePage-1].Chat)
	}
}

func (s *Store) livePage(ctx context.Context, after int64) ([]chat.Summary, error) {
	rows, err := s.stmts.live.QueryContext(ctx, after, livePage)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var page []chat.Summary
	for rows.Next() {
		var id int64
		var body []byte
		if err := rows.Scan(&id, &body); err != nil {
			return nil, err
		}
		sum, err := decodeSummary(id, body)
		if err != nil {
			return nil, err
		}
		page = append(page, sum)
	}
	return page, rows.Err()
}
