package sqlite

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
	"github.com/halley-chat/halley/internal/staff"
)

// TestAddAccountBesideServer lets another process add accounts while this one
// appends as fast as it can. The server sees them and their version.
func TestAddAccountBesideServer(t *testing.T) {
	dir := t.TempDir()
	s, ctx := opened(t, dir, Options{}), context.Background()
	stop := make(chan struct{})
	var group sync.WaitGroup
	for w := range 16 {
		group.Go(func() {
			log := engine.ChatLog(chat.ID(w + 1))
			for n := int64(0); ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := s.Append(ctx, growth(log, n, 1, chat.PhaseNone)); err != nil {
					t.Errorf("append beside a new account: %v", err)
					return
				}
			}
		})
	}
	before, err := s.Version(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, login := range []string{"anna", "ben", "sam"} {
		start := time.Now()
		if out, err := command(login, dir).CombinedOutput(); err != nil {
			t.Errorf("adding %s: %v: %s", login, err, out)
		}
		t.Logf("adding %s took %v", login, time.Since(start))
		after, err := s.Version(ctx)
		if err != nil || after == before {
			t.Errorf("the version after adding %s is still %d (%v)", login, after, err)
		}
		before = after
		if a, err := s.AccountByLogin(ctx, login); err != nil || a.Capacity != 2 {
			t.Errorf("the server finds %+v (%v)", a, err)
		}
	}
	close(stop)
	group.Wait()
	if after, err := s.Version(ctx); err != nil || after != before {
		t.Errorf("appends have changed the accounts' version from %d to %d (%v)", before, after, err)
	}
}

// TestAddAccountFirst adds an account before any server has run.
func TestAddAccountFirst(t *testing.T) {
	dir := t.TempDir()
	if out, err := command("anna", dir).CombinedOutput(); err != nil {
		t.Fatalf("adding: %v: %s", err, out)
	}
	if out, err := command("anna", dir).CombinedOutput(); err == nil || !strings.Contains(string(out), staff.ErrExists.Error()) {
		t.Errorf("adding again says %v: %s", err, out)
	}
	s := opened(t, dir, Options{})
	if a, err := s.Account(context.Background(), 1); err != nil || a.Login != "anna" {
		t.Errorf("the server finds %+v (%v)", a, err)
	}
}

// TestNoMigrationBesideServer checks that a database is not migrated while
// another process has the directory open.
func TestNoMigrationBesideServer(t *testing.T) {
	dir := t.TempDir()
	lock, err := takeLock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenShared(context.Background(), dir); !errors.Is(err, ErrInUse) {
		t.Errorf("opening an old database beside its server says %v, want ErrInUse", err)
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	beside(t, dir)
}

// TestBesideWaits checks that a write beside the server waits for the server's
// transaction to end, and gives up when its context does.
func TestBesideWaits(t *testing.T) {
	dir := t.TempDir()
	a := beside(t, dir)
	c, err := connect(dsn(a.path(t), false))
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	if err := c.exec("BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
	defer cancel()
	if _, err := a.CreateAccount(ctx, staff.Account{Login: "anna"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a write beside a long transaction says %v, want the end of its context", err)
	}
	done := make(chan error)
	go func() {
		_, err := a.CreateAccount(context.Background(), staff.Account{Login: "ben"})
		done <- err
	}()
	select {
	case err := <-done:
		t.Errorf("a write does not wait for the transaction: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	if err := c.exec("COMMIT"); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("after the transaction the write says %v", err)
	}
	all, err := a.Accounts(context.Background())
	if err != nil || len(all) != 1 || all[0].Login != "ben" {
		t.Errorf("the accounts are %+v (%v), want ben's alone", all, err)
	}
}

// path is where the database is.
func (a *Shared) path(t *testing.T) (path string) {
	t.Helper()
	if err := a.pool.QueryRow("SELECT file FROM pragma_database_list WHERE name = 'main'").Scan(&path); err != nil {
		t.Fatal(err)
	}
	return path
}
