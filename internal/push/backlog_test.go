package push

import (
	"testing"
	"time"

	"github.com/halley-chat/halley/internal/chat"
)

// What the log says about where pushing begins.
func TestBacklog(t *testing.T) {
	phone := chat.Subscribed{Device: chat.Device{Carrier: chat.CarrierFCM, Token: "t"}}
	opened := chat.Joined{No: 1, Role: chat.RoleVisitor, Opening: &chat.Opening{Channel: "c"}}
	said := chat.Said{No: 2, Text: "x"}
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	at := func(s int) time.Time { return noon.Add(time.Duration(s) * time.Second) }
	type step struct {
		at   int // seconds
		fact chat.Fact
	}
	for name, c := range map[string]struct {
		active bool
		log    []step
		open   bool
		next   int64
	}{
		"listens":          {false, []step{{0, opened}, {0, phone}, {1, said}}, false, 1},
		"without a device": {false, []step{{0, opened}, {1, chat.Unbound{}}}, false, 2},
		"says goodbye":     {false, []step{{0, opened}, {0, phone}, {9, said}, {9, chat.Unbound{}}, {10, said}}, true, 4},
		"never listened":   {false, []step{{0, chat.Joined{No: 1, Opening: &chat.Opening{}}}, {0, phone}, {9, said}}, true, 1},
		"goes to the background": {false, []step{
			{0, opened}, {0, phone}, {1, said}, {2, said}, {3, chat.Unbound{}}, {3, chat.Away{Reason: chat.AwayBackground, From: 4}},
		}, true, 4},
		"goes to the background and says nothing of what it has seen": {false, []step{
			{0, opened}, {0, phone}, {1, said}, {3, chat.Unbound{}}, {3, chat.Away{Reason: chat.AwayBackground}},
		}, true, 4},
		"is lost": {false, []step{
			{0, opened}, {0, phone}, {100, said}, {150, said}, {200, chat.Unbound{Heard: at(120)}}, {210, chat.Away{}},
		}, true, 4},
		"may be back in a moment": {false, []step{
			{0, opened}, {0, phone}, {100, said}, {150, said}, {200, chat.Unbound{Heard: at(120)}},
		}, false, 4},
		"may have been back in a moment": {false, []step{
			{0, opened}, {0, phone}, {150, said}, {200, chat.Unbound{Heard: at(120)}}, {201, chat.Finished{}},
		}, true, 3},
		"is lost while nothing happens": {false, []step{{0, opened}, {0, phone}, {300, chat.Unbound{Heard: at(190)}}, {310, chat.Away{}}}, true, 3},
		"is lost at once": {false, []step{
			{0, opened}, {0, phone}, {10, said}, {100, chat.Unbound{Heard: at(-10)}}, {110, chat.Away{}},
		}, true, 1},
		"polled": {false, []step{{0, opened}, {0, phone}, {10, said}, {20, said}, {45, chat.Unbound{Since: at(15)}}, {45, chat.Away{}}}, true, 4},
		"comes back and is lost before it was heard": {false, []step{
			{0, opened}, {0, phone}, {1, chat.Unbound{}}, {2, said}, {500, chat.Bound{Channel: "d"}}, {610, chat.Unbound{Heard: at(500)}}, {620, chat.Away{}},
		}, true, 3},
		"comes back, is heard and goes": {false, []step{
			{0, opened}, {0, phone}, {1, chat.Unbound{}}, {2, said}, {500, chat.Bound{Channel: "d"}}, {501, said}, {700, said}, {800, chat.Unbound{Heard: at(690)}}, {810, chat.Away{}},
		}, true, 7},
		"changes channels and is lost before it was heard": {false, []step{
			{0, opened}, {0, phone}, {100, said}, {390, said}, {500, chat.Bound{Channel: "d"}}, {610, chat.Unbound{Heard: at(500)}}, {620, chat.Away{}},
		}, true, 4},
		"is told of twice":   {false, []step{{0, opened}, {0, phone}, {1, chat.Unbound{}}, {2, said}, {3, chat.Unbound{Heard: at(1)}}}, true, 3},
		"wants it no more":   {false, []step{{0, opened}, {0, phone}, {1, chat.Unbound{}}, {2, chat.Unsubscribed{}}}, false, 3},
		"ends":               {false, []step{{0, opened}, {0, phone}, {1, chat.Unbound{}}, {2, said}, {3, chat.Finished{}}}, true, 3},
		"is told in any way": {true, []step{{0, opened}, {0, said}, {0, phone}, {1, chat.Unbound{Heard: at(0)}}, {2, chat.Bound{}}}, true, 4},
	} {
		t.Run(name, func(t *testing.T) {
			d := newBacklog(c.active)
			for i, s := range c.log {
				d.fold(chat.Event{Index: int64(i + 1), At: at(s.at), Fact: s.fact})
			}
			if d.open() != c.open || d.next != c.next {
				t.Errorf("open %v from %d on, want %v from %d on", d.open(), d.next, c.open, c.next)
			}
		})
	}
}
