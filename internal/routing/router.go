// Station 9 of docs/road.md: the others hear of it.

package routing

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
	"github.com/halley-chat/halley/internal/wake"
)

// retryAfter is how long the router leaves alone what was refused, unless it
// hears of a change before, and how long it waits after a failure of the store.
const retryAfter = time.Second

// damagedAgain is how long the router does without an agent whose log is
// damaged before it looks, and complains, again.
const damagedAgain = 10 * time.Minute

// Options are what a [Router] is made of.
type Options struct {
	Engine *engine.Engine  // required
	Queues map[string]Plan // by name; must not be changed afterwards
	Logger *slog.Logger    // nil means [slog.Default]
}

// Router gives the chats that wait to the agents who are free. It decides on a
// picture that may be a moment old; that does no harm, since an offer that
// does not fit any more is refused by the chat or by the agent's claims, and
// the router decides again.
type Router struct {
	// Static after construction.
	engine *engine.Engine
	plans  map[string]Plan
	log    *slog.Logger
	wake   wake.Signal // holds one token: something has changed

	mu sync.Mutex

	// Guarded by mu.
	members []Member
	moved   map[chat.ID]struct{} // chats whose summaries have changed
	states  map[chat.StaffID]chat.AgentState
	stirred map[chat.StaffID]struct{} // agents whose states have changed
	// given are the offers that have been made and do not stand in the agent's
	// state yet.
	given map[chat.StaffID]chat.ID

	// Owned by Run.
	waiting     map[chat.ID]chat.Summary
	watches     map[chat.StaffID]*engine.Watch
	heldChats   map[chat.ID]time.Time // left alone until then
	heldAgents  map[chat.StaffID]time.Time
	damaged     map[chat.StaffID]time.Time // agents whose logs cannot be read, until they are tried again
	pausedUntil time.Time
	unknown     map[string]bool // queues that chats wait in and nobody configured
}

// New makes a router. It knows no members until [Router.SetMembers].
func New(o Options) *Router {
	r := &Router{
		engine: o.Engine, plans: maps.Clone(o.Queues), log: o.Logger, wake: wake.New(),
		moved: make(map[chat.ID]struct{}), states: make(map[chat.StaffID]chat.AgentState),
		stirred: make(map[chat.StaffID]struct{}), given: make(map[chat.StaffID]chat.ID),
		waiting: make(map[chat.ID]chat.Summary), watches: make(map[chat.StaffID]*engine.Watch),
		heldChats: make(map[chat.ID]time.Time), heldAgents: make(map[chat.StaffID]time.Time), damaged: make(map[chat.StaffID]time.Time),
		unknown: make(map[string]bool),
	}
	if r.log == nil {
		r.log = slog.Default()
	}
	return r
}

// SetMembers tells who may be given chats from now on. An open offer to
// somebody else is withdrawn. It does not block and may be called at any time
// from any goroutine.
func (r *Router) SetMembers(members []Member) {
	r.mu.Lock()
	r.members = slices.Clone(members)
	r.mu.Unlock()
	r.wake.Notify()
}

// Run works until ctx ends and then returns nil. It is called once, after the
// engine was started; the engine is closed after it has returned.
func (r *Router) Run(ctx context.Context) error {
	board := r.engine.Board()
	defer board.Watch(func(s chat.Summary) { r.heard(s.Chat) }).Close()
	defer func() {
		for _, w := range r.watches {
			w.Close()
		}
	}()
	for _, s := range board.All() {
		r.heard(s.Chat)
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.wake:
		case <-timer.C:
		}
		if next := r.turn(ctx, time.Now()); next.IsZero() {
			timer.Stop()
		} else {
			timer.Reset(max(time.Until(next), time.Millisecond))
		}
	}
}

// heard notes that a chat has changed. What it is now is read from the board
// later, so that an old summary can never replace a new one.
func (r *Router) heard(id chat.ID) {
	r.mu.Lock()
	r.moved[id] = struct{}{}
	r.mu.Unlock()
	r.wake.Notify()
}

// follow takes what an agent's log tells. It is called by the agent's room.
func (r *Router) follow(b engine.AgentBatch) {
	r.mu.Lock()
	r.states[b.Agent] = b.State
	r.stirred[b.Agent] = struct{}{}
	if b.Replay {
		delete(r.given, b.Agent)
	}
	for _, e := range b.Events {
		if made, ok := e.Fact.(chat.OfferMade); ok && r.given[b.Agent] == made.Chat {
			delete(r.given, b.Agent)
		}
	}
	r.mu.Unlock()
	r.wake.Notify()
}

