package chat

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// talk is a chat with agent 7 in it, at noon.
func talk(t *testing.T) *State {
	t.Helper()
	s := NewState(1, DefaultRules())
	for _, c := range []Command{
		{By: TheVisitor(), Do: Open{Name: "Ada", Opening: Opening{Service: "s", Queue: "q", Channel: "c1"}}},
		{Do: Offer{Agent: 7, Name: "Ben", Role: RoleAgent, Until: noon.Add(time.Minute)}},
		{By: Staff(7), Do: Accept{}},
	} {
		c.At = noon
		mustDecide(t, s, c)
	}
	return s
}

// fataler is a test, or a draw of a property.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

func mustDecide(t fataler, s *State, c Command) []Event {
	t.Helper()
	d, err := Decide(s, c)
	if err != nil {
		t.Fatalf("deciding %T: got %v, want no error", c.Do, err)
	}
	for _, e := range d.Events {
		s.Apply(e)
	}
	return d.Events
}

func TestVisibility(t *testing.T) {
	want := map[string]bool{
		"joined": true, "left": true, "said": true, "typed": true,
		"renamed": true, "pushed": true, "noticed": true, "data": false, "seen": false,
		"queued": false, "offered": false, "accepted": false, "declined": false, "missed": false,
		"withdrawn": false, "bound": false, "unbound": false, "away": false, "ended": false,
		"subscribed": false, "lapsed": false,
		"idle-warned": true, "idle-reset": false, "idle-closed": true, "survey": true, "held": false,
		"shared": true, "unshared": true, "fetched": false,
	}
	if diff := cmp.Diff(keys(chatFacts), keys(want)); diff != "" {
		t.Errorf("facts without a word about who sees them (-are +known):\n%s", diff)
	}
	rapid.Check(t, func(t *rapid.T) {
		for kind, draw := range chatDraws {
			e := Event{Fact: draw(t)}
			visible := want[kind]
			switch f := e.Fact.(type) {
			case Said:
				visible = f.Audience == AudienceAll
			case Joined:
				visible = f.Role != RoleHouse
			}
			if e.VisibleToVisitor() != visible {
				t.Fatalf("%+v is visible to the visitor: %v", e.Fact, !visible)
			}
		}
	})
}

