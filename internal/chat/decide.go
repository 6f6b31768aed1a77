// Station 6 of docs/road.md: the domain decides.

package chat

import (
	"bytes"
	"encoding/json"
	"time"
	"unicode/utf8"
)

// Limits of what a participant may send, in bytes.
const (
	MaxText       = 16 << 10
	MaxName       = 256
	MaxSubject    = 1 << 10
	MaxAttributes = 16 << 10
	MaxData       = 64 << 10 // keys and values of the opening's data together
)

// Decision is what a command comes to.
type Decision struct {
	// Events are what happens, with their indexes; none if nothing does.
	Events []Event
	// Repeat is the index of the first event that an earlier command with the
	// same id and actor caused; 0 if this one is new.
	Repeat int64
}

// Decide looks at a state and a command and says what happens, without
// changing the state. A refusal is an [*Error].
func Decide(s *State, c Command) (Decision, error) {
	if len(c.ID) > MaxCommandID || !utf8.ValidString(c.ID) {
		return Decision{}, Refuse(Invalid, "the command's id is too long or not text")
	}
	if at, known := s.commands[c.key()]; known && c.ID != "" {
		return Decision{Repeat: at}, nil
	}
	d := decider{s: s, at: c.At.UTC().Truncate(time.Millisecond), key: c.key(), by: c.By}
	if err := d.do(c.Do); err != nil {
		return Decision{}, err
	}
	d.wake()
	return Decision{Events: d.events}, nil
}

// decider collects the events of one decision.
type decider struct {
	s      *State
	at     time.Time
	key    string
	by     Actor
	events []Event
}

func (d *decider) emit(f Fact) *Event {
	d.events = append(d.events, Event{Index: d.s.Last + int64(len(d.events)) + 1, At: d.at, Command: d.key, Fact: f})
	return &d.events[len(d.events)-1]
}

func (d *decider) do(a Action) error {
	if open, ok := a.(Open); ok {
		return d.open(open)
	}
	switch d.s.Phase {
	case PhaseNone:
		return Refuse(NotFound, "there is no such chat")
	case PhaseEnded:
		switch a := a.(type) {
		case Tick, Recover, Unbind, Withdraw, Unsubscribe:
			return nil
		case Fetch:
			_, err := d.fetch(a)
			return err
		}
		return Refuse(Ended, "the chat has ended")
	}
	if d.s.newer {
		return d.newer(a)
	}
	if err := d.room(a); err != nil {
		return err
	}
	switch a := a.(type) {
	case Say:
		return d.say(a)
	case Type:
		return d.typed(a)
	case Rename, Push, Notify, SetData, MarkRead:
		return d.update(a)
	case Share, Unshare, Fetch:
		return d.file(a)
	case Leave:
		return d.leave(a)
	case Rejoin:
		return d.rejoin()
	case End:
		return d.end()
	case Hold:
		return d.hold()
	case Bind:
		return d.bind(a)
	case Unbind:
		d.unbind(a)
		return nil
	case Subscribe:
		return d.subscribe(a)
	case Unsubscribe:
		return d.unsubscribe(a)
	case Offer:
		return d.offer(a)
	case Accept:
		return d.accept()
	case Decline:
		return d.decline(a)
	case Withdraw:
		if o := d.s.Offer; o != nil && o.Agent == a.Agent {
			d.emit(Withdrawn{Agent: o.Agent, Reason: a.Reason})
		}
		return nil
	case Tick:
		d.tick()
		return nil
	case Recover:
		d.recover()
		return nil
	default:
		return Refuse(Unknown, "this cannot be asked of a chat")
	}
}

// newer decides for a chat whose log holds what only a newer version knows: the
// state may be wrong, so nothing is decided by it. A visitor can still listen,
// for that needs no more than the binding, and the server's own commands wait.
func (d *decider) newer(a Action) error {
	switch a := a.(type) {
	case Bind:
		return d.bind(a)
	case Unbind:
		d.unbind(a)
		return nil
	case Tick, Recover, Withdraw, Unsubscribe:
		return nil
	}
	return Refuse(Newer, "a newer version of the server has written to this chat; it can only be read here")
}

