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
		return c.exec("INSERT OR REPLACE INTO checkpoint (kind, log, idx, body, sum) VALUES (?, ?, ?, ?, ?)",
			int64(log.Kind), log.ID, k.Index, body, checkpointSum(log, k.Index, body))
	}, nil)
}

// Checkpoint is [engine.Log]. One that is damaged is reported and is as good as
// none, because the log says the same.
func (s *Store) Checkpoint(ctx context.Context, log engine.LogID) (k engine.Checkpoint, err error) {
	if err := s.usable(ctx); err != nil {
		return k, err
	}
	var index, body, sum any
	switch err := s.stmts.checkpoint.QueryRowContext(ctx, int64(log.Kind), log.ID).Scan(&index, &body, &sum); {
	case errors.Is(err, sql.ErrNoRows):
		return engine.Checkpoint{}, nil
	case err != nil:
		return engine.Checkpoint{}, s.readError(ctx, err)
	}
	if k, err = decodeCheckpoint(log, index, body, sum); err != nil {
		s.damage.report("checkpoint of "+logName(log), err)
		return engine.Checkpoint{}, nil
	}
	return k, nil
}

func decodeCheckpoint(log engine.LogID, index, body, sum any) (k engine.Checkpoint, err error) {
	n, ok := index.(int64)
	b, isBlob := body.([]byte)
	stored, isSum := storedSum(sum)
	if !ok || !isBlob || !isSum || !matches(stored, checkpointSum(log, n, b)) {
		return k, ErrDamaged
	}
	return engine.Checkpoint{Index: n, Body: b}, nil
}
