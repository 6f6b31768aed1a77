package desk

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/halley-chat/halley/internal/chat"
)

func TestNothingBeforeResume(t *testing.T) {
	inBubble(t, func(h *fixture) {
		b := h.signIn("anna")
		if code := b.code(object{"op": "ready"}); code != "not-resumed" {
			t.Errorf("the code is %q", code)
		}
		h.open()
		time.Sleep(2 * time.Second)
		if got := b.settled(); len(got) != 0 {
			t.Errorf("before resume it was sent %v", got)
		}
	})
}

func same(t *testing.T, what string, got any, want string) {
	t.Helper()
	var w any
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatalf("%s: parsing what is wanted, %s: got %v, want no error", what, want, err)
	}
	b, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	var g any
	if err := json.Unmarshal(b, &g); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(w, g); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// The whole conversation, with every shape compared.
func TestConversation(t *testing.T) {
	inBubble(t, func(h *fixture) {
		b := h.signIn("anna")
		now := time.Now().UnixMilli()
		same(t, "resumed", b.resume(nil), fmt.Sprintf(`{"type":"resumed","id":"c1","now":%d,"own":[],"chats":[],"left":[],"waiting":[],
			"agent":{"id":1,"login":"anna","name":"Anna","role":"agent","capacity":4,"presence":"offline","reason":"","since":0,"chats":[],"offers":[],"last":0}}`, now))

		same(t, "ready", b.must(object{"op": "ready"}), fmt.Sprintf(`[{"type":"own",
			"agent":{"id":1,"login":"anna","name":"Anna","role":"agent","capacity":4,"presence":"ready","reason":"","since":%d,"chats":[],"offers":[],"last":1},
			"events":[{"index":1,"at":%[1]d,"type":"presence","to":"ready","reason":""}]}]`, now))

		id := h.open()
		opened := now
		time.Sleep(2*time.Second - time.Millisecond)
		synctest.Wait()
		same(t, "waiting", b.settled(), fmt.Sprintf(`[{"type":"waiting","waiting":[{"id":%q,"service":"shop","queue":"people","name":"Vera","subject":"Shoes","since":%d,"offered":0}]}]`, id, opened))

		h.offer(id, anna)
		now = time.Now().UnixMilli()
		offer := fmt.Sprintf(`"chat":%q,"until":%d,"queue":"people","name":"Vera","subject":"Shoes","since":%d,"reason":"why"`, id, now+20_000, opened)
		same(t, "offer", pushes(b.settled(), "own"), fmt.Sprintf(`[{"type":"own",
			"agent":{"id":1,"login":"anna","name":"Anna","role":"agent","capacity":4,"presence":"ready","reason":"","since":%d,"chats":[],"offers":[{%s}],"last":2},
			"events":[{"index":2,"at":%d,"type":"offer-made",%[2]s}]}]`, opened, offer, now))

		got := b.must(object{"op": "accept", "chat": id.String()})
		agent := fmt.Sprintf(`{"id":1,"login":"anna","name":"Anna","role":"agent","capacity":4,"presence":"ready","reason":"","since":%d,"chats":[%q],"offers":[],"last":4}`, opened, id)
		info := fmt.Sprintf(`{"id":%q,"service":"shop","queue":"people","phase":"active","name":"Vera","subject":"Shoes","opened":%d,"waiting":0,"ended":0,"away":false,"agents":[1]}`, id, opened)
		same(t, "accept", got, fmt.Sprintf(`[
			{"type":"own","agent":%s,"events":[{"index":3,"at":%d,"type":"offer-closed","chat":%q,"outcome":"accepted"},{"index":4,"at":%[2]d,"type":"assigned","chat":%[3]q}]},
			{"type":"chat","chat":%[4]s,"events":[
				{"index":1,"at":%[5]d,"type":"joined","from":{"no":1,"role":"visitor","name":"Vera"},"data":{"k":"v"},"opening":{"first":"","last":"","email":"v@example.org"}},
				{"index":2,"at":%[5]d,"type":"queued","queue":"people"},
				{"index":3,"at":%[2]d,"type":"offered","agent":1,"until":%[6]d,"reason":"why"},
				{"index":4,"at":%[2]d,"type":"accepted","agent":1},
				{"index":5,"at":%[2]d,"type":"joined","from":{"no":2,"role":"agent","name":"Anna","staff":1}}]}]`,
			agent, now, id, info, opened, now+20_000))
		b.settled()

		h.do(id, chat.TheVisitor(), chat.Type{On: true, Preview: "Do you"})
		same(t, "typing", b.settled(), fmt.Sprintf(`[{"type":"chat","chat":%s,"events":[{"index":6,"at":%d,"type":"typed","from":{"no":1,"role":"visitor","name":"Vera"},"on":true,"preview":"Do you"}]}]`, info, now))
		h.do(id, chat.TheVisitor(), chat.Say{Text: "Do you \u2028 <have> it?", Type: "text", Attributes: []byte(`{"a":1}`)})
		same(t, "said by the visitor", b.settled(), fmt.Sprintf(`[{"type":"chat","chat":%s,"events":[{"index":7,"at":%d,"type":"said","from":{"no":1,"role":"visitor","name":"Vera"},"text":"Do you \u2028 <have> it?","messageType":"text","attributes":{"a":1}}]}]`, info, now))
		same(t, "said by the agent", b.must(object{"op": "say", "chat": id.String(), "text": "Yes", "id": "line"}), fmt.Sprintf(`[{"type":"chat","chat":%s,
			"events":[{"index":8,"at":%d,"type":"said","from":{"no":2,"role":"agent","name":"Anna","staff":1},"text":"Yes","id":"line"}]}]`, info, now))
		same(t, "typed by the agent", b.must(object{"op": "typing", "chat": id.String(), "on": true}), fmt.Sprintf(`[{"type":"chat","chat":%s,
			"events":[{"index":9,"at":%d,"type":"typed","from":{"no":2,"role":"agent","name":"Anna","staff":1},"on":true}]}]`, info, now))

		got = b.must(object{"op": "end", "chat": id.String()})
		over := strings.NewReplacer(`"active"`, `"ended"`, `"ended":0`, fmt.Sprintf(`"ended":%d`, now), `[1]`, `[]`).Replace(info)
		same(t, "end", pushes(got, "chat"), fmt.Sprintf(`[{"type":"chat","chat":%s,"events":[
			{"index":10,"at":%d,"type":"typed","from":{"no":2,"role":"agent","name":"Anna","staff":1},"on":false},
			{"index":11,"at":%[2]d,"type":"left","from":{"no":2,"role":"agent","name":"Anna","staff":1},"reason":"end"},
			{"index":12,"at":%[2]d,"type":"ended","reason":"agent","by":2}]}]`, over, now))
		same(t, "freed", pushes(got, "own")[0]["events"], fmt.Sprintf(`[{"index":5,"at":%d,"type":"freed","chat":%q}]`, now, id))
		if code := b.code(object{"op": "say", "chat": id.String(), "text": "Hello?"}); code != "ended" {
			t.Errorf("a line after the end says %q", code)
		}
	})
}

