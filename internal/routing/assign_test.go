package routing_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/routing"
)

var noon = time.Date(2026, 11, 5, 12, 0, 0, 0, time.UTC)

func ago(s int) time.Time { return noon.Add(-time.Duration(s) * time.Second) }

func TestAssign(t *testing.T) {
	ready := func(id chat.StaffID, idle int) routing.Agent {
		return routing.Agent{ID: id, Presence: chat.Ready, Since: ago(1000), Idle: ago(idle), Capacity: 2}
	}
	with := func(a routing.Agent, f func(*routing.Agent)) routing.Agent { f(&a); return a }
	away := func(id chat.StaffID, since int) routing.Agent {
		return routing.Agent{ID: id, Presence: chat.NotReady, Since: ago(since), Idle: ago(1000), Capacity: 2}
	}
	wait := func(id chat.ID, waited int) routing.Waiting {
		return routing.Waiting{Chat: id, Queue: "q", Since: ago(waited)}
	}
	people := routing.Queue{Members: []chat.StaffID{1, 2, 3}}
	backed := routing.Queue{Members: []chat.StaffID{1, 2}, Reserve: []chat.StaffID{9}, ReserveAfter: 5 * time.Second}

	for name, c := range map[string]struct {
		queue   routing.Queue
		waiting []routing.Waiting
		agents  []routing.Agent
		want    []routing.Assignment
		next    time.Time
	}{
		"the longest idle": {
			queue: people, waiting: []routing.Waiting{wait(1, 41)},
			agents: []routing.Agent{ready(1, 10), ready(2, 20), away(3, 5)},
			want:   []routing.Assignment{{Chat: 1, Agent: 2, Reason: "waited 41 s; 2 of 3 agents ready; longest idle"}},
		},
		"the longest waiting first": {
			queue: people, waiting: []routing.Waiting{wait(1, 5), wait(2, 50), wait(3, 20)},
			agents: []routing.Agent{ready(1, 10), ready(2, 20)},
			want: []routing.Assignment{
				{Chat: 2, Agent: 2, Reason: "waited 50 s; 2 of 3 agents ready; longest idle"},
				{Chat: 3, Agent: 1, Reason: "waited 20 s; 2 of 3 agents ready; longest idle"},
			},
		},
		"nobody there":        {queue: people, waiting: []routing.Waiting{wait(1, 5)}},
		"nobody of the queue": {queue: people, waiting: []routing.Waiting{wait(1, 5)}, agents: []routing.Agent{ready(4, 5)}},
		"full": {
			queue: people, waiting: []routing.Waiting{wait(1, 5)},
			agents: []routing.Agent{with(ready(1, 9), func(a *routing.Agent) { a.Held = 2 })},
		},
		"one offer at a time": {
			queue: people, waiting: []routing.Waiting{wait(1, 5), wait(2, 4)},
			agents: []routing.Agent{ready(1, 9)},
			want:   []routing.Assignment{{Chat: 1, Agent: 1, Reason: "waited 5 s; 1 of 3 agents ready; longest idle"}},
		},
		"an offer is open already, says the agent": {
			queue: people, waiting: []routing.Waiting{wait(1, 5)},
			agents: []routing.Agent{with(ready(1, 9), func(a *routing.Agent) { a.OnOffer = true })},
		},
		"an offer is open already, says a chat": {
			queue: people, waiting: []routing.Waiting{wait(1, 5), {Chat: 2, Queue: "q", Since: ago(3), Offered: 1}},
			agents: []routing.Agent{ready(1, 9)},
		},
		"excluded for a while": {
			queue: people, waiting: []routing.Waiting{{Chat: 1, Queue: "q", Since: ago(5), Excluded: []chat.Exclusion{{Agent: 1, Until: noon.Add(7 * time.Second)}}}},
			agents: []routing.Agent{ready(1, 9)},
			next:   noon.Add(7 * time.Second),
		},
		"not excluded any more": {
			queue: people, waiting: []routing.Waiting{{Chat: 1, Queue: "q", Since: ago(5), Excluded: []chat.Exclusion{{Agent: 1, Until: noon}}}},
			agents: []routing.Agent{ready(1, 9)},
			want:   []routing.Assignment{{Chat: 1, Agent: 1, Reason: "waited 5 s; 1 of 3 agents ready; longest idle"}},
		},
		"a queue that nobody configured": {
			queue: people, waiting: []routing.Waiting{{Chat: 1, Queue: "other", Since: ago(5)}},
			agents: []routing.Agent{ready(1, 9)},
		},
		"the reserve waits for its time": {
			queue: backed, waiting: []routing.Waiting{wait(1, 3)},
			agents: []routing.Agent{away(1, 100), ready(9, 5)},
			next:   noon.Add(2 * time.Second),
		},
		"the reserve waits since the last member went": {
			queue: backed, waiting: []routing.Waiting{wait(1, 30)},
			agents: []routing.Agent{away(1, 100), away(2, 1), ready(9, 5)},
			next:   noon.Add(4 * time.Second),
		},
		"the reserve takes over": {
			queue: backed, waiting: []routing.Waiting{wait(1, 5)},
			agents: []routing.Agent{away(1, 100), away(2, 5), ready(9, 5)},
			want:   []routing.Assignment{{Chat: 1, Agent: 9, Reason: "waited 5 s; no agent ready; reserve"}},
		},
		"the reserve leaves it to a member that is full": {
			queue: backed, waiting: []routing.Waiting{wait(1, 500)},
			agents: []routing.Agent{with(ready(1, 100), func(a *routing.Agent) { a.Held = 2 }), ready(9, 5)},
		},
		"the reserve leaves it while a member has an offer": {
			queue: backed, waiting: []routing.Waiting{wait(1, 500), {Chat: 2, Queue: "q", Since: ago(600), Offered: 1}},
			agents: []routing.Agent{away(1, 100), ready(9, 5)},
		},
		"whoever had it before": {
			queue: people, waiting: []routing.Waiting{{Chat: 1, Queue: "q", Since: ago(5), Prefer: 1}},
			agents: []routing.Agent{ready(1, 10), ready(2, 20)},
			want:   []routing.Assignment{{Chat: 1, Agent: 1, Reason: "waited 5 s; had this chat before"}},
		},
		"whoever had it before is busy": {
			queue: people, waiting: []routing.Waiting{{Chat: 1, Queue: "q", Since: ago(5), Prefer: 1}},
			agents: []routing.Agent{with(ready(1, 100), func(a *routing.Agent) { a.Held = 2 }), ready(2, 20)},
			want:   []routing.Assignment{{Chat: 1, Agent: 2, Reason: "waited 5 s; 2 of 3 agents ready; longest idle"}},
		},
		"whoever had it before is of another queue": {
			queue: people, waiting: []routing.Waiting{{Chat: 1, Queue: "q", Since: ago(5), Prefer: 4}},
			agents: []routing.Agent{ready(4, 100), ready(2, 20)},
			want:   []routing.Assignment{{Chat: 1, Agent: 2, Reason: "waited 5 s; 1 of 3 agents ready; longest idle"}},
		},
		"whoever had it before is in the reserve": {
			queue: routing.Queue{Members: []chat.StaffID{1}, Reserve: []chat.StaffID{8, 9}}, waiting: []routing.Waiting{{Chat: 1, Queue: "q", Since: ago(5), Prefer: 9}},
			agents: []routing.Agent{ready(8, 100), ready(9, 5)},
			want:   []routing.Assignment{{Chat: 1, Agent: 9, Reason: "waited 5 s; no agent ready; reserve; had this chat before"}},
		},
		"the reserve where there are no members": {
			queue: routing.Queue{Reserve: []chat.StaffID{9}}, waiting: []routing.Waiting{wait(1, 0)},
			agents: []routing.Agent{ready(9, 5)},
			want:   []routing.Assignment{{Chat: 1, Agent: 9, Reason: "waited 0 s; no agent ready; reserve"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, next := routing.Assign(noon, c.waiting, c.agents, map[string]routing.Queue{"q": c.queue})
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s: (-want +got)\n%s", name, diff)
			}
			if !next.Equal(c.next) {
				t.Errorf("%s: look again at %v, want %v", name, next, c.next)
			}
		})
	}
}

