package gms

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/halley-chat/halley/internal/chat"
)

func TestRESTStart(t *testing.T) {
	base := RESTPath + "support"
	json := `{"nickname":"Vera","subject":"help","userData":{"plan":"gold","n":5}}`
	for name, c := range map[string]struct {
		r    *http.Request
		name string
	}{
		"a form":                      {formRequest(base, "nickname=Vera&subject=help&userData[plan]=gold&userData[n]=5"), "Vera"},
		"a slash at the end":          {formRequest(base+"/", "nickname=Vera&subject=help&userData[plan]=gold&userData[n]=5"), "Vera"},
		"encoded brackets":            {formRequest(base+"/", "alias=&secureKey=&userId=&nickname=Vera&subject=help&userData%5Bplan%5D=gold&userData%5Bn%5D=5"), "Vera"},
		"the query":                   {httptest.NewRequest("POST", base+"?nickname=Vera&subject=help&userData%5Bplan%5D=gold&userData[n]=5", nil), "Vera"},
		"query and form":              {formRequest(base+"?nickname=Query&subject=help&userData[n]=5", "nickname=Vera&userData[plan]=gold"), "Vera"},
		"multipart":                   {multipartRequest(base, "nickname", "Vera", "subject", "help", "userData[plan]", "gold", "userData[n]", "5"), "Vera"},
		"JSON that says it is a form": {formRequest(base, " \n"+json), "Vera"},
		"JSON without a type":         {httptest.NewRequest("POST", base, strings.NewReader(json)), "Vera"},
		"first and last name":         {formRequest(base, "firstName=Vera&lastName=Klein&Subject=help&userData[plan]=gold&userData[n]=5"), "Vera Klein"},
		"userData as text":            {formRequest(base, `nickname=Vera&subject=help&userData={"plan":"gold","n":"5"}`), "Vera"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := open(t)
				p := h.restClient("support")
				n := p.send(c.r)
				if diff := cmp.Diff([]string{"1 ParticipantJoined " + c.name}, lines(n)); diff != "" || n["statusCode"] != 0.0 {
					t.Fatalf("%s %v", diff, n)
				}
				o := h.events(p.chat)[0].Fact.(chat.Joined).Opening
				if diff := cmp.Diff(map[string]string{"plan": "gold", "n": "5"}, o.Data); diff != "" || o.Subject != "help" || o.Queue != "support" {
					t.Errorf("%s %+v", diff, o)
				}
			})
		})
	}
}

