package sqlite

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
)

// TestEndedChatIsOneChunk ends a chat that has been packed in parts: it
// becomes one row, and memory forgets it.
func TestEndedChatIsOneChunk(t *testing.T) {
	s := opened(t, t.TempDir(), Options{PackRows: 8})
	log := engine.ChatLog(1)
	for n := int64(0); n < 40; n += 4 {
		grow(t, s, log, n, 4, chat.PhaseActive)
		settled(t, s)
	}
	const rows = "SELECT count(*) FROM chunk WHERE kind = 1 AND log = 1"
	if n := number(t, s, rows); n < 4 {
		t.Errorf("a live chat of 40 records has %d chunks, want some", n)
	}
	grow(t, s, log, 40, 1, chat.PhaseEnded)
	settled(t, s)
	if n := number(t, s, rows); n != 1 {
		t.Errorf("the ended chat has %d chunks, want 1", n)
	}
	if n := number(t, s, "SELECT idx * 1000 + n FROM chunk WHERE kind = 1 AND log = 1"); n != 1041 {
		t.Errorf("its chunk holds %d (index * 1000 + number), want 1041", n)
	}
	if _, known := s.positions.last(log); known {
		t.Error("memory still has a position of the packed chat")
	}
	whole(t, s, log, 41)
}

// TestRotation fills the log tables several times over. The older one is
// emptied each time, and memory holds no more than both of them.
func TestRotation(t *testing.T) {
	opts := Options{RotateRows: 100, PackRows: 64, manifestRows: 30}
	s := opened(t, t.TempDir(), opts)
	var logs []engine.LogID
	swaps, table := 0, s.positions.table()
	for i := range 60 {
		log := engine.ChatLog(chat.ID(i + 1))
		logs = append(logs, log)
		grow(t, s, log, 0, 10, chat.PhaseActive) // stays live, and is not long enough to be packed for that
		settled(t, s)
		if now := s.positions.table(); now != table {
			swaps, table = swaps+1, now
		}
		if n := number(t, s, "SELECT (SELECT count(*) FROM log0) + (SELECT count(*) FROM log1)"); n > 220 {
			t.Fatalf("the log tables hold %d rows, want about 200 at most", n)
		}
		if n := number(t, s, "SELECT coalesce(sum(n), 0) FROM roster"); n > 300 {
			t.Fatalf("the manifest speaks of %d rows, want about 200 at most", n)
		}
	}
	if swaps != 6 {
		t.Errorf("600 rows with rotations at 100 made %d swaps, want 6", swaps)
	}
	if err := s.write(context.Background(), s.packer.empty, nil); err == nil {
		t.Error("a table is emptied that holds what is not packed")
	}
	for _, log := range logs {
		whole(t, s, log, 10)
	}
	if n := len(s.positions.logs); n > 22 {
		t.Errorf("memory has positions of %d logs of 60, want those of the last 200 rows", n)
	}
}

// TestProposedTwice checks that a log is packed once in a transaction, however
// often it was proposed.
func TestProposedTwice(t *testing.T) {
	p := newPacker(opened(t, t.TempDir(), Options{}))
	a, b := engine.ChatLog(1), engine.ChatLog(2)
	p.propose([]engine.LogID{b, a, b, b})
	if got := p.more(a); !slices.Equal(got, []engine.LogID{a, b}) {
		t.Errorf("the proposals make %v, want each log once", got)
	}
}

