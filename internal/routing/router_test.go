package routing_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
	"github.com/halley-chat/halley/internal/engine/enginetest"
	"github.com/halley-chat/halley/internal/routing"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	anna = chat.StaffID(1)
	ben  = chat.StaffID(2)
	echo = chat.StaffID(3)
)

func everybody() []routing.Member {
	return []routing.Member{
		{ID: anna, Login: "anna", Name: "Anna", Capacity: 2},
		{ID: ben, Login: "ben", Name: "Ben", Capacity: 2},
		{ID: echo, Login: "echo", Name: "Echo", Capacity: 50, Bot: true},
	}
}

var plans = map[string]routing.Plan{
	"people": {Members: []string{"*"}, Reserve: []string{"echo"}, ReserveAfter: 5 * time.Second},
	"echo":   {Members: []string{"echo"}, OfferTime: 3 * time.Second},
}

// fixture is a router at work over a real engine with a store in memory.
type fixture struct {
	t      *testing.T
	log    *enginetest.Log
	engine *engine.Engine
	router *routing.Router
}

// inBubble runs a test in a bubble.
func inBubble(t *testing.T, test func(o *fixture)) {
	synctest.Test(t, func(t *testing.T) {
		quiet := slog.New(slog.DiscardHandler)
		o := &fixture{t: t, log: enginetest.NewLog()}
		o.engine = engine.New(engine.Options{Log: o.log, Logger: quiet})
		if err := o.engine.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		o.router = routing.New(routing.Options{Engine: o.engine, Queues: plans, Logger: quiet})
		o.router.SetMembers(everybody())
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- o.router.Run(ctx) }()
		defer func() {
			cancel()
			if err := <-done; err != nil {
				t.Errorf("the router ended with %v", err)
			}
			if err := o.engine.Close(context.Background()); err != nil {
				t.Errorf("close the engine: %v", err)
			}
		}()
		test(o)
	})
}

// open opens a chat whose visitor stays. The next one is younger.
func (o *fixture) open(queue string) chat.ID {
	o.t.Helper()
	id, _, err := o.engine.Open(o.t.Context(), chat.Command{By: chat.TheVisitor(), Do: chat.Open{
		Name: "V", Opening: chat.Opening{Service: "s", Queue: queue, Channel: "c"},
	}})
	if err != nil {
		o.t.Fatal(err)
	}
	time.Sleep(time.Millisecond)
	return id
}

func (o *fixture) become(who chat.StaffID, p chat.Presence) {
	o.t.Helper()
	if _, err := o.engine.DoAgent(o.t.Context(), who, chat.AgentCommand{To: p}); err != nil {
		o.t.Fatal(err)
	}
	time.Sleep(time.Millisecond)
}

func (o *fixture) do(id chat.ID, who chat.StaffID, a chat.Action) {
	o.t.Helper()
	if _, err := o.engine.Do(o.t.Context(), id, chat.Command{By: chat.Staff(who), Do: a}); err != nil {
		o.t.Fatal(err)
	}
}

// after lets time pass and everybody settle.
func (o *fixture) after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (o *fixture) summary(id chat.ID) chat.Summary {
	o.t.Helper()
	s, ok, err := o.engine.Summary(o.t.Context(), id)
	if err != nil || !ok {
		o.t.Fatalf("summary of %s: %v, %v", id, ok, err)
	}
	return s
}

// offered fails the test unless a chat is on offer to exactly this agent.
func (o *fixture) offered(id chat.ID, want chat.StaffID) {
	o.t.Helper()
	var got chat.StaffID
	if offer := o.summary(id).Offer; offer != nil {
		got = offer.Agent
	}
	if got != want {
		o.t.Errorf("the chat is on offer to agent %d, want %d", got, want)
	}
}

func (o *fixture) presence(who chat.StaffID, want chat.Presence) {
	o.t.Helper()
	s, err := o.engine.Agent(o.t.Context(), who)
	if err != nil || s.Presence != want {
		o.t.Errorf("agent %d is %q (%v), want %q", who, s.Presence, err, want)
	}
}

