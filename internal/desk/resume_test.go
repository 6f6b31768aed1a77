package desk

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
)

// chatsOf are the chats of a resumed, with their events.
func chatsOf(resumed object) map[string][]string {
	all := make(map[string][]string)
	for _, c := range resumed["chats"].([]any) {
		c := c.(object)
		all[c["chat"].(object)["id"].(string)] = eventsOf(c)
	}
	return all
}

func TestResumeByCursor(t *testing.T) {
	inBubble(t, func(h *fixture) {
		b := h.signIn("anna")
		b.resume(nil)
		stays, ends, quiet := h.taken(b), h.taken(b), h.taken(b)
		b.must(object{"op": "leave", "chat": quiet.String()})
		b.Disconnect()

		h.say(stays, "Hello?")
		h.do(stays, chat.TheVisitor(), chat.Type{On: true})
		time.Sleep(20 * time.Second)
		h.say(ends, "Never mind")
		h.do(ends, chat.TheVisitor(), chat.End{})
		h.say(quiet, "This is not for Anna")
		fresh := h.open()
		h.offer(fresh, anna)

		again := h.reconnect(b.who)
		got := again.resume(object{"own": 8, "chats": object{stays.String(): 5, ends.String(): 5, quiet.String(): 7}})
		want := map[string][]string{stays.String(): {"6 said", "8 typed"}, ends.String(): {"6 said", "7 left", "8 ended"}}
		if diff := cmp.Diff(want, chatsOf(got)); diff != "" {
			t.Errorf("chats (-want +got)\n%s", diff)
		}
		left := []any{min(ends, quiet).String(), max(ends, quiet).String()}
		if diff := cmp.Diff(left, got["left"]); diff != "" {
			t.Errorf("left (-want +got)\n%s", diff)
		}
		if diff := cmp.Diff([]string{"9 assigned", "10 freed", "12 freed", "13 offer-made"}, ownOf(got)); diff != "" {
			t.Errorf("own (-want +got)\n%s", diff)
		}
		agent := got["agent"].(object)
		if agent["last"] != 13.0 || len(agent["offers"].([]any)) != 1 || len(agent["chats"].([]any)) != 1 {
			t.Errorf("the agent is %v", agent)
		}
		h.say(stays, "Still there?")
		if diff := cmp.Diff([]string{"9 said"}, events(again.settled(), stays)); diff != "" {
			t.Errorf("after resume (-want +got)\n%s", diff)
		}
	})
}

func ownOf(o object) (list []string) {
	for _, e := range o["own"].([]any) {
		e := e.(object)
		list = append(list, fmt.Sprint(e["index"], " ", e["type"]))
	}
	return list
}

func TestResumeWithoutCursor(t *testing.T) {
	inBubble(t, func(h *fixture) {
		b := h.signIn("anna")
		b.resume(nil)
		id := h.taken(b)
		for _, cursor := range []any{nil, object{}, object{"own": 9999}, object{"own": -3, "chats": object{}}} {
			got := h.reconnect(b.who).resume(cursor)
			if own := got["own"].([]any); len(own) != 0 {
				t.Errorf("with the cursor %v the agent's log came with %d entries", cursor, len(own))
			}
			if all := chatsOf(got)[id.String()]; len(all) != 5 {
				t.Errorf("with the cursor %v the chat came as %v", cursor, all)
			}
		}
	})
}

// A desk that was away for very long gets the latest of its own log.
func TestResumeIsBounded(t *testing.T) {
	inBubble(t, func(h *fixture) {
		b := h.signIn("anna")
		for i := range 500 {
			to := []chat.Presence{chat.Ready, chat.NotReady}[i%2]
			if _, err := h.engine.DoAgent(h.t.Context(), anna, chat.AgentCommand{To: to}); err != nil {
				t.Fatal(err)
			}
		}
		own := ownOf(b.resume(object{"own": 3}))
		if len(own) != maxOwn || own[0] != "301 presence" || own[maxOwn-1] != "500 presence" {
			t.Errorf("%d entries from %s on", len(own), own[0])
		}
	})
}

