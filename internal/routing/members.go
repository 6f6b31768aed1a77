package routing

import (
	"slices"
	"time"

	"github.com/halley-chat/halley/internal/chat"
)

// Everybody stands in [Plan.Members] for all members of the house that are not
// among the queue's reserve.
const Everybody = "*"

// Member is somebody who may be given chats: an account that is not disabled.
type Member struct {
	ID       chat.StaffID
	Login    string
	Name     string // what visitors see
	Capacity int    // chats at once
	Bot      bool   // a program, and visitors are told so
}

// Plan is a queue as it is configured: its members by their logins. A login
// that nobody has is passed over.
type Plan struct {
	Members []string // logins, or [Everybody]
	Reserve []string // logins
	// ReserveAfter is as in [Queue].
	ReserveAfter time.Duration
	// OfferTime is how long an agent has for an answer; 0 means
	// [DefaultOfferTime].
	OfferTime time.Duration
}

// DefaultOfferTime is how long an offer stands where nothing else is said.
const DefaultOfferTime = 20 * time.Second

// resolve turns plans into queues for the members that there are.
func resolve(plans map[string]Plan, members []Member) map[string]Queue {
	queues := make(map[string]Queue, len(plans))
	for name, p := range plans {
		q := Queue{ReserveAfter: p.ReserveAfter}
		everybody := slices.Contains(p.Members, Everybody)
		for _, m := range members {
			switch {
			case slices.Contains(p.Reserve, m.Login):
				q.Reserve = append(q.Reserve, m.ID)
			case everybody, slices.Contains(p.Members, m.Login):
				q.Members = append(q.Members, m.ID)
			}
		}
		queues[name] = q
	}
	return queues
}