func TestOfferAndAccept(t *testing.T) {
	inBubble(t, func(o *fixture) {
		o.become(anna, chat.Ready)
		o.become(ben, chat.Ready)
		first := o.open("people")
		o.after(0)
		offer := o.summary(first).Offer
		if offer == nil || offer.Agent != anna || offer.Name != "Anna" || offer.Role != chat.RoleAgent ||
			offer.Reason != "waited 0 s; 2 of 2 agents ready; longest idle" {
			t.Fatalf("the offer is %+v", offer)
		}
		if left := time.Until(offer.Until); left < 19*time.Second || left > 20*time.Second {
			t.Errorf("the offer stands for another %s", left)
		}
		second, third := o.open("people"), o.open("people")
		o.after(0)
		o.offered(second, ben)
		o.offered(third, 0) // both have an offer to answer
		o.do(first, anna, chat.Accept{})
		o.after(0)
		o.offered(third, anna)
		o.do(third, anna, chat.Accept{})
		fourth := o.open("people")
		o.after(time.Second)
		o.offered(fourth, 0) // one is full, the other has not answered
		o.do(first, anna, chat.End{})
		o.after(0)
		o.offered(fourth, anna)
	})
}

func TestDeclineAndMiss(t *testing.T) {
	inBubble(t, func(o *fixture) {
		o.become(anna, chat.Ready)
		o.become(ben, chat.Ready)
		id := o.open("people")
		o.after(0)
		o.do(id, anna, chat.Decline{})
		o.after(0)
		o.offered(id, ben)
		o.after(21 * time.Second)
		o.presence(ben, chat.NotResponding)
		o.offered(id, 0) // anna is spared it for a minute, and is ready, so that nobody steps in
		o.after(38 * time.Second)
		o.offered(id, 0)
		o.after(time.Second)
		o.offered(id, anna)
	})
}

func TestReserve(t *testing.T) {
	inBubble(t, func(o *fixture) {
		o.become(echo, chat.Ready)
		alone := o.open("people")
		o.after(4900 * time.Millisecond)
		o.offered(alone, 0)
		o.after(200 * time.Millisecond)
		o.offered(alone, echo)
		o.do(alone, echo, chat.Accept{})

		o.become(anna, chat.Ready)
		second := o.open("people")
		o.after(0)
		o.offered(second, anna)
		o.after(20*time.Second + 10*time.Millisecond) // anna does not answer
		o.presence(anna, chat.NotResponding)
		o.offered(second, 0)
		o.after(4900 * time.Millisecond)
		o.offered(second, 0)
		o.after(200 * time.Millisecond)
		o.offered(second, echo)

		at := time.Now()
		third := o.open("echo")
		o.after(0)
		o.offered(third, 0) // the scripted agent has not answered yet
		o.do(second, echo, chat.Accept{})
		o.after(0)
		o.offered(third, echo)
		if offer := o.summary(third).Offer; offer != nil && offer.Until.Sub(at) > 4*time.Second {
			t.Errorf("an offer of the queue echo stands until %s later", offer.Until.Sub(at))
		}
	})
}

func TestWithdraw(t *testing.T) {
	for name, c := range map[string]struct {
		leave  func(o *fixture)
		reason string
	}{
		"not ready": {func(o *fixture) { o.become(anna, chat.NotReady) }, "the agent is not ready any more"},
		"offline":   {func(o *fixture) { o.become(anna, chat.Offline) }, "the agent has signed out"},
		"disabled":  {func(o *fixture) { o.router.SetMembers(everybody()[1:]) }, "the agent is not here any more"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(o *fixture) {
				o.become(anna, chat.Ready)
				id := o.open("people")
				o.after(0)
				o.offered(id, anna)
				o.become(ben, chat.Ready)
				c.leave(o)
				o.after(0)
				o.offered(id, ben)
				events, err := o.engine.Read(o.t.Context(), id, 1, 100)
				if err != nil {
					t.Fatal(err)
				}
				if !slices.ContainsFunc(events, func(e chat.Event) bool { return e.Fact == chat.Withdrawn{Agent: anna, Reason: c.reason} }) {
					t.Errorf("no withdrawal for the reason that %s: %+v", c.reason, events)
				}
			})
		})
	}
}

func TestNewMembersAndCapacities(t *testing.T) {
	inBubble(t, func(o *fixture) {
		o.router.SetMembers(nil)
		o.become(anna, chat.Ready)
		id := o.open("people")
		o.after(time.Minute)
		o.offered(id, 0)
		few := everybody()
		few[0].Capacity = 1
		o.router.SetMembers(few)
		o.after(0)
		o.offered(id, anna)
		o.do(id, anna, chat.Accept{})
		other := o.open("people")
		o.after(time.Minute)
		o.offered(other, 0)
		o.router.SetMembers(everybody())
		o.after(0)
		o.offered(other, anna)
	})
}