func TestStale(t *testing.T) {
	for _, c := range []struct {
		fact Fact
		age  time.Duration
		want bool
	}{
		{Typed{No: 1, On: true}, TypingAge, false},
		{Typed{No: 1, On: true}, TypingAge + time.Millisecond, true},
		{Said{No: 1, Text: "x"}, time.Hour, false},
	} {
		t.Run(fmt.Sprintf("%T %v ago", c.fact, c.age), func(t *testing.T) {
			if got := (Event{At: noon, Fact: c.fact}).Stale(noon.Add(c.age)); got != c.want {
				t.Errorf("%T of %v ago is stale: %v", c.fact, c.age, got)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	long := strings.Repeat("x", MaxText+1)
	v, a := TheVisitor(), Staff(7)
	say := func(s Say) Command { return Command{By: v, Do: s} }
	for name, c := range map[string]struct {
		cmd  Command
		want Kind
	}{
		"opened twice":             {Command{By: v, Do: Open{Name: "Ada", Opening: Opening{Service: "s", Queue: "q"}}}, Conflict},
		"an empty line":            {say(Say{}), Invalid},
		"a long line":              {say(Say{Text: long}), TooLong},
		"a line that is not text":  {say(Say{Text: "\xff"}), Invalid},
		"long attributes":          {say(Say{Text: "x", Attributes: json.RawMessage(`{"a":"` + long + `"}`)}), TooLong},
		"attributes: a list":       {say(Say{Text: "x", Attributes: json.RawMessage(`[]`)}), Invalid},
		"attributes: broken":       {say(Say{Text: "x", Attributes: json.RawMessage(`{`)}), Invalid},
		"attributes: two":          {say(Say{Text: "x", Attributes: json.RawMessage(`{} {}`)}), Invalid},
		"attributes: white space":  {say(Say{Text: "x", Attributes: json.RawMessage(" \n")}), Invalid},
		"attributes: not text":     {say(Say{Text: "x", Attributes: json.RawMessage("{\"a\":\"\xff\"}")}), Invalid},
		"a stranger's line":        {Command{By: Staff(8), Do: Say{Text: "x"}}, Forbidden},
		"the house's line":         {Command{Do: Say{Text: "x"}}, Forbidden},
		"a stranger's typing":      {Command{By: Staff(8), Do: Type{On: true}}, Forbidden},
		"a stranger leaves":        {Command{By: Staff(8), Do: Leave{}}, Forbidden},
		"a stranger ends":          {Command{By: Staff(8), Do: End{}}, Forbidden},
		"an agent binds":           {Command{By: a, Do: Bind{Channel: "c"}}, Forbidden},
		"a channel without a name": {Command{By: v, Do: Bind{}}, Invalid},
		"offered while talking":    {Command{Do: Offer{Agent: 8, Until: noon.Add(time.Hour)}}, Conflict},
		"accepted unasked":         {Command{By: a, Do: Accept{}}, NotOffered},
		"declined unasked":         {Command{By: a, Do: Decline{}}, NotOffered},
		"a long command id":        {Command{ID: strings.Repeat("x", MaxCommandID+1), By: v, Do: Say{Text: "x"}}, Invalid},
		"nothing":                  {Command{By: v}, Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			c.cmd.At = noon
			d, err := Decide(talk(t), c.cmd)
			if KindOf(err) != c.want {
				t.Errorf("got %+v, %v; want the kind %q", d, err, c.want)
			}
		})
	}
}

func TestAttributesAreKeptAsTheyWillBeReadBack(t *testing.T) {
	events := mustDecide(t, talk(t), Command{At: noon, By: TheVisitor(), Do: Say{
		Text: "x", Attributes: json.RawMessage("{ \"b\" : \"<&>\",\n \"a\": 1.50 }"),
	}})
	if got, want := string(events[0].Fact.(Said).Attributes), `{"b":"<&>","a":1.50}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestExclusion(t *testing.T) {
	s := talk(t)
	mustDecide(t, s, Command{At: noon, By: Staff(7), Do: Leave{}})
	offer := func(at time.Time, agent StaffID) error {
		_, err := Decide(s, Command{At: at, Do: Offer{Agent: agent, Until: at.Add(time.Minute)}})
		return err
	}
	noon := noon.Add(time.Minute) // the one who left may have it again
	mustDecide(t, s, Command{At: noon, Do: Offer{Agent: 7, Until: noon.Add(time.Minute)}})
	mustDecide(t, s, Command{At: noon, By: Staff(7), Do: Decline{}})
	if err := offer(noon.Add(59*time.Second), 7); KindOf(err) != Conflict {
		t.Errorf("an offer to the one who declined 59 s ago: %v", err)
	}
	if err := offer(noon.Add(time.Second), 8); err != nil {
		t.Errorf("an offer to somebody else: %v", err)
	}
	if err := offer(noon.Add(time.Minute), 7); err != nil {
		t.Errorf("an offer after the minute: %v", err)
	}
}

func TestCommandMemoryIsBounded(t *testing.T) {
	s := talk(t)
	line := func(n int) Command {
		return Command{ID: ID(n + 1).String(), At: noon, By: TheVisitor(), Do: Say{Text: "x"}}
	}
	for n := range commandMemory + 10 {
		mustDecide(t, s, line(n))
	}
	if len(s.commands) != commandMemory || len(s.order) != commandMemory {
		t.Errorf("%d and %d command ids are remembered, want %d", len(s.commands), len(s.order), commandMemory)
	}
	if d, err := Decide(s, line(commandMemory+9)); err != nil || d.Repeat != s.Last {
		t.Errorf("the latest command is not known: %+v, %v", d, err)
	}
}

func TestIDs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// The room for the time ends in the year 2159.
		at := time.UnixMilli(idEpoch + rapid.Int64Range(1, 1<<42-2).Draw(t, "at")).UTC()
		id := NewID(at, rapid.Uint32().Draw(t, "random"))
		back, err := ParseID(id.String())
		if err != nil || back != id || int64(id) < 0 || len(id.String()) != 16 || !id.Time().Equal(at) {
			t.Fatalf("%v of %v came back as %v, %v with the time %v", id, at, back, err, id.Time())
		}
		later := NewID(at.Add(time.Millisecond), 0)
		if later <= id {
			t.Fatalf("%v sorts before %v of a millisecond earlier", later, id)
		}
		if low, err := ParseID(strings.ToLower(id.String())); err != nil || low != id {
			t.Fatalf("lower case gave %v, %v", low, err)
		}
	})
	for _, s := range []string{"", "0000000000000000", "1", "00000000000000001", "FFFFFFFFFFFFFFFF", "000000000000000g", "+00000000000001F"} {
		t.Run(s, func(t *testing.T) {
			if id, err := ParseID(s); err == nil {
				t.Errorf("%q was read as %v", s, id)
			}
		})
	}
}

func TestKinds(t *testing.T) {
	// The numbers are promised: the list only grows at its end.
	names := []string{
		"invalid", "forbidden", "not found", "ended", "conflict", "capacity", "too long", "unavailable", "closed", "not offered", "unknown operation",
	}
	for i, name := range names {
		t.Run(name, func(t *testing.T) {
			if got := Kind(i + 1).String(); got != name {
				t.Errorf("kind %d is %q, want %q", i+1, got, name)
			}
		})
	}
	if KindOf(nil) != 0 {
		t.Error("no error has a kind")
	}
}

func TestAsides(t *testing.T) {
	s := talk(t)
	visitor, agent := TheVisitor(), Staff(7)
	for _, c := range []struct {
		name string
		by   Actor
		do   Action
		want []Fact
		kind Kind
	}{
		{"rename", visitor, Rename{"Ada L"}, []Fact{Renamed{1, "Ada L"}}, 0},
		{"rename to the same", visitor, Rename{"Ada L"}, nil, 0},
		{"rename to nothing", visitor, Rename{""}, nil, Invalid},
		{"push", agent, Push{"https://example.org/x"}, []Fact{Pushed{2, "https://example.org/x"}}, 0},
		{"push a script", agent, Push{"javascript:alert(1)"}, nil, Invalid},
		{"push a path", visitor, Push{"/x"}, nil, Invalid},
		{"push too much", visitor, Push{"https://example.org/" + strings.Repeat("x", MaxURL)}, nil, TooLong},
		{"notify", visitor, Notify{Text: "n", Attributes: json.RawMessage(`{ "a": 1 }`)}, []Fact{Noticed{1, "n", json.RawMessage(`{"a":1}`)}}, 0},
		{"notify with a list", visitor, Notify{Attributes: json.RawMessage(`[]`)}, nil, Invalid},
		{"data", visitor, SetData{map[string]string{"a": "1", "b": "2"}}, []Fact{DataSet{1, map[string]string{"a": "1", "b": "2"}}}, 0},
		{"data, half of it new", visitor, SetData{map[string]string{"a": "1", "b": "3"}}, []Fact{DataSet{1, map[string]string{"b": "3"}}}, 0},
		{"data, nothing new", visitor, SetData{map[string]string{"a": "1"}}, nil, 0},
		{"too much data", visitor, SetData{map[string]string{"c": strings.Repeat("x", MaxData)}}, nil, TooLong},
		{"read", visitor, MarkRead{2}, []Fact{Seen{1, 2}}, 0},
		{"read less", visitor, MarkRead{1}, nil, 0},
		{"a stranger", Staff(9), Rename{"x"}, nil, Forbidden},
	} {
		d, err := Decide(s, Command{At: noon, By: c.by, Do: c.do})
		if KindOf(err) != c.kind {
			t.Errorf("%s: got %v, want the kind %q", c.name, err, c.kind)
		}
		var facts []Fact
		for _, e := range d.Events {
			facts = append(facts, e.Fact)
			s.Apply(e)
		}
		if diff := cmp.Diff(c.want, facts); diff != "" {
			t.Errorf("%s: facts (-want +got):\n%s", c.name, diff)
		}
	}
	if s.Summary().Name != "Ada L" || s.Opening.Data["b"] != "3" {
		t.Errorf("in the end: got the name %q and b=%q, want \"Ada L\" and \"3\"", s.Summary().Name, s.Opening.Data["b"])
	}
	// Nobody reads the future.
	d, err := Decide(s, Command{At: noon, By: visitor, Do: MarkRead{1 << 40}})
	if err != nil || d.Events[0].Fact.(Seen).Upto != s.Last {
		t.Errorf("read beyond the last event: got %+v, %v, want Seen up to %d", d, err, s.Last)
	}
}

// An agent who leaves is not offered the chat again at once.
func TestLeavingExcludes(t *testing.T) {
	s := talk(t)
	mustDecide(t, s, Command{At: noon, By: Staff(7), Do: Leave{}})
	offer := Offer{Agent: 7, Name: "Ben", Role: RoleAgent, Until: noon.Add(time.Hour)}
	if _, err := Decide(s, Command{At: noon.Add(59 * time.Second), Do: offer}); KindOf(err) != Conflict {
		t.Errorf("an offer to who left 59 s ago: got %v, want the kind %q", err, Conflict)
	}
	if _, err := Decide(s, Command{At: noon.Add(time.Minute), Do: offer}); err != nil {
		t.Errorf("an offer to who left a minute ago: got %v, want no error", err)
	}
}

// Who yields takes no channel away from anybody, and whoever was found missing
// late counts as missing from the time at which it was heard last.
func TestListening(t *testing.T) {
	s := talk(t)
	v := TheVisitor()
	at := func(after time.Duration, a Action) []Event {
		return mustDecide(t, s, Command{At: noon.Add(after), By: v, Do: a})
	}
	at(0, Bind{Channel: "a"})
	if e := at(0, Bind{Channel: "b", Yield: true}); len(e) != 0 || s.Channel != "a" {
		t.Errorf("a bind that yields: got %v on channel %q, want no event on \"a\"", e, s.Channel)
	}
	at(40*time.Second, Unbind{Channel: "a", Since: noon.Add(5 * time.Second)})
	if got := s.Deadline(); !got.Equal(noon.Add(15 * time.Second)) {
		t.Errorf("away at %v", got)
	}
	at(40*time.Second, Tick{})
	if got := s.Deadline(); !s.IsAway || !got.Equal(noon.Add(50*time.Second)) {
		t.Errorf("away: %v, gone at %v", s.IsAway, got)
	}
	at(41*time.Second, Bind{Channel: "b", Yield: true})
	if s.Channel != "b" || s.IsAway || !s.Deadline().IsZero() {
		t.Errorf("a bind after the grace: got channel %q, away %v, deadline %v, want \"b\", false and none", s.Channel, s.IsAway, s.Deadline())
	}
	// The future is now.
	at(42*time.Second, Unbind{Channel: "b", Since: noon.Add(time.Hour)})
	if got := s.Deadline(); !got.Equal(noon.Add(52 * time.Second)) {
		t.Errorf("away at %v", got)
	}
}
