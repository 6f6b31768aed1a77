package staff

import (
	"context"
	"errors"
	"time"

	"github.com/halley-chat/halley/internal/chat"
)

// Role is what an account may do. A supervisor may do what an agent may, and a
// bot too; visitors are told that a bot is none of the agents.
type Role string

// The roles of accounts.
const (
	RoleAgent      Role = "agent"
	RoleSupervisor Role = "supervisor"
	RoleBot        Role = "bot"
)

// Account is somebody who can sign in at a desk.
type Account struct {
	ID       chat.StaffID
	Login    string // lower case, unique
	Name     string // what visitors see
	Role     Role
	Capacity int // chats at once, at least 1
	Disabled bool
	// Password is an argon2id hash in PHC form, never the password itself.
	Password string
}

// Session is a signed-in browser. The token itself is not kept, only its
// SHA-256.
type Session struct {
	TokenHash [32]byte
	Staff     chat.StaffID
	Created   time.Time
	Expires   time.Time
}

// The refusals of a [Store].
var (
	ErrNotFound = errors.New("staff: no such account or session")
	ErrExists   = errors.New("staff: that login is taken")
)

// Store is the port to the accounts and their browser sessions. It may be
// used beside a running server by another process; all methods may be called
// from any number of goroutines.
type Store interface {
	// CreateAccount adds an account and returns its number; the ID given is
	// ignored. [ErrExists] if the login is taken.
	CreateAccount(ctx context.Context, a Account) (chat.StaffID, error)
	// UpdateAccount replaces everything but ID and login. [ErrNotFound] if
	// there is no account of that ID.
	UpdateAccount(ctx context.Context, a Account) error
	// Account finds one by its ID, AccountByLogin by its login; [ErrNotFound]
	// if there is none.
	Account(ctx context.Context, id chat.StaffID) (Account, error)
	AccountByLogin(ctx context.Context, login string) (Account, error)
	// Accounts lists them all by ID.
	Accounts(ctx context.Context) ([]Account, error)
	// Version changes whenever another process may have changed an account.
	// It is cheap enough to be asked every second.
	Version(ctx context.Context) (int64, error)

	// CreateSession keeps a session; Session finds one by the hash of its
	// token, whether it has expired or not, or says [ErrNotFound].
	CreateSession(ctx context.Context, s Session) error
	Session(ctx context.Context, tokenHash [32]byte) (Session, error)
	// LiveSessions is how many sessions of an account have not expired.
	LiveSessions(ctx context.Context, staff chat.StaffID, now time.Time) (int, error)
	// DeleteSession forgets one, DeleteSessions all those of an account or,
	// with staff 0, all that expired before a moment. Forgetting what is not
	// there is no error.
	DeleteSession(ctx context.Context, tokenHash [32]byte) error
	DeleteSessions(ctx context.Context, staff chat.StaffID, expiredBefore time.Time) error
}
