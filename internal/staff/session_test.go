package staff_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/halley-chat/halley/internal/staff"
)

const address = "192.0.2.1"

func signIn(t *testing.T, dir *staff.Directory, login string) (string, staff.SignedIn) {
	t.Helper()
	token, who, err := dir.SignIn(t.Context(), staff.Attempt{Login: login, Password: secret, Address: address})
	if err != nil {
		t.Fatalf("sign in as %s: %v", login, err)
	}
	return token, who
}

func TestSignIn(t *testing.T) {
	_, dir, anna := house(t)
	token, who := signIn(t, dir, " ANNA ")
	if who.Account != anna {
		t.Errorf("signed in as %+v", who.Account)
	}
	got, err := dir.Authenticate(t.Context(), token)
	if err != nil || got != who {
		t.Errorf("the token is that of %+v, %v; want %+v", got, err, who)
	}
	other, _ := signIn(t, dir, "anna")
	if other == token || len(token) < 20 {
		t.Errorf("tokens are %q and %q", token, other)
	}
	for _, bad := range []string{"", "x", strings.ToLower(token), token + " "} {
		if _, err := dir.Authenticate(t.Context(), bad); !errors.Is(err, staff.ErrNotSignedIn) {
			t.Errorf("the token %q says %v, want ErrNotSignedIn", bad, err)
		}
	}
}

func TestSignInRefuses(t *testing.T) {
	_, dir, _ := house(t)
	if _, err := dir.Create(t.Context(), staff.Account{Login: "gone", Name: "G", Role: staff.RoleAgent, Capacity: 1}, secret); err != nil {
		t.Fatal(err)
	}
	if err := dir.Disable(t.Context(), "gone"); err != nil {
		t.Fatal(err)
	}
	for _, c := range [][2]string{
		{"anna", "wrong password"},
		{"anna", ""},
		{"nobody", secret},
		{"", ""},
		{"gone", secret},
		{"anna", strings.Repeat("x", staff.MaxPassword+1)},
		{strings.Repeat("x", 5000), secret},
	} {
		if _, _, err := dir.SignIn(t.Context(), staff.Attempt{Login: c[0], Password: c[1], Address: address}); !errors.Is(err, staff.ErrCredentials) {
			t.Errorf("sign in as %.20q with %.20q: %v, want ErrCredentials", c[0], c[1], err)
		}
	}
}

func TestSignInIsLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, dir, _ := house(t)
		var tooMany *staff.TooManyError
		attempts := 0
		for ; attempts < 100 && tooMany == nil; attempts++ {
			_, _, err := dir.SignIn(t.Context(), staff.Attempt{Login: "anna", Password: fmt.Sprint("wrong", attempts), Address: address})
			if !errors.As(err, &tooMany) && !errors.Is(err, staff.ErrCredentials) {
				t.Fatal(err)
			}
		}
		if tooMany == nil || attempts < 5 {
			t.Fatalf("after %d wrong passwords: %v", attempts, tooMany)
		}
		if _, _, err := dir.SignIn(t.Context(), staff.Attempt{Login: "anna", Password: secret, Address: address}); !errors.As(err, &tooMany) {
			t.Errorf("the right password among the wrong ones says %v", err)
		}
		time.Sleep(tooMany.After)
		signIn(t, dir, "anna")
		// What the store is to blame for is not charged.
		store.Fail(errors.New("down"))
		for range 100 {
			if _, _, err := dir.SignIn(t.Context(), staff.Attempt{Login: "anna", Password: secret, Address: address}); errors.As(err, &tooMany) {
				t.Fatal("failures of the store use up the attempts")
			}
		}
	})
}

func TestSessionsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, dir, _ := house(t)
		token, who := signIn(t, dir, "anna")
		time.Sleep(time.Until(who.Expires) - time.Millisecond)
		if _, err := dir.Authenticate(t.Context(), token); err != nil {
			t.Errorf("just before the end: %v", err)
		}
		time.Sleep(time.Millisecond)
		if _, err := dir.Authenticate(t.Context(), token); !errors.Is(err, staff.ErrNotSignedIn) {
			t.Errorf("at the end: %v, want ErrNotSignedIn", err)
		}
	})
}

func TestExpiredSessionsAreSwept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, dir, _ := house(t)
		_, who := signIn(t, dir, "anna")
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- dir.Run(ctx) }()
		time.Sleep(staff.DefaultLifetime + 2*time.Hour)
		synctest.Wait()
		if _, err := store.Session(ctx, who.Session); !errors.Is(err, staff.ErrNotFound) {
			t.Errorf("the expired session is still stored (%v)", err)
		}
		cancel()
		<-done
	})
}

func TestThrownOut(t *testing.T) {
	for name, act := range map[string]func(context.Context, *staff.Directory) error{
		"disable": func(ctx context.Context, d *staff.Directory) error { return d.Disable(ctx, "anna") },
		"passwd": func(ctx context.Context, d *staff.Directory) error {
			return d.SetPassword(ctx, "anna", "another one entirely")
		},
	} {
		t.Run(name, func(t *testing.T) {
			store, dir, _ := house(t)
			token, _ := signIn(t, dir, "anna")
			other := staff.NewDirectory(store, staff.Options{Params: cheap}) // as another process would
			if err := act(t.Context(), other); err != nil {
				t.Fatal(err)
			}
			if _, err := dir.Authenticate(t.Context(), token); !errors.Is(err, staff.ErrNotSignedIn) {
				t.Errorf("the old token says %v, want ErrNotSignedIn", err)
			}
			if _, _, err := dir.SignIn(t.Context(), staff.Attempt{Login: "anna", Password: secret, Address: address}); !errors.Is(err, staff.ErrCredentials) {
				t.Errorf("signing in as before says %v, want ErrCredentials", err)
			}
		})
	}
}

