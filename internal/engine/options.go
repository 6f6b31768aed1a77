package engine

import (
	"log/slog"
	"time"

	"github.com/halley-chat/halley/internal/chat"
)

// Options are what an [Engine] is made of. Only Log is required.
type Options struct {
	// Log is the store of all logs.
	Log Log
	// Bus tells other engines over the same store of appends, and hears of
	// theirs; by default a bus of this engine's own.
	Bus Bus
	// Rules are the durations for the chats of a service. They must not
	// change while the engine runs. By default [chat.DefaultRules] hold for
	// every service.
	Rules func(service string) chat.Rules
	// Logger hears of what goes wrong in the background; by default
	// [slog.Default].
	Logger *slog.Logger
	// Mailbox is how many commands may wait for one chat or agent before the
	// next one is refused with [chat.Unavailable]; 256 by default.
	Mailbox int
	// RoomIdle is how long a room that nobody watches stays in memory after
	// its last command; 60 s by default.
	RoomIdle time.Duration
	// StoreTimeout is how long one call of the store may take before the room
	// gives it up and answers with [chat.Unavailable]; 5 s by default, so that
	// an edge can tell its client before the client gives up.
	StoreTimeout time.Duration
}

func (o Options) withDefaults() Options {
	if o.Bus == nil {
		o.Bus = NewLocalBus()
	}
	if o.Rules == nil {
		rules := chat.DefaultRules()
		o.Rules = func(string) chat.Rules { return rules }
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Mailbox <= 0 {
		o.Mailbox = 256
	}
	if o.RoomIdle <= 0 {
		o.RoomIdle = time.Minute
	}
	if o.StoreTimeout <= 0 {
		o.StoreTimeout = 5 * time.Second
	}
	return o
}

// Result is what a command to a chat came to.
type Result struct {
	// Events are what the command caused, in order; none if it changed nothing.
	// They are shared with watchers and must not be changed.
	Events []chat.Event
	// Repeat says that a command with this id was carried out before; Events
	// are those of the first time.
	Repeat bool
	// Deferred says that the command was accepted but waits for its turn, as
	// typing does that follows too closely; Events are empty.
	Deferred bool
	// Summary is the chat's summary once the command was carried out. It may
	// contain what other commands of the same turn changed.
	Summary chat.Summary
}

// AgentResult is what a command to an agent came to.
type AgentResult struct {
	// Events are what the command caused; none if it changed nothing.
	Events []chat.AgentEvent
	// State is the agent's state afterwards; its slices are shared and must
	// not be changed.
	State chat.AgentState
}

// Batch is what a watcher of a chat is told at once.
type Batch struct {
	Chat chat.ID
	// Events follow each other, except that typing which is over is left out
	// of what is read back from the log. They are shared and must not be
	// changed.
	Events []chat.Event
	// Summary is the chat's summary after the events; it is shared too.
	Summary chat.Summary
	// Replay says that the events are the past, up to the moment at which the
	// watch began.
	Replay bool
}

// AgentBatch is what a watcher of an agent is told at once; see [Batch].
type AgentBatch struct {
	Agent  chat.StaffID
	Events []chat.AgentEvent
	State  chat.AgentState
	Replay bool
}
