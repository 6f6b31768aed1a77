package echo

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// someChat draws the events of a chat, as the log might have them.
func someChat(t *rapid.T) []event {
	var events []event
	index := int64(0)
	for range rapid.IntRange(1, 40).Draw(t, "events") {
		index += rapid.Int64Range(1, 3).Draw(t, "gap")
		e := event{Index: index}
		who := rapid.SampledFrom([]string{"visitor", "me", "anna"}).Draw(t, "who")
		switch who {
		case "visitor":
			e.From.No, e.From.Role = 1, "visitor"
		case "me":
			e.From.No, e.From.Role, e.From.Staff = 2, "agent", agentID
		case "anna":
			e.From.No, e.From.Role, e.From.Staff = 3, "agent", 3
		}
		e.Type = rapid.SampledFrom([]string{"joined", "left", "said", "said", "said", "typed", "offered"}).Draw(t, "type")
		if e.Type == "said" {
			e.Text = fmt.Sprint("line ", index)
			if who == "me" {
				e.ID = fmt.Sprintf("echo-A-%d", rapid.Int64Range(1, index).Draw(t, "answers"))
			}
		}
		events = append(events, e)
	}
	return events
}

func (t *chatState) commands() (ids []string) {
	for _, d := range t.pending {
		ids = append(ids, d.command)
	}
	return ids
}

// Responses can overtake each other and be repeated; what is pending follows from
// what was said, not from when it was heard.
func TestOrderOfArrivalDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := someChat(t)
		straight := newChatState("A", agentID)
		straight.apply(events)
		shuffled := newChatState("A", agentID)
		order := rapid.Permutation(events).Draw(t, "order")
		for len(order) > 0 {
			n := rapid.IntRange(1, len(order)).Draw(t, "at once")
			shuffled.apply(order[:n])
			if rapid.Bool().Draw(t, "again") {
				shuffled.apply(order[:n])
			}
			order = order[n:]
		}
		if diff := cmp.Diff(straight.commands(), shuffled.commands()); diff != "" {
			t.Errorf("pending lines (-in order +out of order):\n%s", diff)
		}
		if straight.in != shuffled.in || straight.over != shuffled.over || straight.last != shuffled.last {
			t.Errorf("in order: %v %v %d, out of order: %v %v %d", straight.in, straight.over, straight.last, shuffled.in, shuffled.over, shuffled.last)
		}
	})
}

// Whatever is said is never pending again, and what is pending is pending once.
func TestSettledStaysSettled(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		state := newChatState("A", agentID)
		done := map[string]bool{}
		for _, e := range someChat(t) {
			state.apply([]event{e})
			if d, ok := state.next(); ok && rapid.Bool().Draw(t, "complete") {
				state.complete(d.command)
				done[d.command] = true
			}
			pending := map[string]bool{}
			for _, id := range state.commands() {
				if pending[id] || done[id] {
					t.Fatalf("%s is pending again", id)
				}
				pending[id] = true
			}
			if _, ok := state.next(); ok && !state.in {
				t.Fatal("something is to be said in a chat that the agent is not in")
			}
		}
	})
}

func TestSafeCursor(t *testing.T) {
	state := newChatState("A", agentID)
	var seen []int64
	for index := int64(1); index <= 4; index++ {
		state.apply([]event{{Index: index, Type: "typed"}})
		state.tick()
		seen = append(seen, state.safe)
	}
	if diff := cmp.Diff([]int64{0, 1, 2, 3}, seen); diff != "" {
		t.Errorf("safe indexes (-want +got):\n%s", diff)
	}
}
