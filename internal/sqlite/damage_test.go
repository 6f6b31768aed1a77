package sqlite

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
	"github.com/halley-chat/halley/internal/staff"
)

// loosened makes a table take values of any type, as a flipped bit in a row's
// header would: STRICT would refuse them otherwise.
func loosened(t *testing.T, dir, table string) {
	t.Helper()
	edit(t, dir, fmt.Sprintf(`PRAGMA writable_schema = 1;
		UPDATE sqlite_schema SET sql = replace(replace(sql, ' STRICT', ''), 'WITHOUT ROWID, ', '') WHERE name = '%[1]s' AND sql NOT LIKE '%%WITHOUT ROWID%%';
		UPDATE sqlite_schema SET sql = replace(sql, 'STRICT, ', '') WHERE name = '%[1]s';
		UPDATE sqlite_schema SET sql = replace(sql, ' NOT NULL', '') WHERE name = '%[1]s';`, table))
}

// damagedStore fills a store with a few chats of three records, closes it,
// changes its database and opens it again.
func damagedStore(t *testing.T, change string, tables ...string) (s *Store, logged *syncBuffer) {
	t.Helper()
	dir := t.TempDir()
	s = opened(t, dir, Options{})
	for round := range int64(3) {
		for id := range chat.ID(4) {
			grow(t, s, engine.ChatLog(id+1), round, 1, chat.PhaseActive)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		loosened(t, dir, table)
	}
	edit(t, dir, change)
	logged = new(syncBuffer)
	return opened(t, dir, Options{Logger: slog.New(slog.NewTextHandler(logged, nil))}), logged
}

// A record whose row was changed is an error of its log, is logged once with
// the chat's id, and keeps nothing else from working. Rows 1 to 12 hold record
// 1 of chats 1 to 4, then record 2, then record 3.
func TestDamagedRecord(t *testing.T) {
	for name, c := range map[string]struct {
		change  string
		loosen  bool
		good    int64 // how many records of chat 2 can be read
		atStart string
	}{
		"a bit of a body":              {"UPDATE log0 SET body = CAST('x' || substr(body, 2) AS BLOB) WHERE id = 6", false, 1, "record 2 of chat 0000000000000002"},
		"a body of another type":       {"UPDATE log0 SET body = 7 WHERE id = 6", true, 1, "record 2 of chat 0000000000000002"},
		"no body":                      {"UPDATE log0 SET body = NULL WHERE id = 6", true, 1, "record 2 of chat 0000000000000002"},
		"a time":                       {"UPDATE log0 SET ts = ts + 1024 WHERE id = 6", false, 1, "record 2 of chat 0000000000000002"},
		"a time of another type":       {"UPDATE log0 SET ts = 'x' WHERE id = 6", true, 1, "record 2 of chat 0000000000000002"},
		"a checksum":                   {"UPDATE log0 SET sum = sum + 1 WHERE id = 6", false, 1, "record 2 of chat 0000000000000002"},
		"a checksum of another type":   {"UPDATE log0 SET sum = 'x' WHERE id = 6", true, 1, "record 2 of chat 0000000000000002"},
		"an index":                     {"UPDATE log0 SET idx = 66 WHERE id = 6", false, 1, "record 66 of chat 0000000000000002"},
		"an index of another type":     {"UPDATE log0 SET idx = x'02' WHERE id = 6", true, 1, "row 6 of log0"},
		"a log of another type":        {"UPDATE log0 SET log = 2.5 WHERE id = 6", true, 1, "row 6 of log0"},
		"no kind":                      {"UPDATE log0 SET kind = NULL WHERE id = 6", true, 1, "row 6 of log0"},
		"another kind":                 {"UPDATE log0 SET kind = 257 WHERE id = 6", false, 1, "row 6 of log0"},
		"the log of another chat":      {"UPDATE log0 SET log = 3 WHERE id = 6", false, 1, "record 2 of chat 0000000000000003"},
		"the log of a chat never seen": {"UPDATE log0 SET log = 99 WHERE id = 6", false, 1, "record 2 of chat 0000000000000063"},
		"the first record":             {"UPDATE log0 SET body = x'00' WHERE id = 2", false, 0, "record 1 of chat 0000000000000002"},
		"the last record":              {"UPDATE log0 SET body = x'00' WHERE id = 10", false, 2, "record 3 of chat 0000000000000002"},
		"a lost row":                   {"DELETE FROM log0 WHERE id = 6", false, 1, "chat 0000000000000002"},
	} {
		t.Run(name, func(t *testing.T) {
			var tables []string
			if c.loosen {
				tables = []string{"log0"}
			}
			s, logged := damagedStore(t, c.change, tables...)
			bad := engine.ChatLog(2)
			if records, err := s.Read(t.Context(), bad, 1, 10); !errors.Is(err, ErrDamaged) || !strings.Contains(fmt.Sprint(err), "chat 0000000000000002") {
				t.Errorf("all of the chat: got %d records, %v, want ErrDamaged with its id", len(records), err)
			}
			if records, err := s.Read(t.Context(), bad, 1, int(c.good)); err != nil || int64(len(records)) != c.good {
				t.Errorf("what is before it: got %d records, %v, want %d", len(records), err, c.good)
			}
			if rest := 2 - int(c.good); rest > 0 {
				if records, err := s.Read(t.Context(), bad, c.good+2, 10); err != nil || len(records) != rest {
					t.Errorf("what is behind it: got %d records, %v, want %d", len(records), err, rest)
				}
			}
			if n, err := s.Last(t.Context(), bad); n != 3 || err != nil {
				t.Errorf("the last index: got %d, %v, want 3 as before", n, err)
			}
			for _, id := range []chat.ID{1, 3, 4} {
				whole(t, s, engine.ChatLog(id), 3)
				grow(t, s, engine.ChatLog(id), 3, 1, chat.PhaseActive)
			}
			if !strings.Contains(logged.String(), c.atStart) {
				t.Errorf("the log does not have %q:\n%s", c.atStart, logged.String())
			}
			if n := s.Stats().Damaged; n == 0 {
				t.Error("nothing was counted as damaged")
			}
		})
	}
}

// Damaged rows are packed and rotated with the rest: they stay damaged, their
// neighbours stay good, and the older table is emptied.
func TestDamagedRecordIsRotated(t *testing.T) {
	for name, c := range map[string]struct{ change, table string }{
		"a flipped bit": {"UPDATE log0 SET body = CAST('x' || substr(body, 2) AS BLOB) WHERE id = 6", "log0"},
		"another type":  {"UPDATE log0 SET ts = 'x' WHERE id = 6", "log0"},
		"a lost row":    {"DELETE FROM log0 WHERE id = 6", "log0"},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := damagedStore(t, c.change, c.table)
			dir, bad := filepath.Dir(s.path), engine.ChatLog(2)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = opened(t, dir, Options{RotateRows: 20})
			for i := 0; number(t, s, "SELECT count(*) FROM log0 WHERE id <= 12") > 0; i++ {
				if i == 50 {
					t.Fatal("the table with the damaged row was not emptied")
				}
				grow(t, s, engine.ChatLog(chat.ID(100+i)), 0, 10, chat.PhaseActive)
				settled(t, s)
			}
			for range 2 { // and after a start
				if records, err := s.Read(t.Context(), bad, 1, 10); !errors.Is(err, ErrDamaged) {
					t.Errorf("all of the chat: got %d records, %v, want ErrDamaged", len(records), err)
				}
				for _, index := range []int64{1, 3} {
					if records, err := s.Read(t.Context(), bad, index, 1); err != nil || len(records) != 1 || string(records[0].Body) != string(entryOf(bad, index).Body) {
						t.Errorf("record %d: got %v, %v, want it whole", index, records, err)
					}
				}
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				s = opened(t, dir, Options{})
				for _, id := range []chat.ID{1, 3, 4} {
					whole(t, s, engine.ChatLog(id), 3)
				}
			}
		})
	}
}

