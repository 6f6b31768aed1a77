package desk

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/halley-chat/halley/internal/chat"
)

const someChat = "02B7A5C1D3E4F501"

func TestDecode(t *testing.T) {
	long := strings.Repeat("x", maxID+1)
	for data, want := range map[string]struct {
		kind chat.Kind
		id   string
	}{
		`{"op":"ready","id":"a"}`:                                                    {0, "a"},
		`{"op":"ready","id":"a","more":{"x":[1]}}`:                                   {0, "a"},
		`{"op":"say","id":"a","chat":"` + someChat + `","text":"x"}`:                 {0, "a"},
		`{"op":"resume","id":"ä"}`:                                                   {0, "ä"},
		`{"op":"resume","id":"a","cursor":{"own":1,"chats":{"` + someChat + `":3}}}`: {0, "a"},

		``:                                   {chat.Invalid, ""},
		`null`:                               {chat.Invalid, ""},
		`[]`:                                 {chat.Invalid, ""},
		`"ready"`:                            {chat.Invalid, ""},
		`{"op":"ready"}`:                     {chat.Invalid, ""},
		`{"op":"ready","id":""}`:             {chat.Invalid, ""},
		`{"op":"ready","id":7}`:              {chat.Invalid, ""},
		`{"op":"ready","ID":"a"}`:            {chat.Invalid, ""},
		`{"op":"ready","id":"a"`:             {chat.Invalid, "a"},
		`{"op":"ready","id":"` + long + `"}`: {chat.Invalid, ""},
		`{"op":"ready","id":"` + strings.Repeat("😀", 40) + `"}`:                   {chat.Invalid, ""},
		"{\"op\":\"ready\",\"id\":\"\xff\"}":                                      {chat.Invalid, ""},
		`{"id":"a","op":"ready","op":"ready"}`:                                    {chat.Invalid, "a"},
		`{"id":"a","op":"say","chat":"` + someChat + `","text":"x","text":"y"}`:   {chat.Invalid, "a"},
		`{"id":"a","op":"say","chat":"` + someChat + `","text":5}`:                {chat.Invalid, "a"},
		`{"id":"a","op":"say","chat":"` + someChat + `","text":"` + "\xff" + `"}`: {chat.Invalid, "a"},
		`{"id":"a","op":"say","text":"x"}`:                                        {chat.Invalid, "a"},
		`{"id":"a","op":"say","chat":"x","text":"x"}`:                             {chat.Invalid, "a"},
		`{"id":"a","op":"typing","chat":"` + someChat + `"}`:                      {chat.Invalid, "a"},
		`{"id":"a","op":"resume","cursor":{"chats":{"x":1}}}`:                     {chat.Invalid, "a"},
		`{"id":"a","op":"resume","cursor":{"own":"1"}}`:                           {chat.Invalid, "a"},
		`{"id":"a","op":"resume","cursor":{"own":1.5}}`:                           {chat.Invalid, "a"},
		`{"id":"a","op":"resume","cursor":{"own":1,"own":2}}`:                     {chat.Invalid, "a"},
		`{"id":"a","op":"resume","cursor":{"chats":{` + manyChats(5000) + `}}}`:   {0, "a"},

		`{"id":"a","op":"dance"}`: {chat.Unknown, "a"},
		`{"id":"a","op":"Ready"}`: {chat.Unknown, "a"},
		`{"id":"a"}`:              {chat.Unknown, "a"},
	} {
		t.Run(data, func(t *testing.T) {
			c, err := decode(jsontext.Value(data))
			if chat.KindOf(err) != want.kind || c.ID != want.id {
				t.Errorf("%.100s: the kind is %d and the id %q (%v), want %d and %q", data, chat.KindOf(err), c.ID, err, want.kind, want.id)
			}
		})
	}
}

func manyChats(n int) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf(`"%s":1`, chat.ID(i+1)))
	}
	return strings.Join(all, ",")
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"op":"say","id":"a","chat":"` + someChat + `","text":"x","on":true,"from":3,"cursor":{"own":1,"chats":{}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := decode(data)
		if err != nil && chat.KindOf(err) == 0 {
			t.Errorf("the error is no refusal: %v", err)
		}
		if op := operations[c.Op]; err == nil && (c.ID == "" || op.needsChat && c.chat == 0) {
			t.Errorf("%q was taken as %+v", data, c)
		}
	})
}

// Whatever a desk sends is answered with a refusal, and nothing happens.
func TestBadCommandsAreAnswered(t *testing.T) {
	inBubble(t, func(h *fixture) {
		b := h.signIn("anna")
		b.resume(nil)
		before := h.log.Appends()
		for data, want := range map[string]string{
			`{"op":"dance","id":"a"}`: "unknown", `{"op":"ready"}`: "invalid", `[`: "invalid", `{"op":"say","id":"a","chat":"x"}`: "invalid",
		} {
			b.take()
			b.client().handle(h.t.Context(), []byte(data))
			got := b.take()
			if len(got) != 1 || got[0]["type"] != "reply" || got[0]["ok"] != false || got[0]["error"].(object)["code"] != want {
				t.Errorf("%s was answered with %v", data, got)
			}
		}
		if n := h.log.Appends() - before; n != 0 {
			t.Errorf("they left %d appends", n)
		}
	})
}

