package staff_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/halley-chat/halley/internal/audit"
	"github.com/halley-chat/halley/internal/staff"
	"github.com/halley-chat/halley/internal/staff/stafftest"
)

// recorded keeps events in memory.
type recorded struct{ events []audit.Event }

func (r *recorded) Record(e audit.Event) { r.events = append(r.events, e) }

// Every attempt to sign in and every sign-out is recorded, with the account's
// number and the address, and without what was entered.
func TestSignInsAreRecorded(t *testing.T) {
	var log recorded
	dir := staff.NewDirectory(stafftest.NewStore(), staff.Options{Params: cheap, Audit: &log})
	anna, err := dir.Create(t.Context(), staff.Account{Login: "anna", Name: "Anna", Role: staff.RoleAgent, Capacity: 3}, secret)
	if err != nil {
		t.Fatal(err)
	}
	try := func(login, password, address string) (staff.SignedIn, error) {
		_, who, err := dir.SignIn(t.Context(), staff.Attempt{Login: login, Password: password, Address: address})
		return who, err
	}
	who, err := try("Anna", secret, "192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range [][2]string{{"anna", "battery staple"}, {"my password", "anna"}} {
		if _, err := try(bad[0], bad[1], "192.0.2.2"); !errors.Is(err, staff.ErrCredentials) {
			t.Fatalf("sign in as %q: got %v, want ErrCredentials", bad[0], err)
		}
	}
	if _, err := dir.SignOut(t.Context(), who); err != nil {
		t.Fatal(err)
	}
	if err := dir.Disable(t.Context(), "anna"); err != nil {
		t.Fatal(err)
	}
	if _, err := try("anna", secret, "192.0.2.3"); !errors.Is(err, staff.ErrCredentials) {
		t.Fatalf("sign in to a disabled account: got %v, want ErrCredentials", err)
	}
	want := []audit.Event{
		{Kind: audit.SignedIn, Actor: anna.ID, Address: "192.0.2.1"},
		{Kind: audit.SignInRefused, Account: anna.ID, Address: "192.0.2.2", Detail: "wrong login or password"},
		{Kind: audit.SignInRefused, Address: "192.0.2.2", Detail: "wrong login or password"},
		{Kind: audit.SignedOut, Actor: anna.ID},
		{Kind: audit.SignInRefused, Account: anna.ID, Address: "192.0.2.3", Detail: "the account is disabled"},
	}
	if diff := cmp.Diff(want, log.events); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	for range 50 {
		if _, err = try("ben", "x", "192.0.2.9"); !errors.Is(err, staff.ErrCredentials) {
			break
		}
	}
	last := log.events[len(log.events)-1]
	var tooMany *staff.TooManyError
	if !errors.As(err, &tooMany) || last.Kind != audit.SignInRefused || last.Detail != "too many attempts" {
		t.Errorf("too many attempts: got %v and the event %+v, want a TooManyError that is recorded", err, last)
	}
	if all := fmt.Sprint(log.events); strings.Contains(all, "my password") || strings.Contains(all, "battery staple") || strings.Contains(all, secret) {
		t.Errorf("what was entered is in the events: %s", all)
	}
}