// turn does what can be done now, and says when to look again at the latest;
// zero if only a change can bring something.
func (r *Router) turn(ctx context.Context, now time.Time) time.Time {
	members := r.news()
	if now.Before(r.pausedUntil) {
		return r.pausedUntil
	}
	if !r.watch(ctx, now, members) || !r.withdraw(ctx, members) {
		return r.pause(ctx, now)
	}
	purge(r.heldChats, now)
	purge(r.damaged, now)
	purge(r.heldAgents, now)
	assignments, next := Assign(now, r.queue(), r.agents(members), resolve(r.plans, members))
	for _, a := range assignments {
		if !r.offer(ctx, a, members) {
			return r.pause(ctx, now)
		}
	}
	r.pausedUntil = time.Time{}
	return earliest(earliest(earliest(next, r.heldChats), r.heldAgents), r.damaged)
}

// purge forgets what need not be left alone any more.
func purge[K comparable](held map[K]time.Time, now time.Time) {
	maps.DeleteFunc(held, func(_ K, until time.Time) bool { return !now.Before(until) })
}

// earliest is the earliest of t and the held ones; a zero t counts as never.
func earliest[K comparable](t time.Time, held map[K]time.Time) time.Time {
	for _, until := range held {
		if t.IsZero() || until.Before(t) {
			t = until
		}
	}
	return t
}

// pause lets the router wait before it tries the store again.
func (r *Router) pause(ctx context.Context, now time.Time) time.Time {
	if r.pausedUntil.IsZero() && ctx.Err() == nil {
		r.log.Warn("routing: the store cannot be reached; trying again every second")
	}
	r.pausedUntil = now.Add(retryAfter)
	return r.pausedUntil
}

// news brings the picture of the waiting chats up to date.
func (r *Router) news() []Member {
	r.mu.Lock()
	moved, stirred, members := r.moved, r.stirred, r.members
	r.moved, r.stirred = make(map[chat.ID]struct{}), make(map[chat.StaffID]struct{})
	r.mu.Unlock()
	for id := range moved {
		s, _ := r.engine.Board().Get(id)
		s.Chat = id
		r.put(s)
		delete(r.heldChats, id)
	}
	for id := range stirred {
		delete(r.heldAgents, id)
	}
	return members
}

func (r *Router) put(s chat.Summary) {
	if s.Phase != chat.PhaseWaiting {
		delete(r.waiting, s.Chat)
		return
	}
	r.waiting[s.Chat] = s
	if _, ok := r.plans[s.Queue]; !ok && !r.unknown[s.Queue] && len(r.unknown) < 100 {
		r.unknown[s.Queue] = true
		r.log.Warn("routing: a chat waits in a queue that is not configured", "chat", s.Chat, "queue", s.Queue)
	}
}

// watch makes sure that exactly the members' states are followed. It is false
// if the store cannot be reached.
func (r *Router) watch(ctx context.Context, now time.Time, members []Member) bool {
	here := make(map[chat.StaffID]bool, len(members))
	for _, m := range members {
		here[m.ID] = true
		if r.watches[m.ID] != nil {
			continue
		}
		if _, held := r.damaged[m.ID]; held {
			continue
		}
		w, err := r.engine.WatchAgent(ctx, m.ID, math.MaxInt64, r.follow)
		switch {
		case errors.Is(err, engine.ErrDamaged):
			// Its state is not known, so it is given no chats; nobody else is
			// concerned.
			r.damaged[m.ID] = now.Add(damagedAgain)
			r.log.Error("routing: the log of an agent is damaged, it gets no chats", "agent", int64(m.ID), "err", err)
			continue
		case err != nil:
			return false
		}
		r.watches[m.ID] = w
	}
	for id, w := range r.watches {
		if here[id] {
			continue
		}
		w.Close()
		delete(r.watches, id)
		delete(r.heldAgents, id)
		r.mu.Lock()
		delete(r.states, id)
		delete(r.given, id)
		r.mu.Unlock()
	}
	return true
}

// agents are the members as [Assign] sees them.
func (r *Router) agents(members []Member) []Agent {
	r.mu.Lock()
	defer r.mu.Unlock()
	agents := make([]Agent, 0, len(members))
	for _, m := range members {
		s := r.states[m.ID]
		a := Agent{
			ID: m.ID, Presence: s.Presence, Since: s.Since, Idle: s.Idle,
			Held: len(s.Chats) + len(s.Offers), Capacity: m.Capacity, OnOffer: len(s.Offers) > 0,
		}
		if _, ok := r.given[m.ID]; ok {
			a.Held++
			a.OnOffer = true
		}
		if _, held := r.heldAgents[m.ID]; held || s.Unbound != nil {
			a.Capacity = 0 // refused a moment ago, or no desk of it would ring
		}
		agents = append(agents, a)
	}
	return agents
}

// queue is the waiting chats as [Assign] sees them.
func (r *Router) queue() []Waiting {
	list := make([]Waiting, 0, len(r.waiting))
	for id, s := range r.waiting {
		if _, held := r.heldChats[id]; held && s.Offer == nil {
			continue
		}
		w := Waiting{Chat: id, Queue: s.Queue, Since: s.Waiting, Excluded: s.Excluded, Prefer: s.Prefer}
		if s.Offer != nil {
			w.Offered = s.Offer.Agent
		}
		list = append(list, w)
	}
	return list
}
