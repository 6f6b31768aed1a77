package enginetest

import (
	"bytes"
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
)

func (s *logSuite) testRead(t *testing.T, l Inspector) {
	log := engine.ChatLog(s.chat())
	filled(t, l, log, 10)
	all := run(log, 0, 10)
	for _, c := range []struct {
		from  int64
		limit int
		want  []engine.Record
	}{
		{1, 10, all},
		{1, 1000, all},
		{1, math.MaxInt, all},
		{0, 100, all},
		{-5, 100, all},
		{1, 3, all[:3]},
		{4, 3, all[3:6]},
		{10, 1, all[9:]},
		{9, 5, all[8:]},
		{11, 5, nil},
		{1000, 5, nil},
		{math.MaxInt64, 5, nil},
		{1, 0, nil},
		{1, -1, nil},
	} {
		same(t, fmt.Sprintf("read from %d, at most %d", c.from, c.limit), c.want, read(t, l, log, c.from, c.limit))
	}
	unknown := engine.ChatLog(s.chat())
	same(t, "an unknown log", nil, read(t, l, unknown, 1, 10))
	if n := last(t, l, unknown); n != 0 {
		t.Errorf("the last index of an unknown log is %d", n)
	}
}

// testReadLongLog reads pieces of a log that is long enough for an adapter to
// keep in parts, while it grows and after.
func (s *logSuite) testReadLongLog(t *testing.T, l Inspector) {
	const total = 700
	log := engine.AgentLog(s.agent())
	all := run(log, 0, total)
	for n := 0; n < total; n += 35 {
		appended(t, l, engine.Append{Log: log, Expect: int64(n), Records: all[n : n+35]})
		from := n * 2 / 3
		same(t, fmt.Sprintf("from %d of %d", from+1, n+35), all[from:n+35], read(t, l, log, int64(from)+1, total))
	}
	for from := 0; from < total; from += 41 {
		for _, limit := range []int{1, 63, 64, 65, 300} {
			what := fmt.Sprintf("from %d, at most %d", from+1, limit)
			same(t, what, all[from:min(from+limit, total)], read(t, l, log, int64(from)+1, limit))
		}
	}
	holds(t, l, log, all)
}

// testReadWhileAppending checks that readers never see a part of an append,
// nor a gap, nor less than they have seen before.
func (s *logSuite) testReadWhileAppending(t *testing.T, l Inspector) {
	const appends, step, readers = 60, 3, 3
	log := engine.ChatLog(s.chat())
	all := run(log, 0, appends*step)
	done := make(chan struct{})
	var group sync.WaitGroup
	for range readers {
		group.Go(func() {
			seen := 0
			for ended := false; !ended; {
				select {
				case <-done:
					ended = true
				default:
				}
				records, err := l.Read(t.Context(), log, 1, len(all)+1)
				if err != nil {
					t.Errorf("read: %v", err)
					return
				}
				if len(records)%step != 0 || len(records) < seen {
					t.Errorf("a reader saw %d records after %d, of appends of %d", len(records), seen, step)
					return
				}
				seen = len(records)
				same(t, "a concurrent read", all[:seen], records)
			}
			if seen != len(all) {
				t.Errorf("after the last append a reader saw %d records of %d", seen, len(all))
			}
		})
	}
	for n := 0; n < len(all); n += step {
		appended(t, l, engine.Append{Log: log, Expect: int64(n), Records: all[n : n+step]})
	}
	close(done)
	group.Wait()
}

func (s *logSuite) testBodies(t *testing.T, l Inspector) {
	log, agent := engine.ChatLog(s.chat()), engine.AgentLog(s.agent())
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	var want []engine.Record
	for i, body := range [][]byte{
		{},
		{0},
		every, []byte("plain"), []byte("☎ ünï\x00côde"),
		{0xff, 0xfe, 0x80},
		bytes.Repeat([]byte("long "), 100_000), bytes.Repeat(every, 40),
		{},
		[]byte("'); DROP TABLE log0; --"),
	} {
		r := record(int64(i)+1, string(body))
		r.Live = "heard, not stored"
		appended(t, l, engine.Append{
			Log: log, Expect: int64(i), Records: []engine.Record{r},
			Tails: []engine.Tail{{Log: agent, At: r.At, Body: r.Body}},
		})
		r.Live = ""
		want = append(want, r)
	}
	holds(t, l, log, want)
	holds(t, l, agent, want)
}

func (s *logSuite) testTimes(t *testing.T, l Inspector) {
	log := engine.ChatLog(s.chat())
	east := time.FixedZone("east", 5*3600+1800)
	given := []time.Time{
		time.Date(2026, 11, 5, 12, 0, 0, 999_999_999, time.UTC),
		time.Date(2026, 11, 5, 12, 0, 0, 1_000_000, east),
		time.Date(2020, 2, 29, 23, 59, 59, 1_234_567, time.UTC), // earlier than the one before
		time.Date(2199, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Now(),
	}
	var want []engine.Record
	for i, at := range given {
		r := engine.Record{Index: int64(i) + 1, At: at, Body: []byte("x")}
		appended(t, l, engine.Append{Log: log, Expect: int64(i), Records: []engine.Record{r}})
		r.At = at.UTC().Truncate(time.Millisecond)
		want = append(want, r)
	}
	holds(t, l, log, want)
}

// testKindsApart checks that a chat and an agent of the same number have
// nothing to do with each other.
func (s *logSuite) testKindsApart(t *testing.T, l Inspector) {
	n := int64(s.chat())
	c, a := engine.ChatLog(chat.ID(n)), engine.AgentLog(chat.StaffID(n))
	filled(t, l, c, 3)
	holds(t, l, a, nil)
	filled(t, l, a, 1)
	holds(t, l, c, run(c, 0, 3))
	holds(t, l, a, run(a, 0, 1))
	if err := l.SaveCheckpoint(t.Context(), c, engine.Checkpoint{Index: 2, Body: []byte("c")}); err != nil {
		t.Fatal(err)
	}
	if got, err := l.Checkpoint(t.Context(), a); err != nil || got.Index != 0 {
		t.Errorf("the agent's checkpoint is %+v, %v", got, err)
	}
}
