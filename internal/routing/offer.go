package routing

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/halley-chat/halley/internal/chat"
)

// withdraw takes back the offers to those who cannot answer. It is false if
// the store cannot be reached.
func (r *Router) withdraw(ctx context.Context, members []Member) bool {
	for id, s := range r.waiting {
		if s.Offer == nil {
			continue
		}
		reason := r.absence(s.Offer.Agent, members)
		if reason == "" {
			continue
		}
		res, err := r.engine.Do(ctx, id, chat.Command{Do: chat.Withdraw{Agent: s.Offer.Agent, Reason: reason}})
		switch {
		case chat.KindOf(err) == chat.Unavailable:
			return false
		case err == nil:
			r.put(res.Summary)
		default:
			r.refused(id, err)
		}
	}
	return true
}

// absence says why an agent cannot answer an offer; empty if it can.
func (r *Router) absence(id chat.StaffID, members []Member) string {
	if !slices.ContainsFunc(members, func(m Member) bool { return m.ID == id }) {
		return "the agent is not here any more"
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch r.states[id].Presence {
	case chat.Ready:
		return ""
	case chat.Offline:
		return "the agent has signed out"
	default:
		return "the agent is not ready any more"
	}
}

// offer makes an offer. It is false if the store cannot be reached.
func (r *Router) offer(ctx context.Context, a Assignment, members []Member) bool {
	i := slices.IndexFunc(members, func(m Member) bool { return m.ID == a.Agent })
	m := members[i]
	r.mu.Lock()
	r.given[a.Agent] = a.Chat
	r.mu.Unlock()
	role := chat.RoleAgent
	if m.Bot {
		role = chat.RoleBot
	}
	now := time.Now()
	res, err := r.engine.Do(ctx, a.Chat, chat.Command{At: now, Do: chat.Offer{
		Agent: m.ID, Name: m.Name, Role: role, Capacity: m.Capacity, Reason: a.Reason,
		Until: now.Add(cmp.Or(r.plans[r.waiting[a.Chat].Queue].OfferTime, DefaultOfferTime)),
	}})
	if err == nil {
		r.put(res.Summary)
		r.log.Debug("routing: offered", "chat", a.Chat, "agent", int64(a.Agent))
		return true
	}
	r.mu.Lock()
	if r.given[a.Agent] == a.Chat {
		delete(r.given, a.Agent)
	}
	r.mu.Unlock()
	switch chat.KindOf(err) {
	case chat.Unavailable:
		return false
	case chat.Capacity:
		r.heldAgents[a.Agent] = now.Add(retryAfter)
	default:
		r.refused(a.Chat, err)
	}
	return true
}

// refused leaves a chat alone that is not as the router thinks. The board's
// news of what it has become ends that early.
func (r *Router) refused(id chat.ID, err error) {
	if chat.KindOf(err) == 0 {
		r.log.Error("routing: a chat took no command", "chat", id, "err", err)
	}
	r.heldChats[id] = time.Now().Add(retryAfter)
}
