package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"github.com/halley-chat/halley/internal/engine"
)

// SaveCheckpoint is [engine.Log]. It shares the next group's transaction.
func (s *Store) SaveCheckpoint(ctx context.Context, log engine.LogID, k engine.Checkpoint) error {
	body := k.Body
	if body == nil {
		body = []byte{} // nil would be NULL
	}
	return s.write(ctx, func(c *conn) error {
		return c.exec("INSERT OR REPLACE INTO checkpoint (kind, log, idx, body) VALUES (?, ?, ?, ?)",
			int64(log.Kind), log.ID, k.Index, body)
	}, nil)
}

// Checkpoint is [engine.Log].
func (s *Store) Checkpoint(ctx context.Context, log engine.LogID) (k engine.Checkpoint, err error) {
	if err := s.usable(ctx); err != nil {
		return k, err
	}
	switch err := s.stmts.checkpoint.QueryRowContext(ctx, int64(log.Kind), log.ID).Scan(&k.Index, &k.Body); {
	case errors.Is(err, sql.ErrNoRows):
		return engine.Checkpoint{}, nil
	case err != nil:
		return engine.Checkpoint{}, s.readError(ctx, err)
	}
	return k, nil
}
