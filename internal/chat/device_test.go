package chat

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func drawDevice(t *rapid.T) Device {
	return Device{
		Carrier: rapid.SampledFrom([]Carrier{CarrierFCM, CarrierAPNs, ""}).Draw(t, "carrier"),
		Token:   rapid.SampledFrom([]Token{"t1", "t2", "t2", "", "\xff"}).Draw(t, "token"),
	}
}

// subscriber is a chat whose visitor listens and has named a device.
func subscriber(t *testing.T) (*State, func(time.Duration, Actor, Action) []Fact) {
	t.Helper()
	s := NewState(1, DefaultRules())
	now := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	give := func(in time.Duration, by Actor, a Action) []Fact {
		t.Helper()
		now = now.Add(in)
		d, err := Decide(s, Command{At: now, By: by, Do: a})
		if err != nil {
			t.Fatalf("deciding %T: got %v, want no error", a, err)
		}
		var facts []Fact
		for _, e := range d.Events {
			s.Apply(e)
			facts = append(facts, e.Fact)
		}
		return facts
	}
	give(0, TheVisitor(), Open{
		Name: "Ada", Opening: Opening{Service: "s", Queue: "q", Channel: "c1"}, Device: &Device{Carrier: CarrierFCM, Token: "t1"},
	})
	return s, give
}

// A visitor who can be told may stay away for a day, and one who cannot be
// told any more has the usual time from then on.
func TestSubscriptionKeepsTheVisitor(t *testing.T) {
	s, give := subscriber(t)
	if !s.Summary().Subscribed {
		t.Error("the summary does not say so")
	}
	give(0, TheVisitor(), Unbind{Channel: "c1"})
	if got := give(10*time.Second, Actor{}, Tick{}); cmp.Diff([]Fact{Away{}}, got) != "" {
		t.Errorf("after 10 s: %v", got)
	}
	if got := give(23*time.Hour, Actor{}, Tick{}); len(got) != 0 {
		t.Errorf("after 23 h: %v", got)
	}
	if got := give(0, Actor{}, Unsubscribe{Token: "t2", Reason: UnsubscribedInvalid}); len(got) != 0 {
		t.Errorf("another device's end: %v", got)
	}
	if got := give(0, Actor{}, Unsubscribe{Token: "t1", Reason: UnsubscribedInvalid}); cmp.Diff([]Fact{Unsubscribed{UnsubscribedInvalid}}, got) != "" {
		t.Errorf("the device's end: %v", got)
	}
	if got := give(44*time.Second, Actor{}, Tick{}); len(got) != 0 {
		t.Errorf("44 s later: %v", got)
	}
	if got := give(time.Second, Actor{}, Tick{}); cmp.Diff([]Fact{Left{No: 1, Reason: LeftLost}, Finished{By: 1, Reason: EndedGone}}, got) != "" {
		t.Errorf("45 s later: %v", got)
	}
}

func TestSubscribedVisitorIsGoneAfterADay(t *testing.T) {
	s, give := subscriber(t)
	give(0, TheVisitor(), Unbind{Channel: "c1"})
	give(10*time.Second, Actor{}, Tick{})
	if due := s.Deadline().Sub(s.UnboundSince); due != 24*time.Hour {
		t.Errorf("something happens after %v", due)
	}
	if got := give(24*time.Hour, Actor{}, Tick{}); len(got) != 2 || s.Phase != PhaseEnded {
		t.Errorf("after a day: %v", got)
	}
}

func TestSubscribing(t *testing.T) {
	s, give := subscriber(t)
	if got := give(0, TheVisitor(), Subscribe{Device{Carrier: CarrierFCM, Token: "t1"}}); len(got) != 0 {
		t.Errorf("the same device again: %v", got)
	}
	if got := give(0, TheVisitor(), Subscribe{Device{Carrier: CarrierAPNs, Token: "t2"}}); len(got) != 1 || s.Device.Token != "t2" {
		t.Errorf("another device: %v", got)
	}
	if got := give(0, TheVisitor(), Unsubscribe{}); cmp.Diff([]Fact{Unsubscribed{}}, got) != "" || s.Summary().Subscribed {
		t.Errorf("no device: %v", got)
	}
	for name, c := range map[string]struct {
		cmd  Command
		kind Kind
	}{
		"an agent's":   {Command{By: Staff(7), Do: Subscribe{Device{Carrier: CarrierFCM, Token: "t1"}}}, Forbidden},
		"the end by":   {Command{By: Staff(7), Do: Unsubscribe{}}, Forbidden},
		"no token":     {Command{By: TheVisitor(), Do: Subscribe{Device{Carrier: CarrierFCM}}}, Invalid},
		"no carrier":   {Command{By: TheVisitor(), Do: Subscribe{Device{Token: "t1"}}}, Invalid},
		"a long token": {Command{By: TheVisitor(), Do: Subscribe{Device{Carrier: CarrierFCM, Token: Token(strings.Repeat("x", MaxToken+1))}}}, TooLong},
		"no UTF-8":     {Command{By: TheVisitor(), Do: Subscribe{Device{Carrier: CarrierFCM, Token: "t", Language: "\xff"}}}, Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			if d, err := Decide(s, c.cmd); KindOf(err) != c.kind || len(d.Events) > 0 {
				t.Errorf("%s: got %v, %v, want no event and the kind %q", name, d.Events, err, c.kind)
			}
		})
	}
}

