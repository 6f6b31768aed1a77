package chat

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// sameState compares states in full: what has not been set and what is empty
// count as the same, because the log cannot tell them apart.
var sameState = cmp.Options{
	cmp.AllowUnexported(State{}, silence{}, mark{}), cmpopts.EquateEmpty(), cmp.Comparer(func(a, b *Mask) bool { return a == b }),
}

// modelMask covers card numbers and the word secret.
var modelMask = NewMask(true, []*regexp.Regexp{regexp.MustCompile("secret")}, 0)

// drawRules draws what a service may have decided.
func drawRules(t *rapid.T) Rules {
	r := DefaultRules()
	idle := rapid.SampledFrom([]Idle{
		{},
		{Alert: 20 * time.Second, Close: 10 * time.Second, AlertText: "still there?", CloseText: "good bye"},
		{Alert: 20 * time.Second, Alert2: 5 * time.Second, Close: 10 * time.Second, Minor: true},
	})
	r.Idle, r.AsyncIdle = idle.Draw(t, "idle"), idle.Draw(t, "async idle")
	r.Welcome = rapid.SampledFrom([]string{"", "welcome"}).Draw(t, "welcome")
	r.Survey.URL = rapid.SampledFrom([]string{"", "https://example.org/"}).Draw(t, "survey")
	r.Abandon = rapid.SampledFrom([]Abandon{AbandonEnds, AbandonStays, AbandonUnjoined, AbandonUnanswered}).Draw(t, "abandon")
	r.Mask = rapid.SampledFrom([]*Mask{nil, modelMask}).Draw(t, "mask")
	r.GoneSubscribed = rapid.SampledFrom([]time.Duration{0, 10 * time.Second, time.Hour}).Draw(t, "gone")
	return r
}

// model is a few chats and the agents who are in them, with what must be true
// of them kept beside in the plainest way.
type model struct {
	now    time.Time
	chats  []*modelChat
	agents map[StaffID]*AgentState
}

type modelChat struct {
	state   *State
	bodies  [][]byte // the log as it would be stored
	times   []time.Time
	held    map[StaffID]bool // slots taken and not freed
	offered int              // offers opened and not closed
	first   map[string]int64 // actor and command id → index of the first event
}

func newModel(chats int, rules func() Rules) *model {
	m := &model{now: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC), agents: make(map[StaffID]*AgentState)}
	for i := range chats {
		m.chats = append(m.chats, &modelChat{
			state: NewState(ID(i+1), withFiles(rules())), held: make(map[StaffID]bool), first: make(map[string]int64),
		})
	}
	for id := StaffID(1); id <= 3; id++ {
		m.agents[id] = NewAgentState(id)
	}
	return m
}

// fold reads the stored log back into a state.
func (c *modelChat) fold(t *rapid.T) *State { return c.foldUnder(t, c.state.Rules) }

func (c *modelChat) foldUnder(t *rapid.T, rules Rules) *State {
	s := NewState(c.state.ID, rules)
	for i, body := range c.bodies {
		e, err := DecodeEvent(body)
		if err != nil {
			t.Fatal(err)
		}
		e.Index, e.At = int64(i+1), c.times[i]
		s.Apply(e)
	}
	return s
}

func drawActor(t *rapid.T) Actor {
	return rapid.SampledFrom([]Actor{TheVisitor(), TheVisitor(), Staff(1), Staff(1), Staff(2), Staff(3), {}}).Draw(t, "actor")
}

func drawAgent(t *rapid.T) StaffID { return StaffID(rapid.IntRange(1, 3).Draw(t, "agent")) }

var drawText = rapid.SampledFrom([]string{"", "hello", "<b>\u2028&é", "\xff", "long " + string(make([]byte, 20)), "a secret: 4111 1111-1111 1111"})

var drawAttributes = rapid.SampledFrom([]string{
	"", "{}", ` { "a" : "<&>" } `, `{"a":[1, 2]}`, "   ", "[]", "{", "null", "{\"a\":\"\xff\"}", `{} {}`,
})

