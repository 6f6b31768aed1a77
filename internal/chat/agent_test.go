package chat

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// TestAgentState folds any events and compares with a plain reckoning, with
// the same events read back from the log, and with a checkpoint on the way.
func TestAgentState(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, back := NewAgentState(7), NewAgentState(7)
		at := noon
		for range rapid.IntRange(1, 50).Draw(t, "events") {
			at = at.Add(time.Duration(rapid.IntRange(0, 5).Draw(t, "pause")) * time.Second)
			before, shared := snapshot(t, s), *s
			var events []AgentEvent
			switch rapid.IntRange(0, 5).Draw(t, "source") {
			case 0:
				events = checkDeskCommand(t, s, AgentCommand{
					At: at, Do: rapid.SampledFrom([]AgentAction{BindAgent, UnbindAgent, TickAgent}).Draw(t, "action"),
					WarnAfter: 2 * time.Second, ReleaseAfter: 3 * time.Second,
				})
			case 1, 2:
				c := AgentCommand{
					ID: rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "id"), At: at,
					To:     rapid.SampledFrom([]Presence{Offline, NotReady, Ready, NotResponding, "sleeping"}).Draw(t, "to"),
					Reason: rapid.SampledFrom([]string{"", "lunch", "\xff"}).Draw(t, "reason"),
				}
				events = checkDecideAgent(t, s, c)
			default:
				kind := rapid.SampledFrom(keys(agentDraws)).Draw(t, "kind")
				f := agentDraws[kind](t)
				// Few chats, so that events meet.
				id := ID(rapid.IntRange(1, 3).Draw(t, "chat"))
				switch x := f.(type) {
				case OfferMade:
					x.Chat = id
					f = x
				case OfferClosed:
					x.Chat = id
					f = x
				case Assigned:
					f = Assigned{id}
				case Freed:
					f = Freed{id}
				}
				events = []AgentEvent{{Index: s.Last + 1, At: at, Fact: f}}
			}
			if diff := cmp.Diff(before, snapshot(t, s)); diff != "" {
				t.Fatalf("deciding changed the state:\n%s", diff)
			}
			for _, e := range events {
				s.Apply(e)
				back.Apply(reread(t, e))
			}
			// A copy of the struct stays as it was: Apply never writes into
			// slices that somebody else may have.
			if diff := cmp.Diff(before, snapshot(t, &shared)); diff != "" {
				t.Fatalf("applying %+v changed a copy:\n%s", events, diff)
			}
			if rapid.IntRange(0, 9).Draw(t, "checkpoint") == 0 {
				back = snapshot(t, back)
			}
		}
		if diff := cmp.Diff(s, back, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("the log says otherwise (-state +log):\n%s", diff)
		}
	})
}

// checkDecideAgent decides a command and says what must be true of any
// decision.
func checkDecideAgent(t *rapid.T, s *AgentState, c AgentCommand) []AgentEvent {
	events, err := DecideAgent(s, c)
	possible := c.To == Offline || c.To == NotReady || c.To == Ready
	changes := s.Presence != c.To || s.Reason != c.Reason
	repeat := c.ID != "" && c.ID == s.Command
	switch {
	case !possible || c.Reason == "\xff":
		if KindOf(err) != Invalid {
			t.Fatalf("%+v came to %+v, %v", c, events, err)
		}
	case err != nil:
		t.Fatalf("%+v was refused: %v", c, err)
	case len(events) != 0 && (repeat || !changes):
		t.Fatalf("%+v came to %+v in %+v", c, events, s)
	case changes && !repeat:
		want := []AgentEvent{{Index: s.Last + 1, At: c.At, Command: c.ID, Fact: PresenceChanged{To: c.To, Reason: c.Reason}}}
		if diff := cmp.Diff(want, events); diff != "" {
			t.Fatalf("%+v came to (-want +got):\n%s", c, diff)
		}
	}
	return events
}

// checkDeskCommand decides what the connections of an agent's desks come to.
func checkDeskCommand(t *rapid.T, s *AgentState, c AgentCommand) []AgentEvent {
	events, err := DecideAgent(s, c)
	if err != nil {
		t.Fatalf("%+v was refused: %v", c, err)
	}
	after := *s
	for _, e := range events {
		after.Apply(e)
	}
	idle := s.Presence == Offline && len(s.Chats) == 0 && len(s.Offers) == 0
	due := s.Deadline()
	switch {
	case c.Do == BindAgent && after.Unbound != nil:
		t.Fatalf("bound: got the deadlines %+v, want none", after.Unbound)
	case c.Do == BindAgent && after.Presence != s.Presence && (after.Presence != Ready || s.Reason != ReasonDisconnected):
		t.Fatalf("bound: got %s after %s %q", after.Presence, s.Presence, s.Reason)
	case c.Do == UnbindAgent && (len(events) == 0) != idle:
		t.Fatalf("unbound: got %+v in %+v", events, s)
	case c.Do == UnbindAgent && !idle && (!after.Unbound.Warn.Equal(c.At.Add(c.WarnAfter)) || !after.Unbound.Release.Equal(c.At.Add(c.WarnAfter+c.ReleaseAfter))):
		t.Fatalf("unbound at %v: got the deadlines %+v", c.At, after.Unbound)
	case c.Do == TickAgent && len(events) > 0 && (due.IsZero() || c.At.Before(due)):
		t.Fatalf("a tick at %v, due %v: got %+v, want nothing", c.At, due, events)
	case c.Do == TickAgent && !due.IsZero() && !c.At.Before(due) && len(events) == 0 && !after.Lost(c.At):
		t.Fatalf("a tick at %v, due %v: got nothing in %+v", c.At, due, s)
	case c.Do != SetPresence && len(after.Chats) != len(s.Chats):
		t.Fatalf("%+v: got the chats %v, want %v: only a chat's own log says who is in it", c, after.Chats, s.Chats)
	}
	return events
}

