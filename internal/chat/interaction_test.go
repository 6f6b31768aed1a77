package chat

import (
	"testing"
	"time"
)

// Where the features of a chat meet.

// A visitor who has left a chat to the agents is told that it is over, and not
// that the chat is somebody else's, when its client names a device.
func TestSubscribeToAnAbandonedChat(t *testing.T) {
	s := NewState(1, DefaultRules())
	s.Rules.Abandon = AbandonStays
	mustDecide(t, s, Command{At: noon, By: TheVisitor(), Do: Open{Name: "Ada", Opening: Opening{Service: "s", Queue: "q"}}})
	mustDecide(t, s, Command{At: noon, By: TheVisitor(), Do: Leave{}})
	phone := Subscribe{Device{Carrier: CarrierFCM, Token: "t"}}
	if d, err := Decide(s, Command{At: noon, By: TheVisitor(), Do: phone}); KindOf(err) != Ended {
		t.Errorf("subscribe after leaving: got %+v, %v, want the kind %q", d, err, Ended)
	}
	if d, err := Decide(s, Command{At: noon, By: Staff(7), Do: phone}); KindOf(err) != Forbidden {
		t.Errorf("by an agent: %+v, %v", d, err)
	}
}

// A program that cancels the idle timer has nothing to show to an agent: a
// chat that sleeps goes on sleeping, for as long as if its visitor had written.
func TestCancellingTheIdleTimerWakesNobody(t *testing.T) {
	s := NewState(1, DefaultRules())
	mustDecide(t, s, Command{At: noon, By: TheVisitor(), Do: Open{Name: "Ada", Opening: Opening{Service: "s", Queue: "q", Async: true}}})
	mustDecide(t, s, Command{At: noon, Do: Offer{Agent: 7, Name: "Ben", Role: RoleAgent, Until: noon.Add(time.Minute)}})
	mustDecide(t, s, Command{At: noon, By: Staff(7), Do: Accept{}})
	mustDecide(t, s, Command{At: noon, By: Staff(7), Do: Hold{}})
	due(t, s, noon.Add(10*time.Second)) // it is away
	alert := noon.Add(24 * time.Hour)
	due(t, s, alert)
	wantFacts(t, mustDecide(t, s, Command{At: alert, By: TheVisitor(), Do: Notify{Text: "n", ResetIdle: true}}),
		Noticed{No: VisitorNo, Text: "n"}, IdleReset{})
	if s.Phase != PhaseHeld {
		t.Errorf("the chat is %q", s.Phase)
	}
	if got := s.Deadline(); !got.Equal(alert.Add(24 * time.Hour)) {
		t.Errorf("it is warned again at %v", got)
	}
}

// A chat waits where it was queued last, whatever queue it was opened for: its
// summary, the offer that its agent is shown and the next wait all say so.
func TestTheQueueIsTheLatest(t *testing.T) {
	s := NewState(1, DefaultRules())
	at := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	apply := func(facts ...Fact) {
		for _, f := range facts {
			s.Apply(Event{Index: s.Last + 1, At: at, Fact: f})
		}
	}
	apply(Joined{No: 1, Role: RoleVisitor, Name: "Ada", Opening: &Opening{Service: "support", Queue: "people"}}, Queued{Queue: "people"}, Queued{Queue: "experts"})
	if got := s.Summary().Queue; got != "experts" {
		t.Errorf("the summary has the queue %q, want experts", got)
	}
	offer := Offered{Agent: 7, Name: "Ben", Role: RoleAgent, Until: at.Add(time.Minute)}
	_, notes := Effects(s, []Event{{Index: s.Last + 1, At: at, Fact: offer}}, 1)
	if len(notes) != 1 || notes[0].Event.Fact.(OfferMade).Queue != "experts" {
		t.Errorf("the agent is told %+v, want the queue experts", notes)
	}
	apply(offer, Accepted{Agent: 7}, Joined{No: 2, Role: RoleAgent, Name: "Ben", Staff: 7})
	d, err := Decide(s, Command{At: at, By: Staff(7), Do: Leave{}})
	if err != nil {
		t.Fatal(err)
	}
	if last := d.Events[len(d.Events)-1].Fact; last != (Queued{Queue: "experts", Since: at}) {
		t.Errorf("after the agent has left: got %+v, want queued for experts", last)
	}
}
