// Station 9 of docs/road.md: the others hear of it.

package routing

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/halley-chat/halley/internal/chat"
)

// Waiting is a chat that waits for an agent.
type Waiting struct {
	Chat  chat.ID
	Queue string
	Since time.Time // since when it waits
	// Offered is the agent it is on offer to now, 0 for none.
	Offered  chat.StaffID
	Excluded []chat.Exclusion
	// Prefer is the agent who had it before it slept, 0 for none.
	Prefer chat.StaffID
}

// Agent is somebody who may take chats.
type Agent struct {
	ID       chat.StaffID
	Presence chat.Presence
	Since    time.Time // since when the presence holds
	Idle     time.Time // when it last became ready or was given or rid of a chat
	// Held is how many chats it has, those on offer to it included, of the at
	// most Capacity.
	Held     int
	Capacity int
	// OnOffer says that it has an offer that it has not answered.
	OnOffer bool
}

// Queue is where chats wait, and who takes them.
type Queue struct {
	Members []chat.StaffID
	// Reserve takes a chat only when, for the time ReserveAfter, it has waited
	// and no member was ready or had a chat of the queue on offer.
	Reserve      []chat.StaffID
	ReserveAfter time.Duration
}

// Assignment is a chat that shall be offered to an agent, and why to this one.
type Assignment struct {
	Chat   chat.ID
	Agent  chat.StaffID
	Reason string
}

// Assign gives the chats that wait to the agents who are free: the chat that
// has waited longest first, and each to the agent who had it before, if that one
// is free, or else to the agent of its queue who has been idle longest. An agent is given no chat over its capacity, none it is
// excluded from, none while it has an open offer, and at most one at once. The
// order of the arguments does not matter.
//
// next is the earliest moment after now at which time alone may bring other
// assignments; zero if there is none.
func Assign(now time.Time, waiting []Waiting, agents []Agent, queues map[string]Queue) (out []Assignment, next time.Time) {
	r := round{now: now, agents: make(map[chat.StaffID]*Agent, len(agents)), offered: make(map[string][]chat.StaffID)}
	for _, a := range agents {
		r.agents[a.ID] = &a
	}
	waiting = slices.Clone(waiting)
	slices.SortFunc(waiting, func(a, b Waiting) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Chat, b.Chat))
	})
	for _, w := range waiting {
		if w.Offered != 0 {
			r.offered[w.Queue] = append(r.offered[w.Queue], w.Offered)
			if a := r.agents[w.Offered]; a != nil {
				a.OnOffer = true
			}
		}
	}
	for _, w := range waiting {
		q, known := queues[w.Queue]
		if !known || w.Offered != 0 {
			continue
		}
		if a, reason := r.choose(w, q); a != nil {
			a.OnOffer = true
			r.offered[w.Queue] = append(r.offered[w.Queue], a.ID)
			out = append(out, Assignment{Chat: w.Chat, Agent: a.ID, Reason: reason})
		}
	}
	return out, r.next
}

// round is one run of the rules.
type round struct {
	now     time.Time
	next    time.Time
	agents  map[chat.StaffID]*Agent
	offered map[string][]chat.StaffID // who has a chat of a queue on offer
}

// choose finds the agent for a chat.
func (r *round) choose(w Waiting, q Queue) (*Agent, string) {
	waited := r.now.Sub(w.Since).Truncate(time.Second)
	if a := r.preferred(w, q.Members); a != nil {
		return a, fmt.Sprintf("waited %d s; had this chat before", max(waited, 0)/time.Second)
	}
	if a := r.idlest(w, q.Members); a != nil {
		ready := 0
		for _, id := range q.Members {
			if m := r.agents[id]; m != nil && m.Presence == chat.Ready {
				ready++
			}
		}
		return a, fmt.Sprintf("waited %d s; %d of %d agents ready; longest idle", max(waited, 0)/time.Second, ready, len(q.Members))
	}
	if len(q.Reserve) == 0 {
		return nil, ""
	}
	quiet, ok := r.quietSince(w.Queue, q)
	if !ok {
		return nil, ""
	}
	if w.Since.After(quiet) {
		quiet = w.Since
	}
	if due := quiet.Add(q.ReserveAfter); due.After(r.now) {
		r.sooner(due)
		return nil, ""
	}
	if a := r.preferred(w, q.Reserve); a != nil {
		return a, fmt.Sprintf("waited %d s; no agent ready; reserve; had this chat before", max(waited, 0)/time.Second)
	}
	if a := r.idlest(w, q.Reserve); a != nil {
		return a, fmt.Sprintf("waited %d s; no agent ready; reserve", max(waited, 0)/time.Second)
	}
	return nil, ""
}

// preferred is the agent of a list who had a chat before, if it can take it
// now.
func (r *round) preferred(w Waiting, ids []chat.StaffID) *Agent {
	if w.Prefer == 0 || !slices.Contains(ids, w.Prefer) {
		return nil
	}
	return r.idlest(w, []chat.StaffID{w.Prefer})
}

// idlest is the agent of a list who can take a chat now and has been idle
// longest.
func (r *round) idlest(w Waiting, ids []chat.StaffID) *Agent {
	var best *Agent
	for _, id := range ids {
		a := r.agents[id]
		if a == nil || a.Presence != chat.Ready || a.OnOffer || a.Held >= a.Capacity || r.excluded(w, id) {
			continue
		}
		if best == nil || cmp.Or(a.Idle.Compare(best.Idle), cmp.Compare(a.ID, best.ID)) < 0 {
			best = a
		}
	}
	return best
}

func (r *round) excluded(w Waiting, id chat.StaffID) bool {
	for _, x := range w.Excluded {
		if x.Agent == id && x.Until.After(r.now) {
			r.sooner(x.Until)
			return true
		}
	}
	return false
}

// quietSince is the moment since which no member of a queue is ready or has a
// chat of it on offer; ok is false if one is or has.
func (r *round) quietSince(name string, q Queue) (since time.Time, ok bool) {
	for _, id := range q.Members {
		if slices.Contains(r.offered[name], id) {
			return time.Time{}, false
		}
		a := r.agents[id]
		switch {
		case a == nil:
		case a.Presence == chat.Ready:
			return time.Time{}, false
		case a.Since.After(since):
			since = a.Since
		}
	}
	return since, true
}

func (r *round) sooner(t time.Time) {
	if r.next.IsZero() || t.Before(r.next) {
		r.next = t
	}
}
