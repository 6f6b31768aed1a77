package chat

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

func TestTypingEnds(t *testing.T) {
	start := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name  string
		by    Actor
		after time.Duration
		do    Action
		no    int
		want  bool
	}{
		{"it was repeated a short while ago", Actor{}, typingLimit - time.Millisecond, Tick{}, 2, false},
		{"it was not repeated", Actor{}, typingLimit, Tick{}, 2, true},
		{"the visitor's was not repeated", Actor{}, typingLimit, Tick{}, 1, true},
		{"the visitor is unbound", TheVisitor(), time.Second, Unbind{Channel: "c1"}, 1, true},
		{"the visitor leaves", TheVisitor(), time.Second, Leave{}, 1, true},
		{"the agent leaves", Staff(7), time.Second, Leave{}, 2, true},
		{"the agent ends the chat", Staff(7), time.Second, End{}, 2, true},
		{"the visitor has gone", Actor{}, time.Minute, Tick{}, 1, true},
		{"the agent says something", Staff(7), time.Second, Say{Text: "hello"}, 2, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := NewState(1, DefaultRules())
			give := func(at time.Time, by Actor, a Action) []Event {
				d, err := Decide(s, Command{At: at, By: by, Do: a})
				if err != nil {
					t.Fatalf("deciding %T: got %v, want no error", a, err)
				}
				for _, e := range d.Events {
					s.Apply(e)
				}
				return d.Events
			}
			give(start, TheVisitor(), Open{Name: "Ada", Opening: Opening{Service: "s", Queue: "q", Channel: "c1"}})
			give(start, Actor{}, Offer{Agent: 7, Name: "Ben", Role: RoleAgent, Until: start.Add(time.Hour)})
			give(start, Staff(7), Accept{})
			give(start, TheVisitor(), Type{On: true})
			give(start, Staff(7), Type{On: true})
			ended := func(events []Event) int {
				n := 0
				for _, e := range events {
					if e.Fact == Fact(Typed{No: c.no, Expired: true}) {
						n++
					}
				}
				return n
			}
			events := give(start.Add(c.after), c.by, c.do)
			want := 0
			if c.want {
				want = 1
			}
			if got := ended(events); got != want {
				t.Errorf("typing ended %d times, want %d; got %+v", got, want, events)
			}
			left := slices.IndexFunc(events, func(e Event) bool { f, ok := e.Fact.(Left); return ok && f.No == c.no })
			stop := slices.IndexFunc(events, func(e Event) bool { return e.Fact == Fact(Typed{No: c.no, Expired: true}) })
			if left >= 0 && stop > left {
				t.Errorf("typing ended after its participant left: %+v", events)
			}
			if again := give(start.Add(c.after), Actor{}, Tick{}); c.want && s.Phase != PhaseEnded && ended(again) > 0 {
				t.Errorf("typing ended twice: %+v", again)
			}
		})
	}
}

// The end of typing that somebody did not end itself is no activity.
func TestExpiredTypingIsNoActivity(t *testing.T) {
	for _, c := range []struct {
		f    Typed
		want activity
	}{{Typed{No: 1, On: true}, activityMinor}, {Typed{No: 1}, activityMinor}, {Typed{No: 1, Expired: true}, activityNone}} {
		t.Run(fmt.Sprintf("%+v", c.f), func(t *testing.T) {
			if got, _ := activityOf(c.f); got != c.want {
				t.Errorf("%+v counts as %d, want %d", c.f, got, c.want)
			}
		})
	}
}