// drawAction draws any action, with arguments that are often the right ones.
func drawAction(t *rapid.T, s *State, now time.Time) Action {
	channel := rapid.SampledFrom([]string{"", "c1", "c2", s.Channel, s.Channel}).Draw(t, "channel")
	switch rapid.IntRange(0, 38).Draw(t, "action") {
	case 36, 37:
		return Rejoin{Capacity: 3}
	case 38:
		return Leave{rapid.SampledFrom([]LeaveReason{LeftLost, LeftSignedOut, LeftHolding}).Draw(t, "reason")}
	case 30:
		return Hold{}
	case 31:
		return Say{
			Text: drawText.Draw(t, "text"), Audience: rapid.SampledFrom([]Audience{AudienceStaff, AudiencePrivate, "x"}).Draw(t, "audience"),
			Only: rapid.SliceOfN(rapid.IntRange(0, 5), 0, 2).Draw(t, "only"),
		}
	case 32:
		return Notify{Text: "n", ResetIdle: rapid.Bool().Draw(t, "calm")}
	case 33, 34, 35:
		return drawFileAction(t, s)
	case 22:
		return Rename{drawText.Draw(t, "name")}
	case 23:
		return Push{rapid.SampledFrom([]string{"https://example.org/", "ftp://x", "\xff"}).Draw(t, "url")}
	case 24:
		return Notify{Text: drawText.Draw(t, "text"), Attributes: json.RawMessage(drawAttributes.Draw(t, "attributes"))}
	case 25:
		return SetData{map[string]string{rapid.SampledFrom([]string{"a", "b", "\xff"}).Draw(t, "key"): drawText.Draw(t, "value")}}
	case 26:
		return MarkRead{rapid.Int64Range(-1, 30).Draw(t, "upto")}
	case 27:
		return Subscribe{drawDevice(t)}
	case 28:
		return Unsubscribe{Token: rapid.SampledFrom([]Token{"", "t1", "t2"}).Draw(t, "token"), Reason: UnsubscribedInvalid}
	case 29:
		return Unbind{
			Channel: channel, Background: true, From: rapid.Int64Range(-1, 30).Draw(t, "from"),
			Heard: now.Add(-rapid.SampledFrom([]time.Duration{0, time.Second, Unheard}).Draw(t, "heard")),
		}
	case 0, 1:
		return Open{
			Name: rapid.SampledFrom([]string{"Ada", "Ada", "Ada", ""}).Draw(t, "name"),
			Text: drawText.Draw(t, "text"),
			Opening: Opening{
				Service: "support", Queue: "people", Channel: channel,
				Subject: drawText.Draw(t, "subject"), FirstName: drawText.Draw(t, "first"), LastName: drawText.Draw(t, "last"),
				Data:  rapid.SampledFrom([]map[string]string{nil, {"k": "v"}}).Draw(t, "data"),
				Async: rapid.Bool().Draw(t, "async"),
			},
		}
	case 2, 3:
		return Say{Text: drawText.Draw(t, "text"), Attributes: json.RawMessage(drawAttributes.Draw(t, "attributes"))}
	case 4, 5:
		return Type{On: rapid.Bool().Draw(t, "on"), Preview: drawText.Draw(t, "preview")}
	case 6, 7:
		return Bind{Channel: channel, Browser: "b", Yield: rapid.Bool().Draw(t, "yield")}
	case 8, 9:
		return Unbind{Channel: channel}
	case 10:
		return Leave{}
	case 11:
		return End{}
	case 12, 13, 14, 15:
		until := now.Add(rapid.SampledFrom([]time.Duration{-time.Second, 20 * time.Second, 20 * time.Second}).Draw(t, "until"))
		return Offer{Agent: drawAgent(t), Name: "Ben", Role: RoleAgent, Until: until, Reason: "turn", Capacity: 3}
	case 16, 17, 18:
		return Accept{}
	case 19:
		return Decline{Reason: "busy"}
	case 20:
		return Withdraw{Agent: drawAgent(t), Reason: "shift"}
	default:
		return rapid.SampledFrom([]Action{Tick{}, Tick{}, Recover{}}).Draw(t, "clock")
	}
}

