package staff

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"golang.org/x/crypto/argon2"
	"pgregory.net/rapid"
)

var cheapest = Params{Memory: 16, Passes: 1, Threads: 1}

func TestHash(t *testing.T) {
	h := newHasher(cheapest)
	one, err := h.hash(t.Context(), "a password")
	if err != nil {
		t.Fatal(err)
	}
	two, err := h.hash(t.Context(), "a password")
	if err != nil {
		t.Fatal(err)
	}
	if one == two {
		t.Error("two hashes of one password are equal: the salt is missing")
	}
	if !strings.HasPrefix(one, "$argon2id$v=19$m=16,t=1,p=1$") {
		t.Errorf("the hash is %q, which is not in PHC form", one)
	}
	for password, want := range map[string]bool{"a password": true, "a passwore": false, "": false} {
		if got, err := h.matches(t.Context(), false, one, password); got != want || err != nil {
			t.Errorf("matches(%q) = %v, %v; want %v", password, got, err, want)
		}
	}
}

// A hash with costs and sizes of its own, as another program makes it, can be
// read: whoever brings hashes along can sign in with them.
func TestForeignHash(t *testing.T) {
	key := argon2.IDKey([]byte("password"), []byte("somesalt"), 2, 64, 1, 24)
	phc := encodePHC(Params{Memory: 64, Passes: 2, Threads: 1}, []byte("somesalt"), key)
	if want := "$argon2id$v=19$m=64,t=2,p=1$c29tZXNhbHQ$"; !strings.HasPrefix(phc, want) {
		t.Fatalf("the hash is %q, want it to begin with %q", phc, want)
	}
	if ok, err := newHasher(cheapest).matches(t.Context(), false, phc, "password"); !ok || err != nil {
		t.Errorf("matches = %v, %v", ok, err)
	}
}

func TestDefaultParams(t *testing.T) {
	if p := DefaultParams(); p.Memory > 64<<10 || p.Memory < 19<<10 || p.Passes < 2 {
		t.Errorf("the costs are %+v: they shall be at least 19 MiB twice and at most 64 MiB", p)
	}
}

func TestDamagedHashes(t *testing.T) {
	good, err := newHasher(cheapest).hash(t.Context(), "a password")
	if err != nil {
		t.Fatal(err)
	}
	for _, phc := range []string{
		"", "$", "plain", strings.Replace(good, "argon2id", "argon2i", 1), strings.Replace(good, "v=19", "v=16", 1),
		strings.Replace(good, "m=16", "m=99999999", 1), strings.Replace(good, "m=16", "m=016", 1), strings.Replace(good, "t=1", "t=0", 1),
		strings.Replace(good, "p=1", "p=0", 1), strings.Replace(good, "p=1", "p=1,x=2", 1), good + "$", good[:len(good)-30], good + "!",
	} {
		t.Run(phc, func(t *testing.T) {
			if ok, err := newHasher(cheapest).matches(t.Context(), false, phc, "a password"); ok || !errors.Is(err, errHash) {
				t.Errorf("matches with the stored hash %q = %v, %v; want errHash", phc, ok, err)
			}
		})
	}
	rapid.Check(t, func(t *rapid.T) {
		cut := rapid.IntRange(0, len(good)-1).Draw(t, "cut")
		with := rapid.Byte().Draw(t, "with")
		if ok, _ := newHasher(cheapest).matches(context.Background(), false, good[:cut]+string(rune(with))+good[cut+1:], "a passwort"); ok {
			t.Fatal("a damaged hash lets a wrong password in")
		}
	})
}

func TestOutdated(t *testing.T) {
	old, err := newHasher(cheapest).hash(t.Context(), "a password")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		today Params
		want  bool
	}{
		{cheapest, false},
		{Params{Memory: 32, Passes: 1, Threads: 1}, true},
		{Params{Memory: 16, Passes: 2, Threads: 1}, true},
		{Params{Memory: 8, Passes: 1, Threads: 1}, false},
	} {
		if got := newHasher(c.today).outdated(old); got != c.want {
			t.Errorf("outdated under %+v = %v", c.today, got)
		}
	}
}

// The slots are taken by the test, so that everybody else has to wait: the
// crowd is bounded and a caller that gives up goes.
func TestCrowd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHasher(cheapest)
		for range cap(h.trusted.slots) {
			h.trusted.slots <- struct{}{}
		}
		ctx, cancel := context.WithCancel(t.Context())
		errs := make(chan error, maxHashing)
		for range maxHashing {
			go func() {
				_, err := h.hash(ctx, "a password")
				errs <- err
			}()
		}
		synctest.Wait()
		if _, err := h.hash(t.Context(), "a password"); !errors.Is(err, ErrBusy) {
			t.Errorf("one more than may wait says %v, want ErrBusy", err)
		}
		cancel()
		for range maxHashing {
			if err := <-errs; !errors.Is(err, context.Canceled) {
				t.Errorf("one that gave up says %v", err)
			}
		}
		<-h.trusted.slots
		if _, err := h.hash(t.Context(), "a password"); err != nil {
			t.Errorf("after the crowd has gone: %v", err)
		}
	})
}

// A crowd of strangers does not keep somebody at a known browser waiting.
func TestStrangersHaveALaneOfTheirOwn(t *testing.T) {
	h := newHasher(cheapest)
	phc, err := h.hash(t.Context(), "a password")
	if err != nil {
		t.Fatal(err)
	}
	for range cap(h.strangers.slots) {
		h.strangers.slots <- struct{}{}
	}
	if ok, err := h.matches(t.Context(), true, phc, "a password"); !ok || err != nil {
		t.Errorf("got %v, %v, want the password to match", ok, err)
	}
}
