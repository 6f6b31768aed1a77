// Station 6 of docs/road.md: the domain decides.

package chat

// Claim is a slot of an agent that an append takes or frees.
type Claim struct {
	Agent StaffID
	Chat  ID
	Take  bool
	// Capacity is the most slots the agent may hold with this one; it counts
	// only when taking.
	Capacity int
}

// Note is an entry that a chat's events leave in the log of an agent.
type Note struct {
	Agent StaffID
	Event AgentEvent // without an index: the store gives it the next one
}

// Effects are what a chat's events change for agents: the slots that they
// take or free and the notes they leave. They follow from the events and the
// state before them alone. Capacity is that of the [Offer] behind the events,
// if it was one.
func Effects(before *State, events []Event, capacity int) (claims []Claim, notes []Note) {
	s := effects{claims: nil, chat: before.ID}
	present := make(map[int]StaffID)
	for _, p := range before.Participants {
		if p.Present && p.Staff != 0 {
			present[p.No] = p.Staff
		}
	}
	for _, e := range events {
		switch f := e.Fact.(type) {
		case Offered:
			s.claims = append(s.claims, Claim{Agent: f.Agent, Chat: s.chat, Take: true, Capacity: capacity})
			s.note(e, f.Agent, OfferMade{
				Chat: s.chat, Until: f.Until, Queue: before.Queue, Name: before.Visitor().Name,
				Subject: before.Opening.Subject, Since: before.WaitingSince, Reason: f.Reason,
			})
		case Accepted:
			s.note(e, f.Agent, OfferClosed{Chat: s.chat, Outcome: OutcomeAccepted})
			s.note(e, f.Agent, Assigned{Chat: s.chat})
		case Joined:
			if f.Staff != 0 {
				present[f.No] = f.Staff
			}
		case Declined:
			s.close(e, f.Agent, OutcomeDeclined)
		case Missed:
			s.close(e, f.Agent, OutcomeMissed)
		case Withdrawn:
			s.close(e, f.Agent, OutcomeWithdrawn)
		case Left:
			if agent, ok := present[f.No]; ok {
				s.free(e, agent)
				delete(present, f.No)
			}
		case Finished:
			for _, p := range before.Participants {
				if agent, ok := present[p.No]; ok {
					s.free(e, agent)
				}
			}
		}
	}
	return s.claims, s.notes
}

type effects struct {
	chat   ID
	claims []Claim
	notes  []Note
}

func (s *effects) note(e Event, agent StaffID, f AgentFact) {
	s.notes = append(s.notes, Note{Agent: agent, Event: AgentEvent{At: e.At, Fact: f}})
}

func (s *effects) close(e Event, agent StaffID, o Outcome) {
	s.claims = append(s.claims, Claim{Agent: agent, Chat: s.chat})
	s.note(e, agent, OfferClosed{Chat: s.chat, Outcome: o})
}

func (s *effects) free(e Event, agent StaffID) {
	s.claims = append(s.claims, Claim{Agent: agent, Chat: s.chat})
	s.note(e, agent, Freed{Chat: s.chat})
}
