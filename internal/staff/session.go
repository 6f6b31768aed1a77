package staff

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"
)

// DefaultLifetime is how long a browser stays signed in, whatever it does
// meanwhile.
const DefaultLifetime = 7 * 24 * time.Hour

// maxSeen is how many sessions of one account a [Directory] remembers for
// [Directory.SignOut].
const maxSeen = 32

// The refusals of signing in and of being signed in.
var (
	// ErrCredentials: the login or the password is wrong, or the account is
	// disabled; which of them is not told.
	ErrCredentials = errors.New("staff: wrong login or password")
	// ErrNotSignedIn: the token is not, or no longer, that of a session.
	ErrNotSignedIn = errors.New("staff: not signed in")
)

// SignedIn is somebody who is signed in at a browser. It is comparable.
type SignedIn struct {
	Account Account // without its password
	// Session tells this browser's session from all others. It is not secret
	// in the sense that nobody can sign in with it.
	Session [32]byte
	Expires time.Time
}

// SignIn checks a password and makes a session. The token is what the browser
// keeps; it is not stored. address is where the request comes from, without
// the port. It fails with [ErrCredentials], [ErrBusy] or a [*TooManyError].
func (d *Directory) SignIn(ctx context.Context, login, password, address string) (token string, who SignedIn, err error) {
	login = FoldLogin(login)
	if len(login) > MaxLogin {
		login = login[:MaxLogin] + "…" // no login is that long; the limiter counts them as one
	}
	if wait := d.limit.take(login, address, time.Now()); wait > 0 {
		return "", SignedIn{}, &TooManyError{After: wait}
	}
	a, err := d.check(ctx, login, password)
	if err != nil {
		if !errors.Is(err, ErrCredentials) {
			d.limit.give(login, address, time.Now())
		}
		return "", SignedIn{}, err
	}
	d.limit.give(login, address, time.Now())
	token = rand.Text()
	now := time.Now().UTC().Truncate(time.Millisecond)
	s := Session{TokenHash: sha256.Sum256([]byte(token)), Staff: a.ID, Created: now, Expires: now.Add(d.lifetime)}
	if err := d.store.CreateSession(ctx, s); err != nil {
		return "", SignedIn{}, fmt.Errorf("staff: keep the session: %w", err)
	}
	if known, ok := d.Account(a.ID); !ok || known != a {
		// The account was made or changed by another process a moment ago.
		if err := d.Refresh(ctx); err != nil {
			return "", SignedIn{}, err
		}
	}
	d.saw(s)
	return token, SignedIn{Account: a, Session: s.TokenHash, Expires: s.Expires}, nil
}

// check finds the account to which login and password belong.
func (d *Directory) check(ctx context.Context, login, password string) (Account, error) {
	if len(password) > MaxPassword {
		password = "" // no password is that long, nor empty
	}
	a, err := d.store.AccountByLogin(ctx, login)
	if errors.Is(err, ErrNotFound) {
		if err := d.hash.burn(ctx, password); err != nil {
			return Account{}, err
		}
		return Account{}, ErrCredentials
	}
	if err != nil {
		return Account{}, fmt.Errorf("staff: find the account: %w", err)
	}
	ok, err := d.hash.matches(ctx, a.Password, password)
	switch {
	case err != nil:
		return Account{}, err
	case !ok || a.Disabled:
		return Account{}, ErrCredentials
	}
	if d.hash.outdated(a.Password) {
		d.rehash(ctx, a, password)
	}
	a.Password = ""
	return a, nil
}

// rehash gives an account a hash of today's costs. A failure does not concern
// whoever signs in: the next sign-in tries again.
func (d *Directory) rehash(ctx context.Context, a Account, password string) {
	err := func() error {
		hash, err := d.hash.hash(ctx, password)
		if err != nil {
			return err
		}
		now, err := d.store.Account(ctx, a.ID)
		if err != nil || now.Password != a.Password {
			return err // the password has been changed meanwhile
		}
		now.Password = hash
		return d.store.UpdateAccount(ctx, now)
	}()
	if err != nil {
		d.log.Warn("staff: renew a password hash", "staff", int64(a.ID), "err", err)
	}
}

// Authenticate says whose token it is. It fails with [ErrNotSignedIn] if the
// session has expired, was forgotten, or belongs to an account that is
// disabled.
func (d *Directory) Authenticate(ctx context.Context, token string) (SignedIn, error) {
	if token == "" {
		return SignedIn{}, ErrNotSignedIn
	}
	return d.Confirm(ctx, sha256.Sum256([]byte(token)))
}

// Confirm is [Directory.Authenticate] for a session known by
// [SignedIn.Session].
func (d *Directory) Confirm(ctx context.Context, session [32]byte) (SignedIn, error) {
	s, err := d.store.Session(ctx, session)
	if errors.Is(err, ErrNotFound) {
		return SignedIn{}, ErrNotSignedIn
	}
	if err != nil {
		return SignedIn{}, fmt.Errorf("staff: find the session: %w", err)
	}
	if !time.Now().Before(s.Expires) {
		return SignedIn{}, ErrNotSignedIn
	}
	a, ok := d.Account(s.Staff)
	if !ok {
		if err := d.Refresh(ctx); err != nil {
			return SignedIn{}, err
		}
		a, ok = d.Account(s.Staff)
	}
	if !ok || a.Disabled {
		return SignedIn{}, ErrNotSignedIn
	}
	d.saw(s)
	return SignedIn{Account: a, Session: s.TokenHash, Expires: s.Expires}, nil
}

// SignOut forgets a session. last says that no other session of the account
// is left, as far as this process has seen them since it started; of an
// account it remembers the 32 it saw last.
func (d *Directory) SignOut(ctx context.Context, who SignedIn) (last bool, err error) {
	if err := d.store.DeleteSession(ctx, who.Session); err != nil {
		return false, fmt.Errorf("staff: forget the session: %w", err)
	}
	d.mu.Lock()
	rest := slices.DeleteFunc(slices.Clone(d.seen[who.Account.ID]), func(h [32]byte) bool { return h == who.Session })
	d.mu.Unlock()
	var alive [][32]byte
	for _, h := range rest {
		s, err := d.store.Session(ctx, h)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return false, fmt.Errorf("staff: find the session: %w", err)
		}
		if err == nil && time.Now().Before(s.Expires) {
			alive = append(alive, h)
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	now := slices.DeleteFunc(slices.Clone(d.seen[who.Account.ID]), func(h [32]byte) bool {
		return h == who.Session || slices.Contains(rest, h) && !slices.Contains(alive, h)
	})
	if len(now) == 0 {
		delete(d.seen, who.Account.ID)
	} else {
		d.seen[who.Account.ID] = now
	}
	return len(now) == 0, nil
}

// saw remembers that a session exists.
func (d *Directory) saw(s Session) {
	d.mu.Lock()
	defer d.mu.Unlock()
	hs := d.seen[s.Staff]
	if n := len(hs); n > 0 && hs[n-1] == s.TokenHash {
		return
	}
	hs = slices.DeleteFunc(slices.Clone(hs), func(h [32]byte) bool { return h == s.TokenHash })
	if len(hs) >= maxSeen {
		hs = hs[1:]
	}
	d.seen[s.Staff] = append(hs, s.TokenHash)
}
