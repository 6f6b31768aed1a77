package chat

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

// A chat takes no more than it may hold; agents have a little room beyond that,
// and everything that leads to the end is always possible.
func TestFullChat(t *testing.T) {
	at := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	s := NewState(1, DefaultRules())
	give := func(by Actor, a Action) error {
		d, err := Decide(s, Command{At: at, By: by, Do: a})
		for _, e := range d.Events {
			s.Apply(e)
		}
		return err
	}
	must := func(by Actor, a Action) {
		t.Helper()
		if err := give(by, a); err != nil {
			t.Fatalf("%T: got %v, want it carried out", a, err)
		}
	}
	must(TheVisitor(), Open{Name: "Ada", Opening: Opening{Service: "s", Queue: "q", Channel: "c1"}})
	must(Actor{}, Offer{Agent: 7, Name: "Ben", Role: RoleAgent, Until: at.Add(time.Hour)})
	must(Staff(7), Accept{})
	line := Say{Text: strings.Repeat("x", MaxText)}
	for s.Size < MaxSize {
		must(TheVisitor(), line)
	}
	if over := s.Size - MaxSize; over > MaxText+eventSize {
		t.Errorf("the chat took %d bytes beyond its size", over)
	}
	for _, a := range []Action{Say{Text: "x"}, Type{On: true}, Push{URL: "https://example.org/"}, SetData{map[string]string{"a": "b"}}} {
		if err := give(TheVisitor(), a); KindOf(err) != Full {
			t.Errorf("%T of the visitor: got %v, want the kind %q", a, err, Full)
		}
	}
	must(Staff(7), Say{Text: "please start a new chat"})
	for s.Size < MaxSize+staffReserve {
		must(Staff(7), line)
	}
	if err := give(Staff(7), line); KindOf(err) != Full {
		t.Errorf("the agent: got %v, want the kind %q", err, Full)
	}
	must(TheVisitor(), Unbind{Channel: "c1"})
	must(TheVisitor(), Bind{Channel: "c2"})
	must(Actor{}, Tick{})
	must(Staff(7), End{})
}

// A checkpoint of another version is not taken up, and none is made of a chat whose log
// holds what only a newer version knows.
func TestCheckpointVersions(t *testing.T) {
	s := NewState(1, DefaultRules())
	body, ok := s.Checkpoint()
	if !ok {
		t.Fatal("got no checkpoint of an empty state")
	}
	var fields map[string]any
	if err := json.Unmarshal(body, &fields); err != nil {
		t.Fatal(err)
	}
	fields["v"] = checkpointVersion + 1
	if body, err := json.Marshal(fields); err != nil {
		t.Fatal(err)
	} else if _, err := RestoreState(body); err == nil {
		t.Error("got a state of another version, want an error")
	}
	s.Apply(Event{Index: 1, Fact: UnknownFact{Kind: "newer", Body: json.RawMessage("{}")}})
	if body, ok := s.Checkpoint(); ok {
		t.Errorf("got %s, want no checkpoint", body)
	}
}

// Whoever adds a field to the state is reminded here that a checkpoint has to keep it,
// and that its version has to be raised.
func TestCheckpointsKeepEveryField(t *testing.T) {
	if got, want := reflect.TypeFor[State]().NumField(), 32; got != want {
		t.Errorf("State has %d fields, want %d: see checkpoint", got, want)
	}
	if got, want := reflect.TypeFor[silence]().NumField(), 4; got != want {
		t.Errorf("silence has %d fields, want %d: see checkpoint", got, want)
	}
}
