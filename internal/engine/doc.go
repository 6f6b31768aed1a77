// Package engine runs chats: it keeps a room for every chat that somebody
// uses, lets [chat.Decide] decide, makes the events durable, and shows them
// to everybody who watches, in order and without a gap. Agents' logs are run
// by the same rooms.
//
// The ports through which it reaches a store and other nodes are [Log] and
// [Bus]; every adapter must pass the suites in enginetest.
//
// # Goroutines
//
// A room has one goroutine, from its first use until it has been idle for a
// while. It alone touches the room's state, calls the store for it, and calls
// those who watch it. Others reach it through its mailbox: commands, watches
// and looks at the state, bounded in number and refused when it is full;
// notices, bounded too and replaced by one flag when they overflow; and flags.
//
// Four goroutines more live from Start to Close. The notifier tells the board's
// watchers what has changed. The scheduler gives a tick to chats whose deadline
// has come, at most so many at a time, and learns of the outcome through a
// channel that has room for all of them. The recovery gives every chat that
// was live at the start a [chat.Recover], with a fixed number of workers, and
// ends. The listener compares the board with the store after notices have been
// lost. The bus calls the engine in a goroutine of the bus, which only puts
// what it hears into mailboxes and onto the board.
//
// The mutexes here protect in-memory state only: no I/O and no callback while one
// is held, and no second one is taken, except that a local bus queues for its
// subscribers one after the other.
package engine
