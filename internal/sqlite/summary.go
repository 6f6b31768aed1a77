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

// sum is the row's checksum.
func (s storedSummary) sum() int64 {
	return sumOf(s.body, int64(s.id), flag(s.live), s.deadline, s.ended)
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
	return c.exec(`INSERT INTO chat (id, live, deadline, ended, body, sum) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE
		SET live = excluded.live, deadline = excluded.deadline, ended = excluded.ended, body = excluded.body, sum = excluded.sum`,
		int64(s.id), flag(s.live), s.deadline, s.ended, s.body, s.sum())
}

// summaryColumns are what decodeSummary takes.
const summaryColumns = "id, live, deadline, ended, body, sum"

// decodeSummary checks and decodes a row. Its error wraps [ErrDamaged]; the id
// is good all the same, being the row's key.
func decodeSummary(v []any) (id chat.ID, s chat.Summary, err error) {
	n, ok := v[0].(int64)
	id = chat.ID(n)
	fail := func(why error) (chat.ID, chat.Summary, error) {
		return id, chat.Summary{}, fmt.Errorf("sqlite: summary of chat %v: %w", id, why)
	}
	live, isLive := v[1].(int64)
	deadline, isDeadline := v[2].(int64)
	ended, isEnded := v[3].(int64)
	body, isBody := v[4].([]byte)
	sum, isSum := storedSum(v[5])
	if !ok || !isLive || !isDeadline || !isEnded || !isBody || !isSum {
		return fail(fmt.Errorf("%w: a value has another type than its column", ErrDamaged))
	}
	row := storedSummary{id: id, live: live == 1, deadline: deadline, ended: ended, body: body}
	if !matches(sum, row.sum()) {
		return fail(fmt.Errorf("%w: its checksum differs", ErrDamaged))
	}
	if err := json.Unmarshal(body, &s); err != nil {
		return fail(fmt.Errorf("%w: %w", ErrDamaged, err))
	}
	if s.Chat != id {
		return fail(fmt.Errorf("%w: it is of another chat", ErrDamaged))
	}
	return id, s, nil
}

// summaryRow scans a row of [summaryColumns].
func summaryRow(row scanner) (values []any, err error) {
	values = make([]any, 6)
	into := make([]any, len(values))
	for i := range values {
		into[i] = &values[i]
	}
	return values, row.Scan(into...)
}

// Summary is [engine.Log]. The error of a row that is damaged wraps
// [ErrDamaged].
func (s *Store) Summary(ctx context.Context, id chat.ID) (chat.Summary, bool, error) {
	if err := s.usable(ctx); err != nil {
		return chat.Summary{}, false, err
	}
	row, err := summaryRow(s.stmts.summary.QueryRowContext(ctx, int64(id)))
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return chat.Summary{}, false, nil
	case err != nil:
		return chat.Summary{}, false, s.readError(ctx, err)
	}
	_, sum, err := decodeSummary(row)
	if err != nil {
		s.damage.report("summary of chat "+id.String(), err)
	}
	return sum, err == nil, err
}

// livePage is how many summaries are read at a time. Nothing is held open
// while they are looked at.
const livePage = 500

// Live is [engine.Log]. The order is that of the chats' ids. A chat whose
// summary changes meanwhile is shown as it was or as it is. A row that is
// damaged is reported and given as a summary with nothing but the id.
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
		row, err := summaryRow(rows)
		if err != nil {
			return nil, err
		}
		id, sum, err := decodeSummary(row)
		if err != nil {
			s.damage.report("summary of chat "+id.String(), err)
			sum = chat.Summary{Chat: id}
		}
		page = append(page, sum)
	}
	return page, rows.Err()
}