func TestLimitsOfText(t *testing.T) {
	inBubble(t, func(h *fixture) {
		b := h.signIn("anna")
		b.resume(nil)
		id := h.taken(b).String()
		for want, fields := range map[string]object{
			"too-long": {"op": "say", "chat": id, "text": strings.Repeat("x", chat.MaxText+1)},
			"invalid":  {"op": "say", "chat": id, "text": ""},
		} {
			if code := b.code(fields); code != want {
				t.Errorf("the code is %q, want %q", code, want)
			}
		}
		if code := b.code(object{"op": "not-ready", "reason": strings.Repeat("x", chat.MaxName+1)}); code != "too-long" {
			t.Errorf("a long reason says %q", code)
		}
	})
}

func TestEveryKindHasItsCode(t *testing.T) {
	known := strings.Fields("invalid forbidden not-found ended conflict capacity too-long unavailable not-offered unknown too-many too-large wrong-type read-only chat-full")
	for kind := chat.Invalid; !strings.HasPrefix(kind.String(), "kind "); kind++ {
		r, _ := explain(chat.Refuse(kind, "why"))
		if !slices.Contains(known, r.Code) || r.Message != "why" {
			t.Errorf("%v: got %+v, want one of %v and the reason", kind, r, known)
		}
	}
	if r, told := explain(errors.New("secret detail")); r.Code != "unavailable" || told || strings.Contains(r.Message, "secret") {
		t.Errorf("an error from below becomes %+v, told %v", r, told)
	}
}

// What the log may hold and a conversation seldom shows.
func TestRender(t *testing.T) {
	at := time.UnixMilli(1_700_000_000_000).UTC()
	v := view{me: 7}
	var got []any
	for i, f := range []chat.Fact{
		chat.Joined{No: 1, Role: chat.RoleVisitor, Name: "Vera", Opening: &chat.Opening{FirstName: "V", Channel: "c"}},
		chat.Queued{Queue: "q"},
		chat.Bound{Channel: "d"},   // another channel without an absence
		chat.Unbound{Channel: "d"}, //
		chat.Unbound{},             // gone already
		chat.Away{},
		chat.Bound{Channel: "e"},
		chat.Offered{Agent: 7, Until: at},
		chat.Withdrawn{Agent: 7, Reason: "r"},
		chat.Missed{Agent: 7},
		chat.Declined{Agent: 7, Until: at, Reason: "r"},
		chat.Said{No: 1, Text: "x", Audience: chat.AudienceStaff},
		chat.Said{No: 9, Text: "nobody"},
		chat.Left{No: 1, Reason: chat.LeftLost},
		chat.Finished{Reason: chat.EndedGone},
		chat.Away{Reason: chat.AwayBackground, From: 3},
		chat.Subscribed{Device: chat.Device{Carrier: chat.CarrierFCM, Token: "t"}},
		chat.Unsubscribed{},
	} {
		if shape := v.feed(chat.Event{Index: int64(i + 1), At: at, Fact: f}); shape != nil {
			got = append(got, shape)
		}
	}
	vera := `"from":{"no":1,"role":"visitor","name":"Vera"}`
	ms := `"at":1700000000000`
	same(t, "rendered", mustEncode(t, got), `[
		{"index":1,`+ms+`,"type":"joined",`+vera+`,"opening":{"first":"V","last":"","email":""}},
		{"index":2,`+ms+`,"type":"queued","queue":"q"},
		{"index":4,`+ms+`,"type":"gone"},
		{"index":6,`+ms+`,"type":"away"},
		{"index":7,`+ms+`,"type":"back"},
		{"index":8,`+ms+`,"type":"offered","agent":7,"until":1700000000000,"reason":""},
		{"index":9,`+ms+`,"type":"withdrawn","agent":7,"reason":"r"},
		{"index":10,`+ms+`,"type":"missed","agent":7},
		{"index":11,`+ms+`,"type":"declined","agent":7,"reason":"r"},
		{"index":12,`+ms+`,"type":"said",`+vera+`,"text":"x","audience":"staff"},
		{"index":13,`+ms+`,"type":"said","text":"nobody"},
		{"index":14,`+ms+`,"type":"left",`+vera+`,"reason":"lost"},
		{"index":15,`+ms+`,"type":"ended","reason":"gone","by":0},
		{"index":16,`+ms+`,"type":"away","reason":"background"}]`)
}

func mustEncode(t *testing.T, v any) jsontext.Value {
	t.Helper()
	b, err := encode(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The id of a line's command is shown to its own sender only.
func TestCommandIDsStayPrivate(t *testing.T) {
	for me, want := range map[chat.StaffID]string{7: "abc", 77: "", 1: ""} {
		v := view{me: me}
		said := v.feed(chat.Event{Index: 1, Command: "s7:abc", Fact: chat.Said{No: 1, Text: "x"}}).(saidEvent)
		if said.ID != want {
			t.Errorf("agent %d sees the id %q", me, said.ID)
		}
	}
}
