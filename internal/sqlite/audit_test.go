package sqlite

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/halley-chat/halley/internal/audit"
	"github.com/halley-chat/halley/internal/audit/audittest"
)

func TestAuditStore(t *testing.T) {
	t.Run("Store", func(t *testing.T) {
		audittest.StoreSuite(t, func(t *testing.T) audit.Store { return opened(t, t.TempDir(), Options{}).Audit() })
	})
	t.Run("Beside", func(t *testing.T) {
		audittest.StoreSuite(t, func(t *testing.T) audit.Store {
			dir := t.TempDir()
			opened(t, dir, Options{})
			return beside(t, dir).Audit()
		})
	})
}

// A server and a command beside it continue one chain.
func TestAuditOfTwoProcesses(t *testing.T) {
	dir := t.TempDir()
	s := opened(t, dir, Options{})
	a := beside(t, dir)
	var all sync.WaitGroup
	for name, store := range map[string]audit.Store{"server": s.Audit(), "command": a.Audit()} {
		all.Go(func() {
			for i := range 50 {
				if err := audit.Append(t.Context(), store, audit.Event{Kind: audit.SignedIn, Detail: name}); err != nil {
					t.Errorf("append %d of the %s: %v", i, name, err)
				}
			}
		})
	}
	all.Wait()
	if head, err := audit.Verify(t.Context(), s.Audit()); err != nil || head.Number != 100 {
		t.Errorf("verify: got %v, %v, want 100 entries", head, err)
	}
}

// The schema refuses changes of entries, and where it is circumvented the
// chain shows it.
func TestAuditIsAppendOnly(t *testing.T) {
	dir := t.TempDir()
	s := opened(t, dir, Options{})
	for range 3 {
		if err := audit.Append(t.Context(), s.Audit(), audit.Event{Kind: audit.SignedIn}); err != nil {
			t.Fatal(err)
		}
	}
	for _, query := range []string{"UPDATE audit SET body = x'7b7d'", "DELETE FROM audit WHERE id = 3"} {
		t.Run(query, func(t *testing.T) {
			err := s.write(t.Context(), func(c *conn) error { return c.exec(query) }, nil)
			if err == nil || !strings.Contains(err.Error(), "append-only") {
				t.Errorf("%s: got %v, want a refusal", query, err)
			}
		})
	}
	edit(t, dir, "DROP TRIGGER audit_unchanged; UPDATE audit SET body = x'7b7d' WHERE id = 2")
	if _, err := audit.Verify(t.Context(), s.Audit()); !errors.Is(err, audit.ErrBroken) || !strings.Contains(err.Error(), "entry 2 ") {
		t.Errorf("verify after a change: got %v, want that entry 2 was changed", err)
	}
}
