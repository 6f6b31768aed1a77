package staff

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/halley-chat/halley/internal/audit"
	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/ratelimit"
)

// pollEvery is how often a [Directory] asks the store whether another process
// has changed an account.
const pollEvery = time.Second

// sweepEvery is how often expired sessions are deleted.
const sweepEvery = time.Hour

// Options are the parts of a [Directory] that have a default.
type Options struct {
	// Params are the costs of new password hashes; the zero value means
	// [DefaultParams].
	Params Params
	// Lifetime is how long a browser stays signed in; 0 means
	// [DefaultLifetime].
	Lifetime time.Duration
	// Public are passwords that everybody knows. Nobody signs in with one and no
	// account is given one, unless AllowPublic is set, as in the demo; then they
	// are taken however short they are.
	Public      []string
	AllowPublic bool
	// Key is the secret behind [Directory.Browser]; without one no browser is
	// known again after a restart.
	Key []byte
	// Audit is told of sign-ins, refused ones and sign-outs; nil means
	// [audit.Discard].
	Audit audit.Recorder
	// Logger hears of failures that nobody else is told of; nil means
	// [slog.Default].
	Logger *slog.Logger
}

// Directory is the accounts as this process knows them, and the browsers that
// are signed in. It may be used beside other processes on the same store. All
// methods may be called from any number of goroutines.
type Directory struct {
	// Static after construction.
	store    Store
	hash     *hasher
	lifetime time.Duration
	audit    audit.Recorder
	log      *slog.Logger
	limit    *ratelimit.Limiter // of failed sign-ins
	key      []byte
	public   []string
	anyone   bool // may have a public password
	// refreshing holds a token while the snapshot is being replaced and the
	// listeners are told, so that they hear of changes one at a time and in
	// order.
	refreshing chan struct{}

	mu sync.Mutex

	// Guarded by mu.
	loaded    bool
	version   int64
	stored    []Account // by ID, as the store has them
	accounts  []Account // the same without passwords; replaced, never changed
	listeners map[int]func([]Account)
	next      int
}

// NewDirectory makes a directory over a store. It knows nobody until
// [Directory.Refresh] or [Directory.Run] has read the accounts.
func NewDirectory(store Store, o Options) *Directory {
	d := &Directory{
		store: store, hash: newHasher(o.Params), lifetime: o.Lifetime, log: o.Logger, limit: ratelimit.New(maxBuckets), key: o.Key, public: o.Public, anyone: o.AllowPublic,
		refreshing: make(chan struct{}, 1),
		listeners:  make(map[int]func([]Account)),
	}
	if d.lifetime <= 0 {
		d.lifetime = DefaultLifetime
	}
	if len(d.key) == 0 {
		d.key = []byte(rand.Text())
	}
	if d.audit = o.Audit; d.audit == nil {
		d.audit = audit.Discard{}
	}
	if d.log == nil {
		d.log = slog.Default()
	}
	return d
}

// Run keeps the snapshot fresh and deletes expired sessions until ctx ends. A
// store that cannot be reached is tried again a second later; the snapshot
// stays as it was. It returns nil.
func (d *Directory) Run(ctx context.Context) error {
	poll, sweep := time.NewTicker(pollEvery), time.NewTicker(sweepEvery)
	defer poll.Stop()
	defer sweep.Stop()
	failing := false
	note := func(what string, err error) {
		if err != nil && ctx.Err() == nil && !failing {
			d.log.Warn("staff: "+what, "err", err)
		}
		failing = err != nil
	}
	note("read the accounts", d.poll(ctx))
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-poll.C:
			note("read the accounts", d.poll(ctx))
		case now := <-sweep.C:
			note("delete expired sessions", d.store.DeleteSessions(ctx, 0, now))
		}
	}
}

// poll refreshes if the store's version has changed since the last time.
func (d *Directory) poll(ctx context.Context) error {
	v, err := d.store.Version(ctx)
	if err != nil {
		return fmt.Errorf("staff: version: %w", err)
	}
	d.mu.Lock()
	same := d.loaded && v == d.version
	d.mu.Unlock()
	if same {
		return nil
	}
	return d.Refresh(ctx)
}

// Refresh reads the accounts now and tells the listeners if something has
// changed. Listeners have been told when it returns.
func (d *Directory) Refresh(ctx context.Context) error {
	select {
	case d.refreshing <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-d.refreshing }()
	// The version is read first: a change between the two reads is seen again
	// at the next poll instead of being missed.
	v, err := d.store.Version(ctx)
	if err != nil {
		return fmt.Errorf("staff: version: %w", err)
	}
	accounts, err := d.store.Accounts(ctx)
	if err != nil {
		return fmt.Errorf("staff: accounts: %w", err)
	}
	fresh := slices.Clone(accounts)
	for i := range fresh {
		fresh[i].Password = ""
	}
	d.mu.Lock()
	// A new password counts as a change too: it ends the account's sessions.
	changed := !d.loaded || !slices.Equal(accounts, d.stored)
	d.loaded, d.version = true, v
	if changed {
		d.stored, d.accounts = accounts, fresh
	}
	tell := d.hearers()
	d.mu.Unlock()
	if changed {
		for _, f := range tell {
			f(fresh)
		}
	}
	return nil
}