// The way of an agent whose connection is lost: warned, lost, and back early or
// late.
func TestAnAgentLosesItsDesk(t *testing.T) {
	const warn, release = 20 * time.Second, time.Minute
	for name, c := range map[string]struct {
		presence   Presence // before
		back       time.Duration
		want       Presence // after it is back
		lost       bool     // before it is back
		wantReason string
	}{
		"a moment":                {Ready, time.Second, Ready, false, ""},
		"back before the release": {Ready, warn + release - time.Millisecond, Ready, false, ""},
		"back at the release":     {Ready, warn + release, NotResponding, true, ReasonDisconnected},
		"at lunch":                {NotReady, warn + release - time.Millisecond, NotReady, false, "lunch"},
		"at lunch for long":       {NotReady, warn + release, NotReady, true, "lunch"},
	} {
		t.Run(name, func(t *testing.T) {
			s := NewAgentState(7)
			reason := ""
			if c.presence == NotReady {
				reason = "lunch"
			}
			s.Apply(AgentEvent{Index: 1, At: noon, Fact: PresenceChanged{To: c.presence, Reason: reason}})
			s.Apply(AgentEvent{Index: 2, At: noon, Fact: Assigned{Chat: 1}})
			do := func(after time.Duration, do AgentAction) {
				events, err := DecideAgent(s, AgentCommand{At: noon.Add(after), Do: do, WarnAfter: warn, ReleaseAfter: release})
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range events {
					s.Apply(e)
				}
			}
			do(0, UnbindAgent)
			for after := time.Duration(0); after <= c.back; after = s.Deadline().Sub(noon) {
				do(after, TickAgent)
				if s.Lost(noon.Add(after)) {
					break
				}
			}
			if got := s.Lost(noon.Add(c.back)); got != c.lost {
				t.Errorf("lost after %v: got %v, want %v", c.back, got, c.lost)
			}
			do(c.back, BindAgent)
			if s.Presence != c.want || s.Reason != c.wantReason || !s.Deadline().IsZero() {
				t.Errorf("back after %v: got %s %q, due %v, want %s %q, zero", c.back, s.Presence, s.Reason, s.Deadline(), c.want, c.wantReason)
			}
		})
	}
}

func snapshot(t *rapid.T, s *AgentState) *AgentState {
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var back AgentState
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	return &back
}

func reread(t *rapid.T, e AgentEvent) AgentEvent {
	body, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	back, err := DecodeAgentEvent(body)
	if err != nil {
		t.Fatal(err)
	}
	back.Index, back.At = e.Index, e.At
	return back
}

func TestPresence(t *testing.T) {
	later := noon.Add(time.Minute)
	for name, c := range map[string]struct {
		facts    []AgentFact
		presence Presence
		idle     time.Time
	}{
		"at first":               {nil, Offline, time.Time{}},
		"ready":                  {[]AgentFact{PresenceChanged{To: Ready}}, Ready, noon},
		"ready for a new reason": {[]AgentFact{PresenceChanged{To: Ready}, PresenceChanged{To: Ready, Reason: "x"}}, Ready, noon},
		"back from lunch":        {[]AgentFact{PresenceChanged{To: NotReady}, PresenceChanged{To: Ready}}, Ready, later},
		"missed":                 {[]AgentFact{PresenceChanged{To: Ready}, OfferClosed{1, OutcomeMissed}}, NotResponding, noon},
		"declined":               {[]AgentFact{PresenceChanged{To: Ready}, OfferClosed{1, OutcomeDeclined}}, Ready, noon},
		"missed while at lunch":  {[]AgentFact{PresenceChanged{To: NotReady}, OfferClosed{1, OutcomeMissed}}, NotReady, time.Time{}},
		"freed":                  {[]AgentFact{PresenceChanged{To: Ready}, Freed{1}}, Ready, later},
	} {
		t.Run(name, func(t *testing.T) {
			s := NewAgentState(7)
			for i, f := range c.facts {
				s.Apply(AgentEvent{Index: int64(i + 1), At: []time.Time{noon, later}[i], Fact: f})
			}
			if s.Presence != c.presence || !s.Idle.Equal(c.idle) {
				t.Errorf("%q and idle since %v, want %q and %v", s.Presence, s.Idle, c.presence, c.idle)
			}
		})
	}
}
