package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/halley-chat/halley/internal/engine"
)

// rowBatches are the numbers of rows that one statement looks up.
var rowBatches = [...]int{1, 4, 16, 32, 64, 256}

// readers is how many connections read.
const readers = 4

// reads are the prepared statements of the readers' pool.
type readStmts struct {
	rows       [2][len(rowBatches)]*sql.Stmt
	chunks     *sql.Stmt
	packedLast *sql.Stmt
	checkpoint *sql.Stmt
	summary    *sql.Stmt
	live       *sql.Stmt
	all        []*sql.Stmt
}

func openPool(path string, size int) (*sql.DB, error) {
	pool, err := sql.Open("sqlite", dsn(path, true))
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(size)
	pool.SetMaxIdleConns(size)
	return pool, nil
}

func openReads(ctx context.Context, path string) (*sql.DB, *readStmts, error) {
	pool, err := openPool(path, readers)
	if err != nil {
		return nil, nil, err
	}
	r := &readStmts{}
	var errs []error
	prepare := func(query string) *sql.Stmt {
		stmt, err := pool.PrepareContext(ctx, query)
		if err != nil {
			errs = append(errs, err)
			return nil
		}
		r.all = append(r.all, stmt)
		return stmt
	}
	for table := range r.rows {
		for i, n := range rowBatches {
			marks := strings.TrimSuffix(strings.Repeat("?, ", n), ", ")
			r.rows[table][i] = prepare(fmt.Sprintf("SELECT idx, ts, body, sum FROM log%d WHERE id IN (%s) ORDER BY id", table, marks))
		}
	}
	r.chunks = prepare(`SELECT idx, n, body FROM chunk WHERE kind = ?1 AND log = ?2
		AND idx >= coalesce((SELECT max(idx) FROM chunk WHERE kind = ?1 AND log = ?2 AND idx <= ?3), 0) ORDER BY idx`)
	r.packedLast = prepare("SELECT idx + n - 1 FROM chunk WHERE kind = ? AND log = ? ORDER BY idx DESC LIMIT 1")
	r.checkpoint = prepare("SELECT idx, body, sum FROM checkpoint WHERE kind = ? AND log = ?")
	r.summary = prepare("SELECT " + summaryColumns + " FROM chat WHERE id = ?")
	r.live = prepare("SELECT " + summaryColumns + " FROM chat WHERE live = 1 AND id > ? ORDER BY id LIMIT ?")
	if err := errors.Join(errs...); err != nil {
		return nil, nil, errors.Join(err, r.close(), pool.Close())
	}
	return pool, r, nil
}

func (r *readStmts) close() error {
	var errs []error
	for _, stmt := range r.all {
		errs = append(errs, stmt.Close())
	}
	return errors.Join(errs...)
}

// Last is the index of a log's last record; 0 if there is none.
func (s *Store) Last(ctx context.Context, log engine.LogID) (int64, error) {
	if err := s.usable(ctx); err != nil {
		return 0, err
	}
	if n, ok := s.positions.last(log); ok {
		return n, nil
	}
	n, err := s.packedLast(ctx, log)
	if err != nil {
		return 0, s.readError(ctx, err)
	}
	return n, nil
}

// packedLast is the index of the last packed record of a log; 0 if there is none.
func (s *Store) packedLast(ctx context.Context, log engine.LogID) (n int64, err error) {
	err = s.stmts.packedLast.QueryRowContext(ctx, int64(log.Kind), log.ID).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return n, err
}

// readAttempts bounds how often a read retries because rows were packed and
// deleted meanwhile. Each retry takes a whole rotation to become necessary.
const readAttempts = 5

// Read is [engine.Log]. Its error wraps [ErrDamaged] if one of the records is
// damaged or missing.
func (s *Store) Read(ctx context.Context, log engine.LogID, from int64, limit int) ([]engine.Record, error) {
	if err := s.usable(ctx); err != nil {
		return nil, err
	}
	if limit <= 0 {
		return nil, nil
	}
	from = max(from, 1)
	for range readAttempts {
		records, whole, err := s.readOnce(ctx, log, from, limit)
		switch {
		case errors.Is(err, ErrDamaged):
			s.damage.report(logName(log), err)
			return nil, s.readError(ctx, fmt.Errorf("%s: %w", logName(log), err))
		case err != nil:
			return nil, s.readError(ctx, err)
		case whole:
			return records, nil
		}
	}
	err := fmt.Errorf("%w: records from %d on are missing", ErrDamaged, from)
	s.damage.report(logName(log), err)
	return nil, s.readError(ctx, fmt.Errorf("%s: %w", logName(log), err))
}

