package desk

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"github.com/halley-chat/halley/internal/chat"
)

// lively are the rules in the fixture of these tests: those of the service shop
// ask for nothing, those of the service care for everything.
func lively(service string) chat.Rules {
	r := forgiving(service)
	if service == "care" {
		r.Abandon, r.ExcludeFor = chat.AbandonStays, time.Minute
		r.Idle = chat.Idle{Alert: time.Minute, Close: 30 * time.Second, AlertText: "still there?", CloseText: "good bye"}
		r.Welcome, r.Survey.URL = "Welcome!", "https://example.org/s"
	}
	return r
}

func (h *fixture) openCare(async bool) chat.ID {
	h.t.Helper()
	id, _, err := h.engine.Open(h.t.Context(), chat.Command{By: chat.TheVisitor(), Do: chat.Open{
		Name: "Vera", Opening: chat.Opening{Service: "care", Queue: "people", Channel: "c", Async: async},
	}})
	if err != nil {
		h.t.Fatal(err)
	}
	time.Sleep(time.Millisecond)
	return id
}

// raw picks an event of a chat out of deliveries.
func raw(got []object, kind string) object {
	for _, o := range got {
		list, _ := o["events"].([]any)
		for _, e := range list {
			if e := e.(object); e["type"] == kind {
				return e
			}
		}
	}
	return nil
}

func TestIdleControlAtTheDesk(t *testing.T) {
	inBubble(t, func(h *fixture) {
		b := h.signIn("anna")
		b.resume(nil)
		id := h.openCare(false)
		h.offer(id, anna)
		got := b.must(object{"op": "accept", "chat": id.String()})
		if list := events(got, id); !slices.Equal(list, []string{"1 joined", "3 said", "4 queued", "5 offered", "6 accepted", "7 joined"}) {
			t.Errorf("the chat begins with %v", list)
		}
		same(t, "welcome", raw(got, "said")["from"], `{"no":2,"role":"house","name":"System"}`)
		at := time.Now()
		time.Sleep(time.Minute)
		same(t, "alert", raw(b.settled(), "idle-warned"), fmt.Sprintf(`{"index":8,"at":%d,"type":"idle-warned",
			"from":{"no":2,"role":"house","name":"System"},"stage":1,"text":"still there?","closes":%d}`, at.Add(time.Minute).UnixMilli(), at.Add(90*time.Second).UnixMilli()))
		time.Sleep(30 * time.Second)
		got = b.settled()
		if list := events(got, id); !slices.Equal(list, []string{"9 idle-closed", "10 ended"}) || raw(got, "idle-closed")["text"] != "good bye" || raw(got, "ended")["reason"] != "idle" {
			t.Errorf("the chat ends with %v", got)
		}
		if own := pushes(got, "own"); len(own) != 1 || raw(own, "freed") == nil {
			t.Errorf("the agent is told %v", own)
		}
	})
}

func TestSurveyAtTheDesk(t *testing.T) {
	inBubble(t, func(h *fixture) {
		b := h.signIn("anna")
		b.resume(nil)
		id := h.openCare(false)
		h.offer(id, anna)
		b.must(object{"op": "accept", "chat": id.String()})
		got := b.must(object{"op": "end", "chat": id.String()})
		if list := events(got, id); !slices.Equal(list, []string{"9 survey", "10 left", "11 ended"}) || raw(got, "survey")["url"] != "https://example.org/s" {
			t.Errorf("the end is %v", got)
		}
	})
}

