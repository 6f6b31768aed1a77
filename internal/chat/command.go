package chat

import (
	"encoding/json"
	"strconv"
	"time"
)

// Actor is whoever gives a command: the visitor, a staff member, or the house
// itself (the zero Actor). The edge has checked that it is who it says.
type Actor struct {
	Visitor bool
	Staff   StaffID
}

// TheVisitor is the actor that opened the chat.
func TheVisitor() Actor { return Actor{Visitor: true} }

// Staff is the actor behind a staff account.
func Staff(id StaffID) Actor { return Actor{Staff: id} }

// Command asks for something to happen to a chat.
type Command struct {
	// ID makes a repeat of the command harmless: [Decide] answers it with the
	// events of the first time. Empty means no such promise. Ids of different
	// actors never meet. At most [MaxCommandID] bytes.
	ID string
	// At is the time of the decision.
	At time.Time
	By Actor
	Do Action
}

// MaxCommandID is the longest command id in bytes.
const MaxCommandID = 128

// key is the command's id as events carry it: with the actor in front, so
// that nobody can answer for another's command.
func (c Command) key() string {
	switch {
	case c.ID == "":
		return ""
	case c.By.Visitor:
		return "v:" + c.ID
	default:
		return "s" + strconv.FormatInt(int64(c.By.Staff), 10) + ":" + c.ID
	}
}

// CommandID is the id that the actor gave to the command behind the event;
// empty if it gave none.
func (e Event) CommandID() string {
	for i := range len(e.Command) {
		if e.Command[i] == ':' {
			return e.Command[i+1:]
		}
	}
	return e.Command
}

// Action is what a command asks for: one of the types below.
type Action interface{ action() }

type (
	// Open starts the chat. Text is the visitor's first line, if there is one.
	Open struct {
		Name    string
		Opening Opening
		Text    string
		Device  *Device // through which the visitor can be told; nil if there is none
	}
	// Say writes a line.
	Say struct {
		Text       string
		Type       string
		Attributes json.RawMessage // a JSON object or nothing
		// Audience and Only say for whom it is, as in [Said]. A visitor's lines
		// are for everybody.
		Audience Audience
		Only     []int
	}
	// Type tells that the actor types (On) or has stopped. Preview is what it
	// has typed so far; it is shown live and never stored.
	Type struct {
		On      bool
		Preview string
	}
	// Rename gives the actor another name.
	Rename struct{ Name string }
	// Push shows the others an http or https address.
	Push struct{ URL string }
	// Notify sends a notice to the programs on the other side.
	Notify struct {
		Text       string
		Attributes json.RawMessage // a JSON object or nothing
		// ResetIdle lets the time of idle control count anew.
		ResetIdle bool
	}
	// SetData adds to the chat's data; what is there already stays.
	SetData struct{ Data map[string]string }
	// MarkRead tells that the actor has read everything up to an index.
	MarkRead struct{ Upto int64 }
	// Bind makes a channel the one through which the visitor listens. With
	// Yield it does nothing while another channel is bound.
	Bind struct {
		Channel, Browser string
		Yield            bool
	}
	// Unbind tells that a channel is gone. It does nothing unless that
	// channel is the one bound. Since is when the visitor was last heard
	// through it; zero means now, and so does the future.
	//
	// Heard, if it is earlier, is when the visitor was surely there. With
	// Background the visitor has said itself that it goes, and From is the
	// index of the first event that it has not seen, 0 if it did not say.
	Unbind struct {
		Channel    string
		Since      time.Time
		Heard      time.Time
		Background bool
		From       int64
	}
	// Leave takes the actor out of the chat. A visitor who leaves ends it; a
	// chat whose last agent leaves goes back to its old place in its queue. The
	// Reason of an agent is LeftByChoice, LeftSignedOut or LeftLost.
	Leave struct{ Reason LeaveReason }
	// Rejoin takes the actor, who has left of its own accord a short while ago,
	// back into the chat that waits since then.
	Rejoin struct {
		Capacity int // as in [Offer]
	}
	// End ends the chat for everybody. The house may do that for its operator.
	End struct{}
	// Offer puts a waiting chat on offer to an agent.
	Offer struct {
		Agent    StaffID
		Name     string
		Role     Role
		Until    time.Time
		Reason   string
		Capacity int // the most chats the agent may hold, this one included
	}
	// Accept takes the chat that is on offer to the actor.
	Accept struct{}
	// Decline refuses it.
	Decline struct{ Reason string }
	// Withdraw takes back an offer to an agent, if there is one.
	Withdraw struct {
		Agent  StaffID
		Reason string
	}
	// Tick lets what has fallen due happen.
	Tick struct{}
	// Recover is given to every live chat by a server that starts: whoever
	// listened before does not any more, and nobody is blamed for what fell
	// due while no server ran.
	Recover struct{}
)

func (Open) action()     {}
func (Say) action()      {}
func (Type) action()     {}
func (Rename) action()   {}
func (Push) action()     {}
func (Notify) action()   {}
func (SetData) action()  {}
func (MarkRead) action() {}
func (Bind) action()     {}
func (Unbind) action()   {}
func (Leave) action()    {}
func (Rejoin) action()   {}
func (End) action()      {}
func (Offer) action()    {}
func (Accept) action()   {}
func (Decline) action()  {}
func (Withdraw) action() {}
func (Tick) action()     {}
func (Recover) action()  {}
