package staff_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/halley-chat/halley/internal/staff"
)

func TestCreate(t *testing.T) {
	store, dir, anna := house(t)
	if anna.Login != "anna" || anna.ID != 1 || anna.Password != "" {
		t.Errorf("the new account is %+v", anna)
	}
	if got, ok := dir.Account(anna.ID); !ok || got != anna {
		t.Errorf("the directory knows %+v, %v", got, ok)
	}
	stored, err := store.AccountByLogin(t.Context(), "anna")
	if err != nil || !strings.HasPrefix(stored.Password, "$argon2id$") {
		t.Errorf("the store keeps the password as %q (%v)", stored.Password, err)
	}
	if _, err := dir.Create(t.Context(), staff.Account{Login: "ANNA", Name: "Anna", Role: staff.RoleAgent, Capacity: 3}, secret); !errors.Is(err, staff.ErrExists) {
		t.Errorf("a second anna says %v, want ErrExists", err)
	}
}

func TestRoles(t *testing.T) {
	_, dir, _ := house(t)
	for role, want := range map[staff.Role]bool{staff.RoleAgent: true, staff.RoleSupervisor: true, staff.RoleBot: true, "house": false, "visitor": false} {
		_, err := dir.Create(t.Context(), staff.Account{Login: string(role), Name: "X", Role: role, Capacity: 1}, secret)
		if got := err == nil; got != want {
			t.Errorf("an account with the role %q: %v", role, err)
		}
	}
}

func TestCreateRefuses(t *testing.T) {
	_, dir, _ := house(t)
	good := staff.Account{Login: "ben", Name: "Ben", Role: staff.RoleAgent, Capacity: 1}
	for name, c := range map[string]struct {
		change   func(*staff.Account)
		password string
	}{
		"no login":            {func(a *staff.Account) { a.Login = " " }, secret},
		"login with space":    {func(a *staff.Account) { a.Login = "b en" }, secret},
		"login beyond ASCII":  {func(a *staff.Account) { a.Login = "bén" }, secret},
		"long login":          {func(a *staff.Account) { a.Login = strings.Repeat("b", staff.MaxLogin+1) }, secret},
		"no name":             {func(a *staff.Account) { a.Name = "" }, secret},
		"name with a newline": {func(a *staff.Account) { a.Name = "Ben\n" }, secret},
		"name not UTF-8":      {func(a *staff.Account) { a.Name = "\xff" }, secret},
		"no role":             {func(a *staff.Account) { a.Role = "" }, secret},
		"no capacity":         {func(a *staff.Account) { a.Capacity = 0 }, secret},
		"huge capacity":       {func(a *staff.Account) { a.Capacity = staff.MaxCapacity + 1 }, secret},
		"short password":      {func(*staff.Account) {}, "12345678901"},
		"password not UTF-8":  {func(*staff.Account) {}, "123456789012\xff"},
		"control characters":  {func(*staff.Account) {}, "123456789012\x07"},
		"short when composed": {func(*staff.Account) {}, strings.Repeat("u\u0308", 11)},
		"huge password":       {func(*staff.Account) {}, strings.Repeat("x", staff.MaxPassword+1)},
	} {
		t.Run(name, func(t *testing.T) {
			a := good
			c.change(&a)
			_, err := dir.Create(t.Context(), a, c.password)
			if !errors.Is(err, staff.ErrInvalid) {
				t.Errorf("%s: %v, want ErrInvalid", name, err)
			}
		})
	}
	if _, err := dir.Create(t.Context(), good, "äöüßäöüßäöüß"); err != nil {
		t.Errorf("twelve characters of any script are refused: %v", err)
	}
}