// scene is a drawn situation.
type scene struct {
	waiting []routing.Waiting
	agents  []routing.Agent
	queues  map[string]routing.Queue
}

var someAgents = []chat.StaffID{1, 2, 3, 4, 5, 6}

func drawScene(t *rapid.T) scene {
	moment := rapid.Custom(func(t *rapid.T) time.Time {
		return noon.Add(time.Duration(rapid.IntRange(-20, 20).Draw(t, "s")) * time.Second)
	})
	past := rapid.Custom(func(t *rapid.T) time.Time { return ago(rapid.IntRange(0, 20).Draw(t, "s")) })
	s := scene{queues: make(map[string]routing.Queue)}
	for _, name := range []string{"a", "b"} {
		order := rapid.Permutation(someAgents).Draw(t, "order")
		members := rapid.IntRange(0, 4).Draw(t, "members")
		s.queues[name] = routing.Queue{
			Members: order[:members], Reserve: order[members:rapid.IntRange(members, 6).Draw(t, "reserve")],
			ReserveAfter: time.Duration(rapid.IntRange(0, 10).Draw(t, "after")) * time.Second,
		}
	}
	for i := range rapid.IntRange(0, 8).Draw(t, "chats") {
		w := routing.Waiting{
			Chat: chat.ID(i + 1), Queue: rapid.SampledFrom([]string{"a", "b", "none"}).Draw(t, "queue"), Since: past.Draw(t, "since"),
			Offered: chat.StaffID(max(0, rapid.IntRange(-10, 6).Draw(t, "offered"))),
			Prefer:  chat.StaffID(max(0, rapid.IntRange(-3, 6).Draw(t, "prefer"))),
		}
		for range rapid.IntRange(0, 2).Draw(t, "exclusions") {
			w.Excluded = append(w.Excluded, chat.Exclusion{Agent: rapid.SampledFrom(someAgents).Draw(t, "who"), Until: moment.Draw(t, "until")})
		}
		s.waiting = append(s.waiting, w)
	}
	for _, id := range someAgents[:rapid.IntRange(0, 6).Draw(t, "agents")] {
		s.agents = append(s.agents, routing.Agent{
			ID: id, Presence: rapid.SampledFrom([]chat.Presence{chat.Ready, chat.Ready, chat.NotReady, chat.NotResponding, chat.Offline}).Draw(t, "presence"),
			Since: past.Draw(t, "since"), Idle: past.Draw(t, "idle"), Held: rapid.IntRange(0, 3).Draw(t, "held"), Capacity: rapid.IntRange(1, 3).Draw(t, "capacity"),
			OnOffer: rapid.IntRange(0, 4).Draw(t, "busy") == 0,
		})
	}
	return s
}

