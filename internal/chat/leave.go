package chat

import (
	"slices"
	"time"
)

// leave takes a participant out. A chat without an agent waits again, in the place
// that it had in its queue: that its agent goes is not its visitor's fault.
func (d *decider) leave(a Leave) error {
	p, err := d.speaker()
	if err != nil {
		return err
	}
	if d.by.Visitor {
		d.gone(LeftByChoice, EndedByVisitor)
		return nil
	}
	left := Left{No: p.No, Reason: a.Reason}
	queued := Queued{Queue: d.s.Queue, Since: d.s.WaitingSince}
	switch a.Reason {
	case LeftByChoice:
		left.Until = d.exclusion()
	case LeftLost:
		queued.Prefer = p.Staff // who knows the chat, if it comes back meanwhile
	case LeftSignedOut:
	default:
		return Refuse(Invalid, "an agent does not leave for that reason")
	}
	d.stopTyping(p.No)
	d.emit(left)
	switch {
	case len(d.s.Agents()) > 1:
	case !d.s.Visitor().Present && a.Reason == LeftByChoice:
		d.finish(p.No, EndedByAgent)
	default:
		d.emit(queued)
	}
	return nil
}

// rejoin takes an agent back who has just left and whom the chat still spares.
// For agents and their slots that is an offer which is accepted at once.
func (d *decider) rejoin() error {
	p, left := d.s.leaver(d.by.Staff)
	switch {
	case !left || d.s.Phase != PhaseWaiting || d.s.Offer != nil || !d.s.spares(p.Staff, d.at):
		return Refuse(NotOffered, "this chat cannot be taken back any more")
	case !d.s.Visitor().Present:
		return Refuse(Conflict, "the visitor has left")
	}
	d.emit(Offered{Agent: p.Staff, Name: p.Name, Role: p.Role, Until: d.at.Add(rejoinOffer), Reason: rejoinReason})
	d.emit(Accepted{Agent: p.Staff})
	d.emit(Joined{No: d.nextNo(), Role: p.Role, Name: p.Name, Staff: p.Staff})
	return nil
}

// The offer behind a [Rejoin], which nobody has to answer.
const (
	rejoinOffer  = time.Second
	rejoinReason = "back"
)

// leaver is the participant as which an agent left the chat last; false if that
// is not the last agent who was in it.
func (s *State) leaver(staff StaffID) (Participant, bool) {
	for _, p := range slices.Backward(s.Participants) {
		if p.Staff != 0 {
			return p, p.Staff == staff && staff != 0
		}
	}
	return Participant{}, false
}

// spares says whether the chat is not offered to an agent now.
func (s *State) spares(agent StaffID, now time.Time) bool {
	return slices.ContainsFunc(s.Excluded, func(x Exclusion) bool { return x.Agent == agent && x.Until.After(now) })
}
