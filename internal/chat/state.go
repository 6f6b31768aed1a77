// Station 6 of docs/road.md: the domain decides.

package chat

import (
	"maps"
	"slices"
	"time"
)

// Rules are the durations that decide when something falls due.
type Rules struct {
	// AwayAfter is how long a visitor is unbound before it counts as away.
	AwayAfter time.Duration
	// GoneAfter is how long a visitor is unbound before it has left.
	GoneAfter time.Duration
	// GoneSubscribed takes the place of GoneAfter, if it is longer, for a
	// visitor who can be told through a device of what happens.
	GoneSubscribed time.Duration
	// ExcludeFor is how long an agent is spared a chat it declined or missed.
	ExcludeFor time.Duration
	// TypingEvery is the least time between two typing records of one participant.
	TypingEvery time.Duration
	// Life is what else the chat's service decides.
	Life
	// Files say which files are taken.
	Files FileRules
}

// DefaultRules are 10 s, 45 s, 24 h, 60 s and 1 s.
func DefaultRules() Rules {
	return Rules{AwayAfter: 10 * time.Second, GoneAfter: 45 * time.Second, GoneSubscribed: 24 * time.Hour, ExcludeFor: time.Minute, TypingEvery: time.Second}
}

// Phase is where a chat stands.
type Phase string

// The phases. A chat on offer still waits.
const (
	PhaseNone    Phase = "" // nothing has happened yet
	PhaseWaiting Phase = "waiting"
	PhaseActive  Phase = "active"
	PhaseHeld    Phase = "held" // asleep until the visitor writes
	PhaseEnded   Phase = "ended"
)

// Exclusion spares an agent a chat for a while.
type Exclusion struct {
	Agent StaffID   `json:"agent"`
	Until time.Time `json:"until"`
}

// State is the fold of a chat's events. The zero value of everything but the
// id is a chat to which nothing has happened. A State is owned by one
// goroutine; it is not safe for concurrent use.
type State struct {
	ID    ID
	Last  int64 // index of the last event applied
	Rules Rules // static

	Phase        Phase
	Opening      Opening
	Opened       time.Time
	Participants []Participant // by number, the first has number 1
	Offer        *Offered
	Excluded     []Exclusion
	Queue        string    // where it waits, or waited last
	WaitingSince time.Time // since when it waits, or waited last
	EndedAt      time.Time
	HeldBy       StaffID // who put it on hold last; 0 for nobody
	Prefer       StaffID // who should have it next if possible; 0 for nobody in particular
	Files        []File  // in the order of sharing, without the deleted ones

	// The visitor's listening: the channel bound last, since when it is
	// gone (zero while it is there) and whether that counts as away.
	Channel      string
	Browser      string
	UnboundSince time.Time
	IsAway       bool

	Device         *Device   // through which the visitor can be told; nil if there is none
	UnsubscribedAt time.Time // when the latest subscription ended; zero if none did
	LastAt         time.Time // of the last event
	LastVisible    int64     // index of the last event but typing that the visitor sees; 0 if there is none
	Size           int64     // what its events take, in bytes, as far as [MaxSize] counts them

	silence  silence
	newer    bool             // the log holds a fact that this version does not know
	answered bool             // an agent has written a line for the visitor
	left     time.Time        // when the visitor left; zero if it has not
	seen     map[int]int64    // how far each participant has read
	typing   map[int]Typing   // the latest typing record of each participant
	commands map[string]int64 // command key → index of the first event it caused
	order    []string         // the keys of commands, oldest first
}

// commandMemory is how many command ids a chat remembers.
const commandMemory = 4096

// NewState is the state of a chat to which nothing has happened yet.
func NewState(id ID, rules Rules) *State { return &State{ID: id, Rules: rules} }

// Visitor is the participant who opened the chat.
func (s *State) Visitor() Participant {
	if len(s.Participants) == 0 {
		return Participant{}
	}
	return s.Participants[VisitorNo-1]
}

// Present finds the participant under which a staff member is in the chat now.
func (s *State) Present(staff StaffID) (Participant, bool) {
	for _, p := range s.Participants {
		if p.Present && p.Staff == staff && staff != 0 {
			return p, true
		}
	}
	return Participant{}, false
}

// Agents lists the staff members who are in the chat now.
func (s *State) Agents() []StaffID {
	var ids []StaffID
	for _, p := range s.Participants {
		if p.Present && p.Staff != 0 {
			ids = append(ids, p.Staff)
		}
	}
	return ids
}

// Deadline is the next moment at which a [Tick] may cause something; zero if
// there is none. It is a lower bound: a tick at that moment decides again. A chat
// to which a newer version has written has none here.
func (s *State) Deadline() time.Time {
	if s.Phase == PhaseNone || s.Phase == PhaseEnded || s.newer {
		return time.Time{}
	}
	var due time.Time
	sooner := func(t time.Time) {
		if due.IsZero() || t.Before(due) {
			due = t
		}
	}
	if s.Offer != nil {
		sooner(s.Offer.Until)
	}
	if !s.UnboundSince.IsZero() && s.Visitor().Present {
		if !s.IsAway {
			sooner(s.UnboundSince.Add(s.Rules.AwayAfter))
		}
		if !s.Opening.Async {
			sooner(s.goneAt())
		}
	}
	if idle := s.idleDue(); !idle.IsZero() {
		sooner(idle)
	}
	return due
}

