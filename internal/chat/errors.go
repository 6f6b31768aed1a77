package chat

import (
	"errors"
	"fmt"
)

// Kind says what sort of refusal an [Error] is. Each edge maps kinds to its
// own words in one table. The list is append-only: do not reorder it.
type Kind int

// The kinds of refusal.
const (
	Invalid     Kind = iota + 1 // a field is missing or malformed
	Forbidden                   // whoever asks may not do this
	NotFound                    // there is no such chat, agent or service
	Ended                       // the chat has ended and only reading is left
	Conflict                    // the state has moved on, the request no longer fits it
	Capacity                    // an agent has no free slot
	TooLong                     // a text is over its limit
	Unavailable                 // the store cannot be reached now; the same request may succeed later
	Closed                      // new chats are not accepted now
	NotOffered                  // the chat is not, or no longer, on offer to this agent
	Unknown                     // the operation is not known
	TooMany                     // there are as many files as there may be
	TooLarge                    // a file, or all together, is over its limit
	WrongType                   // a file is of a type that is not taken
	TooOften                    // a file has been loaded as often as it may be
	Newer                       // a newer version has written to the chat: this one can only read it
	Full                        // the chat holds as much as it may
)

var kindNames = [...]string{
	Invalid: "invalid", Forbidden: "forbidden", NotFound: "not found", Ended: "ended",
	Conflict: "conflict", Capacity: "capacity", TooLong: "too long", Unavailable: "unavailable",
	Closed: "closed", NotOffered: "not offered", Unknown: "unknown operation",
	TooMany: "too many files", TooLarge: "file too large", WrongType: "wrong type of file", TooOften: "loaded too often",
	Newer: "written by a newer version", Full: "chat full",
}

// String is the kind's name in English, for logs.
func (k Kind) String() string {
	if k > 0 && int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind %d", int(k))
}

// Error is a refusal of the domain. Reason is plain text that may be shown to
// whoever asked; it never contains what a person wrote.
type Error struct {
	Kind   Kind
	Reason string
	// Limit is the number that was exceeded, where there is one: of files, of
	// bytes or of loads.
	Limit int64
}

// Error is the kind and the reason.
func (e *Error) Error() string { return "chat: " + e.Kind.String() + ": " + e.Reason }

// Refuse makes an [Error].
func Refuse(kind Kind, reason string) error { return &Error{Kind: kind, Reason: reason} }

// RefuseOver makes an [Error] about a limit that was exceeded.
func RefuseOver(kind Kind, reason string, limit int64) error {
	return &Error{Kind: kind, Reason: reason, Limit: limit}
}

// KindOf is the kind of the first [Error] in err's chain, and 0 if it has none.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return 0
}