// An account that another process has just made can sign in at once, although
// this directory has not polled yet.
func TestSignInOfANewAccount(t *testing.T) {
	store, dir, _ := house(t)
	other := staff.NewDirectory(store, staff.Options{Params: cheap})
	if _, err := other.Create(t.Context(), staff.Account{Login: "ben", Name: "Ben", Role: staff.RoleAgent, Capacity: 1}, secret); err != nil {
		t.Fatal(err)
	}
	token, _ := signIn(t, dir, "ben")
	if who, err := dir.Authenticate(t.Context(), token); err != nil || who.Account.Name != "Ben" {
		t.Errorf("the token is that of %+v, %v", who, err)
	}
}

func TestSignOut(t *testing.T) {
	_, dir, _ := house(t)
	one, whoOne := signIn(t, dir, "anna")
	two, whoTwo := signIn(t, dir, "anna")
	if last, err := dir.SignOut(t.Context(), whoOne); last || err != nil {
		t.Errorf("the first of two: last = %v, %v", last, err)
	}
	if _, err := dir.Authenticate(t.Context(), one); !errors.Is(err, staff.ErrNotSignedIn) {
		t.Errorf("the token of the browser signed out says %v", err)
	}
	if _, err := dir.Authenticate(t.Context(), two); err != nil {
		t.Errorf("the token of the other browser says %v", err)
	}
	if last, err := dir.SignOut(t.Context(), whoTwo); !last || err != nil {
		t.Errorf("the second of two: last = %v, %v", last, err)
	}
}

// A browser that has expired, or that another process signed out, does not
// keep its agent signed in.
func TestSignOutCountsLivingSessions(t *testing.T) {
	store, dir, _ := house(t)
	_, gone := signIn(t, dir, "anna")
	_, who := signIn(t, dir, "anna")
	if err := store.DeleteSession(t.Context(), gone.Session); err != nil {
		t.Fatal(err)
	}
	if last, err := dir.SignOut(t.Context(), who); !last || err != nil {
		t.Errorf("last = %v, %v", last, err)
	}
}

// After a restart a browser counts again as soon as it has shown up.
func TestSignOutAfterARestart(t *testing.T) {
	store, before, _ := house(t)
	one, _ := signIn(t, before, "anna")
	two, _ := signIn(t, before, "anna")
	dir := staff.NewDirectory(store, staff.Options{Params: cheap})
	whoOne, err := dir.Authenticate(t.Context(), one)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dir.Authenticate(t.Context(), two); err != nil {
		t.Fatal(err)
	}
	if last, err := dir.SignOut(t.Context(), whoOne); last || err != nil {
		t.Errorf("last = %v, %v", last, err)
	}
}

func TestRehash(t *testing.T) {
	store, _, _ := house(t)
	before, err := store.AccountByLogin(t.Context(), "anna")
	if err != nil {
		t.Fatal(err)
	}
	dir := staff.NewDirectory(store, staff.Options{Params: staff.Params{Memory: 32, Passes: 1, Threads: 1}})
	signIn(t, dir, "anna")
	after, err := store.AccountByLogin(t.Context(), "anna")
	if err != nil {
		t.Fatal(err)
	}
	if before.Password == after.Password || !strings.Contains(after.Password, "m=32,") {
		t.Errorf("the hash is still %.30q…", after.Password)
	}
	signIn(t, dir, "anna")
	again, err := store.AccountByLogin(t.Context(), "anna")
	if err != nil || again.Password != after.Password {
		t.Errorf("a hash of today's costs was replaced (%v)", err)
	}
}

// Strangers who guess at a login use up what strangers have, from however many
// addresses; the owner still signs in at a browser where that was done before,
// and nobody is told by it what the password is.
func TestAFloodKeepsNobodyOutOfAKnownBrowser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, dir, _ := house(t)
		browser := dir.Browser("anna")
		for i := range 12 {
			for range 7 {
				_, _, _ = dir.SignIn(t.Context(), staff.Attempt{Login: "anna", Password: "guess", Address: fmt.Sprintf("192.0.2.%d", i)})
			}
		}
		var tooMany *staff.TooManyError
		at := staff.Attempt{Login: "anna", Password: secret, Address: "198.51.100.1"}
		if _, _, err := dir.SignIn(t.Context(), at); !errors.As(err, &tooMany) {
			t.Errorf("a stranger with the right password: got %v, want too many attempts", err)
		}
		at.Browser = browser
		if _, _, err := dir.SignIn(t.Context(), at); err != nil {
			t.Errorf("the owner at a browser that is known: got %v, want no error", err)
		}
		at.Password = "guess"
		for range 8 {
			if _, _, err := dir.SignIn(t.Context(), at); !errors.Is(err, staff.ErrCredentials) {
				t.Errorf("a wrong password at that browser: got %v, want wrong credentials", err)
			}
		}
		if _, _, err := dir.SignIn(t.Context(), at); !errors.As(err, &tooMany) {
			t.Errorf("guessing at that browser: got %v, want too many attempts", err)
		}
	})
}