// TestCorruptChunk damages one log's chunk. That log says so; what else it has
// can be read, and the others are packed and rotated as before.
func TestCorruptChunk(t *testing.T) {
	var logged syncBuffer
	opts := Options{RotateRows: 100, PackRows: 8, Logger: slog.New(slog.NewTextHandler(&logged, nil))}
	s := opened(t, t.TempDir(), opts)
	bad, good := engine.ChatLog(1), engine.ChatLog(2)
	for _, log := range []engine.LogID{bad, good} {
		grow(t, s, log, 0, 10, chat.PhaseActive)
		settled(t, s)
	}
	err := s.write(t.Context(), func(c *conn) error { return c.exec("UPDATE chunk SET body = x'01ffff' WHERE log = 1") }, nil)
	if err != nil {
		t.Fatal(err)
	}
	check := func(when string) {
		t.Helper()
		if records, err := s.Read(t.Context(), bad, 1, 5); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s, the damaged chunk: got %v, %v, want ErrDamaged", when, records, err)
		}
		if records, err := s.Read(t.Context(), bad, 11, 5); err != nil || len(records) != 1 {
			t.Errorf("%s, the record behind it: got %v, %v, want one", when, records, err)
		}
		whole(t, s, good, 10)
	}
	grow(t, s, bad, 10, 1, chat.PhaseEnded) // would be packed as a whole, which needs the damaged chunk
	settled(t, s)
	check("ended")
	table := s.positions.table()
	for i := 0; s.positions.table() == table; i++ {
		grow(t, s, engine.ChatLog(chat.ID(100+i)), 0, 10, chat.PhaseActive)
		settled(t, s)
	}
	check("after a rotation")
	if n := strings.Count(logged.String(), "0000000000000001"); n != 1 || strings.Contains(logged.String(), "packing failed") {
		t.Errorf("the chat was logged %d times, want once and no failure of the packer:\n%s", n, logged.String())
	}
}

// TestMissingChunk loses a chunk. Reading says so; it does not return less.
func TestMissingChunk(t *testing.T) {
	s := opened(t, t.TempDir(), Options{PackRows: 8})
	log := engine.ChatLog(1)
	grow(t, s, log, 0, 10, chat.PhaseActive)
	settled(t, s)
	grow(t, s, log, 10, 5, chat.PhaseActive)
	err := s.write(context.Background(), func(c *conn) error { return c.exec("DELETE FROM chunk") }, nil)
	if err != nil {
		t.Fatal(err)
	}
	if records, err := s.Read(context.Background(), log, 1, 100); err == nil {
		t.Errorf("a log without its first chunk gives %d records and no error", len(records))
	}
}

// TestRowsGone has a rotation between a reader's look at the position and its
// look at the rows.
func TestRowsGone(t *testing.T) {
	s := opened(t, t.TempDir(), Options{RotateRows: 50})
	log := engine.ChatLog(1)
	grow(t, s, log, 0, 10, chat.PhaseActive)
	at := s.positions.from(log, 1, 100)
	if records, all, err := s.readRows(context.Background(), log, at, nil); len(records) != 10 || !all || err != nil {
		t.Fatalf("the rows give %d records (%v, %v), want 10", len(records), all, err)
	}
	for i := range 3 {
		grow(t, s, engine.ChatLog(chat.ID(i+2)), 0, 45, chat.PhaseActive)
		settled(t, s)
	}
	if _, all, err := s.readRows(context.Background(), log, at, nil); all || err != nil {
		t.Errorf("rows that are gone: whole is %v (%v), want false", all, err)
	}
	before := growth(engine.ChatLog(9), 0, 20, chat.PhaseNone).Records // as if read from chunks
	if _, all, err := s.readRows(context.Background(), log, at, before); all || err != nil {
		t.Errorf("rows that are gone behind others: whole is %v (%v), want false", all, err)
	}
	whole(t, s, log, 10)
}

type syncBuffer struct {
	mu  sync.Mutex
	all strings.Builder
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all.String()
}

// TestReadThroughRotations reads logs without a pause while they are packed
// and the tables rotate under the reader's hands.
func TestReadThroughRotations(t *testing.T) {
	s := opened(t, t.TempDir(), Options{RotateRows: 60, PackRows: 8, manifestRows: 20})
	var logs []engine.LogID
	for i := range 4 {
		logs = append(logs, engine.ChatLog(chat.ID(i+1)))
	}
	done := make(chan struct{})
	var readers, writers sync.WaitGroup
	for _, log := range logs {
		readers.Go(func() {
			for n := int64(0); ; {
				n = whole(t, s, log, n)
				select {
				case <-done:
					return
				default:
				}
			}
		})
		writers.Go(func() {
			for n := int64(0); n < 240; n += 3 {
				if _, err := s.Append(context.Background(), growth(log, n, 3, chat.PhaseNone)); err != nil {
					t.Errorf("append: %v", err)
					return
				}
			}
		})
	}
	writers.Wait()
	close(done)
	readers.Wait()
	for _, log := range logs {
		whole(t, s, log, 240)
	}
}
