package push

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/halley-chat/halley/internal/chat"
)

var (
	one   = chat.Device{Carrier: chat.CarrierFCM, Token: "1"}
	other = chat.Device{Carrier: chat.CarrierFCM, Token: "2"}
	noon  = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
)

// What can be done about a dead letter, by what has happened since.
func TestEligibility(t *testing.T) {
	opened := chat.Joined{No: 1, Role: chat.RoleVisitor, Opening: &chat.Opening{Channel: "c"}}
	at := func(s int) time.Time { return noon.Add(time.Duration(s) * time.Second) }
	type step struct {
		at   int // seconds
		fact chat.Fact
	}
	// The visitor goes at 1 s; event 4, of 2 s, was given up at 10 s.
	before := []step{{0, opened}, {0, chat.Subscribed{Device: one}}, {1, chat.Unbound{}}, {2, chat.Said{No: 2}}}
	everybody := func(chat.Device) bool { return true }
	for name, c := range map[string]struct {
		active  bool
		carrier chat.Carrier
		carries func(chat.Device) bool
		since   []step
		what    eligibility
		why     string
	}{
		"nothing else happened":    {false, "", everybody, nil, eligible, ""},
		"more was said":            {false, "", everybody, []step{{20, chat.Said{No: 2}}}, eligible, ""},
		"the chat ended":           {false, "", everybody, []step{{20, chat.Finished{}}}, ineligible, whyOver},
		"the visitor left":         {false, "", everybody, []step{{20, chat.Left{No: chat.VisitorNo}}}, ineligible, whyOver},
		"an agent left":            {false, "", everybody, []step{{20, chat.Left{No: 2}}}, eligible, ""},
		"the device is gone":       {false, "", everybody, []step{{20, chat.Unsubscribed{}}}, ineligible, whyNoDevice},
		"another one was named":    {false, "", everybody, []step{{20, chat.Subscribed{Device: other}}}, ineligible, whyOther},
		"… before it was given up": {false, "", everybody, []step{{9, chat.Subscribed{Device: other}}}, eligible, ""},
		"… of another carrier":     {false, chat.CarrierHook, everybody, nil, ineligible, whyOther},
		"the same one was named":   {false, "", everybody, []step{{20, chat.Subscribed{Device: chat.Device{Carrier: one.Carrier, Token: one.Token, Language: "de"}}}}, eligible, ""},
		"… after it was gone":      {false, "", everybody, []step{{20, chat.Unsubscribed{}}, {21, chat.Subscribed{Device: one}}}, ineligible, whyOther},
		"there is no carrier":      {false, "", func(chat.Device) bool { return false }, nil, ineligible, whyNotSetUp},
		"the visitor is back":      {false, "", everybody, []step{{20, chat.Bound{Channel: "d"}}}, ineligible, whyListens},
		"it was back":              {false, "", everybody, []step{{20, chat.Bound{Channel: "d"}}, {30, chat.Unbound{}}}, ineligible, whyHeard},
		"it came back unheard":     {false, "", everybody, []step{{20, chat.Bound{Channel: "d"}}, {30, chat.Unbound{Heard: at(20)}}, {40, chat.Away{}}}, eligible, ""},
		"it may come back":         {false, "", everybody, []step{{20, chat.Bound{Channel: "d"}}, {30, chat.Unbound{Heard: at(20)}}}, undecided, ""},
		"everybody is told":        {true, "", everybody, []step{{20, chat.Bound{Channel: "d"}}}, eligible, ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := newBacklog(c.active)
			for i, s := range append(before[:len(before):len(before)], c.since...) {
				d.fold(chat.Event{Index: int64(i + 1), At: at(s.at), Fact: s.fact})
			}
			l := DeadLetter{Index: 4, Carrier: chat.CarrierFCM, At: at(10)}
			if c.carrier != "" {
				l.Carrier = c.carrier
			}
			if what, why := d.eligibility(l, c.carries); what != c.what || why != c.why {
				t.Errorf("%v %q, want %v %q", what, why, c.what, c.why)
			}
		})
	}
}

// Whatever has happened, nothing is sent to a device that was not the visitor's
// when the event was given up, nor to somebody who listens, nor once the chat is
// over; and what has to wait does not have to wait for ever.
func TestEligibleAgain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var events []chat.Event
		at := noon
		for range rapid.IntRange(1, 25).Draw(t, "events") {
			at = at.Add(time.Duration(rapid.IntRange(0, 60).Draw(t, "pause")) * time.Second)
			device := one
			if rapid.Bool().Draw(t, "other") {
				device = other
			}
			fact := rapid.SampledFrom([]chat.Fact{
				chat.Subscribed{Device: device},
				chat.Subscribed{Device: device},
				chat.Unsubscribed{},
				chat.Bound{Channel: "c"},
				chat.Unbound{},
				chat.Unbound{Heard: at.Add(-30 * time.Second)},
				chat.Unbound{Since: at.Add(-10 * time.Second)},
				chat.Away{},
				chat.Said{No: 2},
				chat.Said{No: 2},
				chat.Left{No: 2},
				chat.Left{No: chat.VisitorNo},
				chat.Finished{},
			}).Draw(t, "fact")
			events = append(events, chat.Event{Index: int64(len(events) + 1), At: at, Fact: fact})
		}
		e := rapid.SampledFrom(events).Draw(t, "event")
		l := DeadLetter{Index: e.Index, Carrier: chat.CarrierFCM, At: e.At.Add(time.Duration(rapid.IntRange(0, 120).Draw(t, "tried")) * time.Second)}
		carried := rapid.Bool().Draw(t, "carried")
		carries := func(chat.Device) bool { return carried }

		// The log, read in another way than the backlog reads it.
		var then, now *chat.Device
		over, bound, mayReturn, renamed := false, false, false, false
		for _, e := range events {
			switch f := e.Fact.(type) {
			case chat.Subscribed:
				now = &f.Device
				renamed = renamed || e.At.After(l.At)
			case chat.Unsubscribed:
				now = nil
			case chat.Bound:
				bound, mayReturn = true, false
			case chat.Unbound:
				mayReturn = mayReturn || bound && !(f.Heard.IsZero() && f.Since.IsZero())
				bound = false
			case chat.Away:
				mayReturn = false
			case chat.Finished:
				over = true
			case chat.Left:
				over = over || f.No == chat.VisitorNo
			}
			if !e.At.After(l.At) {
				then = now
			}
		}

		d := newBacklog(false)
		for _, e := range events {
			d.fold(e)
		}
		what, why := d.eligibility(l, carries)
		if (why != "") != (what == ineligible) {
			t.Fatalf("%v and %q", what, why)
		}
		if what == eligible && (over || bound || mayReturn || now == nil || then == nil || now.Token != then.Token || !carried) {
			t.Fatalf("sent to %+v, which was %+v; over %v, bound %v, mayReturn %v, carried %v", now, then, over, bound, mayReturn, carried)
		}
		if what == undecided && (!mayReturn || over) {
			t.Fatalf("waits; mayReturn %v, over %v", mayReturn, over)
		}
		if (why == whyOver) != over || why == whyOther && !renamed || why == whyListens && !bound || why == whyNoDevice && now != nil {
			t.Fatalf("%q; over %v, renamed %v, bound %v, device %+v", why, over, renamed, bound, now)
		}
		d.fold(chat.Event{Index: int64(len(events) + 1), At: at.Add(10 * time.Second), Fact: chat.Away{}})
		if what, _ := d.eligibility(l, carries); what == undecided {
			t.Fatal("waits although the visitor is away")
		}
	})
}