// A slot that the router does not know to be taken makes it try another agent,
// and come back without haste.
func TestCapacityRefused(t *testing.T) {
	inBubble(t, func(o *fixture) {
		for i := range 2 { // as a store would that was restored in part
			a := engine.Append{Log: engine.ChatLog(chat.NewID(time.Now(), uint32(i))), Claims: []chat.Claim{{Agent: anna, Chat: chat.ID(i + 1), Take: true, Capacity: 2}}}
			if _, err := o.log.Append(o.t.Context(), a); err != nil {
				t.Fatal(err)
			}
		}
		o.become(anna, chat.Ready)
		before := o.log.Appends()
		id := o.open("people")
		o.after(10 * time.Second)
		o.offered(id, 0)
		if tries := o.log.Appends() - before; tries > 15 {
			t.Errorf("%d appends in ten seconds", tries)
		}
		o.become(ben, chat.Ready)
		o.after(2 * time.Second)
		o.offered(id, ben)
	})
}

func TestStoreFails(t *testing.T) {
	inBubble(t, func(o *fixture) {
		o.become(anna, chat.Ready)
		down := errors.New("the disk is gone")
		tries := 0
		o.log.Fail(func(a engine.Append) error {
			if len(a.Tails) > 0 {
				tries++
				return down
			}
			return nil
		})
		id := o.open("people")
		o.after(10 * time.Second)
		o.offered(id, 0)
		if tries < 2 || tries > 20 {
			t.Errorf("the offer was tried %d times in ten seconds", tries)
		}
		o.log.Fail(nil)
		o.after(2 * time.Second)
		o.offered(id, anna)
	})
}

// What waited before the router came is served too, and offers of the time
// before are withdrawn from those who are gone.
func TestStartsWithWhatIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := engine.New(engine.Options{Log: enginetest.NewLog(), Logger: slog.New(slog.DiscardHandler)})
		if err := e.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		o := &fixture{t: t, engine: e}
		id, other := o.open("people"), o.open("people")
		o.do(other, 0, chat.Offer{Agent: 77, Name: "G", Role: chat.RoleAgent, Until: time.Now().Add(time.Hour), Capacity: 1})
		o.become(anna, chat.Ready)
		o.become(ben, chat.Ready)
		o.router = routing.New(routing.Options{Engine: e, Queues: plans, Logger: slog.New(slog.DiscardHandler)})
		o.router.SetMembers(everybody())
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- o.router.Run(ctx) }()
		o.after(time.Second)
		o.offered(id, anna)
		o.offered(other, ben)
		cancel()
		<-done
		if err := e.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// While nothing happens the router does nothing.
func TestSleeps(t *testing.T) {
	inBubble(t, func(o *fixture) {
		o.become(anna, chat.NotReady)
		o.open("people")
		o.after(time.Minute)
		before := o.log.Appends()
		o.after(365 * 24 * time.Hour)
		if n := o.log.Appends() - before; n != 0 {
			t.Errorf("%d appends in a year of nothing", n)
		}
	})
}

func TestABotIsOfferedChatsAsOne(t *testing.T) {
	inBubble(t, func(o *fixture) {
		o.become(echo, chat.Ready)
		id := o.open("echo")
		o.after(0)
		if offer := o.summary(id).Offer; offer == nil || offer.Agent != echo || offer.Role != chat.RoleBot {
			t.Errorf("the offer is %+v", offer)
		}
	})
}

// A log that cannot be read costs its agent the chats, and nobody else.
func TestADamagedLogConcernsItsAgentAlone(t *testing.T) {
	inBubble(t, func(o *fixture) {
		const carl = chat.StaffID(9)
		if _, err := o.log.Append(o.t.Context(), engine.Append{
			Log: engine.AgentLog(carl), Records: []engine.Record{{Index: 1, At: time.Now().UTC(), Body: []byte("?")}},
		}); err != nil {
			o.t.Fatal(err)
		}
		// In front of the others, so that it is met first.
		o.router.SetMembers(append([]routing.Member{{ID: carl, Login: "carl", Name: "Carl", Capacity: 2}}, everybody()...))
		o.become(anna, chat.Ready)
		id := o.open("people")
		o.after(0)
		o.offered(id, anna)
		o.do(id, anna, chat.Accept{})
		o.after(2 * time.Hour)
		o.become(anna, chat.NotReady)
		o.become(ben, chat.Ready)
		next := o.open("people")
		o.after(0)
		o.offered(next, ben)
	})
}
