package chat

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// quiet are rules with both alerts.
func quiet() Rules {
	r := DefaultRules()
	r.Idle = Idle{
		Alert: 4 * time.Minute, Alert2: time.Minute, Close: 45 * time.Second,
		AlertText: "still there?", Alert2Text: "hello?", CloseText: "good bye",
	}
	return r
}

func facts(events []Event) (list []Fact) {
	for _, e := range events {
		list = append(list, e.Fact)
	}
	return list
}

func wantFacts(t *testing.T, got []Event, want ...Fact) {
	t.Helper()
	if diff := cmp.Diff(want, facts(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// due ticks at the state's deadline.
func due(t *testing.T, s *State, want time.Time) []Event {
	t.Helper()
	if !s.Deadline().Equal(want) {
		t.Fatalf("the deadline is %v, want %v", s.Deadline(), want)
	}
	return mustDecide(t, s, Command{At: want, Do: Tick{}})
}

func TestIdleWarnsTwiceAndCloses(t *testing.T) {
	s := talk(t)
	s.Rules = quiet()
	first := noon.Add(4 * time.Minute)
	wantFacts(t, due(t, s, first),
		Joined{No: 3, Role: RoleHouse, Name: "System"},
		IdleWarned{No: 3, Stage: 1, Text: "still there?", Again: first.Add(time.Minute), Closes: first.Add(105 * time.Second)})
	if got := s.Summary().Closing; !got.Equal(first.Add(105 * time.Second)) {
		t.Errorf("the summary says that the chat closes at %v", got)
	}
	// The rules may change meanwhile: what was announced stays.
	s.Rules.Idle.Close, s.Rules.Idle.Alert2 = 2*time.Minute, time.Hour
	second := first.Add(time.Minute)
	wantFacts(t, due(t, s, second), IdleWarned{No: 3, Stage: 2, Text: "hello?", Closes: second.Add(2 * time.Minute)})
	wantFacts(t, due(t, s, second.Add(2*time.Minute)), IdleClosed{No: 3, Text: "good bye"}, Finished{Reason: EndedIdle})
	if s.Phase != PhaseEnded || !s.Summary().Closing.IsZero() {
		t.Errorf("afterwards the chat is %+v", s.Summary())
	}
}

func TestWhatCountsAsActivity(t *testing.T) {
	v, a := TheVisitor(), Staff(7)
	minute := noon.Add(time.Minute)
	for name, c := range map[string]struct {
		cmd          Command
		major, minor bool
	}{
		"a visitor's line":    {Command{By: v, Do: Say{Text: "x"}}, true, true},
		"an agent's line":     {Command{By: a, Do: Say{Text: "x"}}, true, true},
		"an address":          {Command{By: a, Do: Push{URL: "https://example.org/"}}, true, true},
		"a cancelling notice": {Command{By: v, Do: Notify{ResetIdle: true}}, true, true},
		"a notice":            {Command{By: v, Do: Notify{Text: "n"}}, false, true},
		"typing":              {Command{By: v, Do: Type{On: true}}, false, true},
		"a line for staff":    {Command{By: a, Do: Say{Text: "x", Audience: AudienceStaff}}, false, false},
		"a name":              {Command{By: v, Do: Rename{Name: "Eve"}}, false, false},
		"reading":             {Command{By: v, Do: MarkRead{Upto: 3}}, false, false},
		"data":                {Command{By: v, Do: SetData{Data: map[string]string{"a": "b"}}}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			for _, warned := range []bool{false, true} {
				for _, minor := range []bool{false, true} {
					s := talk(t)
					s.Rules = quiet()
					s.Rules.Idle.Minor = minor
					s.Rules.Idle.Alert2 = 0
					at, want := minute, noon.Add(4*time.Minute)
					if warned {
						due(t, s, want)
						at, want = want.Add(time.Second), want.Add(45*time.Second)
					}
					cmd := c.cmd
					cmd.At = at
					mustDecide(t, s, cmd)
					if c.major || minor && c.minor {
						want = at.Add(4 * time.Minute)
					}
					if got := s.Deadline(); !got.Equal(want) {
						t.Errorf("%s (warned: %v, minor counts: %v): the deadline is %v, want %v", name, warned, minor, got, want)
					}
				}
			}
		})
	}
}

func TestIdleRunsOnlyWithAnAgent(t *testing.T) {
	s := NewState(1, quiet())
	mustDecide(t, s, Command{At: noon, By: TheVisitor(), Do: Open{Name: "Ada", Opening: Opening{Service: "s", Queue: "q", Channel: "c1"}}})
	if !s.Deadline().IsZero() {
		t.Errorf("a chat that waits has the deadline %v", s.Deadline())
	}
	late := noon.Add(time.Hour)
	mustDecide(t, s, Command{At: late, Do: Offer{Agent: 7, Name: "Ben", Role: RoleAgent, Until: late.Add(time.Minute)}})
	mustDecide(t, s, Command{At: late, By: Staff(7), Do: Accept{}})
	due(t, s, late.Add(4*time.Minute))
	mustDecide(t, s, Command{At: late.Add(4 * time.Minute), By: Staff(7), Do: Leave{}})
	if !s.Deadline().IsZero() || !s.Summary().Closing.IsZero() {
		t.Errorf("without an agent the chat is %+v", s.Summary())
	}
}

func TestARestartIsNobodysSilence(t *testing.T) {
	for name, c := range map[string]struct {
		stopped time.Duration // after noon
		reset   bool
	}{
		"long before":           {time.Minute, false},
		"just before":           {4*time.Minute - 10*time.Second, true},
		"while the alert stood": {4*time.Minute + 20*time.Second, true},
		"long after":            {time.Hour, true},
	} {
		s := talk(t)
		s.Rules = quiet()
		at := noon.Add(c.stopped)
		if at.After(s.Deadline()) {
			due(t, s, s.Deadline())
		}
		got := mustDecide(t, s, Command{At: at, Do: Recover{}})
		want := []Fact{Unbound{Channel: "c1"}}
		if c.reset {
			want = append(want, IdleReset{})
		}
		t.Run(name, func(t *testing.T) { wantFacts(t, got, want...) })
		mustDecide(t, s, Command{At: at, By: TheVisitor(), Do: Bind{Channel: "c2"}})
		if s.Deadline().Before(at.Add(45 * time.Second)) {
			t.Errorf("%s: the deadline is %v after the start", name, s.Deadline().Sub(at))
		}
	}
}

func TestWelcomeAndSurvey(t *testing.T) {
	r := DefaultRules()
	r.House, r.Welcome, r.Survey = "Shop", "Welcome!", Survey{URL: "https://example.org/s", Cancel: "https://example.org/n"}
	s := NewState(1, r)
	opening := Opening{Service: "s", Queue: "q", Channel: "c1", KeyEpoch: 1}
	wantFacts(t, mustDecide(t, s, Command{At: noon, By: TheVisitor(), Do: Open{Name: "Ada", Text: "hello", Opening: opening}}),
		Joined{No: 1, Role: RoleVisitor, Name: "Ada", Opening: &opening},
		Said{No: 1, Text: "hello"},
		Joined{No: 2, Role: RoleHouse, Name: "Shop"},
		Said{No: 2, Text: "Welcome!"},
		Queued{Queue: "q"})
	mustDecide(t, s, Command{At: noon, Do: Offer{Agent: 7, Name: "Ben", Role: RoleAgent, Until: noon.Add(time.Minute)}})
	mustDecide(t, s, Command{At: noon, By: Staff(7), Do: Accept{}})
	wantFacts(t, mustDecide(t, s, Command{At: noon, By: Staff(7), Do: End{}}),
		Joined{No: 4, Role: RoleHouse, Name: "Survey"},
		SurveyOffered{No: 4, URL: "https://example.org/s", Cancel: "https://example.org/n"},
		Left{No: 3, Reason: LeftEnding},
		Finished{By: 3, Reason: EndedByAgent})
}

func TestTheVisitorIsNotAskedWhenItEnds(t *testing.T) {
	s := talk(t)
	s.Rules.Survey.URL = "https://example.org/s"
	wantFacts(t, mustDecide(t, s, Command{At: noon, By: TheVisitor(), Do: End{}}),
		Left{No: 1, Reason: LeftEnding}, Finished{By: 1, Reason: EndedByVisitor})
}

func TestAsyncChatSleepsAndWakes(t *testing.T) {
	s := NewState(1, DefaultRules())
	v := TheVisitor()
	mustDecide(t, s, Command{At: noon, By: v, Do: Open{Name: "Ada", Opening: Opening{Service: "s", Queue: "q", Async: true}}})
	take := func(at time.Time) {
		t.Helper()
		mustDecide(t, s, Command{At: at, Do: Offer{Agent: 7, Name: "Ben", Role: RoleAgent, Until: at.Add(time.Minute)}})
		mustDecide(t, s, Command{At: at, By: Staff(7), Do: Accept{}})
	}
	take(noon)
	// Nobody listens, which is no reason to end.
	wantFacts(t, due(t, s, noon.Add(10*time.Second)), Away{})
	hold := Command{At: noon.Add(time.Minute), By: Staff(7), Do: Hold{}}
	got := mustDecide(t, s, hold)
	wantFacts(t, got, Left{No: 2, Reason: LeftHolding}, Held{No: 2, Agent: 7})
	if s.Phase != PhaseHeld || !s.Summary().Live() || len(s.Excluded) > 0 {
		t.Fatalf("on hold the chat is %+v", s.Summary())
	}
	if _, err := Decide(s, Command{At: hold.At, Do: Offer{Agent: 8, Until: hold.At.Add(time.Minute)}}); KindOf(err) != Conflict {
		t.Errorf("a sleeping chat is offered: %v", err)
	}
	later := noon.Add(20 * time.Hour)
	for _, quiet := range []Action{Type{On: true}, Notify{Text: "n"}, MarkRead{Upto: 4}, Bind{Channel: "c1"}} {
		mustDecide(t, s, Command{At: later, By: v, Do: quiet})
		if s.Phase != PhaseHeld {
			t.Fatalf("%T wakes the chat", quiet)
		}
	}
	wantFacts(t, mustDecide(t, s, Command{At: later, By: v, Do: Say{Text: "me again"}}),
		Said{No: 1, Text: "me again"}, Queued{Queue: "q", Prefer: 7})
	if sum := s.Summary(); sum.Phase != PhaseWaiting || sum.Prefer != 7 || !sum.Waiting.Equal(later) {
		t.Errorf("awake it is %+v", sum)
	}
	take(later)
	if s.Prefer != 0 {
		t.Error("the preference outlives its offer")
	}
	// A day without a word, and an hour after the alert it is over.
	day := later.Add(24 * time.Hour)
	due(t, s, day)
	wantFacts(t, due(t, s, day.Add(time.Hour)), IdleClosed{No: 4}, Finished{Reason: EndedIdle})
}

func TestHoldIsRefused(t *testing.T) {
	live := talk(t)
	async := func() *State {
		s := talk(t)
		s.Opening.Async = true
		return s
	}
	crowd := async()
	crowd.Apply(Event{Index: crowd.Last + 1, At: noon, Fact: Joined{No: 3, Role: RoleAgent, Name: "Eve", Staff: 8}})
	for name, c := range map[string]struct {
		s    *State
		by   Actor
		want Kind
	}{
		"a live chat":         {live, Staff(7), Conflict},
		"by the visitor":      {async(), TheVisitor(), Forbidden},
		"by a stranger":       {async(), Staff(9), Forbidden},
		"with somebody there": {crowd, Staff(7), Conflict},
	} {
		t.Run(name, func(t *testing.T) {
			if d, err := Decide(c.s, Command{At: noon, By: c.by, Do: Hold{}}); KindOf(err) != c.want {
				t.Errorf("%s: %+v, %v; want the kind %q", name, d, err, c.want)
			}
		})
	}
}

func TestPrivateLines(t *testing.T) {
	s := talk(t)
	s.Apply(Event{Index: s.Last + 1, At: noon, Fact: Joined{No: 3, Role: RoleAgent, Name: "Eve", Staff: 8}})
	s.Apply(Event{Index: s.Last + 1, At: noon, Fact: Joined{No: 4, Role: RoleHouse, Name: "System"}})
	for name, c := range map[string]struct {
		by   Actor
		say  Say
		want Kind
	}{
		"staff":                   {Staff(7), Say{Audience: AudienceStaff}, 0},
		"private":                 {Staff(7), Say{Audience: AudiencePrivate, Only: []int{3}}, 0},
		"the visitor for staff":   {TheVisitor(), Say{Audience: AudienceStaff}, Forbidden},
		"the visitor privately":   {TheVisitor(), Say{Audience: AudiencePrivate, Only: []int{2}}, Forbidden},
		"the visitor names some":  {TheVisitor(), Say{Only: []int{2}}, Forbidden},
		"for nobody":              {Staff(7), Say{Audience: AudiencePrivate}, Invalid},
		"for the visitor":         {Staff(7), Say{Audience: AudiencePrivate, Only: []int{1}}, Invalid},
		"for the house":           {Staff(7), Say{Audience: AudiencePrivate, Only: []int{4}}, Invalid},
		"for who is not there":    {Staff(7), Say{Audience: AudiencePrivate, Only: []int{5}}, Invalid},
		"for number zero":         {Staff(7), Say{Audience: AudiencePrivate, Only: []int{0}}, Invalid},
		"for too many":            {Staff(7), Say{Audience: AudiencePrivate, Only: make([]int, maxOnly+1)}, Invalid},
		"staff, but only some":    {Staff(7), Say{Audience: AudienceStaff, Only: []int{3}}, Invalid},
		"everybody, but only one": {Staff(7), Say{Only: []int{3}}, Invalid},
		"an unknown audience":     {Staff(7), Say{Audience: "public"}, Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			c.say.Text = "x"
			d, err := Decide(s, Command{At: noon, By: c.by, Do: c.say})
			if KindOf(err) != c.want {
				t.Errorf("%s: %v, want the kind %q", name, err, c.want)
			}
			if err == nil && d.Events[0].VisibleToVisitor() {
				t.Errorf("%s: the visitor sees it", name)
			}
		})
	}
	got := mustDecide(t, s, Command{At: noon, By: Staff(8), Do: Say{Text: "x", Audience: AudiencePrivate, Only: []int{3, 2, 3, 2}}})
	wantFacts(t, got, Said{No: 3, Text: "x", Audience: AudiencePrivate, Only: []int{2, 3}})
	for no, want := range map[int]bool{1: false, 2: true, 3: true, 4: false} {
		t.Run(fmt.Sprintf("participant %d", no), func(t *testing.T) {
			if f := got[0].Fact.(Said); f.For(no) != want {
				t.Errorf("participant %d may see it: %v", no, !want)
			}
		})
	}
}

// A leave of old was written without a time, and meant a minute.
func TestTheLogSaysForHowLongAnAgentIsSpared(t *testing.T) {
	for text, want := range map[string]time.Duration{
		`{"k":"left","f":{"no":2}}`:                                time.Minute,
		`{"k":"left","f":{"no":2,"until":"2026-03-01T12:05:00Z"}}`: 5 * time.Minute,
	} {
		t.Run(text, func(t *testing.T) {
			s := talk(t)
			s.Rules.ExcludeFor = time.Hour // what is configured now makes no difference
			e, err := DecodeEvent([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			e.Index, e.At = s.Last+1, noon
			s.Apply(e)
			if len(s.Excluded) != 1 || !s.Excluded[0].Until.Equal(noon.Add(want)) {
				t.Errorf("%s: excluded are %+v", text, s.Excluded)
			}
		})
	}
	s := talk(t)
	s.Rules.ExcludeFor = 5 * time.Minute
	wantFacts(t, mustDecide(t, s, Command{At: noon, By: Staff(7), Do: Leave{}}), Left{No: 2, Until: noon.Add(5 * time.Minute)}, Queued{Queue: "q", Since: noon})
}

func TestAStoredDeadlineMayBeEarlier(t *testing.T) {
	s := talk(t)
	s.Rules = quiet()
	before := s.Summary()
	mustDecide(t, s, Command{At: noon.Add(time.Minute), By: TheVisitor(), Do: Say{Text: "x"}})
	if after := s.Summary(); !after.Postpones(before) || before.Postpones(after) || after.Equal(before) || after.Postpones(after) {
		t.Errorf("a line moved the deadline from %v to %v", before.Deadline, after.Deadline)
	}
	mustDecide(t, s, Command{At: noon.Add(time.Minute), By: TheVisitor(), Do: Rename{Name: "Eve"}})
	if after := s.Summary(); after.Postpones(before) {
		t.Error("another name counts as a later deadline")
	}
	none := before
	none.Deadline = time.Time{}
	if before.Postpones(none) {
		t.Error("a deadline where there was none counts as a later one")
	}
}

func TestAbandonedChats(t *testing.T) {
	v, a := TheVisitor(), Staff(7)
	at := func(c Command) Command { c.At = noon; return c }
	open := at(Command{By: v, Do: Open{Name: "Ada", Opening: Opening{Service: "s", Queue: "q", Channel: "c1"}}})
	offer := at(Command{Do: Offer{Agent: 7, Name: "Ben", Role: RoleAgent, Until: noon.Add(time.Minute)}})
	accept, leave := at(Command{By: a, Do: Accept{}}), at(Command{By: a, Do: Leave{}})
	for name, c := range map[string]struct {
		before []Command
		stays  map[Abandon]bool
	}{
		"nobody came": {nil, map[Abandon]bool{AbandonStays: true}},
		"on offer":    {[]Command{offer}, map[Abandon]bool{AbandonStays: true}},
		"an agent came and went": {
			[]Command{offer, accept, leave}, map[Abandon]bool{AbandonStays: true, AbandonUnjoined: true},
		},
		"an agent whispered and went": {
			[]Command{offer, accept, at(Command{By: a, Do: Say{Text: "x", Audience: AudienceStaff}}), leave},
			map[Abandon]bool{AbandonStays: true, AbandonUnjoined: true},
		},
		"an agent wrote and went": {
			[]Command{offer, accept, at(Command{By: a, Do: Say{Text: "x"}}), leave},
			map[Abandon]bool{AbandonStays: true, AbandonUnjoined: true, AbandonUnanswered: true},
		},
		"an agent is there": {[]Command{offer, accept}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			for _, rule := range []Abandon{AbandonEnds, AbandonStays, AbandonUnjoined, AbandonUnanswered} {
				for _, lost := range []bool{false, true} {
					r := DefaultRules()
					r.Abandon = rule
					s := NewState(1, r)
					for _, cmd := range append([]Command{open}, c.before...) {
						mustDecide(t, s, cmd)
					}
					if lost {
						mustDecide(t, s, at(Command{By: v, Do: Unbind{Channel: "c1"}}))
						mustDecide(t, s, Command{At: noon.Add(46 * time.Second), Do: Tick{}})
					} else {
						mustDecide(t, s, at(Command{By: v, Do: Leave{}}))
					}
					sum := s.Summary()
					if sum.Live() != c.stays[rule] || sum.Open() || sum.Abandoned.IsZero() == c.stays[rule] {
						t.Errorf("%s, the rule %q, lost: %v: the chat is %+v", name, rule, lost, sum)
					}
				}
			}
		})
	}
}

func TestAnAbandonedChatIsReadAndEnds(t *testing.T) {
	r := quiet()
	r.Abandon, r.Survey.URL = AbandonStays, "https://example.org/s"
	s := NewState(1, r)
	v := TheVisitor()
	mustDecide(t, s, Command{At: noon, By: v, Do: Open{Name: "Ada", Text: "help", Opening: Opening{Service: "s", Queue: "q", Channel: "c1"}}})
	mustDecide(t, s, Command{At: noon, By: v, Do: Leave{}})
	for _, do := range []Action{Say{Text: "x"}, Type{On: true}, Bind{Channel: "c2"}, Leave{}, End{}, MarkRead{Upto: 2}, Rename{Name: "Eve"}} {
		if d, err := Decide(s, Command{At: noon, By: v, Do: do}); KindOf(err) != Ended {
			t.Errorf("%T of a visitor who has left comes to %+v, %v", do, d, err)
		}
	}
	mustDecide(t, s, Command{At: noon, By: v, Do: Unbind{Channel: "c1"}})
	if !s.Deadline().IsZero() {
		t.Errorf("something is due at %v", s.Deadline())
	}
	mustDecide(t, s, Command{At: noon, Do: Offer{Agent: 7, Name: "Ben", Role: RoleAgent, Until: noon.Add(time.Minute)}})
	mustDecide(t, s, Command{At: noon, By: Staff(7), Do: Accept{}})
	if !s.Deadline().IsZero() {
		t.Errorf("nobody is there to be warned, and yet something is due at %v", s.Deadline())
	}
	wantFacts(t, mustDecide(t, s, Command{At: noon, By: Staff(7), Do: Leave{}}),
		Left{No: 2, Until: noon.Add(time.Minute)}, Finished{By: 2, Reason: EndedByAgent})
}

// The house ends a chat for its operator, whoever is in it; nobody is asked for
// an opinion.
func TestTheOperatorEndsAChat(t *testing.T) {
	s := talk(t)
	s.Rules.Survey.URL = "https://example.org/s"
	wantFacts(t, mustDecide(t, s, Command{At: noon, Do: End{}}), Finished{Reason: EndedOperator})
	if _, err := Decide(s, Command{At: noon, Do: End{}}); KindOf(err) != Ended {
		t.Errorf("once more: got %v, want the kind %v", err, Ended)
	}
}