func (s scene) chat(id chat.ID) routing.Waiting {
	return s.waiting[slices.IndexFunc(s.waiting, func(w routing.Waiting) bool { return w.Chat == id })]
}

// free says whether an agent could be given a chat at noon, as a member of the
// chat's queue, if nobody else were given any.
func (s scene) free(a routing.Agent, w routing.Waiting) bool {
	onOffer := a.OnOffer || slices.ContainsFunc(s.waiting, func(o routing.Waiting) bool { return o.Offered == a.ID })
	excluded := slices.ContainsFunc(w.Excluded, func(x chat.Exclusion) bool { return x.Agent == a.ID && x.Until.After(noon) })
	return a.Presence == chat.Ready && !onOffer && a.Held < a.Capacity && !excluded
}

func TestAssignProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScene(t)
		got, next := routing.Assign(noon, s.waiting, s.agents, s.queues)
		given := make(map[chat.StaffID]routing.Waiting)
		taken := make(map[chat.ID]bool)
		for _, a := range got {
			w := s.chat(a.Chat)
			q, known := s.queues[w.Queue]
			i := slices.IndexFunc(s.agents, func(x routing.Agent) bool { return x.ID == a.Agent })
			if _, twice := given[a.Agent]; !known || i < 0 || twice || taken[a.Chat] || w.Offered != 0 || a.Reason == "" {
				t.Fatalf("%+v is not a proper assignment", a)
			}
			given[a.Agent], taken[a.Chat] = w, true
			if !s.free(s.agents[i], w) {
				t.Fatalf("agent %+v cannot take chat %+v", s.agents[i], w)
			}
			if !slices.Contains(q.Members, a.Agent) {
				if !slices.Contains(q.Reserve, a.Agent) || w.Since.Add(q.ReserveAfter).After(noon) {
					t.Fatalf("agent %d is not the reserve's turn for %+v", a.Agent, w)
				}
				for _, m := range s.agents {
					if slices.Contains(q.Members, m.ID) && (m.Presence == chat.Ready || m.Since.Add(q.ReserveAfter).After(noon)) {
						t.Fatalf("the reserve took %+v although member %+v is or just was there", w, m)
					}
				}
			}
		}
		for _, w := range s.waiting {
			i := slices.IndexFunc(s.agents, func(x routing.Agent) bool { return x.ID == w.Prefer })
			if !taken[w.Chat] || i < 0 || !s.free(s.agents[i], w) || !slices.Contains(s.queues[w.Queue].Members, w.Prefer) {
				continue
			}
			if other, ok := given[w.Prefer]; !ok || other.Since.After(w.Since) {
				t.Fatalf("chat %+v did not come back to whoever had it, who was given %+v", w, other)
			}
		}
		// No chat is passed over: whoever could take it as a member was given
		// an older one, or one as old.
		for _, w := range s.waiting {
			if _, known := s.queues[w.Queue]; !known || w.Offered != 0 || taken[w.Chat] {
				continue
			}
			for _, a := range s.agents {
				if !slices.Contains(s.queues[w.Queue].Members, a.ID) || !s.free(a, w) {
					continue
				}
				if other, ok := given[a.ID]; !ok || other.Since.After(w.Since) {
					t.Fatalf("chat %+v was passed over by agent %d, who was given %+v", w, a.ID, other)
				}
			}
		}
		if !next.IsZero() && !next.After(noon) {
			t.Fatalf("to look again at %v, which is not after now", next)
		}
	})
}