// Resuming again within a session shows everything again and doubles nothing.
func TestResumeTwice(t *testing.T) {
	inBubble(t, func(h *fixture) {
		b := h.signIn("anna")
		b.resume(nil)
		id := h.taken(b)
		h.say(id, "one")
		got := b.resume(object{"own": 0, "chats": object{id.String(): 5}})
		if diff := cmp.Diff([]string{"6 said"}, chatsOf(got)[id.String()]); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		h.say(id, "two")
		if diff := cmp.Diff([]string{"7 said"}, events(b.settled(), id)); diff != "" {
			t.Errorf("afterwards (-want +got)\n%s", diff)
		}
	})
}

// A foreign chat in the cursor shows nothing.
func TestResumeOfForeignChats(t *testing.T) {
	inBubble(t, func(h *fixture) {
		b, other := h.signIn("anna"), h.signIn("ben")
		b.resume(nil)
		id := h.taken(b)
		got := other.resume(object{"own": 0, "chats": object{id.String(): 0, "0000000000000001": 0}})
		if n := len(got["chats"].([]any)); n != 0 || len(got["left"].([]any)) != 2 {
			t.Errorf("it was shown %v, left %v", got["chats"], got["left"])
		}
	})
}

// A cursor may name more chats than are read: what the older ones hold is left
// for open, and nothing is refused.
func TestResumeWithAVeryLongCursor(t *testing.T) {
	inBubble(t, func(h *fixture) {
		b := h.signIn("anna")
		b.resume(nil)
		cursor := object{}
		for i := range 3000 {
			cursor[chat.ID(i+1).String()] = 1
		}
		past, stays := h.taken(b), h.taken(b)
		b.must(object{"op": "leave", "chat": past.String()})
		cursor[past.String()], cursor[stays.String()] = 5, 5
		h.say(stays, "Hello?")
		got := h.reconnect(b.who).resume(object{"own": 1, "chats": cursor})
		want := map[string][]string{stays.String(): {"6 said"}, past.String(): {"6 left", "7 queued"}}
		if diff := cmp.Diff(want, chatsOf(got)); diff != "" {
			t.Errorf("chats (-want +got)\n%s", diff)
		}
		if left, omitted := len(got["left"].([]any)), len(got["omitted"].([]any)); left != 3001 || omitted != 3001-maxLeftRead {
			t.Errorf("got %d left and %d omitted, want 3001 and %d", left, omitted, 3001-maxLeftRead)
		}
	})
}

func TestResumeFails(t *testing.T) {
	inBubble(t, func(h *fixture) {
		b := h.signIn("anna")
		b.resume(nil)
		id := h.taken(b)
		h.do(id, chat.TheVisitor(), chat.End{})
		h.log.FailReads(func(engine.LogID) error { return errors.New("the disk is gone") })
		cursor := object{"own": 1, "chats": object{id.String(): 5}}
		again := h.reconnect(b.who)
		if code := again.code(object{"op": "resume", "cursor": cursor}); code != "unavailable" {
			t.Errorf("the code is %q", code)
		}
		if code := again.code(object{"op": "ready"}); code != "not-resumed" {
			t.Errorf("after the failure a command says %q", code)
		}
		h.log.FailReads(nil)
		if diff := cmp.Diff([]string{"6 left", "7 ended"}, chatsOf(again.resume(cursor))[id.String()]); diff != "" {
			t.Errorf("then (-want +got)\n%s", diff)
		}
	})
}

// Whatever happens, and however often a desk loses its connection, what it was
// shown by the end is what a desk saw that was there all the time.
func TestNothingIsLostOrDoubled(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			inBubble(t, func(h *fixture) { wander(t, h, rand.New(rand.NewPCG(seed, 1))) })
		})
	}
}

// shown is a desk that draws from what it is sent and keeps a cursor.
type shown struct {
	t     *testing.T
	own   int64
	chats map[string][]string
	last  map[string]int64
}