func TestHold(t *testing.T) {
	inBubble(t, func(h *fixture) {
		b := h.signIn("anna")
		b.resume(nil)
		if code := b.code(object{"op": "hold", "chat": h.taken(b).String()}); code != "conflict" {
			t.Errorf("to hold a live chat is answered with %q", code)
		}
		id := h.openCare(true)
		h.offer(id, anna)
		got := b.must(object{"op": "accept", "chat": id.String()})
		if raw(got, "joined")["async"] != true {
			t.Errorf("the desk is not told that the chat is asynchronous: %v", got)
		}
		got = b.must(object{"op": "hold", "chat": id.String()})
		if list := events(got, id); !slices.Equal(list, []string{"8 left", "9 held"}) || pushes(got, "chat")[0]["chat"].(object)["phase"] != "held" {
			t.Errorf("on hold the desk is told %v", got)
		}
		if raw(pushes(got, "own"), "freed") == nil {
			t.Errorf("the slot is not free: %v", got)
		}
		h.say(id, "me again")
		if got := events(b.settled(), id); len(got) > 0 {
			t.Errorf("of a chat that it has left the desk is told %v", got)
		}
		time.Sleep(2 * time.Second)
		if w := pushes(b.settled(), "waiting"); len(w) == 0 || w[len(w)-1]["waiting"].([]any)[0].(object)["id"] != id.String() {
			t.Errorf("the chat does not wait: %v", w)
		}
		h.offer(id, anna)
		b.must(object{"op": "accept", "chat": id.String()})
	})
}