// give decides a command and checks everything that must hold before, during
// and after.
func (m *model) give(t *rapid.T, c *modelChat, cmd Command) {
	s := c.state
	before := s.Phase
	d, err := Decide(s, cmd)
	if diff := cmp.Diff(c.fold(t), s, sameState); diff != "" {
		t.Fatalf("deciding %T changed the state (-log +state):\n%s", cmd.Do, diff)
	}
	if err != nil {
		if KindOf(err) == 0 || len(d.Events) > 0 || d.Repeat != 0 {
			t.Fatalf("%T was refused with %v and %+v", cmd.Do, err, d)
		}
		return
	}
	m.checkRepeat(t, c, cmd, d)
	if before == PhaseEnded && len(d.Events) > 0 {
		t.Fatalf("%T caused %T after the end", cmd.Do, d.Events[0].Fact)
	}
	switch cmd.Do.(type) {
	case Unbind, Offer, Withdraw, Tick, Recover: // nobody's own doing
	default:
		if cmd.By.Visitor && before != PhaseNone && !s.Visitor().Present && len(d.Events) > 0 {
			t.Fatalf("a visitor who has left causes %+v", d.Events)
		}
	}
	capacity := 0
	switch a := cmd.Do.(type) {
	case Offer:
		capacity = a.Capacity
	case Rejoin:
		capacity = a.Capacity
	}
	since := s.WaitingSince
	claims, notes := Effects(s, d.Events, capacity)
	for i, e := range d.Events {
		c.checkEvent(t, cmd, e)
		if e.Index != s.Last+1 {
			t.Fatalf("event %d of %T has the index %d after %d", i, cmd.Do, e.Index, s.Last)
		}
		body, err := e.Encode()
		if err != nil {
			t.Fatalf("what was decided cannot be stored: %v", err)
		}
		c.bodies, c.times = append(c.bodies, body), append(c.times, e.At)
		s.Apply(e)
		c.count(e)
	}
	if diff := cmp.Diff(c.fold(t), s, sameState); diff != "" {
		t.Fatalf("after %T the log says otherwise (-log +state):\n%s", cmd.Do, diff)
	}
	if before == PhaseHeld && s.Phase == PhaseWaiting && !cmd.By.Visitor {
		t.Fatalf("%T by %+v wakes a chat", cmd.Do, cmd.By)
	}
	switch cmd.Do.(type) {
	case Leave, Rejoin:
		if !s.WaitingSince.Equal(since) {
			t.Fatalf("after %T by %+v the chat waits since %v, want %v", cmd.Do, cmd.By, s.WaitingSince, since)
		}
	}
	switch cmd.Do.(type) {
	case Say, Push, Share:
	default:
		if before == PhaseHeld && s.Phase == PhaseWaiting {
			t.Fatalf("%T wakes a chat", cmd.Do)
		}
	}
	// What the log says must not change with the configuration.
	other := c.foldUnder(t, Rules{Life: Life{Idle: Idle{Alert: time.Second, Minor: true}}})
	other.Rules = s.Rules
	if diff := cmp.Diff(other, s, sameState); diff != "" {
		t.Fatalf("after %T the log says otherwise under other rules (-log +state):\n%s", cmd.Do, diff)
	}
	m.claim(t, c, claims, capacity)
	m.note(t, notes)
	c.check(t)
	m.checkAgents(t)
}

// checkEvent is what holds of everything that is decided.
func (c *modelChat) checkEvent(t *rapid.T, cmd Command, e Event) {
	s := c.state
	body, err := json.Marshal(e.Fact)
	if err != nil {
		t.Fatal(err)
	}
	if _, data := e.Fact.(DataSet); data {
		body = nil // data is for programs and stays as it came
	}
	if text := string(body) + e.Preview; s.Rules.Mask != nil && (strings.Contains(text, "secret") || strings.Contains(text, "1111")) {
		t.Fatalf("%T caused %s, which is to be masked", cmd.Do, text)
	}
	switch f := e.Fact.(type) {
	case Joined:
		if f.No != len(s.Participants)+1 {
			t.Fatalf("participant %d joins after %d", f.No, len(s.Participants))
		}
	case Said:
		if f.For(VisitorNo) != e.VisibleToVisitor() || cmd.By.Visitor && !e.VisibleToVisitor() || !f.For(f.No) {
			t.Fatalf("%+v is shown to the wrong ones", f)
		}
		for _, no := range f.Only {
			if f.Audience != AudiencePrivate || no == VisitorNo || s.Participants[no-1].Staff == 0 {
				t.Fatalf("%+v is for somebody it cannot be for", f)
			}
		}
	case IdleWarned:
		if !f.Closes.After(e.At) || f.Again.After(f.Closes) || s.Phase != PhaseActive && !s.Opening.Async {
			t.Fatalf("the alert %+v in the phase %q", f, s.Phase)
		}
	case IdleClosed:
		if s.closing().After(e.At) || s.closing().IsZero() {
			t.Fatalf("closed at %v although the alert said %v", e.At, s.closing())
		}
	}
}

