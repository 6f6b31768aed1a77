package enginetest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
)

// LogOption tells [LogSuite] of an ability that not every adapter has.
type LogOption func(*logSuite)

// Reopen tells [LogSuite] how to close a log and open it again on what it has
// stored. The suite then tests that everything survives.
func Reopen(reopen func(t *testing.T, l Inspector) Inspector) LogOption {
	return func(s *logSuite) { s.reopen = reopen }
}

// Inspector is a log that a test can look into beyond what an engine needs of it.
// All methods may be called from any number of goroutines at once.
type Inspector interface {
	engine.Log
	// Last is the index of a log's last record; 0 if there is none.
	Last(ctx context.Context, log engine.LogID) (int64, error)
	// Claims lists every slot that is taken, as claims with Take set.
	Claims(ctx context.Context) ([]chat.Claim, error)
}

// LogSuite runs the tests that every adapter of [engine.Log] must pass. open
// makes an empty log and leaves its closing to t.Cleanup.
func LogSuite(t *testing.T, open func(t *testing.T) Inspector, opts ...LogOption) {
	s := &logSuite{}
	for _, o := range opts {
		o(s)
	}
	for _, c := range []struct {
		name string
		test func(*testing.T, Inspector)
	}{
		{"Append", s.testAppend},
		{"NewTwice", s.testNewTwice},
		{"Conflicts", s.testConflicts},
		{"Races", s.testRaces},
		{"Malformed", s.testMalformed},
		{"WithoutRecords", s.testWithoutRecords},
		{"AfterTheEnd", s.testAfterTheEnd},
		{"Atomic", s.testAtomic},
		{"Capacity", s.testCapacity},
		{"ClaimRaces", s.testClaimRaces},
		{"ClaimsTwice", s.testClaimsTwice},
		{"ClaimsInOrder", s.testClaimsInOrder},
		{"PartialFailure", s.testPartialFailure},
		{"Tails", s.testTails},
		{"TailsInterleaved", s.testTailsInterleaved},
		{"ContextEnded", s.testContextEnded},
		{"ContextRaces", s.testContextRaces},
		{"Read", s.testRead},
		{"ReadLongLog", s.testReadLongLog},
		{"ReadWhileAppending", s.testReadWhileAppending},
		{"Bodies", s.testBodies},
		{"Times", s.testTimes},
		{"KindsApart", s.testKindsApart},
		{"Summaries", s.testSummaries},
		{"LiveStops", s.testLiveStops},
		{"Checkpoints", s.testCheckpoints},
		{"Model", s.testModel},
		{"Survives", s.testSurvives},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

type logSuite struct {
	reopen func(t *testing.T, l Inspector) Inspector // nil if the adapter cannot
	ids    atomic.Int64
}

// chat is the id of a chat that no test has used.
func (s *logSuite) chat() chat.ID { return chat.NewID(noon, 0) + chat.ID(s.ids.Add(1)) }

// agent is the id of an agent that no test has used.
func (s *logSuite) agent() chat.StaffID { return chat.StaffID(s.ids.Add(1)) }

var noon = time.Date(2026, 11, 5, 12, 0, 0, 0, time.UTC)

// record is a record whose time and body follow from the index and the text.
func record(index int64, text string) engine.Record {
	return engine.Record{Index: index, At: noon.Add(time.Duration(index) * 7 * time.Millisecond), Body: []byte(text)}
}

// run is n records after an index, with bodies that name the log.
func run(log engine.LogID, after int64, n int) []engine.Record {
	var records []engine.Record
	for i := range int64(n) {
		records = append(records, record(after+i+1, fmt.Sprintf("%d/%d #%d", log.Kind, log.ID, after+i+1)))
	}
	return records
}

func appended(t *testing.T, l Inspector, a engine.Append) []int64 {
	t.Helper()
	tails, err := l.Append(t.Context(), a)
	if err != nil {
		t.Fatalf("append to %v at %d: %v", a.Log, a.Expect, err)
	}
	return tails
}

// filled is a log that has been given n records in one append.
func filled(t *testing.T, l Inspector, log engine.LogID, n int) {
	t.Helper()
	appended(t, l, engine.Append{Log: log, Records: run(log, 0, n)})
}

func read(t *testing.T, l Inspector, log engine.LogID, from int64, limit int) []engine.Record {
	t.Helper()
	records, err := l.Read(t.Context(), log, from, limit)
	if err != nil {
		t.Fatalf("read %v from %d: %v", log, from, err)
	}
	return records
}

func last(t *testing.T, l Inspector, log engine.LogID) int64 {
	t.Helper()
	n, err := l.Last(t.Context(), log)
	if err != nil {
		t.Fatalf("last of %v: %v", log, err)
	}
	return n
}

// holds fails the test unless the log consists of exactly these records.
func holds(t *testing.T, l Inspector, log engine.LogID, want []engine.Record) {
	t.Helper()
	same(t, fmt.Sprintf("log %v", log), want, read(t, l, log, 1, len(want)+100))
	if n := last(t, l, log); n != int64(len(want)) {
		t.Errorf("the last index of log %v is %d, want %d", log, n, len(want))
	}
}

func same(t *testing.T, what string, want, got []engine.Record) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d records, want %d", what, len(got), len(want))
		return
	}
	for i, w := range want {
		g := got[i]
		if g.Index != w.Index || !g.At.Equal(w.At) || g.At.Location() != time.UTC || !bytes.Equal(g.Body, w.Body) || g.Live != "" {
			t.Errorf("%s: record %d is %d %v %.40q %q,\nwant %d %v %.40q without live text",
				what, i, g.Index, g.At, g.Body, g.Live, w.Index, w.At, w.Body)
			return
		}
	}
}