func TestPresence(t *testing.T) {
	inBubble(t, func(h *fixture) {
		b := h.signIn("anna")
		b.resume(nil)
		b.must(object{"op": "ready"})
		got := b.must(object{"op": "not-ready", "reason": "lunch"})
		if a := got[0]["agent"].(object); a["presence"] != "not-ready" || a["reason"] != "lunch" {
			t.Errorf("the agent is %v", a)
		}
		if got := b.must(object{"op": "not-ready", "reason": "lunch"}); len(got) != 0 {
			t.Errorf("what changes nothing pushed %v", got)
		}
	})
}

func TestDeclineAndMiss(t *testing.T) {
	inBubble(t, func(h *fixture) {
		b := h.signIn("anna")
		b.resume(nil)
		b.must(object{"op": "ready"})
		id := h.open()
		h.offer(id, anna)
		b.settled()
		got := b.must(object{"op": "decline", "chat": id.String(), "reason": "no French"})
		if len(got) != 1 || got[0]["events"].([]any)[0].(object)["outcome"] != "declined" {
			t.Errorf("decline pushed %v", got)
		}
		if code := b.code(object{"op": "accept", "chat": id.String()}); code != "not-offered" {
			t.Errorf("accept after that says %q", code)
		}
		second := h.open()
		h.offer(second, anna)
		time.Sleep(21 * time.Second)
		own := pushes(b.settled(), "own")
		last := own[len(own)-1]
		if last["agent"].(object)["presence"] != "not-responding" || last["events"].([]any)[0].(object)["outcome"] != "missed" {
			t.Errorf("after a missed offer: %v", last)
		}
	})
}