// A summary that cannot be read is given as one without content, which is
// logged; the other chats are listed as ever.
func TestDamagedSummary(t *testing.T) {
	for name, change := range map[string]string{
		"no JSON":                "UPDATE chat SET body = x'00', sum = NULL WHERE id = 2",
		"a flipped bit":          "UPDATE chat SET body = replace(body, 'active', 'activf') WHERE id = 2",
		"a body of another type": "UPDATE chat SET body = 5 WHERE id = 2",
		"no deadline":            "UPDATE chat SET deadline = NULL WHERE id = 2",
		"of another chat":        "UPDATE chat SET body = (SELECT body FROM chat WHERE id = 1), sum = NULL WHERE id = 2",
	} {
		t.Run(name, func(t *testing.T) {
			s, logged := damagedStore(t, change, "chat")
			phases := map[chat.ID]chat.Phase{}
			if err := s.Live(t.Context(), func(sum chat.Summary) bool { phases[sum.Chat] = sum.Phase; return true }); err != nil {
				t.Fatalf("the live chats: %v", err)
			}
			want := map[chat.ID]chat.Phase{1: chat.PhaseActive, 2: chat.PhaseNone, 3: chat.PhaseActive, 4: chat.PhaseActive}
			if fmt.Sprint(phases) != fmt.Sprint(want) {
				t.Errorf("the phases of live chats: got %v, want %v", phases, want)
			}
			if _, _, err := s.Summary(t.Context(), 2); !errors.Is(err, ErrDamaged) {
				t.Errorf("its summary: got %v, want ErrDamaged", err)
			}
			if n := strings.Count(logged.String(), "summary of chat 0000000000000002\""); n != 1 {
				t.Errorf("it was logged %d times, want once:\n%s", n, logged.String())
			}
			grow(t, s, engine.ChatLog(2), 3, 1, chat.PhaseActive) // which writes it anew
			if sum, ok, err := s.Summary(t.Context(), 2); err != nil || !ok || sum.Phase != chat.PhaseActive {
				t.Errorf("after an append: got %+v, %v, %v, want an active chat", sum, ok, err)
			}
		})
	}
}

