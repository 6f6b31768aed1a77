package stafftest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/staff"
)

// StoreSuite runs the tests that every adapter of [staff.Store] must pass.
// open makes an empty store and leaves its closing to t.Cleanup.
func StoreSuite(t *testing.T, open func(t *testing.T) staff.Store) {
	for name, test := range map[string]func(*testing.T, staff.Store){
		"Accounts":      testAccounts,
		"UnknownOnes":   testUnknown,
		"LoginIsUnique": testUnique,
		"Update":        testUpdate,
		"Version":       testVersion,
		"Sessions":      testSessions,
		"Forgetting":    testForgetting,
		"Context":       testContext,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func anna() staff.Account {
	return staff.Account{
		Login: "anna", Name: "Anna Ö.", Role: staff.RoleAgent, Capacity: 3,
		Password: "$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA",
	}
}

func create(t *testing.T, s staff.Store, a staff.Account) chat.StaffID {
	t.Helper()
	id, err := s.CreateAccount(t.Context(), a)
	if err != nil {
		t.Fatalf("create account %q: %v", a.Login, err)
	}
	return id
}

func testAccounts(t *testing.T, s staff.Store) {
	first := anna()
	first.ID = 77 // ignored
	second := staff.Account{Login: "sam", Name: "Sam", Role: staff.RoleSupervisor, Capacity: 1, Disabled: true}
	first.ID = create(t, s, first)
	second.ID = create(t, s, second)
	if first.ID != 1 || second.ID != 2 {
		t.Errorf("accounts got the numbers %d and %d, want 1 and 2", first.ID, second.ID)
	}
	got, err := s.Account(t.Context(), first.ID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, got); diff != "" {
		t.Errorf("account by ID (-want +got):\n%s", diff)
	}
	if got, err = s.AccountByLogin(t.Context(), "sam"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(second, got); diff != "" {
		t.Errorf("account by login (-want +got):\n%s", diff)
	}
	all, err := s.Accounts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]staff.Account{first, second}, all); diff != "" {
		t.Errorf("all accounts (-want +got):\n%s", diff)
	}
}

func testUnknown(t *testing.T, s staff.Store) {
	all, err := s.Accounts(t.Context())
	if err != nil || len(all) != 0 {
		t.Errorf("an empty store lists %v, %v", all, err)
	}
	for name, call := range map[string]func() error{
		"Account 0":      func() error { _, err := s.Account(t.Context(), 0); return err },
		"Account 9":      func() error { _, err := s.Account(t.Context(), 9); return err },
		"AccountByLogin": func() error { _, err := s.AccountByLogin(t.Context(), "anna"); return err },
		"UpdateAccount":  func() error { return s.UpdateAccount(t.Context(), staff.Account{ID: 9, Name: "x"}) },
		"Session":        func() error { _, err := s.Session(t.Context(), [32]byte{1}); return err },
	} {
		if err := call(); !errors.Is(err, staff.ErrNotFound) {
			t.Errorf("%s in an empty store says %v, want ErrNotFound", name, err)
		}
	}
}

func testUnique(t *testing.T, s staff.Store) {
	create(t, s, anna())
	if _, err := s.CreateAccount(t.Context(), anna()); !errors.Is(err, staff.ErrExists) {
		t.Errorf("the second account of a login says %v, want ErrExists", err)
	}
	const n = 8
	errs := make([]error, n)
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() {
			_, errs[i] = s.CreateAccount(t.Context(), staff.Account{Login: "ben", Name: fmt.Sprint(i), Role: staff.RoleAgent, Capacity: 1})
		})
	}
	group.Wait()
	won := 0
	for _, err := range errs {
		switch {
		case err == nil:
			won++
		case !errors.Is(err, staff.ErrExists):
			t.Errorf("a racing create says %v", err)
		}
	}
	if won != 1 {
		t.Errorf("%d of %d racing creates of one login succeeded, want 1", won, n)
	}
	if all, err := s.Accounts(t.Context()); err != nil || len(all) != 2 {
		t.Errorf("there are %d accounts (%v), want 2", len(all), err)
	}
}

