package chat

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// Whoever reads a chat from a position on knows everybody by the name of that moment.
func TestNamesOfTheMoment(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := NewState(1, DefaultRules())
		s.Apply(Event{Index: 1, Fact: Joined{No: VisitorNo, Role: RoleVisitor, Name: "n1", Opening: &Opening{}}})
		want := []string{"n1"} // the name after each event, by its index less one
		for i := range rapid.IntRange(0, formerNames+8).Draw(t, "events") {
			index := int64(i + 2)
			name := want[len(want)-1]
			if rapid.Bool().Draw(t, "renamed") {
				name = fmt.Sprintf("n%d", index)
				s.Apply(Event{Index: index, Fact: Renamed{No: VisitorNo, Name: name}})
			} else {
				s.Apply(Event{Index: index, Fact: Said{No: VisitorNo, Text: "x"}})
			}
			want = append(want, name)
		}
		p := s.Visitor()
		for index := int64(2); index <= s.Last+1; index++ {
			if len(p.Former) == formerNames && index <= p.Former[0].Until {
				continue // forgotten
			}
			if got := p.NameAt(index); got != want[index-2] {
				t.Fatalf("before event %d: got the name %q, want %q", index, got, want[index-2])
			}
		}
	})
}
