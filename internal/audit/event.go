// Package audit keeps a record of who did what to accounts, chats and files:
// an append-only sequence of events, chained by hashes so that a change to an
// earlier event is detected.
//
// Whoever causes an event calls a [Recorder], which never blocks. A [Log] is
// the recorder of a running server: it queues events and appends them in
// batches to a [Store]. Commands call [Append], which returns when the event is
// durable.
package audit

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/halley-chat/halley/internal/chat"
)

// Kind is what happened. The values are part of the stored format.
type Kind string

// The kinds of events. Which fields of an [Event] a kind sets stands beside it;
// At is always set, and Operator instead of Actor and Address wherever a
// command of the operator was the cause.
const (
	SignedIn        Kind = "signed-in"        // Actor, Address
	SignInRefused   Kind = "sign-in-refused"  // Account if the login is that of one, Address, Detail: why; Count if several
	SignedOut       Kind = "signed-out"       // Actor
	AccountAdded    Kind = "account-added"    // Account, Detail: role and capacity
	AccountChanged  Kind = "account-changed"  // Account, Detail: which fields
	AccountDisabled Kind = "account-disabled" // Account
	AccountEnabled  Kind = "account-enabled"  // Account
	PasswordChanged Kind = "password-changed" // Account, Actor if it was the account's owner
	ChatOpened      Kind = "chat-opened"      // Actor, Chat: somebody of the staff was shown it
	FileFetched     Kind = "file-fetched"     // Actor, Chat, File: somebody of the staff downloaded it
	ChatEnded       Kind = "chat-ended"       // Operator, Chat, Detail: the reason given
	EventsLost      Kind = "events-lost"      // Count: so many events could not be kept here
)

// Event is one thing that happened. It holds no password, no text of a chat
// and no name; a login that belongs to no account is not kept either, since
// people type passwords into the wrong field.
type Event struct {
	At       time.Time    `json:"at"` // UTC, to the millisecond; a recorder sets it if it is zero
	Kind     Kind         `json:"kind"`
	Actor    chat.StaffID `json:"actor,omitempty"`   // the account that acted
	Account  chat.StaffID `json:"account,omitempty"` // the account that was acted upon
	Chat     chat.ID      `json:"chat,omitempty"`
	File     string       `json:"file,omitempty"`     // the file's id, never its name
	Address  string       `json:"address,omitempty"`  // of the client, without its port
	Operator string       `json:"operator,omitempty"` // the system's user who ran a command
	Detail   string       `json:"detail,omitempty"`
	Count    int64        `json:"count,omitempty"`
}

// Recorder takes events. Record never blocks and may be called from any
// number of goroutines, also while a lock is held.
type Recorder interface{ Record(e Event) }

// Discard is a [Recorder] that keeps nothing.
type Discard struct{}

// Record does nothing.
func (Discard) Record(Event) {}

const maxText = 200 // bytes of each text in an event

// normalized is the event as it is stored: with a time, and with texts that
// are valid and bounded.
func (e Event) normalized() Event {
	if e.At.IsZero() {
		e.At = time.Now()
	}
	e.At = e.At.UTC().Truncate(time.Millisecond)
	for _, s := range []*string{&e.File, &e.Address, &e.Operator, &e.Detail} {
		*s = bounded(*s)
	}
	return e
}

func bounded(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= maxText {
		return s
	}
	cut := maxText
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut]
}
