package replay

import (
	"encoding/json"
	"fmt"
	"testing"
)

// Whether there is anything new is a matter of moments, as often as somebody
// asked; an answer without events that nobody asked for is a difference.
func TestAnswersWithoutEvents(t *testing.T) {
	empty := func(field string) said { return said{object: object{field: "x"}} }
	for _, x := range []struct {
		recorded, live  []said
		asked           int
		differ, reports int
	}{
		{nil, []said{empty("a")}, 0, 1, 0},
		{nil, []said{empty("a")}, 1, 0, 1},
		{nil, []said{empty("a"), empty("b")}, 1, 1, 1},
		{[]said{empty("a")}, nil, 0, 1, 0},
		{[]said{empty("a")}, nil, 1, 0, 1},
		{[]said{empty("a")}, []said{empty("b")}, 5, 2, 0},
	} {
		t.Run(fmt.Sprintf("%d recorded, %d live, %d asked", len(x.recorded), len(x.live), x.asked), func(t *testing.T) {
			differ, reports := 0, 0
			c := &comparison{p: &player{}, s: &session{asked: x.asked}, add: func(difference) { differ++ }, uncompared: func(string, int) { reports++ }}
			c.pairs(emptyAnswer, x.recorded, x.live)
			if differ != x.differ || reports != x.reports {
				t.Errorf("%+v: %d differences, %d reports", x, differ, reports)
			}
		})
	}
}

// What a site calls "code" or "type" in its own data is masked, and what stands
// in for it comes back from the server: that is no difference. What is one of
// the API's still counts.
func TestMaskedValuesAreNotCompared(t *testing.T) {
	for _, x := range []struct {
		name           string
		recorded, live any
		differs        bool
	}{
		{"code", "digits-1(8)", "00000001", false},
		{"code", "number-1", json.Number("1"), false},
		{"type", "text-2(4)", "2xxx", false},
		{"code", "digits-1(8)", json.Number("1"), true},
		{"code", json.Number("201"), json.Number("249"), true},
		{"type", "Message", "Notice", true},
		{"type", "word-1", "Message", true},
		{"type", "word-1", "word-1", false},
	} {
		t.Run(fmt.Sprintf("%s, %v now %v", x.name, x.recorded, x.live), func(t *testing.T) {
			n := 0
			c := &comparison{p: &player{}, s: &session{}, add: func(difference) { n++ }}
			c.values("data", x.name, x.recorded, x.live)
			if (n > 0) != x.differs {
				t.Errorf("%s, %v now %v: %d differences", x.name, x.recorded, x.live, n)
			}
		})
	}
}

// What an agent was typing is told while it is typed and not to those who come
// back later: on the tape it may be there and now not, or the other way round.
func TestTextOfTypingDependsOnTheClock(t *testing.T) {
	for _, x := range []struct {
		kind           string
		recorded, live map[string]any
		differs        bool
	}{
		{"TypingStarted", map[string]any{"index": json.Number("1")}, map[string]any{"index": json.Number("1"), "text": "I s"}, false},
		{"TypingStarted", map[string]any{"text": "text-1(3)"}, map[string]any{}, false},
		{"TypingStarted", map[string]any{"text": "text-1(3)"}, map[string]any{"text": json.Number("1")}, true},
		{"TypingStarted", map[string]any{"other": "x"}, map[string]any{}, true},
		{"Message", map[string]any{"text": "text-1(3)"}, map[string]any{}, true},
	} {
		t.Run(fmt.Sprintf("%s %v, now %v", x.kind, x.recorded, x.live), func(t *testing.T) {
			historyOf := func(o map[string]any) *history {
				l := newHistory()
				l.events[1] = event{index: 1, kind: x.kind, from: "Agent", object: o}
				return l
			}
			n, told := 0, 0
			c := &comparison{
				p: &player{}, s: &session{recorded: historyOf(x.recorded), live: historyOf(x.live)},
				add: func(difference) { n++ }, uncompared: func(string, int) { told++ },
			}
			c.events()
			if (n > 0) != x.differs || (told == 1) == x.differs {
				t.Errorf("%s %v, now %v: %d differences, %d things that were not compared", x.kind, x.recorded, x.live, n, told)
			}
		})
	}
}

// The reply to a request that the recorded client let go of is no difference; one
// that nobody asked for is.
func TestAbandonedRepliesAreNotCompared(t *testing.T) {
	for _, abandoned := range []bool{true, false} {
		t.Run(fmt.Sprint(abandoned), func(t *testing.T) {
			goodbye := map[string]any{"channel": "/meta/disconnect", "id": "11", "successful": true}
			s := &session{recorded: newHistory(), live: newHistory(), abandoned: map[string]bool{replyKey(goodbye): abandoned}}
			s.live.message(0, goodbye)
			differ := 0
			c := &comparison{p: &player{}, s: s, add: func(difference) { differ++ }, uncompared: func(string, int) {}}
			c.session()
			if want := map[bool]int{true: 0, false: 1}[abandoned]; differ != want {
				t.Errorf("got %d differences, want %d", differ, want)
			}
		})
	}
}