func claims(t *testing.T, l Inspector, agent chat.StaffID) map[chat.ID]bool {
	t.Helper()
	all, err := l.Claims(t.Context())
	if err != nil {
		t.Fatalf("claims: %v", err)
	}
	held := make(map[chat.ID]bool)
	for _, c := range all {
		if c.Agent != agent {
			continue
		}
		if !c.Take || held[c.Chat] {
			t.Errorf("claim %+v is not a slot taken, or is listed twice", c)
		}
		held[c.Chat] = true
	}
	return held
}

// summary is one with something in every field.
func summary(id chat.ID, phase chat.Phase) chat.Summary {
	s := chat.Summary{
		Chat: id, Service: "customer-support", Queue: "people", Phase: phase, Name: "Zoë", Subject: "It's \"broken\"",
		Agents: []chat.StaffID{3, 4}, Excluded: []chat.Exclusion{{Agent: 5, Until: noon.Add(time.Minute)}},
		Opened: noon, Waiting: noon.Add(time.Second), Deadline: noon.Add(time.Hour), Channel: "c1", Browser: "b1",
		Away: true, Bound: true, KeyEpoch: 2, Prefer: 5, Closing: noon.Add(time.Hour), Abandoned: noon.Add(time.Minute),
		Offer: &chat.Offered{Agent: 6, Name: "Ben", Role: chat.RoleAgent, Until: noon.Add(time.Minute), Reason: "longest idle"},
	}
	if phase == chat.PhaseEnded {
		s.Offer, s.Deadline, s.Waiting, s.Ended = nil, time.Time{}, time.Time{}, noon.Add(time.Hour)
	}
	return s
}

func sameSummary(t *testing.T, l Inspector, want chat.Summary) {
	t.Helper()
	got, ok, err := l.Summary(t.Context(), want.Chat)
	if err != nil || !ok {
		t.Errorf("summary of chat %v: %v, %v", want.Chat, ok, err)
		return
	}
	if w, g := text(t, want), text(t, got); w != g {
		t.Errorf("summary of chat %v is\n%s, want\n%s", want.Chat, g, w)
	}
}

func text(t *testing.T, s chat.Summary) string {
	t.Helper()
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func live(t *testing.T, l Inspector) map[chat.ID]chat.Summary {
	t.Helper()
	all := make(map[chat.ID]chat.Summary)
	err := l.Live(t.Context(), func(s chat.Summary) bool {
		if _, twice := all[s.Chat]; twice {
			t.Errorf("chat %v is listed twice", s.Chat)
		}
		all[s.Chat] = s
		return true
	})
	if err != nil {
		t.Fatalf("live: %v", err)
	}
	return all
}