func (c *modelChat) count(e Event) {
	switch e.Fact.(type) {
	case Offered:
		c.offered++
	case Accepted, Declined, Missed, Withdrawn:
		c.offered--
	}
}

// checkRepeat compares with a memory that knows actors and ids as they are.
func (m *model) checkRepeat(t *rapid.T, c *modelChat, cmd Command, d Decision) {
	key := fmt.Sprintf("%+v %s", cmd.By, cmd.ID)
	first, known := c.first[key]
	switch {
	case cmd.ID == "" && d.Repeat != 0:
		t.Fatal("a command without an id counts as a repeat")
	case cmd.ID != "" && known && (d.Repeat != first || len(d.Events) > 0):
		t.Fatalf("a repeat of %s came to %+v, want the index %d", key, d, first)
	case !known && d.Repeat != 0:
		t.Fatalf("%s counts as a repeat of the event %d", key, d.Repeat)
	}
	if cmd.ID != "" && len(d.Events) > 0 {
		c.first[key] = d.Events[0].Index
		if got := d.Events[0].CommandID(); got != cmd.ID {
			t.Fatalf("the event says that the command's id is %q, it is %q", got, cmd.ID)
		}
	}
}

func (m *model) claim(t *rapid.T, c *modelChat, claims []Claim, capacity int) {
	for _, cl := range claims {
		if cl.Chat != c.state.ID || cl.Take == c.held[cl.Agent] || cl.Take && cl.Capacity != capacity {
			t.Fatalf("the claim %+v, while the slots taken are %v", cl, c.held)
		}
		c.held[cl.Agent] = cl.Take
		if !cl.Take {
			delete(c.held, cl.Agent)
		}
	}
	want := make(map[StaffID]bool)
	for _, a := range c.state.Agents() {
		want[a] = true
	}
	if c.state.Offer != nil {
		want[c.state.Offer.Agent] = true
	}
	if diff := cmp.Diff(want, c.held); diff != "" {
		t.Fatalf("the slots are not those of the agents (-state +claims):\n%s", diff)
	}
}

func (m *model) note(t *rapid.T, notes []Note) {
	for _, n := range notes {
		s := m.agents[n.Agent]
		n.Event.Index = s.Last + 1
		body, err := n.Event.Encode()
		if err != nil {
			t.Fatal(err)
		}
		back, err := DecodeAgentEvent(body)
		if err != nil {
			t.Fatal(err)
		}
		back.Index, back.At = n.Event.Index, n.Event.At
		if diff := cmp.Diff(n.Event, back); diff != "" {
			t.Fatalf("a note came back otherwise (-before +after):\n%s", diff)
		}
		s.Apply(back)
	}
}

