package push

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/halley-chat/halley/internal/chat"
)

// Text is what a device shows.
type Text struct{ Title, Body string }

// Message is one event on its way to a device.
type Message struct {
	Chat   chat.ID
	Index  int64
	Type   string // of the event, in the visitor's words
	Device chat.Device
	Text   Text
	// Event is the event itself; nil if it stays here.
	Event json.RawMessage
	// Keep is how long a carrier should keep the message for a device that
	// cannot be reached.
	Keep time.Duration
}

// Sender brings messages to the devices of one carrier. Its methods may be
// called from any number of goroutines at once.
type Sender interface {
	// Send hands a message over and returns when the carrier has taken it, or
	// not: then the error is a [*Fault], or anything else, which counts as one
	// that passes.
	Send(ctx context.Context, m Message) error
	// Close releases what the sender holds. Nothing is sent afterwards.
	Close()
}

// Verdict is what a failure means for the message.
type Verdict int

// The verdicts.
const (
	Transient     Verdict = iota // the carrier may take it later
	Permanent                    // the carrier will not take it
	UnknownDevice                // the carrier does not know the device any more
	// Misconfigured says that the carrier takes nothing that comes this way until
	// somebody mends something, such as a key. No device can bring it about.
	Misconfigured
	// DeviceTransient is like Transient, but says nothing about anything else that comes this
	// way: it may be this one device's fault.
	DeviceTransient
)

// Fault is a carrier's refusal. It says nothing about the message or the
// device, and so it can be logged and kept.
type Fault struct {
	Carrier chat.Carrier
	Verdict Verdict
	// Status is the HTTP status, 0 if there was no answer.
	Status int
	// Code is the carrier's own word for it, and may be empty.
	Code string
	// After is the Retry-After of the carrier; 0 if it did not say.
	After time.Duration
}

// Error is the carrier, the status and the code.
func (f *Fault) Error() string { return fmt.Sprintf("push: %s: %s", f.Carrier, f.reason()) }

// reason is the fault in a word or two.
func (f *Fault) reason() string {
	switch {
	case f.Status == 0 && f.Code == "":
		return "no answer"
	case f.Status == 0:
		return f.Code
	case f.Code == "":
		return fmt.Sprint(f.Status)
	}
	return fmt.Sprintf("%d %s", f.Status, f.Code)
}

// faultOf is an error as a fault. What is none is a failure on the way, whose
// own words may hold an address with a secret in it.
func faultOf(carrier chat.Carrier, err error) *Fault {
	var f *Fault
	switch {
	case errors.As(err, &f):
		return f
	case errors.Is(err, context.DeadlineExceeded):
		return &Fault{Carrier: carrier, Code: "timeout"}
	}
	return &Fault{Carrier: carrier}
}