// A command that is sent again is answered as the first time and happens once,
// from whichever connection, even after the end.
func TestIdempotence(t *testing.T) {
	inBubble(t, func(h *fixture) {
		b := h.signIn("anna")
		b.resume(nil)
		id := h.taken(b)
		say := object{"op": "say", "chat": id.String(), "text": "Hello", "id": "once"}
		b.must(say)
		if got := b.must(say); len(got) != 0 {
			t.Errorf("the repeat pushed %v", got)
		}
		other := h.reconnect(b.who)
		other.resume(nil)
		if got := other.must(say); len(got) != 0 {
			t.Errorf("the repeat from elsewhere pushed %v", got)
		}
		end := object{"op": "end", "chat": id.String(), "id": "end"}
		b.must(end)
		b.must(say)
		if got := b.must(end); len(got) != 0 {
			t.Errorf("the second end pushed %v", got)
		}
		log, err := h.engine.Read(h.t.Context(), id, 1, 100)
		if err != nil {
			t.Fatal(err)
		}
		said := slices.DeleteFunc(log, func(e chat.Event) bool { _, ok := e.Fact.(chat.Said); return !ok })
		if len(said) != 1 {
			t.Errorf("the line stands %d times in the log", len(said))
		}
	})
}

func TestLeave(t *testing.T) {
	inBubble(t, func(h *fixture) {
		b := h.signIn("anna")
		b.resume(nil)
		id := h.taken(b)
		got := b.must(object{"op": "leave", "chat": id.String()})
		if diff := cmp.Diff([]string{"6 left", "7 queued"}, events(got, id)); diff != "" {
			t.Errorf("leaving showed (-want +got)\n%s", diff)
		}
		h.say(id, "Is anybody there?")
		if got := pushes(b.settled(), "chat"); len(got) != 0 {
			t.Errorf("after leaving it was shown %v", got)
		}
		if code := b.code(object{"op": "say", "chat": id.String(), "text": "x"}); code != "forbidden" {
			t.Errorf("a line after leaving says %q", code)
		}
		// Back in the chat, it sees what was said meanwhile.
		h.offer(id, anna)
		got = b.must(object{"op": "accept", "chat": id.String()})
		shown := events(got, id)
		if len(shown) == 0 || shown[len(shown)-1] != "11 joined" || !slices.Contains(shown, "8 said") {
			t.Errorf("back in the chat it was shown %v", shown)
		}
	})
}

// Whoever left by accident takes the chat back, as long as nobody else has it.
func TestRejoin(t *testing.T) {
	inBubble(t, func(h *fixture) {
		b, other := h.signIn("anna"), h.signIn("ben")
		b.resume(nil)
		other.resume(nil)
		id := h.openCare(false)
		h.offer(id, anna)
		b.must(object{"op": "accept", "chat": id.String()})
		rejoin := object{"op": "rejoin", "chat": id.String()}
		if code := b.code(rejoin); code != "not-offered" {
			t.Errorf("from within the chat: got %q, want not-offered", code)
		}
		opened := h.summary(id).Opened
		delete(rejoin, "id")
		time.Sleep(time.Minute)
		b.must(object{"op": "leave", "chat": id.String()})
		if s := h.summary(id); !s.Waiting.Equal(opened) {
			t.Errorf("after leaving: got waiting since %v, want %v", s.Waiting, opened)
		}
		if code := other.code(object{"op": "rejoin", "chat": id.String()}); code != "not-offered" {
			t.Errorf("by somebody else: got %q, want not-offered", code)
		}
		got := b.must(rejoin)
		if list := events(got, id); len(list) == 0 || !strings.HasSuffix(list[len(list)-1], " joined") {
			t.Errorf("back: got %v, want joined at the end", list)
		}
		if s := h.summary(id); len(s.Excluded) != 0 {
			t.Errorf("back: got the exclusions %v, want none", s.Excluded)
		}
		if s := h.agent(anna); len(s.Chats) != 1 || len(s.Offers) != 0 {
			t.Errorf("back: got %d chats and %d offers, want one and none", len(s.Chats), len(s.Offers))
		}
		b.must(object{"op": "say", "chat": id.String(), "text": "Sorry, wrong button"})
		b.must(object{"op": "leave", "chat": id.String()})
		time.Sleep(time.Minute)
		delete(rejoin, "id")
		if code := b.code(rejoin); code != "not-offered" {
			t.Errorf("a minute later: got %q, want not-offered", code)
		}
	})
}