// hearers lists the listeners in the order in which they came. The caller
// holds mu.
func (d *Directory) hearers() []func([]Account) {
	var fs []func([]Account)
	for i := range d.next {
		if f, ok := d.listeners[i]; ok {
			fs = append(fs, f)
		}
	}
	return fs
}

// OnChange calls f with all accounts by ID (without their passwords), at once
// if they have been read and then after every change, one call at a time and
// in order, until cancel is called. f must not change the slice, must not
// block for long, and must not call OnChange, Refresh or a method that changes
// an account.
func (d *Directory) OnChange(f func([]Account)) (cancel func()) {
	d.refreshing <- struct{}{}
	defer func() { <-d.refreshing }()
	d.mu.Lock()
	key := d.next
	d.next++
	d.listeners[key] = f
	loaded, accounts := d.loaded, d.accounts
	d.mu.Unlock()
	if loaded {
		f(accounts)
	}
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.listeners, key)
	}
}

// Accounts lists the accounts by ID, without passwords. The slice must not be
// changed.
func (d *Directory) Accounts() []Account {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.accounts
}

// Account finds an account in the snapshot, without its password.
func (d *Directory) Account(id chat.StaffID) (Account, bool) {
	accounts := d.Accounts()
	i, ok := slices.BinarySearchFunc(accounts, id, func(a Account, id chat.StaffID) int { return int(a.ID - id) })
	if !ok {
		return Account{}, false
	}
	return accounts[i], true
}

// Create adds an account. The password is given in the clear; ID, Disabled and
// Password of a are ignored, and its login is folded. It fails with
// [ErrInvalid] or [ErrExists].
func (d *Directory) Create(ctx context.Context, a Account, password string) (Account, error) {
	a.ID, a.Disabled, a.Login = 0, false, FoldLogin(a.Login)
	password, err := d.newPassword(password)
	if err := errors.Join(checkAccount(a), err); err != nil {
		return Account{}, err
	}
	hash, err := d.hash.hash(ctx, password)
	if err != nil {
		return Account{}, err
	}
	a.Password = hash
	if a.ID, err = d.store.CreateAccount(ctx, a); err != nil {
		return Account{}, fmt.Errorf("staff: create the account: %w", err)
	}
	a.Password = ""
	return a, d.Refresh(ctx)
}

// newPassword is a password as it is hashed, or why no account is given it.
func (d *Directory) newPassword(password string) (string, error) {
	if slices.Contains(d.public, prepared(password)) {
		if !d.anyone {
			return "", invalid("everybody knows this password")
		}
		return prepared(password), nil
	}
	return newPassword(password)
}

// SetPassword gives an account another password and signs it out everywhere.
// It fails with [ErrInvalid] or [ErrNotFound].
func (d *Directory) SetPassword(ctx context.Context, login, password string) error {
	password, err := d.newPassword(password)
	if err != nil {
		return err
	}
	hash, err := d.hash.hash(ctx, password)
	if err != nil {
		return err
	}
	return d.change(ctx, login, true, func(a *Account) { a.Password = hash })
}

// Disable keeps an account from signing in and signs it out everywhere. It
// fails with [ErrNotFound].
func (d *Directory) Disable(ctx context.Context, login string) error {
	return d.change(ctx, login, true, func(a *Account) { a.Disabled = true })
}

// Enable undoes [Directory.Disable].
func (d *Directory) Enable(ctx context.Context, login string) error {
	return d.change(ctx, login, false, func(a *Account) { a.Disabled = false })
}

// Change says what [Directory.Update] gives another value; nil stays.
type Change struct {
	Name     *string
	Role     *Role
	Capacity *int
}

// Update changes an account and returns it without its password. Chats that it
// holds beyond a lower capacity stay. It fails with [ErrInvalid] or
// [ErrNotFound].
func (d *Directory) Update(ctx context.Context, login string, c Change) (Account, error) {
	a, err := d.store.AccountByLogin(ctx, FoldLogin(login))
	if err != nil {
		return Account{}, fmt.Errorf("staff: find the account: %w", err)
	}
	if c.Name != nil {
		a.Name = *c.Name
	}
	if c.Role != nil {
		a.Role = *c.Role
	}
	if c.Capacity != nil {
		a.Capacity = *c.Capacity
	}
	if err := checkAccount(a); err != nil {
		return Account{}, err
	}
	if err := d.store.UpdateAccount(ctx, a); err != nil {
		return Account{}, fmt.Errorf("staff: change the account: %w", err)
	}
	a.Password = ""
	return a, d.Refresh(ctx)
}

func (d *Directory) change(ctx context.Context, login string, signOut bool, f func(*Account)) error {
	a, err := d.store.AccountByLogin(ctx, FoldLogin(login))
	if err != nil {
		return fmt.Errorf("staff: find the account: %w", err)
	}
	f(&a)
	// Sessions go first and once more afterwards, so that neither a failure
	// between the two steps nor a sign-in at the same time leaves one behind.
	if signOut {
		if err := d.store.DeleteSessions(ctx, a.ID, time.Time{}); err != nil {
			return fmt.Errorf("staff: delete the account's sessions: %w", err)
		}
	}
	if err := d.store.UpdateAccount(ctx, a); err != nil {
		return fmt.Errorf("staff: change the account: %w", err)
	}
	if signOut {
		if err := d.store.DeleteSessions(ctx, a.ID, time.Time{}); err != nil {
			return fmt.Errorf("staff: delete the account's sessions: %w", err)
		}
	}
	return d.Refresh(ctx)
}