func testUpdate(t *testing.T, s staff.Store) {
	want := anna()
	want.ID = create(t, s, want)
	create(t, s, staff.Account{Login: "ben", Name: "Ben", Role: staff.RoleAgent, Capacity: 1})
	change := staff.Account{ID: want.ID, Login: "ben", Name: "A.", Role: staff.RoleSupervisor, Capacity: 9, Disabled: true, Password: "other"}
	if err := s.UpdateAccount(t.Context(), change); err != nil {
		t.Fatal(err)
	}
	change.Login = "anna" // a login never changes
	got, err := s.AccountByLogin(t.Context(), "anna")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(change, got); diff != "" {
		t.Errorf("updated account (-want +got):\n%s", diff)
	}
	if ben, err := s.AccountByLogin(t.Context(), "ben"); err != nil || ben.Name != "Ben" {
		t.Errorf("the other account is now %+v (%v)", ben, err)
	}
}

func testVersion(t *testing.T, s staff.Store) {
	seen := make(map[int64]string)
	version := func(after string) {
		t.Helper()
		v, err := s.Version(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if before, ok := seen[v]; ok {
			t.Errorf("the version after %s is the same as after %s", after, before)
		}
		seen[v] = after
	}
	version("opening")
	a := anna()
	a.ID = create(t, s, a)
	version("a create")
	a.Disabled = true
	if err := s.UpdateAccount(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	version("an update")
}

var noon = time.Date(2026, 11, 5, 12, 0, 0, 123e6, time.UTC)

func session(staffID chat.StaffID, token byte, expires time.Time) staff.Session {
	return staff.Session{TokenHash: [32]byte{0: token, 31: 0xff}, Staff: staffID, Created: noon, Expires: expires}
}

func testSessions(t *testing.T, s staff.Store) {
	id := create(t, s, anna())
	want := session(id, 1, noon.Add(-time.Hour)) // expired ones are found too
	if err := s.CreateSession(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	got, err := s.Session(t.Context(), want.TokenHash)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("session (-want +got):\n%s", diff)
	}
	for range 2 { // forgetting it again is no error
		if err := s.DeleteSession(t.Context(), want.TokenHash); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Session(t.Context(), want.TokenHash); !errors.Is(err, staff.ErrNotFound) {
		t.Errorf("a forgotten session says %v, want ErrNotFound", err)
	}
}

func testForgetting(t *testing.T, s staff.Store) {
	a := create(t, s, anna())
	b := create(t, s, staff.Account{Login: "ben", Name: "Ben", Role: staff.RoleAgent, Capacity: 1})
	sessions := []staff.Session{
		session(a, 1, noon), session(a, 2, noon.Add(time.Hour)),
		session(b, 3, noon.Add(-time.Millisecond)), session(b, 4, noon), session(b, 5, noon.Add(time.Hour)),
	}
	for _, one := range sessions {
		if err := s.CreateSession(t.Context(), one); err != nil {
			t.Fatal(err)
		}
	}
	for id, want := range map[chat.StaffID]int{a: 1, b: 1, b + 1: 0} {
		if got, err := s.LiveSessions(t.Context(), id, noon); got != want || err != nil {
			t.Errorf("account %d at noon: got %d living sessions, %v, want %d", id, got, err, want)
		}
	}
	left := func() (tokens []byte) {
		t.Helper()
		for _, one := range sessions {
			switch _, err := s.Session(t.Context(), one.TokenHash); {
			case err == nil:
				tokens = append(tokens, one.TokenHash[0])
			case !errors.Is(err, staff.ErrNotFound):
				t.Fatal(err)
			}
		}
		return tokens
	}
	if err := s.DeleteSessions(t.Context(), 0, noon); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]byte{1, 2, 4, 5}, left()); diff != "" {
		t.Errorf("after forgetting the expired ones (-want +got):\n%s", diff)
	}
	if err := s.DeleteSessions(t.Context(), a, time.Time{}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]byte{4, 5}, left()); diff != "" {
		t.Errorf("after forgetting those of one account (-want +got):\n%s", diff)
	}
}

func testContext(t *testing.T, s staff.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.CreateAccount(ctx, anna()); !errors.Is(err, context.Canceled) {
		t.Errorf("a create whose context has ended says %v", err)
	}
	if all, err := s.Accounts(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("it left %d accounts (%v)", len(all), err)
	}
}