// A visitor who has left is told nothing more, whether the chat goes on or not:
// it has no subscription to end.
func TestNothingIsUnsubscribedForAVisitorWhoHasLeft(t *testing.T) {
	s, give := subscriber(t)
	s.Rules.Abandon = AbandonStays
	give(0, TheVisitor(), Leave{})
	if s.Phase != PhaseWaiting {
		t.Fatalf("the chat is %q", s.Phase)
	}
	if got := give(0, TheVisitor(), Unsubscribe{}); len(got) != 0 {
		t.Errorf("the visitor's word: %v", got)
	}
	if got := give(0, Actor{}, Unsubscribe{Token: "t1", Reason: UnsubscribedInvalid}); len(got) != 1 {
		t.Errorf("the carrier's word: %v", got)
	}
}

// An app that goes to the background is away at once and only once, and says
// what it has not seen.
func TestBackground(t *testing.T) {
	_, give := subscriber(t)
	got := give(0, TheVisitor(), Unbind{Channel: "c1", Background: true, From: 2})
	if diff := cmp.Diff([]Fact{Unbound{Channel: "c1"}, Away{Reason: AwayBackground, From: 2}}, got); diff != "" {
		t.Error(diff)
	}
	if got := give(time.Minute, Actor{}, Tick{}); len(got) != 0 {
		t.Errorf("a minute later: %v", got)
	}
	give(0, TheVisitor(), Bind{Channel: "c2"})
	if got := give(0, TheVisitor(), Unbind{Channel: "c2", Background: true, From: 999}); got[1] != (Away{Reason: AwayBackground, From: 7}) {
		t.Errorf("a position beyond the end: %v", got)
	}
	if got := give(0, TheVisitor(), Unbind{Channel: "c2", Background: true}); len(got) != 0 {
		t.Errorf("a channel that is not bound: %v", got)
	}
}

// Since when nobody knows that the visitor was there is said where somebody
// needs it.
func TestHeard(t *testing.T) {
	s, give := subscriber(t)
	heard := s.LastAt.Add(time.Second)
	if got := give(time.Minute, TheVisitor(), Unbind{Channel: "c1", Heard: heard}); cmp.Diff([]Fact{Unbound{Channel: "c1", Heard: heard}}, got) != "" {
		t.Errorf("unbind with a time: got %v, want Unbound with %v", got, heard)
	}
	if got := give(0, Actor{}, Recover{}); cmp.Diff([]Fact{Unbound{}}, got) != "" {
		t.Errorf("a restart while nobody listens: %v", got)
	}
	give(0, TheVisitor(), Bind{Channel: "c2"})
	last := s.LastAt
	if got := give(time.Hour, Actor{}, Recover{}); cmp.Diff([]Fact{Unbound{Channel: "c2", Heard: last.Add(-Unheard)}}, got) != "" {
		t.Errorf("a restart: %v", got)
	}
	give(0, TheVisitor(), Unsubscribe{})
	give(0, TheVisitor(), Bind{Channel: "c3"})
	if got := give(time.Minute, TheVisitor(), Unbind{Channel: "c3", Heard: last}); cmp.Diff([]Fact{Unbound{Channel: "c3"}}, got) != "" {
		t.Errorf("without a device: %v", got)
	}
}

// The visitor sees nothing of its device, and nobody sees the token.
func TestTokenIsNotPrinted(t *testing.T) {
	v := Device{Carrier: CarrierFCM, Token: "s3cret"}
	for _, f := range []Fact{Subscribed{v}, Unsubscribed{}, Away{Reason: AwayBackground}} {
		if (Event{Fact: f}).VisibleToVisitor() {
			t.Errorf("%T is shown", f)
		}
	}
	var b bytes.Buffer
	log := slog.New(slog.NewTextHandler(&b, nil))
	log.Info("x", "device", v, "token", v.Token, "command", Subscribe{v})
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "token", v.Token)
	for _, form := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		fmt.Fprintf(&b, form+form+form+form, v.Token, v, Event{Fact: Subscribed{v}}, Command{Do: Subscribe{v}})
	}
	if strings.Contains(b.String(), "s3cret") {
		t.Errorf("got the token in\n%s\nwant it nowhere", b.String())
	}
}
