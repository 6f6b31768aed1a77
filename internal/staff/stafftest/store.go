package stafftest

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/staff"
)

// Store is a real [staff.Store] in memory. Make one with [NewStore]. All
// methods may be called from any number of goroutines at once.
type Store struct {
	mu sync.Mutex

	// Guarded by mu.
	accounts []staff.Account // the one with ID n stands at n-1
	sessions map[[32]byte]staff.Session
	version  int64
	fail     error
}

var _ staff.Store = (*Store)(nil)

// NewStore makes a store without accounts.
func NewStore() *Store { return &Store{sessions: make(map[[32]byte]staff.Session)} }

// Fail makes every later call fail with err; nil ends it.
func (s *Store) Fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = err
}

// begin returns with mu locked, or with an error and mu unlocked.
func (s *Store) begin(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	if s.fail != nil {
		defer s.mu.Unlock()
		return s.fail
	}
	return nil
}

// CreateAccount is [staff.Store].
func (s *Store) CreateAccount(ctx context.Context, a staff.Account) (chat.StaffID, error) {
	if err := s.begin(ctx); err != nil {
		return 0, err
	}
	defer s.mu.Unlock()
	if s.byLogin(a.Login) != nil {
		return 0, staff.ErrExists
	}
	a.ID = chat.StaffID(len(s.accounts) + 1)
	s.accounts = append(s.accounts, a)
	s.version++
	return a.ID, nil
}

func (s *Store) byLogin(login string) *staff.Account {
	for i := range s.accounts {
		if s.accounts[i].Login == login {
			return &s.accounts[i]
		}
	}
	return nil
}

func (s *Store) byID(id chat.StaffID) *staff.Account {
	if id < 1 || int(id) > len(s.accounts) {
		return nil
	}
	return &s.accounts[id-1]
}

// UpdateAccount is [staff.Store].
func (s *Store) UpdateAccount(ctx context.Context, a staff.Account) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	old := s.byID(a.ID)
	if old == nil {
		return staff.ErrNotFound
	}
	a.Login = old.Login
	*old = a
	s.version++
	return nil
}

// Account is [staff.Store].
func (s *Store) Account(ctx context.Context, id chat.StaffID) (staff.Account, error) {
	if err := s.begin(ctx); err != nil {
		return staff.Account{}, err
	}
	defer s.mu.Unlock()
	return found(s.byID(id))
}

// AccountByLogin is [staff.Store].
func (s *Store) AccountByLogin(ctx context.Context, login string) (staff.Account, error) {
	if err := s.begin(ctx); err != nil {
		return staff.Account{}, err
	}
	defer s.mu.Unlock()
	return found(s.byLogin(login))
}

func found(a *staff.Account) (staff.Account, error) {
	if a == nil {
		return staff.Account{}, staff.ErrNotFound
	}
	return *a, nil
}

// Accounts is [staff.Store].
func (s *Store) Accounts(ctx context.Context) ([]staff.Account, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	return slices.Clone(s.accounts), nil
}

// Version is [staff.Store].
func (s *Store) Version(ctx context.Context) (int64, error) {
	if err := s.begin(ctx); err != nil {
		return 0, err
	}
	defer s.mu.Unlock()
	return s.version, nil
}

// CreateSession is [staff.Store].
func (s *Store) CreateSession(ctx context.Context, session staff.Session) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	session.Created = time.UnixMilli(session.Created.UnixMilli()).UTC()
	session.Expires = time.UnixMilli(session.Expires.UnixMilli()).UTC()
	s.sessions[session.TokenHash] = session
	return nil
}

// Session is [staff.Store].
func (s *Store) Session(ctx context.Context, tokenHash [32]byte) (staff.Session, error) {
	if err := s.begin(ctx); err != nil {
		return staff.Session{}, err
	}
	defer s.mu.Unlock()
	session, ok := s.sessions[tokenHash]
	if !ok {
		return staff.Session{}, staff.ErrNotFound
	}
	return session, nil
}

// DeleteSession is [staff.Store].
func (s *Store) DeleteSession(ctx context.Context, tokenHash [32]byte) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	delete(s.sessions, tokenHash)
	return nil
}

// LiveSessions is [staff.Store].
func (s *Store) LiveSessions(ctx context.Context, id chat.StaffID, now time.Time) (n int, err error) {
	if err := s.begin(ctx); err != nil {
		return 0, err
	}
	defer s.mu.Unlock()
	for _, session := range s.sessions {
		if session.Staff == id && now.Before(session.Expires) {
			n++
		}
	}
	return n, nil
}

// DeleteSessions is [staff.Store].
func (s *Store) DeleteSessions(ctx context.Context, id chat.StaffID, expiredBefore time.Time) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	for hash, session := range s.sessions {
		if id != 0 && session.Staff == id || id == 0 && session.Expires.Before(expiredBefore) {
			delete(s.sessions, hash)
		}
	}
	return nil
}