// Apply folds one event in. Events must come in the order of their indexes.
func (s *State) Apply(e Event) {
	s.Last, s.LastAt = e.Index, e.At
	s.Size += sizeOf(e.Fact)
	if _, typed := e.Fact.(Typed); !typed && e.VisibleToVisitor() && s.left.IsZero() {
		s.LastVisible = e.Index
	}
	switch f := e.Fact.(type) {
	case Joined:
		s.join(f, e)
	case Left:
		s.leave(f, e.At)
	case Said:
		delete(s.typing, f.No)
		if f.No >= 1 && f.No <= len(s.Participants) && s.Participants[f.No-1].Staff != 0 && f.Audience == AudienceAll {
			s.answered = true
		}
	case Typed:
		if s.typing == nil {
			s.typing = make(map[int]Typing)
		}
		s.typing[f.No] = Typing{On: f.On, At: e.At}
	case Renamed:
		if f.No >= 1 && f.No <= len(s.Participants) {
			s.Participants[f.No-1].rename(f.Name, e.Index)
		}
	case DataSet:
		data := make(map[string]string, len(s.Opening.Data)+len(f.Data))
		maps.Copy(data, s.Opening.Data)
		maps.Copy(data, f.Data)
		s.Opening.Data = data
	case Seen:
		if s.seen == nil {
			s.seen = make(map[int]int64)
		}
		s.seen[f.No] = f.Upto
	case Queued:
		s.Phase, s.WaitingSince, s.Prefer = PhaseWaiting, e.At, f.Prefer
		if !f.Since.IsZero() {
			s.WaitingSince = f.Since
		}
		if f.Queue != "" {
			s.Queue = f.Queue
		}
	case Offered:
		s.Offer = &f
	case Accepted:
		s.Offer, s.Phase, s.Prefer = nil, PhaseActive, 0
		s.Excluded = slices.DeleteFunc(slices.Clone(s.Excluded), func(x Exclusion) bool { return x.Agent == f.Agent })
	case Held:
		s.Phase, s.HeldBy = PhaseHeld, f.Agent
	case Declined:
		s.Offer = nil
		s.exclude(f.Agent, f.Until, e.At)
	case Missed:
		s.Offer = nil
		s.exclude(f.Agent, f.Until, e.At)
	case Withdrawn:
		s.Offer = nil
	case Bound:
		s.Channel, s.Browser = f.Channel, f.Browser
		s.UnboundSince, s.IsAway = time.Time{}, false
	case Unbound:
		s.Channel, s.UnboundSince, s.IsAway = "", e.At, false
		if !f.Since.IsZero() {
			s.UnboundSince = f.Since
		}
	case Away:
		s.IsAway = true
	case Subscribed:
		s.Device = &f.Device
	case Unsubscribed:
		s.Device, s.UnsubscribedAt = nil, e.At
	case Shared, Unshared, Fetched:
		s.applyFile(f)
	case Finished:
		s.Phase, s.EndedAt, s.Offer = PhaseEnded, e.At, nil
		for i := range s.Participants {
			s.Participants[i].Present = false
		}
	case UnknownFact:
		s.newer = true
	}
	s.listen(e)
	s.remember(e)
}

func (s *State) join(f Joined, e Event) {
	at := e.At
	if f.Opening != nil {
		s.Opening, s.Opened, s.Queue = *f.Opening, at, f.Opening.Queue
		s.Channel, s.Browser = f.Opening.Channel, f.Opening.Browser
		if s.Channel == "" {
			s.UnboundSince = at
		}
	}
	s.Participants = append(s.Participants, Participant{No: f.No, Role: f.Role, Name: f.Name, Staff: f.Staff, Present: true, Joined: e.Index})
}

// leave takes a participant out. An agent who goes while the chat goes on is
// spared it for a while, or it might be offered to the same one at once.
func (s *State) leave(f Left, at time.Time) {
	delete(s.typing, f.No)
	if f.No < 1 || f.No > len(s.Participants) {
		return
	}
	p := &s.Participants[f.No-1]
	p.Present = false
	if p.No == VisitorNo {
		s.left = at
	}
	if p.Staff != 0 && f.Reason == LeftByChoice {
		until := f.Until
		if until.IsZero() {
			until = at.Add(firstExclusion)
		}
		s.exclude(p.Staff, until, at)
	}
}

func (s *State) exclude(agent StaffID, until, now time.Time) {
	s.Excluded = slices.DeleteFunc(s.Excluded, func(x Exclusion) bool {
		return x.Agent == agent || !x.Until.After(now)
	})
	s.Excluded = append(s.Excluded, Exclusion{Agent: agent, Until: until})
}

func (s *State) remember(e Event) {
	if e.Command == "" {
		return
	}
	if _, known := s.commands[e.Command]; known {
		return
	}
	if s.commands == nil {
		s.commands = make(map[string]int64)
	}
	if len(s.order) == commandMemory {
		delete(s.commands, s.order[0])
		s.order = s.order[1:]
	}
	s.commands[e.Command] = e.Index
	s.order = append(s.order, e.Command)
}