// Other rows that cannot be read are left out; nothing keeps the store from
// opening.
func TestDamagedRows(t *testing.T) {
	s := opened(t, t.TempDir(), Options{})
	for _, login := range []string{"anna", "ben"} {
		if _, err := s.CreateAccount(t.Context(), staff.Account{Login: login, Capacity: 3}); err != nil {
			t.Fatal(err)
		}
	}
	agent := engine.AgentLog(1)
	if err := s.SaveCheckpoint(t.Context(), agent, engine.Checkpoint{Index: 3, Body: []byte("folded")}); err != nil {
		t.Fatal(err)
	}
	a := growth(engine.ChatLog(1), 0, 1, chat.PhaseActive)
	a.Claims = []chat.Claim{{Agent: 1, Chat: 1, Take: true, Capacity: 2}, {Agent: 2, Chat: 1, Take: true, Capacity: 2}}
	if _, err := s.Append(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	if err := s.Pushes().Track(t.Context(), []chat.ID{1, 2}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(s.path)
	for _, table := range []string{"account", "checkpoint", "push_cursor"} {
		loosened(t, dir, table)
	}
	edit(t, dir, `UPDATE account SET capacity = 'many' WHERE login = 'anna';
		UPDATE checkpoint SET body = x'00';
		UPDATE push_cursor SET done = 'x' WHERE chat = 1`)
	var logged syncBuffer
	s = opened(t, dir, Options{Logger: slog.New(slog.NewTextHandler(&logged, nil))})
	if all, err := s.Accounts(t.Context()); err != nil || len(all) != 1 || all[0].Login != "ben" {
		t.Errorf("accounts: got %v, %v, want ben's", all, err)
	}
	if k, err := s.Checkpoint(t.Context(), agent); err != nil || k.Index != 0 {
		t.Errorf("the checkpoint: got %v, %v, want none", k, err)
	}
	if all, err := s.Pushes().Cursors(t.Context()); err != nil || len(all) != 1 {
		t.Errorf("push cursors: got %v, %v, want one", all, err)
	}
	for _, want := range []string{"account 1", "checkpoint of agent 1", "push cursor of chat 0000000000000001"} {
		if !strings.Contains(logged.String(), want) {
			t.Errorf("the log does not have %q:\n%s", want, logged.String())
		}
	}
}

// A manifest that is damaged costs time and nothing else.
func TestDamagedManifest(t *testing.T) {
	for name, change := range map[string]string{
		"a flipped bit":  "UPDATE roster SET body = CAST(substr(body, 1, 7) || x'55' || substr(body, 9) AS BLOB) WHERE id > 1",
		"a count":        "UPDATE roster SET n = n + 1",
		"cut":            "UPDATE roster SET body = substr(body, 1, length(body) - 1)",
		"another format": "UPDATE roster SET body = x'09'",
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			opts := Options{manifestRows: 10}
			s := opened(t, dir, opts)
			for i := range int64(10) {
				for id := range chat.ID(4) {
					grow(t, s, engine.ChatLog(id+1), i, 1, chat.PhaseActive)
				}
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			edit(t, dir, change)
			var logged syncBuffer
			opts.Logger = slog.New(slog.NewTextHandler(&logged, nil))
			s = opened(t, dir, opts)
			for id := range chat.ID(4) {
				whole(t, s, engine.ChatLog(id+1), 10)
			}
			if !strings.Contains(logged.String(), "manifest from row") {
				t.Errorf("it was not logged:\n%s", logged.String())
			}
		})
	}
}
