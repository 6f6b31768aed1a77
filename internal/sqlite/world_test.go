package sqlite

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
)

var noon = time.Date(2026, 11, 5, 12, 0, 0, 0, time.UTC)

// entryOf is the record that stands at an index of a log in these tests: it
// follows from the two.
func entryOf(log engine.LogID, index int64) engine.Record {
	return engine.Record{
		Index: index, At: noon.Add(time.Duration(index) * time.Second),
		Body: fmt.Appendf(nil, "%d/%d #%d %x", log.Kind, log.ID, index, log.ID*index*2654435761),
	}
}

// growth is an append of n records to a log that has some, with a summary if
// it is a chat's.
func growth(log engine.LogID, after int64, n int, phase chat.Phase) engine.Append {
	a := engine.Append{Log: log, Expect: after}
	for i := range int64(n) {
		a.Records = append(a.Records, entryOf(log, after+i+1))
	}
	if log.Kind == engine.ChatKind && phase != chat.PhaseNone {
		a.Summary = &chat.Summary{Chat: chat.ID(log.ID), Phase: phase, Opened: noon}
	}
	return a
}

func grow(t *testing.T, s *Store, log engine.LogID, after int64, n int, phase chat.Phase) {
	t.Helper()
	if _, err := s.Append(context.Background(), growth(log, after, n, phase)); err != nil {
		t.Fatalf("append to %v at %d: %v", log, after, err)
	}
}

// whole fails the test unless a log consists of its first records, at least
// as many as given. It returns how many there are.
func whole(t *testing.T, s *Store, log engine.LogID, atLeast int64) int64 {
	t.Helper()
	last := func() int64 {
		n, err := s.Last(context.Background(), log)
		if err != nil {
			t.Errorf("last of %v: %v", log, err)
		}
		return n
	}
	before := last() // somebody may be appending
	records, err := s.Read(context.Background(), log, 1, 100_000)
	if err != nil {
		t.Errorf("read %v: %v", log, err)
	}
	if n := int64(len(records)); n < atLeast || n < before || n > last() {
		t.Errorf("log %v has %d records, and says that its last one is %d, or %d later; want %d or more", log, n, before, last(), atLeast)
	}
	for i, r := range records {
		want := entryOf(log, int64(i)+1)
		if r.Index != want.Index || !r.At.Equal(want.At) || string(r.Body) != string(want.Body) {
			t.Errorf("record %d of log %v is %d %v %q, want %v %q", i+1, log, r.Index, r.At, r.Body, want.At, want.Body)
			break
		}
	}
	return int64(len(records))
}

// settled waits until all that has been proposed is packed, and no rotation is
// due.
func settled(t *testing.T, s *Store) {
	t.Helper()
	eventually(t, "the packer rests", func() bool {
		s.positions.mu.RLock()
		defer s.positions.mu.RUnlock()
		for _, at := range s.positions.logs {
			if at.due {
				return false
			}
		}
		return s.positions.next-s.positions.currentFrom < int64(s.opts.RotateRows)
	})
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited too long until %s", what)
		}
	}
}

// number is the answer to a query for one number.
func number(t *testing.T, s *Store, query string, args ...any) (n int64) {
	t.Helper()
	if err := s.pool.QueryRow(query, args...).Scan(&n); err != nil {
		t.Fatalf("query %s: got %v, want a number", query, err)
	}
	return n
}

// snapshot copies the files of a database as a crash would leave them. Nobody
// must be writing.
func snapshot(from, to string) error {
	if err := os.MkdirAll(to, 0o700); err != nil {
		return err
	}
	for _, name := range []string{fileName, fileName + "-wal"} {
		if err := copyFile(filepath.Join(from, name), filepath.Join(to, name)); err != nil {
			return err
		}
	}
	return nil
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	return out.Close()
}