// Every agent is shown what is meant for it, under whichever number it had.
func TestLinesForSomebody(t *testing.T) {
	facts := []chat.Fact{
		chat.Joined{No: 1, Role: chat.RoleVisitor, Name: "Vera", Opening: &chat.Opening{Channel: "c"}},
		chat.Joined{No: 2, Role: chat.RoleAgent, Name: "Anna", Staff: anna},
		chat.Joined{No: 3, Role: chat.RoleAgent, Name: "Ben", Staff: ben},
		chat.Joined{No: 4, Role: chat.RoleAgent, Name: "Cleo", Staff: 3},
		chat.Said{No: 2, Text: "all"},
		chat.Said{No: 2, Text: "staff", Audience: chat.AudienceStaff},
		chat.Said{No: 2, Text: "for ben", Audience: chat.AudiencePrivate, Only: []int{3}},
		chat.Said{No: 3, Text: "for cleo", Audience: chat.AudiencePrivate, Only: []int{4}},
		chat.Left{No: 3},
		chat.Joined{No: 5, Role: chat.RoleAgent, Name: "Ben", Staff: ben},
		chat.Said{No: 2, Text: "for ben again", Audience: chat.AudiencePrivate, Only: []int{5}},
		chat.Said{No: 2, Text: "for a later version", Audience: "moon"},
	}
	for me, want := range map[chat.StaffID][]string{
		anna: {"all", "staff", "for ben", "for ben again"},
		ben:  {"all", "staff", "for ben", "for cleo", "for ben again"},
		3:    {"all", "staff", "for cleo"},
		9:    {"all", "staff"},
	} {
		t.Run(fmt.Sprintf("agent %d", me), func(t *testing.T) {
			v := view{me: me}
			var got []string
			for i, f := range facts {
				if said, ok := v.feed(chat.Event{Index: int64(i + 1), Fact: f}).(saidEvent); ok {
					got = append(got, said.Text)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("agent %d (-want +got):\n%s", me, diff)
			}
		})
	}
}

func TestSayForSomebody(t *testing.T) {
	inBubble(t, func(h *fixture) {
		b := h.signIn("anna")
		b.resume(nil)
		id := h.taken(b)
		for _, c := range []struct {
			fields object
			code   string // of the refusal
			want   string // the audience of the line
			to     []any
		}{
			{object{"audience": "public"}, "invalid", "", nil},
			{object{"audience": "private"}, "invalid", "", nil},
			{object{"to": []int{1}}, "invalid", "", nil},
			{object{"to": []int{3}}, "invalid", "", nil},
			{object{"audience": "staff", "to": []int{2}}, "invalid", "", nil},
			{object{"audience": "staff"}, "", "staff", nil},
			{object{"to": []int{2}}, "", "private", []any{2.0}},
			{object{"audience": "private", "to": []int{2, 2}}, "", "private", []any{2.0}},
		} {
			c.fields["op"], c.fields["chat"], c.fields["text"] = "say", id.String(), "psst"
			if c.code != "" {
				if code := b.code(c.fields); code != c.code {
					t.Errorf("%v is answered with %q", c.fields, code)
				}
				continue
			}
			e := raw(b.must(c.fields), "said")
			to, _ := e["to"].([]any)
			if e["audience"] != c.want || cmp.Diff(c.to, to) != "" {
				t.Errorf("%v became %v", c.fields, e)
			}
		}
	})
}

func TestAnAbandonedChatAtTheDesk(t *testing.T) {
	inBubble(t, func(h *fixture) {
		b := h.signIn("anna")
		b.resume(nil)
		id := h.openCare(false)
		left := time.Now().UnixMilli()
		h.do(id, chat.TheVisitor(), chat.Leave{})
		time.Sleep(2 * time.Second)
		w := pushes(b.settled(), "waiting")
		if len(w) == 0 || w[len(w)-1]["waiting"].([]any)[0].(object)["abandoned"] != float64(left) {
			t.Fatalf("waiting are %v", w)
		}
		h.offer(id, anna)
		got := b.must(object{"op": "accept", "chat": id.String()})
		if info := pushes(got, "chat")[0]["chat"].(object); info["abandoned"] != float64(left) || info["phase"] != "active" {
			t.Errorf("the chat is %v", info)
		}
		if code := b.code(object{"op": "hold", "chat": id.String()}); code != "conflict" {
			t.Errorf("to hold it is answered with %q", code)
		}
		got = b.must(object{"op": "leave", "chat": id.String()})
		if list := events(got, id); !slices.Equal(list, []string{"9 left", "10 ended"}) {
			t.Errorf("the end is %v", list)
		}
	})
}

// Notices and attributes go both ways, for programs that work at a desk.
func TestNotices(t *testing.T) {
	inBubble(t, func(h *fixture) {
		b := h.signIn("anna")
		b.resume(nil)
		id := h.taken(b)
		h.do(id, chat.TheVisitor(), chat.Notify{Text: "n", Attributes: []byte(`{"a":1}`)})
		e := raw(b.settled(), "noticed")
		if diff := cmp.Diff(object{"a": 1.0}, e["attributes"]); diff != "" || e["text"] != "n" {
			t.Errorf("got the notice %v, want the text \"n\" and the attribute a=1", e)
		}
		for fields, want := range map[*object]string{
			{"op": "notify", "text": "m", "attributes": object{"b": object{"c": 2}}}: "noticed",
			{"op": "say", "text": "m", "attributes": object{"b": object{"c": 2}}}:    "said",
			{"op": "notify"}: "noticed",
		} {
			(*fields)["chat"] = id.String()
			e := raw(b.must(*fields), want)
			if _, given := (*fields)["attributes"]; e == nil || given && cmp.Diff(object{"b": object{"c": 2.0}}, e["attributes"]) != "" {
				t.Errorf("%v became %v", *fields, e)
			}
		}
		for _, bad := range []any{"x", []int{1}, 5} {
			if code := b.code(object{"op": "notify", "chat": id.String(), "attributes": bad}); code != "invalid" {
				t.Errorf("attributes %v are answered with %q", bad, code)
			}
		}
	})
}

// A new name holds from the next event on, also where all are rendered before
// one is sent, as after a reload.
func TestNewNameHoldsFromThenOn(t *testing.T) {
	v := view{me: anna}
	var shapes []any
	for i, f := range []chat.Fact{
		chat.Joined{No: 1, Role: chat.RoleVisitor, Name: "Vera", Opening: &chat.Opening{Channel: "c"}},
		chat.Said{No: 1, Text: "before"},
		chat.Renamed{No: 1, Name: "Mia"},
		chat.Said{No: 1, Text: "after"},
	} {
		shapes = append(shapes, v.feed(chat.Event{Index: int64(i + 1), Fact: f}))
	}
	var got []string
	for _, s := range shapes {
		b, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var e struct {
			From struct {
				Name string `json:"name"`
			} `json:"from"`
		}
		if err := json.Unmarshal(b, &e); err != nil {
			t.Fatal(err)
		}
		got = append(got, e.From.Name)
	}
	if diff := cmp.Diff([]string{"Vera", "Vera", "Vera", "Mia"}, got); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}
