package chat

import (
	"log/slog"
	"time"
)

// A visitor who is not listening can be told of what happens through a device
// that it named: a phone, or a program of its own. Who carries the news there
// is no concern of a chat; it knows the device, and that a visitor who can be
// reached through one may stay away for longer.

// Carrier is a kind of service that brings news to a device.
type Carrier string

// The carriers.
const (
	CarrierFCM  Carrier = "fcm"  // Firebase Cloud Messaging
	CarrierAPNs Carrier = "apns" // Apple's push notification service
	CarrierHook Carrier = "hook" // an HTTP address of the operator's
)

// Token is what a carrier knows a device by. Whoever has it can write to the
// device, so it is never printed: every way of formatting it gives "(token)".
type Token string

// hidden is what a token looks like to whoever prints it.
const hidden = "(token)"

// String hides the token.
func (Token) String() string { return hidden }

// GoString hides the token.
func (Token) GoString() string { return hidden }

// LogValue hides the token.
func (Token) LogValue() slog.Value { return slog.StringValue(hidden) }

// Device is where a visitor can be told of what happens.
type Device struct {
	Carrier Carrier `json:"carrier"`
	Token   Token   `json:"token"`
	// Provider names the credentials that the carrier is given; empty means
	// the usual ones.
	Provider string `json:"provider,omitempty"`
	// Language is that of the texts the device shows.
	Language string `json:"lang,omitempty"`
	// Debug says that the app is a developer's build.
	Debug bool `json:"debug,omitempty"`
	// Payload asks for the events themselves and not only for a hint.
	Payload bool `json:"payload,omitempty"`
}

// MaxToken is the longest token of a device, in bytes.
const MaxToken = 4 << 10

// Subscribed says that the visitor wants to be told through a device of what
// happens while nobody listens. It takes the place of the one before.
type Subscribed struct {
	Device
}

// UnsubscribeReason says why a subscription ended.
type UnsubscribeReason string

// The reasons for a subscription's end.
const (
	UnsubscribedByChoice UnsubscribeReason = ""     // the visitor does not want it any more
	UnsubscribedInvalid  UnsubscribeReason = "dead" // the carrier does not know the device any more
)

// Unsubscribed says that the subscription is over.
type Unsubscribed struct {
	Reason UnsubscribeReason `json:"reason,omitempty"`
}

func (Subscribed) fact() string   { return "subscribed" }
func (Unsubscribed) fact() string { return "lapsed" }

// AwayReason says why a visitor is away.
type AwayReason string

// The reasons for being away.
const (
	AwayLost       AwayReason = ""           // its channel has been gone for a while
	AwayBackground AwayReason = "background" // its app has said that it goes to the background
)

type (
	// Subscribe asks for the visitor to be told through a device.
	Subscribe struct{ Device }
	// Unsubscribe ends the subscription. With a token it does nothing unless that is
	// the device's: it may have been replaced meanwhile.
	Unsubscribe struct {
		Token  Token
		Reason UnsubscribeReason
	}
)

func (Subscribe) action()   {}
func (Unsubscribe) action() {}

// subscribe says nothing if nothing changes.
func (d *decider) subscribe(a Subscribe) error {
	if !d.by.Visitor {
		return Refuse(Forbidden, "only the visitor names its device")
	}
	if _, err := d.speaker(); err != nil {
		return err
	}
	if err := checkDevice(a.Device); err != nil {
		return err
	}
	if old := d.s.Device; old == nil || *old != a.Device {
		d.emit(Subscribed(a))
	}
	return nil
}

func checkDevice(v Device) error {
	if v.Carrier == "" || v.Token == "" {
		return Refuse(Invalid, "a device needs a carrier and a token")
	}
	if err := checkText(string(v.Token), MaxToken, "the device's token"); err != nil {
		return err
	}
	for _, s := range []string{string(v.Carrier), v.Provider, v.Language} {
		if err := checkText(s, MaxName, "the device"); err != nil {
			return err
		}
	}
	return nil
}

// unsubscribe is for the visitor, and for the house when a carrier has refused the
// device for good. A visitor who has left is not told anything any more, so
// there is nothing for it to end.
func (d *decider) unsubscribe(a Unsubscribe) error {
	if d.by.Staff != 0 {
		return Refuse(Forbidden, "the device is the visitor's")
	}
	if d.by.Visitor && !d.s.Visitor().Present {
		return nil
	}
	if old := d.s.Device; old != nil && (a.Token == "" || a.Token == old.Token) {
		d.emit(Unsubscribed{Reason: a.Reason})
	}
	return nil
}

// background is the second half of an [Unbind] by an app that goes to the
// background: the visitor is away at once.
func (d *decider) background(from int64) {
	d.emit(Away{Reason: AwayBackground, From: min(max(from, 0), d.s.Last+1)})
}

// goneAt is when a visitor who is unbound has left. One who can be told
// through a device has longer; when that ends, the usual time begins.
func (s *State) goneAt() time.Time {
	if s.Device != nil {
		return s.UnboundSince.Add(max(s.Rules.GoneAfter, s.Rules.GoneSubscribed))
	}
	since := s.UnboundSince
	if s.UnsubscribedAt.After(since) {
		since = s.UnsubscribedAt
	}
	return since.Add(s.Rules.GoneAfter)
}

// Unheard is how long a visitor whose connection broke may have heard nothing
// before its channel is found gone.
const Unheard = 2 * time.Minute

// heard is when a visitor who listens up to now, as far as anybody knows, was
// surely there: everything that happened since may have been lost on its way.
// It is only worth saying to a subscription.
func (s *State) heard(at time.Time) time.Time {
	if s.Device == nil || !s.UnboundSince.IsZero() || at.IsZero() {
		return time.Time{}
	}
	return at.UTC().Truncate(time.Millisecond)
}