// Nothing changes until the next moment that was told, and the order in which
// chats and agents are listed means nothing.
func TestAssignIsDeterministic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScene(t)
		got, next := routing.Assign(noon, s.waiting, s.agents, s.queues)
		shuffle := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)).Shuffle
		waiting, agents := slices.Clone(s.waiting), slices.Clone(s.agents)
		shuffle(len(waiting), func(i, j int) { waiting[i], waiting[j] = waiting[j], waiting[i] })
		shuffle(len(agents), func(i, j int) { agents[i], agents[j] = agents[j], agents[i] })
		again, nextAgain := routing.Assign(noon, waiting, agents, s.queues)
		if diff := cmp.Diff(got, again); diff != "" || !next.Equal(nextAgain) {
			t.Fatalf("in another order (-first +second)\n%s", diff)
		}
		until := noon.Add(time.Minute)
		if !next.IsZero() {
			until = next
		}
		later, _ := routing.Assign(until.Add(-time.Millisecond), s.waiting, s.agents, s.queues)
		if diff := cmp.Diff(pairs(got), pairs(later)); diff != "" {
			t.Fatalf("nothing was due before %v, and yet (-at noon +later)\n%s", next, diff)
		}
	})
}

func pairs(as []routing.Assignment) string {
	var b strings.Builder
	for _, a := range as {
		b.WriteString(a.Chat.String())
		b.WriteByte(byte('0' + a.Agent))
	}
	return b.String()
}
