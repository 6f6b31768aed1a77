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
	// AgentUnbound says that no desk of the agent is connected any more. If
	// none comes back, a ready agent is not responding from Warn on, and its
	// chats are taken from it at Release.
	AgentUnbound struct {
		Warn    time.Time `json:"warn"`
		Release time.Time `json:"release"`
	}
	// AgentBound says that a desk of the agent is connected again.
	AgentBound struct{}
)

func (PresenceChanged) fact() string { return "presence" }
func (OfferMade) fact() string       { return "offer-made" }
func (OfferClosed) fact() string     { return "offer-closed" }
func (Assigned) fact() string        { return "assigned" }
func (Freed) fact() string           { return "freed" }
func (AgentUnbound) fact() string    { return "unbound" }
func (AgentBound) fact() string      { return "bound" }

func (PresenceChanged) agentFact() {}
func (OfferMade) agentFact()       {}
func (OfferClosed) agentFact()     {}
func (Assigned) agentFact()        {}
func (Freed) agentFact()           {}
func (AgentUnbound) agentFact()    {}
func (AgentBound) agentFact()      {}

var agentFacts = register(PresenceChanged{}, OfferMade{}, OfferClosed{}, Assigned{}, Freed{}, AgentUnbound{}, AgentBound{})

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

	// Unbound is there while no desk of the agent is connected and it has
	// something to lose by that. It is shared and never changed.
	Unbound *AgentUnbound `json:"unbound,omitempty"`

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
	case AgentUnbound:
		s.Unbound = &f
	case AgentBound:
		s.Unbound = nil
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

// AgentCommand asks for a change of an agent's presence, or tells of its desks.
type AgentCommand struct {
	ID string // as in [Command]; only the latest command is remembered
	At time.Time
	Do AgentAction
	// Of SetPresence.
	To     Presence
	Reason string
	// Of UnbindAgent: how long after the command the agent is not responding,
	// and how long after that its chats are taken from it.
	WarnAfter, ReleaseAfter time.Duration
}

// AgentAction is what an [AgentCommand] asks for.
type AgentAction int

// The actions of an agent's log.
const (
	// SetPresence changes the presence to To, for Reason.
	SetPresence AgentAction = iota
	// BindAgent tells that a desk of the agent is connected.
	BindAgent
	// UnbindAgent tells that none is, and lets the time count from now even if
	// it was told before.
	UnbindAgent
	// TickAgent lets what has fallen due happen.
	TickAgent
)

// ReasonDisconnected is the reason of a presence that an agent has because no
// desk of it was connected.
const ReasonDisconnected = "disconnected"

// DecideAgent says what the command comes to, without changing the state. A
// command that changes nothing causes no event.
func DecideAgent(s *AgentState, c AgentCommand) ([]AgentEvent, error) {
	d := agentDecider{s: s, c: c, at: c.At.UTC().Truncate(time.Millisecond)}
	switch c.Do {
	case BindAgent:
		d.bind()
	case UnbindAgent:
		d.unbind()
	case TickAgent:
		d.tick()
	default:
		if err := d.setPresence(); err != nil {
			return nil, err
		}
	}
	return d.events, nil
}

// agentDecider collects the events of one decision.
type agentDecider struct {
	s      *AgentState
	c      AgentCommand
	at     time.Time // in UTC to the millisecond
	events []AgentEvent
}

func (d *agentDecider) emit(f AgentFact) {
	index := d.s.Last + int64(len(d.events)) + 1
	d.events = append(d.events, AgentEvent{Index: index, At: d.at, Command: d.c.ID, Fact: f})
}

func (d *agentDecider) setPresence() error {
	switch d.c.To {
	case Offline, NotReady, Ready:
	default:
		return Refuse(Invalid, "an agent cannot take that state")
	}
	if err := checkText(d.c.Reason, MaxName, "the reason"); err != nil {
		return err
	}
	if d.c.ID != "" && d.c.ID == d.s.Command || d.s.Presence == d.c.To && d.s.Reason == d.c.Reason {
		return nil
	}
	d.emit(PresenceChanged{To: d.c.To, Reason: d.c.Reason})
	return nil
}

// bind lets an agent go on who is back in time: it is ready again if its absence
// alone has changed that.
func (d *agentDecider) bind() {
	if d.s.Unbound == nil {
		return
	}
	d.emit(AgentBound{})
	if d.s.Presence == NotResponding && d.s.Reason == ReasonDisconnected && d.at.Before(d.s.Unbound.Release) {
		d.emit(PresenceChanged{To: Ready})
	}
}

// unbind begins the time after which an agent who has something to lose loses it.
func (d *agentDecider) unbind() {
	if d.s.Presence == Offline && len(d.s.Chats) == 0 && len(d.s.Offers) == 0 {
		return
	}
	warn := d.at.Add(d.c.WarnAfter)
	d.emit(AgentUnbound{Warn: warn, Release: warn.Add(d.c.ReleaseAfter)})
}

func (d *agentDecider) tick() {
	if d.s.warns() && !d.at.Before(d.s.Unbound.Warn) {
		d.emit(PresenceChanged{To: NotResponding, Reason: ReasonDisconnected})
	}
}

// warns says whether the agent is going to be not responding.
func (s *AgentState) warns() bool { return s.Unbound != nil && s.Presence == Ready }

// Deadline is when a [TickAgent] causes something or [AgentState.Lost] becomes
// true; zero if neither is going to happen.
func (s *AgentState) Deadline() time.Time {
	switch {
	case s.warns():
		return s.Unbound.Warn
	case s.Unbound != nil && len(s.Chats) > 0:
		return s.Unbound.Release
	}
	return time.Time{}
}

// Lost says whether the agent has been without a desk for so long that its
// chats are to be taken from it.
func (s *AgentState) Lost(now time.Time) bool {
	return s.Unbound != nil && len(s.Chats) > 0 && !now.Before(s.Unbound.Release)
}
