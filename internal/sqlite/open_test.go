package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
	"github.com/halley-chat/halley/internal/staff"
)

// TestSecondOpen checks that a data directory has one store at a time, in this
// process and in another.
func TestSecondOpen(t *testing.T) {
	dir := t.TempDir()
	s := opened(t, dir, Options{})
	if _, err := Open(context.Background(), dir, Options{}); !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), dir) {
		t.Errorf("a second open says %v, want ErrInUse and the directory", err)
	}
	out, err := command("open", dir).CombinedOutput()
	if want := "data directory " + dir + ": another halley is using it"; err == nil || !strings.Contains(string(out), want) {
		t.Errorf("another process says %q (%v), want %q", out, err, want)
	}
	grow(t, s, engine.ChatLog(1), 0, 1, chat.PhaseActive) // the first one does not mind
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("a second close says %v", err)
	}
	whole(t, opened(t, dir, Options{}), engine.ChatLog(1), 1)
}

func TestOpenFails(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(context.Background(), file, Options{}); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("opening a file as a directory says %v, want an error that names it", err)
	}
	garbage := t.TempDir()
	if err := os.WriteFile(filepath.Join(garbage, fileName), []byte(strings.Repeat("not a database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the lock is released again
		if _, err := Open(context.Background(), garbage, Options{}); err == nil || errors.Is(err, ErrInUse) {
			t.Errorf("opening something else as a database says %v", err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Open(ctx, t.TempDir(), Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("opening with an ended context says %v", err)
	}
}

// TestPrivate checks that nobody else on the machine can read the files.
func TestPrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s := opened(t, dir, Options{})
	grow(t, s, engine.ChatLog(1), 0, 1, chat.PhaseActive)
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) < 3 {
		t.Fatalf("the data directory has %v (%v)", files, err)
	}
	for _, f := range append(files, dir) {
		info, err := os.Stat(f)
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode&0o077 != 0 {
			t.Errorf("%s has mode %o", f, mode)
		}
	}
}

func TestOldestSQLite(t *testing.T) {
	for version, ok := range map[string]bool{
		"3.51.3": true, "3.51.4": true, "3.51.10": true, "3.52.0": true, "3.53.4": true, "4.0.0": true, "3.60": true,
		"3.51.2": false, "3.50.9": false, "3.9.9": false, "2.99.99": false, "3.51": false, "": false, "x.y.z": false,
	} {
		t.Run(version, func(t *testing.T) {
			if err := checkVersion(version); (err == nil) != ok {
				t.Errorf("SQLite %q: got %v, want it to be taken: %v", version, err, ok)
			}
		})
	}
}

// edit changes the database in a directory behind the package's back.
func edit(t *testing.T, dir, text string) {
	t.Helper()
	c, err := connect(dsn(filepath.Join(dir, fileName), false))
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	if _, err := c.run(text, nil); err != nil {
		t.Fatal(err)
	}
}

func TestNewerDatabase(t *testing.T) {
	dir := t.TempDir()
	if err := opened(t, dir, Options{}).Close(); err != nil {
		t.Fatal(err)
	}
	edit(t, dir, "PRAGMA user_version = 1000")
	for name, open := range map[string]func() error{
		"Open":       func() error { _, err := Open(context.Background(), dir, Options{}); return err },
		"OpenShared": func() error { _, err := OpenShared(context.Background(), dir); return err },
	} {
		t.Run(name, func(t *testing.T) {
			err := open()
			if !errors.Is(err, ErrNewer) || !strings.Contains(err.Error(), "1000") || !strings.Contains(err.Error(), dir) {
				t.Errorf("%s of a database of version 1000 says %v", name, err)
			}
		})
	}
}

func schemaOf(t *testing.T, s *Store) map[string]string {
	t.Helper()
	c, err := connect(dsn(s.path, true))
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	all := make(map[string]string)
	err = c.query("SELECT type, name, coalesce(sql, '') FROM sqlite_schema", nil, func(v []driver.Value) error {
		all[v[0].(string)+" "+v[1].(string)] = v[2].(string)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestFirstVersion opens a database that the first version of the schema has
// written: it becomes what a new one is, and everything in it can be read.
func TestFirstVersion(t *testing.T) {
	text, err := os.ReadFile("testdata/version1.sql")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	edit(t, dir, string(text))
	s, ctx := opened(t, dir, Options{}), context.Background()
	if diff := cmp.Diff(schemaOf(t, opened(t, t.TempDir(), Options{})), schemaOf(t, s)); diff != "" {
		t.Errorf("the schema differs from that of a new database (-new +old):\n%s", diff)
	}
	agent := engine.AgentLog(1)
	for log, n := range map[engine.LogID]int64{
		engine.ChatLog(1001): 17, engine.ChatLog(1002): 9, engine.ChatLog(1003): 11, engine.ChatLog(1004): 4, agent: 8,
	} {
		if got := whole(t, s, log, n); got != n {
			t.Errorf("log %v has %d records, want %d", log, got, n)
		}
	}
	var live []chat.ID
	if err := s.Live(ctx, func(sum chat.Summary) bool { live = append(live, sum.Chat); return true }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]chat.ID{1002, 1003, 1004}, live); diff != "" {
		t.Errorf("live chats (-want +got):\n%s", diff)
	}
	sum, ok, err := s.Summary(ctx, 1001)
	want := chat.Summary{
		Chat: 1001, Service: "customer-support", Queue: "people", Phase: chat.PhaseEnded, Name: "Zoë", Subject: "my order",
		Opened: noon, Ended: noon.Add(time.Hour), KeyEpoch: 1,
	}
	if err != nil || !ok || !sum.Equal(want) {
		t.Errorf("the summary of the ended chat is %+v (%v, %v), want %+v", sum, ok, err, want)
	}
	held, err := s.Claims(ctx)
	if diff := cmp.Diff([]chat.Claim{{Agent: 1, Chat: 1002, Take: true}}, held); err != nil || diff != "" {
		t.Errorf("claims (%v, -want +got):\n%s", err, diff)
	}
	if k, err := s.Checkpoint(ctx, agent); err != nil || k.Index != 3 || string(k.Body) != "folded" {
		t.Errorf("the checkpoint is %+v (%v)", k, err)
	}
	all, err := s.Accounts(ctx)
	if diff := cmp.Diff([]staff.Account{
		{ID: 1, Login: "anna", Name: "Anna Ö.", Role: staff.RoleAgent, Capacity: 3, Password: "$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA"},
		{ID: 2, Login: "sam", Name: "Sam", Role: staff.RoleSupervisor, Capacity: 1, Disabled: true},
	}, all); err != nil || diff != "" {
		t.Errorf("accounts (%v, -want +got):\n%s", err, diff)
	}
	if n, err := s.Version(ctx); err != nil || n != 2 {
		t.Errorf("the accounts have version %d (%v)", n, err)
	}
	session, err := s.Session(ctx, [32]byte{1, 2, 3})
	if diff := cmp.Diff(staff.Session{TokenHash: [32]byte{1, 2, 3}, Staff: 1, Created: noon, Expires: noon.Add(time.Hour)}, session); err != nil || diff != "" {
		t.Errorf("session (%v, -want +got):\n%s", err, diff)
	}
}