func (d *decider) open(a Open) error {
	if d.s.Phase != PhaseNone {
		return Refuse(Conflict, "the chat is open already")
	}
	o := a.Opening
	if err := checkOpening(a); err != nil {
		return err
	}
	if o.KeyEpoch == 0 {
		o.KeyEpoch = 1
	}
	mask := d.s.Rules.Mask
	o.Subject, o.FirstName, o.LastName = mask.Text(o.Subject), mask.Text(o.FirstName), mask.Text(o.LastName)
	d.emit(Joined{No: VisitorNo, Role: RoleVisitor, Name: mask.Text(a.Name), Opening: &o})
	if a.Text != "" {
		d.emit(Said{No: VisitorNo, Text: mask.Text(a.Text)})
	}
	d.welcome()
	d.emit(Queued{Queue: o.Queue})
	if a.Device != nil {
		d.emit(Subscribed{*a.Device})
	}
	return nil
}

func checkOpening(a Open) error {
	if a.Name == "" {
		return Refuse(Invalid, "a name is needed")
	}
	if a.Opening.Service == "" || a.Opening.Queue == "" {
		return Refuse(Invalid, "a service and a queue are needed")
	}
	for _, s := range []string{a.Name, a.Opening.FirstName, a.Opening.LastName, a.Opening.Email, a.Opening.Language} {
		if err := checkText(s, MaxName, "a name or an address"); err != nil {
			return err
		}
	}
	if err := checkText(a.Opening.Subject, MaxSubject, "the subject"); err != nil {
		return err
	}
	if err := checkData(a.Opening.Data); err != nil {
		return err
	}
	if a.Device != nil {
		if err := checkDevice(*a.Device); err != nil {
			return err
		}
	}
	return checkText(a.Text, MaxText, "the text")
}

func checkText(s string, limit int, what string) error {
	if len(s) > limit {
		return Refuse(TooLong, what+" is too long")
	}
	if !utf8.ValidString(s) {
		return Refuse(Invalid, what+" is not UTF-8")
	}
	return nil
}

// speaker is the participant that the actor is now.
func (d *decider) speaker() (Participant, error) {
	if d.by.Visitor {
		if v := d.s.Visitor(); v.Present {
			return v, nil
		}
		return Participant{}, Refuse(Ended, "you have left this chat")
	} else if p, ok := d.s.Present(d.by.Staff); ok {
		return p, nil
	}
	return Participant{}, Refuse(Forbidden, "you are not in this chat")
}

func (d *decider) say(a Say) error {
	p, err := d.speaker()
	if err != nil {
		return err
	}
	if a.Text == "" {
		return Refuse(Invalid, "a message needs a text")
	}
	if err := checkText(a.Text, MaxText, "the message"); err != nil {
		return err
	}
	if err := checkText(a.Type, MaxName, "the message type"); err != nil {
		return err
	}
	if len(a.Attributes) > MaxAttributes {
		return Refuse(TooLong, "the attributes are too long")
	}
	attributes, err := compactObject(a.Attributes)
	if err != nil {
		return err
	}
	only, err := d.audience(p, a)
	if err != nil {
		return err
	}
	d.emit(Said{
		No: p.No, Text: d.s.Rules.Mask.Text(a.Text), Type: a.Type, Attributes: attributes, Audience: a.Audience, Only: only,
	})
	return nil
}

// compactObject is a JSON object without the white space around its tokens,
// which the log does not keep either: whoever sees the event live and whoever
// reads it back later get the same bytes.
func compactObject(object json.RawMessage) (json.RawMessage, error) {
	if len(object) == 0 {
		return nil, nil
	}
	var b bytes.Buffer
	if !utf8.Valid(object) || json.Compact(&b, object) != nil || b.Bytes()[0] != '{' {
		return nil, Refuse(Invalid, "the attributes are not an object")
	}
	return b.Bytes(), nil
}

func (d *decider) typed(a Type) error {
	p, err := d.speaker()
	if err != nil {
		return err
	}
	if err := checkText(a.Preview, MaxText, "the preview"); err != nil {
		return err
	}
	d.emit(Typed{No: p.No, On: a.On}).Preview = d.s.Rules.Mask.Preview(a.Preview)
	return nil
}

// end lets a participant end the chat, or the house for its operator.
func (d *decider) end() error {
	if d.by == (Actor{}) {
		d.finish(0, EndedOperator)
		return nil
	}
	p, err := d.speaker()
	if err != nil {
		return err
	}
	reason := EndedByAgent
	if d.by.Visitor {
		reason = EndedByVisitor
	} else {
		d.offerSurvey()
	}
	d.stopTyping(p.No)
	d.emit(Left{No: p.No, Reason: LeftEnding})
	d.finish(p.No, reason)
	return nil
}

