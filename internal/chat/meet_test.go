package chat

import "testing"

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
