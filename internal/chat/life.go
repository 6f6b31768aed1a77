package chat

import "time"

// Life is what a service decides about the life of its chats: who is warned
// for keeping silent, what the house says, what is masked. It is part of
// [Rules], and its zero value asks for nothing.
type Life struct {
	// Idle is the idle control of a chat with an agent in it.
	Idle Idle
	// AsyncIdle is that of an asynchronous chat, with an agent in it or not.
	// Such a chat always has one: without times those of [DefaultAsyncIdle]
	// hold.
	AsyncIdle Idle
	// House is the name under which the house itself speaks; empty means
	// [DefaultHouse].
	House string
	// Welcome is the house's line at the opening of a chat; empty means none.
	Welcome string
	// Survey is offered to the visitor when an agent ends the chat; an empty
	// URL means that none is.
	Survey Survey
	// Mask covers what must not be stored or shown; nil covers nothing.
	Mask *Mask
	// Abandon says what becomes of a chat whose visitor leaves while it waits.
	Abandon Abandon
}

// DefaultHouse is what the house is called where nothing else is said.
const DefaultHouse = "System"

// surveyName is the name under which the house offers a survey.
const surveyName = "Survey"

// Survey is where a visitor is asked for an opinion.
type Survey struct {
	URL    string // of the survey
	Cancel string // where a visitor is sent who wants none; may be empty
}

// SurveyOffered says that the visitor was asked for an opinion.
type SurveyOffered struct {
	No     int    `json:"no"`
	URL    string `json:"url"`
	Cancel string `json:"cancel,omitempty"`
}

// Held says that an agent left an asynchronous chat, which sleeps until its
// visitor writes again.
type Held struct {
	No    int     `json:"no"`
	Agent StaffID `json:"agent"`
}

func (SurveyOffered) fact() string { return "survey" }
func (Held) fact() string          { return "held" }

// Hold takes the actor out of an asynchronous chat in which no other agent is.
// The chat sleeps until its visitor writes, and then waits in its queue again,
// for the same agent if that is possible.
type Hold struct{}

func (Hold) action() {}

// house is the number of the participant as which the house speaks. It comes
// in when it first has something to say, and stays.
func (d *decider) house() int {
	for _, p := range d.s.Participants {
		if p.Role == RoleHouse {
			return p.No
		}
	}
	name := d.s.Rules.House
	if name == "" {
		name = DefaultHouse
	}
	return d.joinHouse(name)
}

func (d *decider) joinHouse(name string) int {
	no := d.nextNo()
	d.emit(Joined{No: no, Role: RoleHouse, Name: name})
	return no
}

// nextNo is the number of whoever joins next.
func (d *decider) nextNo() int {
	no := len(d.s.Participants) + 1
	for _, e := range d.events {
		if _, ok := e.Fact.(Joined); ok {
			no++
		}
	}
	return no
}

// welcome greets the visitor who has just come.
func (d *decider) welcome() {
	if text := d.s.Rules.Welcome; text != "" {
		d.emit(Said{No: d.house(), Text: text})
	}
}

// offerSurvey asks the visitor for an opinion, if the service wants to know.
func (d *decider) offerSurvey() {
	s := d.s.Rules.Survey
	if s.URL == "" || !d.s.Visitor().Present {
		return
	}
	d.emit(SurveyOffered{No: d.joinHouse(surveyName), URL: s.URL, Cancel: s.Cancel})
}

func (d *decider) hold() error {
	p, err := d.speaker()
	switch {
	case err != nil:
		return err
	case d.by.Visitor:
		return Refuse(Forbidden, "a visitor cannot put a chat on hold")
	case !d.s.Opening.Async:
		return Refuse(Conflict, "only an asynchronous chat can be put on hold")
	case !d.s.Visitor().Present:
		return Refuse(Conflict, "the visitor has left")
	case len(d.s.Agents()) > 1:
		return Refuse(Conflict, "somebody else is in the chat")
	}
	d.stopTyping(p.No)
	d.emit(Left{No: p.No, Reason: LeftHolding})
	d.emit(Held{No: p.No, Agent: p.Staff})
	return nil
}

// wake lets a sleeping chat wait again when its visitor has done something
// that an agent should see.
func (d *decider) wake() {
	if d.s.Phase != PhaseHeld || !d.by.Visitor {
		return
	}
	for _, e := range d.events {
		if s, no := activityOf(e.Fact); s == activityMajor && no == VisitorNo {
			d.emit(Queued{Queue: d.s.Queue, Prefer: d.s.HeldBy})
			return
		}
	}
}

// exclusion is until when an agent who leaves at a moment is spared the chat.
func (d *decider) exclusion() time.Time { return d.at.Add(d.s.Rules.ExcludeFor) }

// firstExclusion is how long it was before [Left.Until] was written.
const firstExclusion = time.Minute