// What the documented and the captured replies have, field by field.
func TestRESTReplies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		p := h.restClient("support")
		n := p.do("", "nickname", "Vera", "text", "hello?")
		user, key := n["userId"], n["secureKey"]
		want := map[string]any{
			"statusCode": 0.0, "chatEnded": false, "alias": "1", "chatId": p.chat, "userId": user, "secureKey": key, "nextPosition": 4.0,
			"messages": []any{
				map[string]any{
					"from":  map[string]any{"nickname": "Vera", "participantId": 1.0, "type": "Client"},
					"index": 1.0, "type": "ParticipantJoined", "utcTime": float64(time.Now().UnixMilli()),
				},
				map[string]any{
					"from":  map[string]any{"nickname": "Vera", "participantId": 1.0, "type": "Client"},
					"index": 2.0, "type": "Message", "text": "hello?", "utcTime": float64(time.Now().UnixMilli()),
				},
			},
		}
		if diff := cmp.Diff(want, map[string]any(n)); diff != "" || len(user.(string)) != 16 || len(p.chat) != 16 {
			t.Error(diff)
		}
		// Without a position there are no events, and a client that goes on
		// from nextPosition misses none.
		want["messages"] = []any{}
		if diff := cmp.Diff(want, map[string]any(p.do("send", "message", "one"))); diff != "" {
			t.Error(diff)
		}
		n = p.do("send", "message", "two", "messageType", "text", "eventAttributes", `{"a":{"b":1}}`, "transcriptPosition", "4")
		if diff := cmp.Diff([]string{"4 Message Vera: one", "5 Message Vera: two"}, lines(n)); diff != "" || n["nextPosition"] != 6.0 {
			t.Errorf("%s %v", diff, n)
		}
		said := n["messages"].([]any)[1].(map[string]any)
		if said["messageType"] != "text" || cmp.Diff(map[string]any{"a": map[string]any{"b": 1.0}}, said["eventAttributes"]) != "" {
			t.Errorf("%v", said)
		}
		n = p.send(formRequest(p.url("send"), `{"secureKey":"`+p.key+`","message":"three","eventAttributes":{"c":[1]},"transcriptPosition":6}`))
		if diff := cmp.Diff([]string{"6 Message Vera: three"}, lines(n)); diff != "" {
			t.Fatal(diff)
		}
		if said := n["messages"].([]any)[0].(map[string]any); cmp.Diff(map[string]any{"c": []any{1.0}}, said["eventAttributes"]) != "" {
			t.Errorf("%v", said)
		}
		n = p.do("disconnect")
		if diff := cmp.Diff([]string{"7 ParticipantLeft Vera"}, lines(n)); diff != "" || n["chatEnded"] != true || n["statusCode"] != 0.0 {
			t.Errorf("%s %v", diff, n)
		}
		want = map[string]any{
			"statusCode": 2.0, "chatEnded": true, "alias": "1", "chatId": p.chat, "userId": user, "nextPosition": 1.0, "messages": []any{},
			"errors": []any{map[string]any{"code": 249.0, "advice": "This chat has ended."}},
		}
		if diff := cmp.Diff(want, map[string]any(p.do("send", "message", "still there?"))); diff != "" || p.status != 200 {
			t.Error(diff)
		}
	})
}

// The calls as Widgets makes them, in the order in which it does.
func TestRESTWidgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		p := h.restClient("support")
		n := p.send(formRequest(RESTPath+"support/", "alias=&secureKey=&userId=&nickname=J&firstName=&lastName=&emailAddress=&subject=s&text=&userData%5BGCTI_LanguageCode%5D=en&userData%5B_genesys_widgets%5D=9.0.018.07"))
		ids := func(more string) string {
			return fmt.Sprintf("alias=%v&secureKey=%s&userId=%v%s", n["alias"], p.key, n["userId"], more)
		}
		ask := func(op, more string) []string {
			t.Helper()
			n := p.send(formRequest(p.url(op), ids(more)))
			if n["statusCode"] != 0.0 || p.status != 200 {
				t.Fatalf("%s: %d %v", op, p.status, n)
			}
			return lines(n)
		}
		refresh := func(from int) []string {
			t.Helper()
			return ask("refresh", fmt.Sprint("&transcriptPosition=", from, "&message="))
		}
		if diff := cmp.Diff([]string{"1 ParticipantJoined J"}, refresh(1)); diff != "" {
			t.Error(diff)
		}
		anna := h.agent(p.chat, 7, "Anna")
		anna(chat.Say{Text: "Hello"})
		time.Sleep(3 * time.Second)
		if diff := cmp.Diff([]string{"5 ParticipantJoined Anna", "6 Message Anna: Hello"}, refresh(2)); diff != "" {
			t.Error(diff)
		}
		if got := ask("startTyping", "&transcriptPosition=7&message=he"); cmp.Diff([]string{"7 TypingStarted J: he"}, got) != "" {
			t.Errorf("%v", got)
		}
		if got := ask("send", "&message=hello&messageType=text"); len(got) != 0 {
			t.Errorf("%v", got)
		}
		if diff := cmp.Diff([]string{"8 Message J: hello"}, refresh(8)); diff != "" {
			t.Error(diff)
		}
		time.Sleep(2 * time.Second)
		ask("stopTyping", "")
		ask("updateNickname", "&nickname=Jo")
		ask("pushUrl", "&pushUrl=https%3A%2F%2Fexample.org%2F")
		ask("updateData", "&userData%5Bk%5D=v")
		ask("customNotice", "&message=n1&eventAttributes=%7B%22purpose%22%3A%22cancel-idle-timer%22%7D")
		ask("readReceipt", "&transcriptPosition=8")
		want := []string{"9 TypingStopped J", "10 NicknameUpdated Jo", "11 PushUrl Jo: https://example.org/", "13 CustomNotice Jo: n1"}
		if diff := cmp.Diff(want, refresh(9)); diff != "" {
			t.Error(diff)
		}
		events := h.events(p.chat)
		if count[chat.DataSet](t, events) != 1 || count[chat.Seen](t, events) != 1 || count[chat.Bound](t, events) != 0 {
			t.Errorf("%v", events)
		}
		// A page that was loaded again asks from 1, when typing is long over.
		time.Sleep(20 * time.Second)
		want = []string{"1 ParticipantJoined J", "5 ParticipantJoined Anna", "6 Message Anna: Hello", "8 Message J: hello", want[1], want[2], want[3]}
		if diff := cmp.Diff(want, refresh(1)); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{"15 ParticipantLeft Jo"}, ask("disconnect", "")); diff != "" {
			t.Error(diff)
		}
	})
}

