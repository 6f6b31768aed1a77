package chat

import (
	"slices"
	"time"
)

// typingLimit is how long after its latest typing record a participant counts as
// typing. Clients repeat the record while somebody types; one that has gone away
// does not, and the others must not see it typing for ever.
const typingLimit = 12 * time.Second

// Typing is the latest typing record of a participant.
type Typing struct {
	On bool
	At time.Time
}

// TypingOf is the latest typing record of a participant; its time is zero if
// there is none.
func (s *State) TypingOf(no int) Typing { return s.typing[no] }

// TypingExpires is the moment at which a [Tick] ends somebody's typing; zero if
// nobody types. It is not part of [State.Deadline]: typing is over soon, and is not
// worth a summary that is stored and scheduled.
func (s *State) TypingExpires() time.Time {
	if s.Phase == PhaseNone || s.Phase == PhaseEnded || s.newer {
		return time.Time{}
	}
	var first time.Time
	for _, t := range s.typing {
		if due := t.At.Add(typingLimit); t.On && (first.IsZero() || due.Before(first)) {
			first = due
		}
	}
	return first
}

// expireTyping ends the typing of everybody whose latest record is too old, in the
// order of their numbers.
func (d *decider) expireTyping() {
	for no := range len(d.s.Participants) {
		if t := d.s.typing[no+1]; t.On && !d.at.Before(t.At.Add(typingLimit)) {
			d.emit(Typed{No: no + 1, Expired: true})
		}
	}
}

// stopTyping ends the typing of a participant who goes.
func (d *decider) stopTyping(no int) {
	stop := Typed{No: no, Expired: true}
	told := slices.ContainsFunc(d.events, func(e Event) bool { return e.Fact == Fact(stop) })
	if d.s.typing[no].On && !told {
		d.emit(stop)
	}
}
