// Station 6 of docs/road.md: the domain decides.

package chat

import (
	"slices"
	"time"
)

// Summary is what lists, routing and timers read of a chat without loading
// it. It is stored with the append that changes it and says nothing that the
// log does not say.
type Summary struct {
	Chat     ID          `json:"chat"`
	Service  string      `json:"service"`
	Queue    string      `json:"queue"`
	Phase    Phase       `json:"phase"`
	Name     string      `json:"name"`
	Subject  string      `json:"subject,omitempty"`
	Agents   []StaffID   `json:"agents,omitempty"`
	Offer    *Offered    `json:"offer,omitempty"`
	Excluded []Exclusion `json:"excluded,omitempty"`
	Opened   time.Time   `json:"opened"`
	Waiting  time.Time   `json:"waiting"` // since when it waits; zero unless it does
	Ended    time.Time   `json:"ended"`   // zero unless it has
	Deadline time.Time   `json:"deadline"`
	Channel  string      `json:"channel,omitempty"`
	Browser  string      `json:"browser,omitempty"`
	Away     bool        `json:"away,omitempty"`
	Bound    bool        `json:"bound,omitempty"`
	KeyEpoch uint16      `json:"epoch"`
	Language string      `json:"lang,omitempty"`   // as in [Opening]
	Prefer   StaffID     `json:"prefer,omitempty"` // who should have it next if possible
	// Subscribed says that the visitor can be told through a device.
	Subscribed bool `json:"subscribed,omitempty"`
	// Abandoned is when the visitor left the chat, which goes on without it;
	// zero if the chat has ended or has not been left.
	Abandoned time.Time `json:"abandoned,omitzero"`
	Closing   time.Time `json:"closing,omitzero"` // when it ends for want of activity; zero unless the visitor was warned
	Files     []File    `json:"files,omitempty"`
	// Last is the index of the chat's last event. It is there in what a room
	// says and not stored, since a summary is not written with every event.
	Last int64 `json:"-"`
	// LastVisible and Participants are there in what a room says, too, and shared.
	LastVisible  int64         `json:"-"` // as in [State]
	Participants []Participant `json:"-"`
}

// Live says whether the chat has begun and not ended.
func (s Summary) Live() bool {
	return s.Phase == PhaseWaiting || s.Phase == PhaseActive || s.Phase == PhaseHeld
}

// Summary is the summary of the state. It shares no memory with it.
func (s *State) Summary() Summary {
	sum := Summary{
		Chat: s.ID, Service: s.Opening.Service, Queue: s.Queue, Phase: s.Phase,
		Name: s.Visitor().Name, Subject: s.Opening.Subject, Agents: s.Agents(),
		Excluded: slices.Clone(s.Excluded), Opened: s.Opened, Ended: s.EndedAt, Deadline: s.Deadline(),
		Channel: s.Channel, Browser: s.Browser, Away: s.IsAway, Bound: s.UnboundSince.IsZero(),
		KeyEpoch: s.Opening.KeyEpoch, Last: s.Last, Language: s.Opening.Language, Subscribed: s.Device != nil,
		Prefer: s.Prefer, Closing: s.closing(), Files: slices.Clone(s.Files),
	}
	sum.LastVisible, sum.Participants = s.LastVisible, slices.Clone(s.Participants)
	if s.Phase != PhaseEnded {
		sum.Abandoned = s.left
	}
	if s.Phase == PhaseWaiting {
		sum.Waiting = s.WaitingSince
	}
	if s.Offer != nil {
		offer := *s.Offer
		sum.Offer = &offer
	}
	return sum
}

// Equal says whether two summaries say the same of what is stored.
func (s Summary) Equal(t Summary) bool { return s.same(t) && s.Deadline.Equal(t.Deadline) }

// Postpones says whether s says the same as t but for a deadline that has
// moved into the future. Where t is kept it still does its service, because a
// deadline is a lower bound.
func (s Summary) Postpones(t Summary) bool {
	return s.same(t) && s.Deadline.After(t.Deadline) && !t.Deadline.IsZero()
}

// same compares all but the deadline.
func (s Summary) same(t Summary) bool {
	return sameOffer(s.Offer, t.Offer) && slices.Equal(s.Agents, t.Agents) && slices.Equal(s.Files, t.Files) &&
		slices.EqualFunc(s.Excluded, t.Excluded, func(a, b Exclusion) bool { return a.Agent == b.Agent && a.Until.Equal(b.Until) }) &&
		s.Chat == t.Chat && s.Service == t.Service && s.Queue == t.Queue && s.Phase == t.Phase &&
		s.Name == t.Name && s.Subject == t.Subject && s.Channel == t.Channel && s.Browser == t.Browser &&
		s.Away == t.Away && s.Bound == t.Bound && s.KeyEpoch == t.KeyEpoch && s.Language == t.Language &&
		s.Subscribed == t.Subscribed &&
		s.Opened.Equal(t.Opened) && s.Waiting.Equal(t.Waiting) && s.Ended.Equal(t.Ended) &&
		s.Prefer == t.Prefer && s.Closing.Equal(t.Closing) && s.Abandoned.Equal(t.Abandoned)
}

func sameOffer(a, b *Offered) bool {
	if a == nil || b == nil {
		return a == b
	}
	x, y := *a, *b
	x.Until, y.Until = time.Time{}, time.Time{}
	return x == y && a.Until.Equal(b.Until)
}