// readOnce reads the position first and the database after it. A row that the
// position names is then either there or was packed and deleted since: then whole
// is false, and a retry finds the record in a chunk.
func (s *Store) readOnce(ctx context.Context, log engine.LogID, from int64, limit int) (records []engine.Record, whole bool, err error) {
	at := s.positions.from(log, from, limit)
	if !at.known || from < at.first {
		if records, err = s.readChunks(ctx, log, from, limit); err != nil || !at.known {
			return records, err == nil, err
		}
	}
	next := from + int64(len(records))
	if next < at.first && len(records) < limit {
		return nil, false, nil
	}
	if skip := next - at.first; len(records) < limit && skip < int64(len(at.rows)) {
		at.first, at.rows = next, at.rows[skip:]
		at.rows = at.rows[:min(len(at.rows), limit-len(records))]
		return s.readRows(ctx, log, at, records)
	}
	return records, true, nil
}

// readChunks reads packed records from an index on.
func (s *Store) readChunks(ctx context.Context, log engine.LogID, from int64, limit int) (records []engine.Record, err error) {
	rows, err := s.stmts.chunks.QueryContext(ctx, int64(log.Kind), log.ID, from)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for len(records) < limit && rows.Next() {
		var c chunk
		if err := rows.Scan(&c.first, &c.n, &c.body); err != nil {
			return nil, fmt.Errorf("%w: a chunk: %w", ErrDamaged, err)
		}
		next := from + int64(len(records))
		if c.first+c.n <= next {
			continue
		}
		unpacked, err := s.codec.unpack(log, c)
		if err != nil {
			return nil, fmt.Errorf("records from %d on: %w", c.first, err)
		}
		if c.first > next {
			return nil, fmt.Errorf("%w: no record %d is packed, but %d is", ErrDamaged, next, c.first)
		}
		unpacked = unpacked[next-c.first:]
		for _, r := range unpacked[:min(len(unpacked), limit-len(records))] {
			if !r.good(log) {
				return nil, fmt.Errorf("%w: record %d", ErrDamaged, r.Index)
			}
			records = append(records, r.Record)
		}
	}
	return records, rows.Err()
}

// readRows appends the records of a range. whole is false if one of its rows is
// gone.
func (s *Store) readRows(ctx context.Context, log engine.LogID, at rowRange, records []engine.Record) (_ []engine.Record, whole bool, err error) {
	next := at.first
	for ids := at.rows; len(ids) > 0; {
		table, n := at.table(ids[0]), 1
		for n < len(ids) && n < rowBatches[len(rowBatches)-1] && at.table(ids[n]) == table {
			n++
		}
		if records, err = s.lookUp(ctx, log, table, ids[:n], records); err != nil {
			return nil, false, err
		}
		ids = ids[n:]
	}
	for _, r := range records[len(records)-min(len(at.rows), len(records)):] {
		if r.Index != next {
			return nil, false, nil
		}
		next++
	}
	return records, next == at.first+int64(len(at.rows)), nil
}

// lookUp appends the records of a log that stand in some rows of a table.
func (s *Store) lookUp(ctx context.Context, log engine.LogID, table int, ids []int64, records []engine.Record) ([]engine.Record, error) {
	size := 0
	for rowBatches[size] < len(ids) {
		size++
	}
	args := make([]any, rowBatches[size])
	for i := range args {
		args[i] = ids[min(i, len(ids)-1)] // the last one fills the places that are left
	}
	rows, err := s.stmts.rows[table][size].QueryContext(ctx, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		r := stored{sum: noSum}
		var ms int64
		var sum sql.NullInt64
		if err := rows.Scan(&r.Index, &ms, &r.Body, &sum); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		if r.At = time.UnixMilli(ms).UTC(); sum.Valid {
			r.sum = sum.Int64
		}
		if !r.good(log) {
			return nil, fmt.Errorf("%w: the checksum of record %d differs", ErrDamaged, r.Index)
		}
		records = append(records, r.Record)
	}
	return records, rows.Err()
}

// salvage lists the records from one index to another as they stand in the log
// tables, damaged or not. Those that are missing or have no time and body are
// given without, and with a checksum that matches nothing.
func (s *Store) salvage(ctx context.Context, log engine.LogID, from, to int64) ([]stored, error) {
	list := make([]stored, 0, to-from+1)
	at := s.positions.from(log, from, int(to-from+1))
	for index := from; index <= to; index++ {
		r := stored{engine.Record{Index: index}, lostSum}
		if i := index - at.first; at.known && i >= 0 && i < int64(len(at.rows)) {
			row := at.rows[i]
			var ts, body, sum any
			query := fmt.Sprintf("SELECT ts, body, sum FROM log%d WHERE id = ?", at.table(row))
			err := s.pool.QueryRowContext(ctx, query, row).Scan(&ts, &body, &sum)
			if err != nil && !errors.Is(err, sql.ErrNoRows) {
				return nil, err
			}
			ms, isTime := ts.(int64)
			b, isBody := body.([]byte)
			if known, isSum := storedSum(sum); isTime && isBody && isSum {
				r = stored{engine.Record{Index: index, At: time.UnixMilli(ms).UTC(), Body: b}, known}
			}
		}
		list = append(list, r)
	}
	return list, nil
}
