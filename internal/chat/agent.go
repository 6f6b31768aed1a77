package chat

import (
	"slices"
	"time"
)

// AgentEvent is one entry of an agent's own log.
type AgentEvent struct {
	Index   int64
	At      time.Time
	Command string
	Fact    AgentFact
}

// AgentFact is what an agent's event says: one of the types below. They are
// part of the log format, as a chat's facts are.
type AgentFact interface {
	fact() string
	agentFact()
}

// Presence is whether an agent takes chats.
type Presence string

// The presences.
const (
	Offline       Presence = "offline"
	NotReady      Presence = "not-ready"
	Ready         Presence = "ready"
	NotResponding Presence = "not-responding" // set by the house after a missed offer
)

// Outcome is how an offer came out.
type Outcome string

// The outcomes of an offer.
const (
	OutcomeAccepted  Outcome = "accepted"
	OutcomeDeclined  Outcome = "declined"
	OutcomeMissed    Outcome = "missed"
	OutcomeWithdrawn Outcome = "withdrawn"
)

type (
	// PresenceChanged says that the agent's presence changed, and why.
	PresenceChanged struct {
		To     Presence `json:"to"`
		Reason string   `json:"reason,omitempty"`
	}
	// OfferMade says that a chat was put on offer to the agent.
	OfferMade struct {
		Chat    ID        `json:"chat"`
		Until   time.Time `json:"until"`
		Queue   string    `json:"queue"`
		Name    string    `json:"name"`
		Subject string    `json:"subject,omitempty"`
		Since   time.Time `json:"since"` // since when the chat waits
		Reason  string    `json:"reason,omitempty"`
	}
	// OfferClosed says how the offer came out. A missed one makes a ready
	// agent not responding.
	OfferClosed struct {
		Chat    ID      `json:"chat"`
		Outcome Outcome `json:"outcome"`
	}
	// Assigned says that the agent is in the chat.
	Assigned struct {
		Chat ID `json:"chat"`
	}
	// Freed says that the agent is no longer in the chat.
	Freed struct {
		Chat ID `json:"chat"`
	}
)

func (PresenceChanged) fact() string { return "presence" }
func (OfferMade) fact() string       { return "offer-made" }
func (OfferClosed) fact() string     { return "offer-closed" }
func (Assigned) fact() string        { return "assigned" }
func (Freed) fact() string           { return "freed" }

func (PresenceChanged) agentFact() {}
func (OfferMade) agentFact()       {}
func (OfferClosed) agentFact()     {}
func (Assigned) agentFact()        {}
func (Freed) agentFact()           {}

var agentFacts = register(PresenceChanged{}, OfferMade{}, OfferClosed{}, Assigned{}, Freed{})

// Encode is the event's body as it is stored.
func (e AgentEvent) Encode() ([]byte, error) { return encodeFact(e.Fact, e.Command) }

// DecodeAgentEvent reads what [AgentEvent.Encode] wrote, here or in a newer
// version: a fact that is not known is an [UnknownFact]. It fails on a body that
// is not a record.
func DecodeAgentEvent(body []byte) (AgentEvent, error) {
	f, command, err := agentFacts.decode(body)
	if err != nil {
		return AgentEvent{}, err
	}
	return AgentEvent{Command: command, Fact: f.(AgentFact)}, nil
}

// AgentState is the fold of an agent's log. It is plain data, so that it can
// be kept as a checkpoint of a long log. It is owned by one goroutine.
type AgentState struct {
	ID        StaffID     `json:"id"`
	Last      int64       `json:"last"`
	Presence  Presence    `json:"presence"`
	Reason    string      `json:"reason,omitempty"`
	Since     time.Time   `json:"since"`          // since when the presence holds
	Idle      time.Time   `json:"idle"`           // when the agent last became ready or had a chat taken off
	Offers    []OfferMade `json:"offers"`         // open offers, oldest first
	Chats     []ID        `json:"chats"`          // chats the agent is in, oldest first
	Command   string      `json:"cmd,omitempty"`  // the latest command's id
	CommandAt int64       `json:"cmdx,omitempty"` // and the index of its event

	// Newer says that the log holds a fact that this version does not know and
	// has skipped. The state is then no checkpoint of the log: a newer version
	// would miss the fact.
	Newer bool `json:"-"`
}

// NewAgentState is the state of an agent to whom nothing has happened.
func NewAgentState(id StaffID) *AgentState { return &AgentState{ID: id, Presence: Offline} }

// Apply folds one event in, in the order of the indexes.
func (s *AgentState) Apply(e AgentEvent) {
	s.Last = e.Index
	switch f := e.Fact.(type) {
	case PresenceChanged:
		s.become(f.To, f.Reason, e.At)
	case OfferMade:
		s.Offers = append(slices.Clone(s.Offers), f)
	case OfferClosed:
		s.Offers = slices.DeleteFunc(slices.Clone(s.Offers), func(o OfferMade) bool { return o.Chat == f.Chat })
		if f.Outcome == OutcomeMissed && s.Presence == Ready {
			s.become(NotResponding, "", e.At)
		}
	case Assigned:
		if !slices.Contains(s.Chats, f.Chat) {
			s.Chats = append(slices.Clone(s.Chats), f.Chat)
		}
		s.Idle = e.At
	case UnknownFact:
		s.Newer = true
	case Freed:
		s.Chats = slices.DeleteFunc(slices.Clone(s.Chats), func(id ID) bool { return id == f.Chat })
		s.Idle = e.At
	}
	if e.Command != "" {
		s.Command, s.CommandAt = e.Command, e.Index
	}
}

func (s *AgentState) become(p Presence, reason string, at time.Time) {
	if p == Ready && s.Presence != Ready {
		s.Idle = at
	}
	s.Presence, s.Reason, s.Since = p, reason, at
}

// AgentCommand asks for a change of an agent's presence.
type AgentCommand struct {
	ID     string // as in [Command]; only the latest command is remembered
	At     time.Time
	To     Presence
	Reason string
}

// DecideAgent says what the command comes to, without changing the state. A
// command that changes nothing causes no event.
func DecideAgent(s *AgentState, c AgentCommand) ([]AgentEvent, error) {
	switch c.To {
	case Offline, NotReady, Ready:
	default:
		return nil, Refuse(Invalid, "an agent cannot take that state")
	}
	if err := checkText(c.Reason, MaxName, "the reason"); err != nil {
		return nil, err
	}
	if c.ID != "" && c.ID == s.Command || s.Presence == c.To && s.Reason == c.Reason {
		return nil, nil
	}
	at := c.At.UTC().Truncate(time.Millisecond)
	return []AgentEvent{{Index: s.Last + 1, At: at, Command: c.ID, Fact: PresenceChanged{To: c.To, Reason: c.Reason}}}, nil
}
