// Station 6 of docs/road.md: the domain decides.

package chat

import (
	"encoding/json"
	"time"
)

// Event is one entry of a chat's log.
type Event struct {
	// Index is the event's place in its log, from 1.
	Index int64
	// At is when it happened, in UTC to the millisecond.
	At time.Time
	// Command is the id of the command that caused it; empty if the command
	// had none.
	Command string
	// Fact is what happened.
	Fact Fact
	// Preview is the text that a participant is typing. It travels with a
	// live [Typed] event and is never stored.
	Preview string
}

// Fact is what an event says: one of the types below. Facts are part of the
// log format: fields may be added, never renamed or given another meaning.
type Fact interface{ fact() string }

// Role is what a participant is in a chat.
type Role string

// The roles. A bot is anything scripted that speaks for the house without a
// desk.
const (
	RoleVisitor    Role = "visitor"
	RoleAgent      Role = "agent"
	RoleSupervisor Role = "supervisor"
	RoleBot        Role = "bot"
	RoleHouse      Role = "house" // the house itself: the name under which its own lines stand
)

// VisitorNo is the number of the visitor among a chat's participants: the
// visitor opens the chat and so is always the first to join.
const VisitorNo = 1

// Joined says that a participant came in. The first event of every chat is
// the visitor's Joined and carries the Opening.
type Joined struct {
	No      int      `json:"no"`
	Role    Role     `json:"role"`
	Name    string   `json:"name"`
	Staff   StaffID  `json:"staff,omitempty"`
	Opening *Opening `json:"opening,omitempty"`
}

// Opening is what a chat starts with.
type Opening struct {
	Service   string            `json:"service"`
	Queue     string            `json:"queue"`
	Subject   string            `json:"subject,omitempty"`
	FirstName string            `json:"first,omitempty"`
	LastName  string            `json:"last,omitempty"`
	Email     string            `json:"email,omitempty"`
	Data      map[string]string `json:"data,omitempty"`
	// Channel and Browser are as in [Bound].
	Channel string `json:"channel,omitempty"`
	Browser string `json:"browser,omitempty"`
	// Async says that the visitor comes and goes: the chat lives for days
	// without anybody who listens.
	Async bool `json:"async,omitempty"`
	// KeyEpoch goes into the visitor's key.
	KeyEpoch uint16 `json:"epoch"`
	// Language is what the visitor reads, as its client wrote it: a language
	// tag such as "de" or "de-DE"; empty if it did not say.
	Language string `json:"lang,omitempty"`
}

// LeaveReason says why a participant left.
type LeaveReason string

// The reasons for leaving.
const (
	LeftByChoice  LeaveReason = ""           // left of its own accord
	LeftEnding    LeaveReason = "end"        // left and asked for the chat to end
	LeftLost      LeaveReason = "lost"       // its connection stayed away for too long
	LeftHolding   LeaveReason = "hold"       // left a chat that sleeps until its visitor writes
	LeftSignedOut LeaveReason = "signed-out" // an agent who signed out
)

// Left says that a participant went away.
type Left struct {
	No     int         `json:"no"`
	Reason LeaveReason `json:"reason,omitempty"`
	// Until is until when an agent who left of its own accord is not offered
	// this chat again.
	Until time.Time `json:"until,omitzero"`
}

// Audience says who may see an event; empty means everybody in the chat.
type Audience string

// The audiences. What is meant for somebody in particular is kept from the
// visitor, and so is an audience that is not known.
const (
	AudienceAll     Audience = ""
	AudienceStaff   Audience = "staff"   // everybody but the visitor
	AudiencePrivate Audience = "private" // the sender and those in [Said.Only]
)

// Said is a line that a participant wrote.
type Said struct {
	No   int    `json:"no"`
	Text string `json:"text"`
	// Type is the message type a client gave it, passed through as it came.
	Type string `json:"type,omitempty"`
	// Attributes is a JSON object that a client sent along, passed through.
	Attributes json.RawMessage `json:"attr,omitempty"`
	Audience   Audience        `json:"to,omitempty"`
	// Only are the participants who may see a private line, by number.
	Only []int `json:"only,omitempty"`
}

// Typed says that a participant began or stopped typing. What it is typing
// is in [Event.Preview] of the live event and nowhere else.
type Typed struct {
	No int  `json:"no"`
	On bool `json:"on"`
	// Expired says that the participant did not stop by itself: it went away, or
	// had not repeated for too long that it types.
	Expired bool `json:"expired,omitempty"`
}

// Renamed says that a participant goes by another name from now on.
type Renamed struct {
	No   int    `json:"no"`
	Name string `json:"name"`
}

// Pushed says that a participant showed the others an address to open.
type Pushed struct {
	No  int    `json:"no"`
	URL string `json:"url"`
}

// Noticed is a notice between programs on both sides: a participant's program
// sent it. Nobody has to answer it, and the desk shows it folded between the lines.
type Noticed struct {
	No         int             `json:"no"`
	Text       string          `json:"text,omitempty"`
	Attributes json.RawMessage `json:"attr,omitempty"`
}

// DataSet says that a participant added to the chat's data or replaced some of
// it. Only what changed is said.
type DataSet struct {
	No   int               `json:"no"`
	Data map[string]string `json:"data"`
}

