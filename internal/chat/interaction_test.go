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
		t.Errorf("%+v, %v", d, err)
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