func TestRESTPositions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		p := h.polling("support")
		for i := range 3 {
			p.do("send", "message", fmt.Sprint("m", i))
		}
		all := []string{"1 ParticipantJoined Vera", "3 Message Vera: m0", "4 Message Vera: m1", "5 Message Vera: m2"}
		for _, c := range []struct {
			position string
			want     []string
		}{
			{"", nil},
			{"0", nil},
			{"what", nil},
			{"-7", nil},
			{"1", all},
			{"2", all[1:]},
			{"4", all[2:]},
			{" 5 ", all[3:]},
			{"-1", all[3:]},
			{"99", nil},
		} {
			n := p.do("refresh", "transcriptPosition", c.position)
			if diff := cmp.Diff(c.want, lines(n)); diff != "" {
				t.Errorf("%q: %s", c.position, diff)
			}
			if len(c.want) > 0 && n["nextPosition"] != 6.0 {
				t.Errorf("%q: nextPosition %v", c.position, n["nextPosition"])
			}
		}
		if n := p.send(formRequest(p.url("refresh"), "secureKey="+p.key)); len(lines(n)) != 0 || n["nextPosition"] != 6.0 {
			t.Errorf("without a position: %v", n)
		}
		p.do("send", "message", "m3")
		if n := p.do("refresh"); n["nextPosition"] != 6.0 {
			t.Errorf("what was not told is skipped: %v", n)
		}
	})
}

func TestRESTTyping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		p := h.polling("support")
		typed := func() int { return count[chat.Typed](t, h.events(p.chat)) }
		for i, c := range []struct {
			message string
			events  int
		}{
			{"", 0},
			{"he", 1},
			{"he", 1}, // nothing new
			{"hello", 2},
			{"", 2},
			{"hello", 3},
			{strings.Repeat("x", chat.MaxText+1), 3}, // too long to show, and no reason to withhold events
		} {
			n := p.do("refresh", "transcriptPosition", "-1", "message", c.message)
			if n["statusCode"] != 0.0 || typed() != c.events {
				t.Errorf("%d: %d typing events, %v", i, typed(), n)
			}
			time.Sleep(3 * time.Second)
		}
		// Faster than once a second the latest one waits for its turn.
		p.do("refresh", "message", "a")
		p.do("refresh", "message", "ab")
		p.do("refresh", "message", "abc")
		if typed() != 4 {
			t.Errorf("%d", typed())
		}
		time.Sleep(2 * time.Second)
		n := p.do("refresh", "transcriptPosition", "2", "message", "abc")
		if got := lines(n); typed() != 5 || len(got) == 0 || !strings.HasSuffix(got[len(got)-1], "TypingStarted Vera: abc") {
			t.Errorf("%d %v", typed(), got)
		}
		// What was sent is not being typed any more.
		p.do("send", "message", "abc")
		time.Sleep(2 * time.Second)
		p.do("refresh", "message", "abc")
		if typed() != 6 {
			t.Errorf("%d", typed())
		}
	})
}