// Seen says that a participant has read everything up to an index.
type Seen struct {
	No   int   `json:"no"`
	Upto int64 `json:"upto"`
}

// Queued says that the chat waits in a queue for an agent.
type Queued struct {
	Queue string `json:"queue"`
	// Prefer is the agent who had the chat before it slept, or before the
	// connection to its desk was lost; 0 for none.
	Prefer StaffID `json:"prefer,omitempty"`
	// Since is when the chat began to wait, if it keeps the place in its queue
	// that it had before an agent took it; zero means now.
	Since time.Time `json:"since,omitzero"`
}

// Offered says that the chat is on offer to an agent until a moment.
type Offered struct {
	Agent  StaffID   `json:"agent"`
	Name   string    `json:"name"`
	Role   Role      `json:"role"`
	Until  time.Time `json:"until"`
	Reason string    `json:"reason,omitempty"`
}

// Accepted says that an agent took the chat that was offered to it.
type Accepted struct {
	Agent StaffID `json:"agent"`
}

// Declined says that an agent refused the offer; until then it is not offered
// this chat again.
type Declined struct {
	Agent  StaffID   `json:"agent"`
	Until  time.Time `json:"until"`
	Reason string    `json:"reason,omitempty"`
}

// Missed says that an agent let the offer pass without an answer; until then
// it is not offered this chat again.
type Missed struct {
	Agent StaffID   `json:"agent"`
	Until time.Time `json:"until"`
}

// Withdrawn says that an offer was taken back without any fault of the agent.
type Withdrawn struct {
	Agent  StaffID `json:"agent"`
	Reason string  `json:"reason,omitempty"`
}

// Bound says that the visitor listens through a channel. A channel's name is
// made by the edge that serves it, and only the latest one bound receives.
// Browser is a digest of the browser's cookie, empty if it has none.
type Bound struct {
	Channel string `json:"channel"`
	Browser string `json:"browser,omitempty"`
}

// Unbound says that the visitor's channel went away, so that nobody listens.
// Since is when the visitor was last heard through it, if that was earlier
// than the event: a visitor who polls is found missing only afterwards.
type Unbound struct {
	Channel string    `json:"channel,omitempty"`
	Since   time.Time `json:"since,omitzero"`
	// Heard is there if the visitor may have missed more than what happened
	// after Since: since Heard nobody knows that it was there.
	Heard time.Time `json:"heard,omitzero"`
}

// Away says that the visitor has been unbound for a while, or has left its app
// in the background. From is then the index of the first event that the app
// has not seen, and 0 if it did not say.
type Away struct {
	Reason AwayReason `json:"reason,omitempty"`
	From   int64      `json:"from,omitempty"`
}

// EndReason says why a chat ended.
type EndReason string

// The reasons for an end.
const (
	EndedByVisitor EndReason = "visitor"
	EndedByAgent   EndReason = "agent"
	EndedGone      EndReason = "gone" // the visitor's connection stayed away for too long
	EndedIdle      EndReason = "idle" // nothing happened in it for too long
	EndedOperator  EndReason = "operator"
)

// Finished says that the chat is over. By is the participant who ended it, 0
// for none.
type Finished struct {
	By     int       `json:"by,omitempty"`
	Reason EndReason `json:"reason"`
}

func (Joined) fact() string    { return "joined" }
func (Left) fact() string      { return "left" }
func (Said) fact() string      { return "said" }
func (Typed) fact() string     { return "typed" }
func (Renamed) fact() string   { return "renamed" }
func (Pushed) fact() string    { return "pushed" }
func (Noticed) fact() string   { return "noticed" }
func (DataSet) fact() string   { return "data" }
func (Seen) fact() string      { return "seen" }
func (Queued) fact() string    { return "queued" }
func (Offered) fact() string   { return "offered" }
func (Accepted) fact() string  { return "accepted" }
func (Declined) fact() string  { return "declined" }
func (Missed) fact() string    { return "missed" }
func (Withdrawn) fact() string { return "withdrawn" }
func (Bound) fact() string     { return "bound" }
func (Unbound) fact() string   { return "unbound" }
func (Away) fact() string      { return "away" }
func (Finished) fact() string  { return "ended" }

// VisibleToVisitor says whether the visitor may see the event. Routing,
// binding, data, read marks, lines for somebody in particular and the coming of
// the house itself are hidden; the end itself has no event of its own on the
// visitor's side, it shows as a flag beside the last one.
func (e Event) VisibleToVisitor() bool {
	switch f := e.Fact.(type) {
	case Left, Typed, Renamed, Pushed, Noticed, IdleWarned, IdleClosed, SurveyOffered, Shared, Unshared:
		return true
	case Joined:
		return f.Role != RoleHouse
	case Said:
		return f.Audience == AudienceAll
	default:
		return false
	}
}

// TypingAge is how old a typing event may be and still be shown by a replay.
const TypingAge = 10 * time.Second

// Stale says whether a replay at now leaves the event out: typing that is
// older than [TypingAge].
func (e Event) Stale(now time.Time) bool {
	_, typed := e.Fact.(Typed)
	return typed && now.Sub(e.At) > TypingAge
}
