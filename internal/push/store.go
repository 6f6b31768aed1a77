package push

import (
	"context"
	"time"

	"github.com/halley-chat/halley/internal/chat"
)

// The most dead letters that a store keeps, and for how long: what is more or
// older goes when another one comes, unless it is to be sent again.
const (
	MaxDead     = 10_000
	MaxDeadTime = 30 * 24 * time.Hour
)

// DeadLetter is letter: an event that could not be brought to the visitor's
// device. It says neither what was written nor where it should have gone.
type DeadLetter struct {
	// ID is given by the store; the later, the higher.
	ID    int64
	Chat  chat.ID
	Index int64
	// Type is the event's, in the visitor's words.
	Type    string
	Carrier chat.Carrier
	// Reason is what the carrier said last, in a word or two.
	Reason string
	// Attempts is how often it was tried.
	Attempts int
	// At is when it was given up, in UTC to the millisecond.
	At time.Time
	// Asked is when somebody asked for it to be sent again, in UTC to the
	// millisecond; zero if nobody did, or it has been tried since.
	Asked time.Time
}

// Store is the port to where a pusher keeps how far it has come. All methods
// may be called from any number of goroutines at once. What they have returned
// from is durable.
type Store interface {
	// Track notes chats whose visitors have named a device, with nothing done
	// yet. It leaves alone what is noted already.
	Track(ctx context.Context, ids []chat.ID) error

	// Cursors are the chats that are noted, each with the index of the last
	// event that is done with; 0 if there is none.
	Cursors(ctx context.Context) (map[chat.ID]int64, error)

	// Advance notes that everything up to an index is done with, and keeps a
	// dead letter if there is one, both or neither. A cursor does not go back.
	// A chat that is not noted is noted.
	Advance(ctx context.Context, id chat.ID, done int64, dead *DeadLetter) error

	// Forget lets a chat go. Its dead letters stay.
	Forget(ctx context.Context, id chat.ID) error

	// DeadLetters lists the dead letters, the latest first, at most limit.
	DeadLetters(ctx context.Context, limit int) ([]DeadLetter, error)

	// Purge deletes dead letters by their ids, or all of them if none are given,
	// and says how many there were.
	Purge(ctx context.Context, ids ...int64) (int, error)

	// RequestRetry notes that dead letters are to be sent again, by their ids, or all of
	// them if none are given, and says how many there were. One that has been
	// asked for already keeps the time at which it was.
	RequestRetry(ctx context.Context, at time.Time, ids ...int64) (int, error)

	// RetryRequested lists the dead letters that are to be sent again, the oldest first.
	RetryRequested(ctx context.Context) ([]DeadLetter, error)

	// ResolveRetry notes what has become of a dead letter that was to be sent again.
	// With nil it has been, and goes. Otherwise it stays, nobody asks for it any
	// more, and Carrier, Reason, Attempts and At are those given. One that is not
	// there any more stays away.
	ResolveRetry(ctx context.Context, id int64, dead *DeadLetter) error
}
