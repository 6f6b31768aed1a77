package staff_test

import (
	"errors"
	"testing"

	"github.com/halley-chat/halley/internal/staff"
	"github.com/halley-chat/halley/internal/staff/stafftest"
)

// A password that looks the same is the same, however a keyboard composes it.
func TestPasswordsArePrepared(t *testing.T) {
	_, dir, _ := house(t)
	const composed, decomposed = "\u00fcber alle Berge", "u\u0308ber alle\u00a0Berge"
	for _, c := range []struct{ name, set, typed string }{
		{"set composed", composed, decomposed},
		{"set decomposed", decomposed, composed},
		{"typed as set", decomposed, decomposed},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := dir.SetPassword(t.Context(), "anna", c.set); err != nil {
				t.Fatalf("SetPassword: got %v, want nil", err)
			}
			if err := try(t, dir, c.typed); err != nil {
				t.Errorf("sign-in: got %v, want nil", err)
			}
			if err := try(t, dir, "uber alle Berge"); !errors.Is(err, staff.ErrCredentials) {
				t.Errorf("sign-in with another password: got %v, want ErrCredentials", err)
			}
		})
	}
}

// A hash of a password as it was typed, as older versions made it, still lets
// its owner in, and is one of the prepared form afterwards.
func TestHashesOfRawPasswordsAreRenewed(t *testing.T) {
	store, dir, anna := house(t)
	const typed, composed = "u\u0308ber alle Berge", "\u00fcber alle Berge"
	a, err := store.Account(t.Context(), anna.ID)
	if err != nil {
		t.Fatalf("the account: got %v, want nil", err)
	}
	a.Password = staff.RawHash(t, cheap, typed)
	if err := store.UpdateAccount(t.Context(), a); err != nil {
		t.Fatalf("UpdateAccount: got %v, want nil", err)
	}
	if err := try(t, dir, composed); !errors.Is(err, staff.ErrCredentials) {
		t.Errorf("the composed form before the hash is renewed: got %v, want ErrCredentials", err)
	}
	if err := try(t, dir, typed); err != nil {
		t.Fatalf("the password as it was set: got %v, want nil", err)
	}
	if err := try(t, dir, composed); err != nil {
		t.Errorf("the composed form afterwards: got %v, want nil", err)
	}
}

// A password that everybody knows is nobody's, unless it is allowed.
func TestPublicPasswords(t *testing.T) {
	const public = "halley-demo"
	for _, allowed := range []bool{false, true} {
		dir := staff.NewDirectory(stafftest.NewStore(), staff.Options{Params: cheap, Public: []string{public}, AllowPublic: allowed})
		_, err := dir.Create(t.Context(), staff.Account{Login: "anna", Name: "Anna", Role: staff.RoleAgent, Capacity: 1}, public)
		if allowed != (err == nil) || !allowed && !errors.Is(err, staff.ErrInvalid) {
			t.Errorf("Create with AllowPublic %v: got %v", allowed, err)
		}
		if allowed {
			if err := try(t, dir, public); err != nil {
				t.Errorf("sign-in with AllowPublic: got %v, want nil", err)
			}
		}
	}
}

// try signs in as anna.
func try(t *testing.T, dir *staff.Directory, password string) error {
	t.Helper()
	_, _, err := dir.SignIn(t.Context(), staff.Attempt{Login: "anna", Password: password, Address: address})
	return err
}