// finish takes back an open offer and ends the chat.
func (d *decider) finish(by int, reason EndReason) {
	if o := d.s.Offer; o != nil {
		d.emit(Withdrawn{Agent: o.Agent, Reason: "the chat has ended"})
	}
	d.emit(Finished{By: by, Reason: reason})
}

func (d *decider) bind(a Bind) error {
	if !d.by.Visitor {
		return Refuse(Forbidden, "only the visitor binds a channel")
	}
	if _, err := d.speaker(); err != nil {
		return err
	}
	if a.Channel == "" {
		return Refuse(Invalid, "the channel has no name")
	}
	bound := d.s.UnboundSince.IsZero()
	if bound && (a.Yield || a.Channel == d.s.Channel) {
		return nil
	}
	d.emit(Bound{Channel: a.Channel, Browser: a.Browser})
	return nil
}

func (d *decider) unbind(a Unbind) {
	if d.s.Channel != a.Channel || a.Channel == "" {
		return
	}
	f := Unbound{Channel: a.Channel}
	if since := a.Since.UTC().Truncate(time.Millisecond); !a.Since.IsZero() && since.Before(d.at) {
		f.Since = since
	}
	if heard := d.s.heard(a.Heard); !heard.IsZero() && heard.Before(d.at) {
		f.Heard = heard
	}
	d.emit(f)
	d.stopTyping(VisitorNo)
	if a.Background {
		d.background(a.From)
	}
}

func (d *decider) offer(a Offer) error {
	switch {
	case d.s.Phase != PhaseWaiting || d.s.Offer != nil:
		return Refuse(Conflict, "the chat does not wait for an offer")
	case a.Agent == 0 || !a.Until.After(d.at):
		return Refuse(Invalid, "an offer needs an agent and a time")
	}
	if d.s.spares(a.Agent, d.at) {
		return Refuse(Conflict, "the agent had this chat a short while ago")
	}
	d.emit(Offered{Agent: a.Agent, Name: a.Name, Role: a.Role, Until: a.Until.UTC().Truncate(time.Millisecond), Reason: a.Reason})
	return nil
}

// offered is the open offer to the actor.
func (d *decider) offered() (*Offered, error) {
	if o := d.s.Offer; o != nil && o.Agent == d.by.Staff && d.by.Staff != 0 && d.at.Before(o.Until) {
		return o, nil
	}
	return nil, Refuse(NotOffered, "this chat is not on offer to you any more")
}

func (d *decider) accept() error {
	o, err := d.offered()
	if err != nil {
		return err
	}
	d.emit(Accepted{Agent: o.Agent})
	d.emit(Joined{No: d.nextNo(), Role: o.Role, Name: o.Name, Staff: o.Agent})
	return nil
}

func (d *decider) decline(a Decline) error {
	o, err := d.offered()
	if err != nil {
		return err
	}
	if err := checkText(a.Reason, MaxName, "the reason"); err != nil {
		return err
	}
	d.emit(Declined{Agent: o.Agent, Until: d.at.Add(d.s.Rules.ExcludeFor), Reason: a.Reason})
	return nil
}

func (d *decider) tick() {
	s := d.s
	due := func(since time.Time, after time.Duration) bool {
		return !since.IsZero() && !d.at.Before(since.Add(after))
	}
	here := s.Visitor().Present
	d.expireTyping()
	if !s.UnboundSince.IsZero() && !d.at.Before(s.goneAt()) && !s.Opening.Async && here {
		d.gone(LeftLost, EndedGone)
		return
	}
	if d.idle() {
		return
	}
	if due(s.UnboundSince, s.Rules.AwayAfter) && !s.IsAway && here {
		d.emit(Away{})
	}
	if o := s.Offer; o != nil && !d.at.Before(o.Until) {
		d.emit(Missed{Agent: o.Agent, Until: d.at.Add(s.Rules.ExcludeFor)})
	}
}

func (d *decider) recover() {
	d.emit(Unbound{Channel: d.s.Channel, Heard: d.s.heard(d.s.LastAt.Add(-Unheard))})
	if o := d.s.Offer; o != nil {
		d.emit(Withdrawn{Agent: o.Agent, Reason: "the server was restarted"})
	}
	d.graceAfterRestart()
}