func TestOpen(t *testing.T) {
	inBubble(t, func(h *fixture) {
		b, other := h.signIn("anna"), h.signIn("ben")
		b.resume(nil)
		other.resume(nil)
		id := h.taken(b)
		for range readPage + 10 {
			h.say(id, "again")
		}
		b.must(object{"op": "leave", "chat": id.String()})
		open := object{"op": "open", "chat": id.String(), "id": "o"}
		got := b.send(open)
		parts := pushes(got, "transcript")
		all := events(parts, id)
		if len(got) != 2 || len(parts) != 2 || parts[0]["id"] != "o" || len(all) != 5+readPage+10+2 || all[0] != "1 joined" {
			t.Errorf("open was answered with %d parts of %v and %d events", len(parts), kinds(got), len(all))
		}
		got = b.send(object{"op": "open", "chat": id.String(), "from": 517})
		if diff := cmp.Diff([]string{"517 queued"}, events(got, id)); diff != "" {
			t.Errorf("open from an index (-want +got)\n%s", diff)
		}
		if got := b.send(object{"op": "open", "chat": id.String(), "from": 9999}); len(got) != 1 || got[0]["type"] != "transcript" {
			t.Errorf("open from beyond the end: %v", got)
		}
		if code := other.code(open); code != "forbidden" {
			t.Errorf("open by an agent who was never there says %q", code)
		}
		if code := b.code(object{"op": "open", "chat": "0000000000000001"}); code != "not-found" {
			t.Errorf("open of no chat says %q", code)
		}
	})
}

func TestNotAllowed(t *testing.T) {
	inBubble(t, func(h *fixture) {
		b, other := h.signIn("anna"), h.signIn("ben")
		b.resume(nil)
		other.resume(nil)
		id := h.taken(b)
		waiting := h.open()
		h.offer(waiting, anna)
		before := h.log.Appends()
		for _, c := range []struct{ op, chat, want string }{
			{"say", id.String(), "forbidden"},
			{"typing", id.String(), "forbidden"},
			{"leave", id.String(), "forbidden"},
			{"end", id.String(), "forbidden"},
			{"accept", id.String(), "not-offered"},
			{"accept", waiting.String(), "not-offered"},
			{"decline", waiting.String(), "not-offered"},
			{"say", waiting.String(), "forbidden"},
			{"end", waiting.String(), "forbidden"},
			{"end", "0000000000000001", "not-found"},
		} {
			if code := other.code(object{"op": c.op, "chat": c.chat, "text": "x", "on": true}); code != c.want {
				t.Errorf("%s says %q, want %q", c.op, code, c.want)
			}
		}
		if n := h.log.Appends() - before; n != 0 {
			t.Errorf("refused commands left %d appends", n)
		}
		if got := pushes(other.settled(), "chat"); len(got) != 0 {
			t.Errorf("the other agent was shown %v", got)
		}
	})
}

func TestSeveralDesks(t *testing.T) {
	inBubble(t, func(h *fixture) {
		one, two := h.signIn("anna"), h.signIn("anna")
		one.resume(nil)
		two.resume(nil)
		id := h.taken(one)
		one.must(object{"op": "say", "chat": id.String(), "text": "Hello"})
		got := two.settled()
		want := []string{"1 joined", "2 queued", "3 offered", "4 accepted", "5 joined", "6 said"}
		if diff := cmp.Diff(want, events(got, id)); diff != "" {
			t.Errorf("the other desk was shown (-want +got)\n%s", diff)
		}
		two.must(object{"op": "end", "chat": id.String()})
		if diff := cmp.Diff([]string{"7 left", "8 ended"}, events(one.settled(), id)); diff != "" {
			t.Errorf("the first desk was shown (-want +got)\n%s", diff)
		}
	})
}

func TestWaitingList(t *testing.T) {
	inBubble(t, func(h *fixture) {
		b := h.signIn("anna")
		b.resume(nil)
		time.Sleep(time.Minute)
		if got := b.settled(); len(got) != 0 {
			t.Errorf("nothing changed, and yet %v", got)
		}
		var ids []any
		for range 50 { // within 50 ms
			ids = append(ids, h.open().String())
		}
		time.Sleep(5 * time.Second)
		got := pushes(b.settled(), "waiting")
		if len(got) != 2 {
			t.Fatalf("50 chats in 50 ms caused %d pushes, want one at once and one a second later", len(got))
		}
		var listed []any
		for _, w := range got[1]["waiting"].([]any) {
			listed = append(listed, w.(object)["id"])
		}
		if diff := cmp.Diff(ids, listed); diff != "" {
			t.Errorf("the list, oldest first (-want +got)\n%s", diff)
		}
		for range maxWaiting {
			h.open()
		}
		time.Sleep(5 * time.Second)
		got = pushes(b.settled(), "waiting")
		if n := len(got[len(got)-1]["waiting"].([]any)); n != maxWaiting {
			t.Errorf("%d chats are listed, want at most %d", n, maxWaiting)
		}
	})
}
