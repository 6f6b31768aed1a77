package chat

// Abandon says what becomes of a chat whose visitor leaves while it waits for
// an agent.
type Abandon string

// What may become of it. Where it does not end it keeps waiting, so that an
// agent may still read it; for its visitor it is over.
const (
	AbandonEnds       Abandon = ""           // it ends
	AbandonStays      Abandon = "stays"      // it stays
	AbandonUnjoined   Abandon = "unjoined"   // it ends if no agent was ever in it
	AbandonUnanswered Abandon = "unanswered" // it ends if no agent ever wrote in it
)

// gone takes the visitor out of the chat, and ends that unless it stays for
// the agents.
func (d *decider) gone(why LeaveReason, end EndReason) {
	d.stopTyping(VisitorNo)
	d.emit(Left{No: VisitorNo, Reason: why})
	if !d.stays() {
		d.finish(VisitorNo, end)
	}
}

// stays says whether the chat goes on when its visitor leaves now.
func (d *decider) stays() bool {
	if d.s.Phase != PhaseWaiting {
		return false
	}
	switch d.s.Rules.Abandon {
	case AbandonStays:
		return true
	case AbandonUnjoined:
		for _, p := range d.s.Participants {
			if p.Staff != 0 {
				return true
			}
		}
	case AbandonUnanswered:
		return d.s.answered
	}
	return false
}

// Open says whether the chat goes on for its visitor too: whether that has not
// left it to the agents.
func (s Summary) Open() bool { return s.Live() && s.Abandoned.IsZero() }