// check is what holds between any two commands.
func (c *modelChat) check(t *rapid.T) {
	s := c.state
	switch {
	case s.Last != int64(len(c.bodies)):
		t.Fatalf("the last index is %d of %d", s.Last, len(c.bodies))
	case c.offered != 0 && c.offered != 1, c.offered == 1 != (s.Offer != nil):
		t.Fatalf("%d offers are open, the state has %v", c.offered, s.Offer)
	case s.Offer != nil && s.Phase != PhaseWaiting:
		t.Fatalf("a chat in the phase %q is on offer", s.Phase)
	case s.Phase == PhaseActive != (len(s.Agents()) > 0):
		t.Fatalf("in the phase %q the agents %v are present", s.Phase, s.Agents())
	case s.Summary().Live() && !s.Visitor().Present && s.Phase != PhaseNone && (s.Rules.Abandon == AbandonEnds || s.Summary().Open()):
		t.Fatalf("in the phase %q the visitor is not there, abandoned chats %q", s.Phase, s.Rules.Abandon)
	case s.Phase == PhaseHeld && (!s.Opening.Async || s.HeldBy == 0):
		t.Fatalf("a chat that is asynchronous: %v sleeps, put on hold by %d", s.Opening.Async, s.HeldBy)
	case s.Phase == PhaseEnded && (s.Visitor().Present || !s.Deadline().IsZero()):
		t.Fatal("somebody or something is left after the end")
	}
	for no, typing := range s.typing {
		if typing.On && !s.Participants[no-1].Present && s.Phase != PhaseEnded {
			t.Fatalf("participant %d, who is not there, types", no)
		}
	}
	kept, ok := s.Checkpoint()
	restored, err := RestoreState(kept)
	if !ok || err != nil {
		t.Fatalf("the checkpoint %s, %v: %v", kept, ok, err)
	}
	restored.Rules = s.Rules
	if diff := cmp.Diff(restored, s, sameState); diff != "" {
		t.Fatalf("the checkpoint says otherwise (-checkpoint +state):\n%s", diff)
	}
	sum := s.Summary()
	text, err := json.Marshal(sum)
	if err != nil {
		t.Fatal(err)
	}
	var back Summary
	if err := json.Unmarshal(text, &back); err != nil || !back.Equal(sum) || sum.Live() != (s.Phase != PhaseNone && s.Phase != PhaseEnded) {
		t.Fatalf("the summary %+v came back as %+v, %v", sum, back, err)
	}
	c.checkFiles(t)
	c.checkDeadline(t)
}

// checkDeadline ticks a moment before the deadline and at it: nothing, and
// something.
func (c *modelChat) checkDeadline(t *rapid.T) {
	due := c.state.Deadline()
	if typing := c.state.TypingExpires(); due.IsZero() || !typing.IsZero() && typing.Before(due) {
		due = typing
	}
	if due.IsZero() {
		return
	}
	for _, at := range []time.Time{due.Add(-time.Millisecond), due} {
		d, err := Decide(c.state, Command{At: at, Do: Tick{}})
		if err != nil || len(d.Events) > 0 == at.Before(due) {
			t.Fatalf("a tick %v after the deadline came to %+v, %v", at.Sub(due), d, err)
		}
	}
}

func (m *model) checkAgents(t *rapid.T) {
	for id, a := range m.agents {
		var in, offers []ID
		for _, c := range m.chats {
			if _, ok := c.state.Present(id); ok {
				in = append(in, c.state.ID)
			}
			if o := c.state.Offer; o != nil && o.Agent == id {
				offers = append(offers, c.state.ID)
			}
		}
		chats := slices.Sorted(slices.Values(a.Chats))
		var open []ID
		for _, o := range a.Offers {
			open = append(open, o.Chat)
		}
		slices.Sort(open)
		if !slices.Equal(chats, in) || !slices.Equal(open, offers) {
			t.Fatalf("agent %d believes to be in %v with %v on offer; it is in %v with %v", id, chats, open, in, offers)
		}
	}
}

func TestAnySequenceOfCommands(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newModel(rapid.IntRange(1, 2).Draw(t, "chats"), func() Rules { return drawRules(t) })
		for range rapid.IntRange(1, 60).Draw(t, "commands") {
			m.now = m.now.Add(rapid.SampledFrom([]time.Duration{
				0, 0, time.Millisecond, 900 * time.Microsecond, time.Second, 5 * time.Second, 12 * time.Second, 50 * time.Second,
			}).Draw(t, "pause"))
			c := rapid.SampledFrom(m.chats).Draw(t, "chat")
			cmd := Command{
				ID: rapid.SampledFrom([]string{"", "", "a", "b", "1:a", "v:a", "\xff"}).Draw(t, "id"),
				At: m.now, By: drawActor(t), Do: drawAction(t, c.state, m.now),
			}
			if len(c.bodies) == 0 && rapid.IntRange(0, 9).Draw(t, "begin") > 0 {
				cmd.By, cmd.Do = TheVisitor(), Open{Name: "Ada", Opening: Opening{Service: "s", Queue: "q", Channel: "c1", Async: rapid.Bool().Draw(t, "async")}}
			}
			m.give(t, c, cmd)
		}
	})
}
