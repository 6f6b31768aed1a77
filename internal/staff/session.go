package staff

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/halley-chat/halley/internal/audit"
)

// DefaultLifetime is how long a browser stays signed in, whatever it does
// meanwhile.
const DefaultLifetime = 7 * 24 * time.Hour

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
// keeps; it is not stored. It fails with [ErrCredentials], [ErrBusy] or a
// [*TooManyError].
func (d *Directory) SignIn(ctx context.Context, at Attempt) (token string, who SignedIn, err error) {
	token, who, err = d.signIn(ctx, at)
	if e, ok := d.outcome(at, who, err); ok {
		d.audit.Record(e)
	}
	return token, who, err
}

// outcome is what the audit log keeps of an attempt to sign in; ok is false if
// the attempt failed for a reason of the server's own.
func (d *Directory) outcome(at Attempt, who SignedIn, err error) (e audit.Event, ok bool) {
	e.Address = at.Address
	var tooMany *TooManyError
	switch {
	case err == nil:
		e.Kind, e.Actor = audit.SignedIn, who.Account.ID
		return e, true
	case errors.Is(err, ErrCredentials):
		e.Detail = "wrong login or password"
	case errors.As(err, &tooMany):
		e.Detail = "too many attempts"
	case errors.Is(err, ErrBusy):
		e.Detail = "too many sign-ins at once"
	default:
		return e, false
	}
	e.Kind = audit.SignInRefused
	login := FoldLogin(at.Login)
	for _, a := range d.Accounts() {
		if a.Login != login {
			continue
		}
		if e.Account = a.ID; a.Disabled {
			e.Detail = "the account is disabled"
		}
	}
	return e, true
}

func (d *Directory) signIn(ctx context.Context, at Attempt) (token string, who SignedIn, err error) {
	at.Login = FoldLogin(at.Login)
	if len(at.Login) > MaxLogin {
		at.Login = at.Login[:MaxLogin] + "…" // no login is that long; all of them count as one
	}
	trusted := d.trusts(at.Login, at.Browser)
	charges := at.charges(trusted)
	// It is charged first and gets the charge back when it succeeds, so that
	// many attempts at once count as well.
	if wait := d.limit.Take(time.Now(), charges...); wait > 0 {
		return "", SignedIn{}, &TooManyError{After: wait}
	}
	a, err := d.check(ctx, at, trusted)
	if !errors.Is(err, ErrCredentials) {
		d.limit.Give(time.Now(), charges...)
	}
	if err != nil {
		return "", SignedIn{}, err
	}
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
	return token, SignedIn{Account: a, Session: s.TokenHash, Expires: s.Expires}, nil
}

// How a password can match a hash.
const (
	noMatch  = iota
	match    // in its prepared form
	rawMatch // as it was typed: the hash is older than preparation
)

// matches compares a password in its prepared form, and once more as it was typed
// if that differs: hashes were made of that once. The time tells nothing about the
// account, since an unknown one is compared the same way.
func (d *Directory) matches(ctx context.Context, trusted bool, phc, form, raw string) (int, error) {
	ok, err := d.hash.matches(ctx, trusted, phc, form)
	if err != nil {
		return noMatch, err
	}
	if ok {
		return match, nil
	}
	if form == raw {
		return noMatch, nil
	}
	if ok, err = d.hash.matches(ctx, trusted, phc, raw); err != nil || !ok {
		return noMatch, err
	}
	return rawMatch, nil
}

// check finds the account to which login and password belong.
func (d *Directory) check(ctx context.Context, at Attempt, trusted bool) (Account, error) {
	login, password := at.Login, at.Password
	if len(password) > MaxPassword || !d.anyone && slices.Contains(d.public, prepared(password)) {
		password = "" // no password is that long, nor empty
	}
	form := prepared(password)
	a, err := d.store.AccountByLogin(ctx, login)
	if errors.Is(err, ErrNotFound) {
		if _, err := d.matches(ctx, trusted, d.hash.decoy(), form, password); err != nil {
			return Account{}, err
		}
		return Account{}, ErrCredentials
	}
	if err != nil {
		return Account{}, fmt.Errorf("staff: find the account: %w", err)
	}
	ok, err := d.matches(ctx, trusted, a.Password, form, password)
	switch {
	case err != nil:
		return Account{}, err
	case ok == noMatch || a.Disabled:
		return Account{}, ErrCredentials
	}
	if ok == rawMatch || d.hash.outdated(a.Password) {
		d.rehash(ctx, a, form)
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
	return SignedIn{Account: a, Session: s.TokenHash, Expires: s.Expires}, nil
}

// SignOut forgets a session. last says that no other living session of the
// account is left.
func (d *Directory) SignOut(ctx context.Context, who SignedIn) (last bool, err error) {
	if err := d.store.DeleteSession(ctx, who.Session); err != nil {
		return false, fmt.Errorf("staff: forget the session: %w", err)
	}
	d.audit.Record(audit.Event{Kind: audit.SignedOut, Actor: who.Account.ID})
	n, err := d.store.LiveSessions(ctx, who.Account.ID, time.Now())
	if err != nil {
		return false, fmt.Errorf("staff: count the sessions: %w", err)
	}
	return n == 0, nil
}