func (s *shown) take(got []object) {
	for _, o := range got {
		switch o["type"] {
		case "chat":
			s.grow(o["chat"].(object)["id"].(string), o["events"].([]any))
		case "own":
			s.ownGrew(o["events"].([]any))
		case "resumed":
			s.ownGrew(o["own"].([]any))
			if s.own == 0 {
				s.own = int64(o["agent"].(object)["last"].(float64))
			}
			for _, c := range o["chats"].([]any) {
				s.grow(c.(object)["chat"].(object)["id"].(string), c.(object)["events"].([]any))
			}
		}
	}
}

func (s *shown) ownGrew(events []any) {
	for _, e := range events {
		if i := int64(e.(object)["index"].(float64)); i != s.own+1 {
			s.t.Errorf("entry %d of the agent's log follows %d", i, s.own)
		} else {
			s.own = i
		}
	}
}

func (s *shown) grow(id string, events []any) {
	for _, e := range events {
		e := e.(object)
		i := int64(e["index"].(float64))
		if i <= s.last[id] {
			continue
		}
		s.last[id] = i
		if e["type"] != "typed" {
			s.chats[id] = append(s.chats[id], fmt.Sprint(i, e["type"], e["text"]))
		}
	}
}

func (s *shown) cursor() object {
	chats := object{}
	for id, i := range s.last {
		chats[id] = i
	}
	return object{"own": s.own, "chats": chats}
}

func wander(t *testing.T, h *fixture, rnd *rand.Rand) {
	steady, b := h.signIn("anna"), h.signIn("anna")
	all := &shown{t: t, chats: make(map[string][]string), last: make(map[string]int64)}
	some := &shown{t: t, chats: make(map[string][]string), last: make(map[string]int64)}
	steady.tell(all, object{"op": "resume"})
	b.tell(some, object{"op": "resume"})
	steady.tell(all, object{"op": "ready"})
	var live []chat.ID
	connected := true
	for range 150 {
		var id chat.ID
		if len(live) > 0 {
			id = live[rnd.IntN(len(live))]
		}
		switch n := rnd.IntN(20); {
		case n < 3 && len(live) < 4, id == 0:
			id = h.open()
			h.offer(id, anna)
			steady.tell(all, object{"op": "accept", "chat": id.String()})
			live = append(live, id)
		case n < 8:
			h.say(id, fmt.Sprint("line ", rnd.IntN(100)))
		case n < 11:
			steady.tell(all, object{"op": "say", "chat": id.String(), "text": "answer"})
		case n < 12:
			h.do(id, chat.TheVisitor(), chat.Type{On: true})
		case n < 13:
			live = slices.DeleteFunc(live, func(x chat.ID) bool { return x == id })
			h.do(id, chat.TheVisitor(), chat.End{})
		case n < 14:
			steady.tell(all, object{"op": "leave", "chat": id.String()})
			h.say(id, "anybody?")
			h.offer(id, anna)
			steady.tell(all, object{"op": "accept", "chat": id.String()})
		case n < 15:
			time.Sleep(time.Duration(rnd.IntN(15)) * time.Second)
		default:
			if !connected {
				b = h.reconnect(b.who)
				b.tell(some, object{"op": "resume", "cursor": some.cursor()})
			} else {
				if rnd.IntN(2) == 0 {
					synctest.Wait() // else it goes in the middle of something
				}
				b.Disconnect()
				some.take(b.take())
			}
			connected = !connected
		}
		if rnd.IntN(2) == 0 {
			synctest.Wait()
		}
		some.take(b.take())
		all.take(steady.take())
	}
	if !connected {
		b = h.reconnect(b.who)
		b.tell(some, object{"op": "resume", "cursor": some.cursor()})
	}
	some.take(b.settled())
	all.take(steady.settled())
	if all.own != some.own {
		t.Errorf("the agent's log was shown up to %d and %d", all.own, some.own)
	}
	for _, id := range slices.Sorted(maps.Keys(all.chats)) {
		if n := len(some.chats[id]); n == 0 {
			continue // it came and went while the desk was away
		}
		if diff := cmp.Diff(all.chats[id], some.chats[id]); diff != "" {
			t.Errorf("chat %s (-steady +wandering)\n%s", id, diff)
		}
	}
}

// tell sends a command. What was delivered by its answer goes to s.
func (b *browser) tell(s *shown, fields object) { s.take(b.publish(fields)) }