// Another process works on the same store: this one hears of it within about
// a second, in order, and exactly when something has changed.
func TestRunHearsOfOtherProcesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, other, anna := house(t)
		dir := staff.NewDirectory(store, staff.Options{Params: cheap})
		var heard [][]staff.Account
		stop := dir.OnChange(func(as []staff.Account) { heard = append(heard, as) })
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- dir.Run(ctx) }()
		defer func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}()
		synctest.Wait()
		if len(heard) != 1 {
			t.Fatalf("heard %d times after the start, want once", len(heard))
		}
		if err := other.Disable(ctx, "anna"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(1100 * time.Millisecond)
		synctest.Wait()
		anna.Disabled = true
		if diff := cmp.Diff([]staff.Account{anna}, heard[len(heard)-1]); diff != "" || len(heard) != 2 {
			t.Errorf("heard %d times, the last time (-want +got):\n%s", len(heard), diff)
		}
		if err := other.SetPassword(ctx, "anna", "another one entirely"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if len(heard) != 3 || heard[2][0].Password != "" {
			t.Errorf("after a new password: heard %d times, the last time of %+v", len(heard), heard[len(heard)-1])
		}
		stop()
		if err := other.Enable(ctx, "anna"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got, _ := dir.Account(anna.ID); got.Disabled || len(heard) != 3 {
			t.Errorf("after Enable: %+v, heard %d times", got, len(heard))
		}
	})
}

func TestRunOutlivesTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, other, anna := house(t)
		dir := staff.NewDirectory(store, staff.Options{Params: cheap})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- dir.Run(ctx) }()
		time.Sleep(time.Second)
		store.Fail(errors.New("the disk is gone"))
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if _, ok := dir.Account(anna.ID); !ok {
			t.Error("the snapshot went with the store")
		}
		store.Fail(nil)
		if err := other.Disable(ctx, "anna"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got, _ := dir.Account(anna.ID); !got.Disabled {
			t.Error("the directory did not recover")
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestOnChangeTellsWhatIsKnown(t *testing.T) {
	_, dir, anna := house(t)
	var got []staff.Account
	defer dir.OnChange(func(as []staff.Account) { got = as })()
	if diff := cmp.Diff([]staff.Account{anna}, got); diff != "" {
		t.Errorf("told at once (-want +got):\n%s", diff)
	}
}

func TestChangesOfNobody(t *testing.T) {
	_, dir, _ := house(t)
	for name, err := range map[string]error{
		"passwd": dir.SetPassword(t.Context(), "nobody", secret), "disable": dir.Disable(t.Context(), "nobody"), "enable": dir.Enable(t.Context(), "nobody"),
	} {
		t.Run(name, func(t *testing.T) {
			if !errors.Is(err, staff.ErrNotFound) {
				t.Errorf("%s says %v, want ErrNotFound", name, err)
			}
		})
	}
}

// What is given changes, the rest stays, and the listeners hear of it.
func TestUpdate(t *testing.T) {
	_, dir, anna := house(t)
	var heard []staff.Account
	defer dir.OnChange(func(all []staff.Account) { heard = all })()
	name, role, capacity := "Anna B.", staff.RoleSupervisor, 9
	for what, c := range map[string]struct {
		change staff.Change
		want   func(*staff.Account)
	}{
		"nothing":  {staff.Change{}, func(*staff.Account) {}},
		"name":     {staff.Change{Name: &name}, func(a *staff.Account) { a.Name = name }},
		"role":     {staff.Change{Role: &role}, func(a *staff.Account) { a.Role = role }},
		"capacity": {staff.Change{Capacity: &capacity}, func(a *staff.Account) { a.Capacity = capacity }},
	} {
		want, _ := dir.Account(anna.ID)
		c.want(&want)
		got, err := dir.Update(t.Context(), " ANNA", c.change)
		if err != nil || got != want {
			t.Errorf("%s: got %+v, %v, want %+v", what, got, err, want)
		}
		if len(heard) != 1 || heard[0] != want {
			t.Errorf("%s: the listeners heard %+v, want %+v", what, heard, want)
		}
	}
	if _, _, err := dir.SignIn(t.Context(), staff.Attempt{Login: "anna", Password: secret, Address: "192.0.2.1"}); err != nil {
		t.Errorf("signing in after the changes: got %v, want the old password to do", err)
	}
	none, nobody := 0, staff.Role("nobody")
	for what, c := range map[string]staff.Change{"no capacity": {Capacity: &none}, "no role": {Role: &nobody}, "no name": {Name: new(string)}} {
		if _, err := dir.Update(t.Context(), "anna", c); !errors.Is(err, staff.ErrInvalid) {
			t.Errorf("%s: got %v, want ErrInvalid", what, err)
		}
	}
	if _, err := dir.Update(t.Context(), "ben", staff.Change{Name: &name}); !errors.Is(err, staff.ErrNotFound) {
		t.Errorf("nobody's account: got %v, want ErrNotFound", err)
	}
}
