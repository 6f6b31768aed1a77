package sqlite

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/staff"
)

// talked fills a store with real chats, some of them ended, packed and rotated.
func talked(t *testing.T, s *Store) (chats int64) {
	t.Helper()
	e, stop := served(t, s)
	defer stop()
	for range 12 {
		id, _, err := e.Open(t.Context(), chat.Command{At: time.Now(), By: chat.TheVisitor(), Do: chat.Open{Name: "x", Opening: chat.Opening{Service: "s", Queue: "q"}}})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 10 {
			if _, err := e.Do(t.Context(), id, chat.Command{At: time.Now(), By: chat.TheVisitor(), Do: chat.Say{Text: fmt.Sprint("line ", i)}}); err != nil {
				t.Fatal(err)
			}
		}
		if chats++; chats%2 == 0 {
			if _, err := e.Do(t.Context(), id, chat.Command{At: time.Now(), Do: chat.End{}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := s.CreateAccount(t.Context(), staff.Account{Login: "anna", Capacity: 3}); err != nil {
		t.Fatal(err)
	}
	return chats
}

func checked(t *testing.T, dir string) (r Report, problems []string) {
	t.Helper()
	r, err := Check(t.Context(), dir, func(p Problem) { problems = append(problems, fmt.Sprintf("%s: %v", p.What, p.Err)) })
	if err != nil {
		t.Fatalf("check: %v", err)
	}
	if r.Problems != int64(len(problems)) {
		t.Errorf("got %d problems and a count of %d", len(problems), r.Problems)
	}
	return r, problems
}

// A store in order has no problems, beside its server and afterwards, and a
// snapshot that was made beside the server is the same.
func TestCheck(t *testing.T) {
	dir := t.TempDir()
	s := opened(t, dir, small)
	chats := talked(t, s)
	settled(t, s)
	beside, problems := checked(t, dir)
	if len(problems) > 0 {
		t.Errorf("beside the server: got %v, want no problem", problems)
	}
	if beside.Chats != chats || beside.Live != chats/2 || beside.Logs != chats || beside.Records < 11*chats || beside.Packed == 0 || beside.Accounts != 1 || beside.Unsummed != 0 {
		t.Errorf("beside the server: got %+v, want %d chats with 11 records and more, half of them live, some packed", beside, chats)
	}
	copied := t.TempDir()
	if err := Snapshot(t.Context(), dir, filepath.Join(copied, fileName)); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for what, dir := range map[string]string{"afterwards": dir, "the snapshot": copied} {
		r, problems := checked(t, dir)
		if len(problems) > 0 || r != beside {
			t.Errorf("%s: got %+v and %v, want %+v and no problem", what, r, problems, beside)
		}
	}
	if err := Snapshot(t.Context(), dir, filepath.Join(copied, fileName)); err == nil {
		t.Error("a snapshot has overwritten a file")
	}
	t.Chdir(filepath.Dir(dir)) // paths may be relative
	relative := filepath.Base(dir)
	if err := Snapshot(t.Context(), relative, "relative.db"); err != nil {
		t.Errorf("a snapshot by relative paths: %v", err)
	}
	if r, _ := checked(t, relative); r != beside {
		t.Errorf("a check by a relative path: got %+v, want %+v", r, beside)
	}
}

// What is damaged is named.
func TestCheckFinds(t *testing.T) {
	for name, c := range map[string]struct{ change, table, want string }{
		"a flipped bit":      {"UPDATE log0 SET body = x'00' WHERE id = 5", "", "log row 5: "},
		"a wrong type":       {"UPDATE log0 SET idx = 'x' WHERE id = 5", "log0", "log row 5: "},
		"no fact":            {"UPDATE log0 SET body = x'00', sum = NULL WHERE id = 5", "", "record 5 of chat "},
		"a lost row":         {"DELETE FROM log0 WHERE id = 5", "", "record 4 of chat "},
		"a summary":          {"UPDATE chat SET deadline = deadline + 1 WHERE id = (SELECT min(id) FROM chat)", "", "summary of chat "},
		"a lost log":         {"DELETE FROM log0 WHERE log = (SELECT min(id) FROM chat)", "", "has a summary and no records"},
		"an account":         {"UPDATE account SET capacity = 'x'", "account", "account 1: "},
		"a page of SQLite's": {"PRAGMA writable_schema = 1; UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = 'chunk') WHERE name = 'claim'", "", "the database file: "},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := opened(t, dir, Options{PackRows: 1 << 20})
			talked(t, s)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if c.table != "" {
				loosened(t, dir, c.table)
			}
			edit(t, dir, c.change)
			_, problems := checked(t, dir)
			if !strings.Contains(strings.Join(problems, "\n"), c.want) {
				t.Errorf("got %q, want a problem with %q", problems, c.want)
			}
		})
	}
	if _, err := Check(t.Context(), t.TempDir(), func(Problem) {}); err == nil {
		t.Error("a directory without a database was checked")
	}
}
