// Station 6 of docs/road.md: the domain decides.

package engine

import (
	"context"
	"errors"
	"time"

	"github.com/halley-chat/halley/internal/chat"
)

// LogKind says what a log belongs to. The numbers are part of the storage
// format.
type LogKind uint8

// The kinds of logs.
const (
	ChatKind  LogKind = 1
	AgentKind LogKind = 2
)

// LogID names one log.
type LogID struct {
	Kind LogKind
	ID   int64
}

// ChatLog names the log of a chat.
func ChatLog(id chat.ID) LogID { return LogID{ChatKind, int64(id)} }

// AgentLog names the log of an agent.
func AgentLog(id chat.StaffID) LogID { return LogID{AgentKind, int64(id)} }

// Record is one entry of a log as the store sees it.
type Record struct {
	Index int64
	At    time.Time // UTC, to the millisecond
	Body  []byte    // never changed by anybody once handed over
	// Live is text that travels with a record to whoever listens now. A store
	// ignores it.
	Live string
}

// Append is one atomic step: all of it becomes durable, or nothing of it does.
type Append struct {
	// Log is the log to append to and Expect the index of the last record that
	// it must have: 0 for a log that has none.
	Log    LogID
	Expect int64
	// Records follow each other: Expect+1, Expect+2, …
	Records []Record
	// Summary replaces the chat's summary row; nil leaves it as it is. A
	// summary in the phase "ended" also says that the log will not grow and
	// may be packed.
	Summary *chat.Summary
	// Claims are agents' slots taken or freed. Taking a slot that the agent
	// already holds for the same chat, or freeing one that it does not hold,
	// changes nothing and succeeds.
	Claims []chat.Claim
	// Tails go to the end of other logs, whatever index that is. They are
	// given in the order in which they shall stand there.
	Tails []Tail
}

// Tail is a record for the end of another log.
type Tail struct {
	Log  LogID
	At   time.Time
	Body []byte
}

// Checkpoint is the folded state of a log up to and including an index, in
// words that only the log's owner understands. It saves reading a long log
// from the start and may be lost without harm.
type Checkpoint struct {
	Index int64
	Body  []byte
}

// The ways in which an append can fail. Any other error means that the store
// could not be reached or could not write: nothing is known about the append
// except that it was not acknowledged, and the log must be read again.
var (
	// ErrConflict: the log's last index is not the expected one.
	ErrConflict = errors.New("engine: the log has moved on")
	// ErrCapacity: a claim does not fit into the agent's capacity.
	ErrCapacity = errors.New("engine: the agent has no free slot")
	// ErrDamaged: what is stored of this log is not what was written, so it
	// cannot be read. Trying again does not help; other logs are not concerned.
	ErrDamaged = errors.New("engine: the log is damaged")
	// ErrClosed: the store has been closed.
	ErrClosed = errors.New("engine: the store is closed")
)

// Log is the port to the store of all logs. All methods may be called from
// any number of goroutines at once.
type Log interface {
	// Append makes the step durable (synced to the disk) before it returns
	// nil. It returns the indexes that the tails were given, in their order.
	// On [ErrConflict] and [ErrCapacity] nothing has changed. If ctx ends
	// while the append still waits for its turn, nothing has changed and the
	// error is ctx's; once its turn has come Append waits for the outcome
	// whatever ctx says, so that an answer is never "perhaps" for that reason.
	Append(ctx context.Context, a Append) (tails []int64, err error)

	// Read returns at most limit records of a log from an index on, in
	// order, and fewer only where the log ends. A log that does not exist, or an index beyond its end, gives none.
	// It never returns a record whose append has not been committed.
	Read(ctx context.Context, log LogID, from int64, limit int) ([]Record, error)

	// Live calls yield with the summary of every chat that has not ended, in
	// any order, until yield returns false. A chat whose summary cannot be
	// read is given with nothing but its id and [chat.PhaseNone]: its log says
	// the same.
	Live(ctx context.Context, yield func(chat.Summary) bool) error

	// Summary is the summary row of one chat, ended ones included; ok is false
	// if there is no such chat.
	Summary(ctx context.Context, id chat.ID) (s chat.Summary, ok bool, err error)

	// SaveCheckpoint keeps a checkpoint of a log in place of an earlier one.
	// It need not be durable.
	SaveCheckpoint(ctx context.Context, log LogID, c Checkpoint) error

	// Checkpoint returns the checkpoint of a log; its index is 0 if none is
	// kept.
	Checkpoint(ctx context.Context, log LogID) (Checkpoint, error)
}
