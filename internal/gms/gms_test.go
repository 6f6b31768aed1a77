package gms

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/halley-chat/halley/bayeux/bayeuxtest"
	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
)

func TestConversation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		v := h.visitor("support", nil)
		got := v.do("requestChat", map[string]any{"nickname": "Vera", "subject": "help", "text": "hello?", "userData": map[string]any{"plan": "gold", "n": 5}})
		if diff := cmp.Diff([]string{"1 ParticipantJoined Vera", "2 Message Vera: hello?"}, lines(got...)); diff != "" {
			t.Fatal(diff)
		}
		n := got[0]
		if len(got) != 1 || n["statusCode"] != 0.0 || n["chatEnded"] != false || n["nextPosition"] != 4.0 || n["errors"] != nil {
			t.Errorf("%v", n)
		}
		if len(v.chat) != 16 || len(n["userId"].(string)) != 16 || len(v.key) < 40 {
			t.Errorf("identity %v", n)
		}
		first := n["messages"].([]any)[0].(map[string]any)
		if diff := cmp.Diff(map[string]any{"nickname": "Vera", "participantId": 1.0, "type": "Client"}, first["from"]); diff != "" {
			t.Error(diff)
		}
		if first["utcTime"] != float64(time.Now().UnixMilli()) {
			t.Errorf("utcTime %v", first["utcTime"])
		}

		anna := h.agent(v.chat, 7, "Anna")
		if diff := cmp.Diff([]string{"6 ParticipantJoined Anna"}, lines(v.wait())); diff != "" {
			t.Error(diff)
		}
		anna(chat.Type{On: true, Preview: "Hel"})
		anna(chat.Say{Text: "Hello Vera"})
		if diff := cmp.Diff([]string{"7 TypingStarted Anna", "8 Message Anna: Hello Vera"}, lines(v.wait(), v.wait())); diff != "" {
			t.Error(diff)
		}
		got = v.do("startTyping", map[string]any{"message": "thank"})
		got = append(got, v.do("sendMessage", map[string]any{"message": "thanks", "messageType": "text", "eventAttributes": map[string]any{"a": map[string]any{"b": 1}}})...)
		if diff := cmp.Diff([]string{"9 TypingStarted Vera: thank", "10 Message Vera: thanks"}, lines(got...)); diff != "" {
			t.Error(diff)
		}
		said := got[1]["messages"].([]any)[0].(map[string]any)
		if said["messageType"] != "text" || cmp.Diff(map[string]any{"a": map[string]any{"b": 1.0}}, said["eventAttributes"]) != "" {
			t.Errorf("%v", said)
		}
		if data := h.events(v.chat)[0].Fact.(chat.Joined).Opening.Data; data["plan"] != "gold" || data["n"] != "5" {
			t.Errorf("userData %v", data)
		}
		got = v.do("disconnect", nil)
		if diff := cmp.Diff([]string{"11 ParticipantLeft Vera"}, lines(got...)); diff != "" || got[0]["chatEnded"] != true || got[0]["secureKey"] != nil {
			t.Errorf("%s %v", diff, got)
		}
	})
}

func TestTheOtherOperations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		v := h.chatting("support")
		anna := h.agent(v.chat, 7, "Anna")
		v.wait()
		got := v.do("updateNickname", map[string]any{"nickname": "Vera K"})
		got = append(got, v.do("pushUrl", map[string]any{"pushUrl": "https://example.org/a"})...)
		got = append(got, v.do("customNotice", map[string]any{"message": "n1", "eventAttributes": map[string]any{"purpose": "cancel-idle-timer"}})...)
		anna(chat.Push{URL: "https://example.org/b"})
		got = append(got, v.wait())
		want := []string{"6 NicknameUpdated Vera K", "7 PushUrl Vera K: https://example.org/a", "8 CustomNotice Vera K: n1", "9 PushUrl Anna: https://example.org/b"}
		if diff := cmp.Diff(want, lines(got...)); diff != "" {
			t.Error(diff)
		}
		// These two change nothing that a visitor could see, and say so.
		for op, fields := range map[string]map[string]any{
			"updateData":  {"userData": map[string]any{"k": "v", "n": 5}},
			"readReceipt": {"transcriptPosition": "8"},
		} {
			got := v.do(op, fields)
			if len(got) != 1 || got[0]["statusCode"] != 0.0 || len(lines(got...)) != 0 || got[0]["nextPosition"] != 10.0 {
				t.Errorf("%s: %v", op, got)
			}
		}
		var data map[string]string
		var seen int64
		for _, e := range h.events(v.chat) {
			switch f := e.Fact.(type) {
			case chat.DataSet:
				data = f.Data
			case chat.Seen:
				seen = f.Upto
			}
		}
		if diff := cmp.Diff(map[string]string{"k": "v", "n": "5"}, data); diff != "" || seen != 8 {
			t.Errorf("%s, read up to %d", diff, seen)
		}
		// refresh answers as requestNotifications does.
		if diff := cmp.Diff([]string{want[3]}, lines(v.do("refresh", map[string]any{"transcriptPosition": -1})...)); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(want[1:], lines(v.do("refresh", map[string]any{"transcriptPosition": 7})...)); diff != "" {
			t.Error(diff)
		}
		for op, fields := range map[string]map[string]any{
			"updateNickname": {"nickname": " "},
			"pushUrl":        {"pushUrl": "javascript:alert(1)"},
			"customNotice":   {"message": strings.Repeat("x", chat.MaxText+1)},
		} {
			if got := v.do(op, fields); len(got) != 1 || got[0]["statusCode"] != 2.0 {
				t.Errorf("%s: %v", op, got)
			}
		}
	})
}

func TestAgentEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		v := h.chatting("support")
		anna := h.agent(v.chat, 7, "Anna")
		v.wait()
		anna(chat.End{})
		n := v.wait()
		if diff := cmp.Diff([]string{"6 ParticipantLeft Anna"}, lines(n)); diff != "" || n["chatEnded"] != true || n["statusCode"] != 0.0 {
			t.Errorf("%s %v", diff, n)
		}
		for _, op := range []string{"sendMessage", "startTyping", "disconnect"} {
			before := len(h.events(v.chat))
			got := v.do(op, map[string]any{"message": "still there?"})
			if len(got) != 1 || got[0]["statusCode"] != 2.0 || got[0]["chatEnded"] != true || got[0]["errors"] == nil {
				t.Errorf("%s after the end: %v", op, got)
			}
			if len(h.events(v.chat)) != before {
				t.Errorf("%s after the end changed the log", op)
			}
		}
		// Reading goes on for a day, and always shows an event.
		for from, want := range map[any][]string{
			1:    {"1 ParticipantJoined Vera", "5 ParticipantJoined Anna", "6 ParticipantLeft Anna"},
			"6":  {"6 ParticipantLeft Anna"},
			-1:   {"6 ParticipantLeft Anna"},
			4000: {"6 ParticipantLeft Anna"},
		} {
			got := v.do("requestNotifications", map[string]any{"transcriptPosition": from})
			if len(got) != 1 || got[0]["statusCode"] != 0.0 || got[0]["chatEnded"] != true || got[0]["secureKey"] != nil {
				t.Fatalf("from %v: %v", from, got)
			}
			if diff := cmp.Diff(want, lines(got...)); diff != "" {
				t.Errorf("from %v: %s", from, diff)
			}
		}
		time.Sleep(24*time.Hour + time.Second)
		w := h.visitor("support", nil)
		w.key = v.key
		if got := w.do("requestNotifications", nil); got[0]["statusCode"] != 2.0 || got[0]["chatEnded"] != true {
			t.Errorf("a day later: %v", got)
		}
	})
}

func TestPositions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		v := h.chatting("support")
		for i := range 3 {
			v.do("sendMessage", map[string]any{"message": fmt.Sprint("m", i)})
		}
		all := []string{"1 ParticipantJoined Vera", "3 Message Vera: m0", "4 Message Vera: m1", "5 Message Vera: m2"}
		for _, c := range []struct {
			position any
			want     []string
		}{
			{nil, all},
			{"", all},
			{0, all},
			{1, all},
			{"1", all},
			{"what", all},
			{2, all[1:]},
			{"4", all[2:]},
			{-1, all[3:]},
			{99, nil},
		} {
			fields := map[string]any{"message": ""}
			if c.position != nil {
				fields["transcriptPosition"] = c.position
			}
			got := v.do("requestNotifications", fields)
			if len(got) != 1 || got[0]["statusCode"] != 0.0 || got[0]["chatEnded"] != false || got[0]["nextPosition"].(float64) < 6 {
				t.Fatalf("%v: %v", c.position, got)
			}
			if diff := cmp.Diff(c.want, lines(got...)); diff != "" {
				t.Errorf("%v: %s", c.position, diff)
			}
		}
	})
}

func TestAnEmptyKeyMeansTheSessionsOwnChat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		v := h.chatting("support")
		v.key = ""
		if diff := cmp.Diff([]string{"3 Message Vera: hi"}, lines(v.do("sendMessage", map[string]any{"message": "hi", "secureKey": ""})...)); diff != "" {
			t.Error(diff)
		}
		other := h.visitor("support", nil)
		if got := other.do("sendMessage", map[string]any{"message": "hi", "secureKey": ""}); got[0]["statusCode"] != 2.0 {
			t.Errorf("%v", got)
		}
	})
}

func TestRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		mine, other := h.chatting("support"), h.chatting("support")
		before := len(h.events(mine.chat))
		forged := []byte(mine.key)
		forged[len(forged)-3] ^= 1
		for name, c := range map[string]struct {
			operation string
			fields    map[string]any
			code      float64
		}{
			"no operation":      {"", nil, codeRefused},
			"unknown operation": {"becomeAgent", nil, codeRefused},
			"no key":            {"sendMessage", map[string]any{"secureKey": "x", "message": "m"}, codeRefused},
			"a forged key":      {"sendMessage", map[string]any{"secureKey": string(forged), "message": "m"}, codeRefused},
			"a forged key, end": {"disconnect", map[string]any{"secureKey": string(forged)}, codeRefused},
			"no text":           {"sendMessage", map[string]any{"message": ""}, codeRefused},
			"a number as text":  {"sendMessage", map[string]any{"message": 5}, codeRefused},
			"a long text":       {"sendMessage", map[string]any{"message": strings.Repeat("x", chat.MaxText+1)}, codeTooLong},
			"a long id":         {"sendMessage", map[string]any{"message": "m", "eventAttributes": map[string]any{"halley-id": strings.Repeat("x", 65)}}, codeRefused},
		} {
			got := mine.do(c.operation, c.fields)
			if len(got) != 1 || got[0]["statusCode"] != 2.0 || len(got[0]["messages"].([]any)) != 0 {
				t.Errorf("%s: %v", name, got)
				continue
			}
			e := got[0]["errors"].([]any)[0].(map[string]any)
			if advice, _ := e["advice"].(string); e["code"] != c.code || advice == "" || strings.ContainsAny(advice, "<>&") {
				t.Errorf("%s: %v", name, e)
			}
			if len(h.events(mine.chat)) != before || len(h.events(other.chat)) != before {
				t.Fatalf("%s changed a log", name)
			}
		}
		if n := h.edge.Stats().WrongKeys.Load(); n != 3 {
			t.Errorf("%d wrong keys counted", n)
		}
		// Data that is no operation fails the publish itself.
		for data, want := range map[string]string{
			`{"operation":"sendMessage","secureKey":"a","secureKey":"b","message":"m"}`: "400::duplicate_key",
			`[]`:  "400::data_invalid",
			`"x"`: "400::data_invalid",
		} {
			f := mine.Ask(`[{"channel":"/service/chatV2/support","clientId":"$","id":"1","data":` + data + `}]`)
			if f[0]["error"] != want || f[0]["successful"] != false {
				t.Errorf("%s: %v", data, f)
			}
		}
		nobody := h.visitor("nothing", nil)
		if got := nobody.do("requestChat", map[string]any{"nickname": "x"}); got[0].At("statusCode") != 2.0 || got[0]["errors"].([]any)[0].(map[string]any)["code"] != 306.0 {
			t.Errorf("unknown service: %v", got)
		}
		if f := nobody.Ask(`[{"channel":"/room","clientId":"$","id":"1","data":1},{"channel":"/meta/subscribe","clientId":"$","id":"2","subscription":"/room"},{"channel":"/meta/subscribe","clientId":"$","id":"3","subscription":"/service/chatV2/nothing"}]`); f[0]["successful"] != false || f[1]["successful"] != false || f[2]["successful"] != true {
			t.Errorf("broadcasts: %v", f)
		}
	})
}

// A repeat of a message under its id happens once and is shown again.
func TestRepeatedMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		v := h.chatting("support")
		m := map[string]any{"message": "once", "eventAttributes": map[string]any{"halley-id": "abc"}}
		first, second := v.do("sendMessage", m), v.do("sendMessage", m)
		if diff := cmp.Diff(first, second); diff != "" || len(h.events(v.chat)) != 3 {
			t.Errorf("%s, %d events", diff, len(h.events(v.chat)))
		}
	})
}

func TestTheStoreIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		v := h.chatting("support")
		h.log.Fail(func(engine.Append) error { return errors.New("no space left") })
		start := time.Now()
		got := v.do("sendMessage", map[string]any{"message": "m"})
		if len(got) != 1 || got[0]["statusCode"] != 1.0 || got[0]["chatEnded"] != false || time.Since(start) > 8*time.Second {
			t.Errorf("after %v: %v", time.Since(start), got)
		}
		// A store that does not answer at all is told of in time as well.
		h.log.Fail(nil)
		release := h.log.Hold()
		start = time.Now()
		got = v.do("sendMessage", map[string]any{"message": "slow", "eventAttributes": map[string]any{"halley-id": "s"}})
		if len(got) != 1 || got[0]["statusCode"] != 1.0 || time.Since(start) > 8*time.Second {
			t.Errorf("after %v: %v", time.Since(start), got)
		}
		release()
		synctest.Wait()
		got = v.do("sendMessage", map[string]any{"message": "slow", "eventAttributes": map[string]any{"halley-id": "s"}})
		var texts []string
		for _, e := range h.events(v.chat) {
			if s, ok := e.Fact.(chat.Said); ok {
				texts = append(texts, s.Text)
			}
		}
		if diff := cmp.Diff([]string{"slow"}, texts); diff != "" || len(lines(got...)) == 0 {
			t.Errorf("%s %v", diff, got)
		}
	})
}

func TestAwayAndGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		v := h.chatting("support")
		v.Send(`{"channel":"/meta/disconnect","clientId":"$","id":"d"}`)
		start := time.Now()
		id, err := chat.ParseID(v.chat)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		ended := make(chan chat.Summary, 1)
		stop := h.engine.Board().Watch(func(s chat.Summary) {
			if s.Chat == id && !s.Live() {
				ended <- s
			}
		})
		defer stop.Close()
		time.Sleep(11 * time.Second)
		if s, _ := h.engine.Board().Get(id); !s.Away {
			t.Error("not away after 11 s")
		}
		<-ended
		if d := time.Since(start); d < 45*time.Second || d > 46*time.Second {
			t.Errorf("gone after %v", d)
		}
		var kinds []string
		for _, e := range h.events(v.chat) {
			kinds = append(kinds, fmt.Sprintf("%T", e.Fact))
		}
		if diff := cmp.Diff([]string{"chat.Joined", "chat.Queued", "chat.Unbound", "chat.Away", "chat.Left", "chat.Finished"}, kinds); diff != "" {
			t.Error(diff)
		}
	})
}

// A lost connection is not a lost session, and a restart of the server is not
// a lost chat.
func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		v := h.chatting("support")
		v.do("sendMessage", map[string]any{"message": "before"})
		h.restart()
		w := h.visitor("support", nil)
		w.key = v.key
		got := w.do("requestNotifications", map[string]any{"transcriptPosition": 1})
		got = append(got, w.do("sendMessage", map[string]any{"message": "after"})...)
		if diff := cmp.Diff([]string{"1 ParticipantJoined Vera", "3 Message Vera: before", "6 Message Vera: after"}, lines(got...)); diff != "" {
			t.Error(diff)
		}
		time.Sleep(80 * time.Second) // longer than a visitor may be away
		id, err := chat.ParseID(v.chat)
		if err != nil {
			t.Fatal(err)
		}
		if s, ok := h.engine.Board().Get(id); !ok || s.Away {
			t.Errorf("the visitor who came back is away: %v %v", s, ok)
		}
	})
}

func TestDrainRefusesNewChats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		v, w := h.chatting("support"), h.visitor("support", nil)
		v.Send(`{"channel":"/meta/connect","clientId":"$","connectionType":"websocket","id":"c"}`)
		synctest.Wait()
		h.edge.Drain(3 * time.Second)
		f := v.Read()
		if f[0]["id"] != "c" || f[0].At("advice", "reconnect") != "retry" || f[0].At("advice", "interval").(float64) > 3000 {
			t.Errorf("%v", f)
		}
		got := w.do("requestChat", map[string]any{"nickname": "x"})
		if got[0]["statusCode"] != 2.0 || got[0]["errors"].([]any)[0].(map[string]any)["code"] != 240.0 {
			t.Errorf("%v", got)
		}
		if diff := cmp.Diff([]string{"3 Message Vera: still"}, lines(v.do("sendMessage", map[string]any{"message": "still"})...)); diff != "" {
			t.Error(diff)
		}
	})
}

// A cookie's value that the server has not made ties no chat, and is replaced.
func TestForgedBrowserCookies(t *testing.T) {
	made := browserCookie("c")
	for name, value := range map[string]string{
		"of an earlier version": strings.Repeat("c", 26),
		"another signature":     made[:len(made)-1] + "_",
		"another name":          "d" + made[1:],
		"no name":               made[browserName:],
		"longer":                made + "x",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := open(t)
				v := h.visitor("support", cookieOf(value, "http://memory"))
				v.do("requestChat", map[string]any{"nickname": "Vera"})
				planted := h.net.Socket(t, cookieOf(value, "http://memory"))
				if key := planted.Ask(`{"channel":"/meta/handshake"}`)[0]["secureKey"]; key != nil {
					t.Errorf("got the key %v for the planted cookie, want none", key)
				}
				fresh, err := http.ParseSetCookie(v.Header.Get("Set-Cookie"))
				if err != nil {
					t.Fatalf("got the cookie %q: %v", v.Header.Get("Set-Cookie"), err)
				}
				own := h.net.Socket(t, cookieOf(fresh.Value, "http://memory"))
				if key := own.Ask(`{"channel":"/meta/handshake"}`)[0]["secureKey"]; key != any(v.key) {
					t.Errorf("got the key %v for the cookie that replaced it, want %s", key, v.key)
				}
			})
		})
	}
}

// The key of a live chat goes to a browser whose cookie is known, but never to
// a page that has no business with it.
func TestKeyInTheHandshake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		v := h.visitor("support", http.Header{"Origin": {"http://memory"}})
		cookie, err := http.ParseSetCookie(v.Header.Get("Set-Cookie"))
		if err != nil {
			t.Fatal(err)
		}
		v.do("requestChat", map[string]any{"nickname": "Vera"})
		ask := func(origin, cookie string) any {
			header := http.Header{}
			if origin != "" {
				header.Set("Origin", origin)
			}
			if cookie != "" {
				header.Set("Cookie", bayeuxtest.Cookie+"="+cookie)
			}
			overSocket := h.net.Socket(t, header).Ask(`{"channel":"/meta/handshake"}`)[0]["secureKey"]
			web := h.net.Client()
			defer web.CloseIdleConnections()
			_, _, f := h.net.Post(context.Background(), t, web, header, "", `{"channel":"/meta/handshake"}`)
			if f[0]["secureKey"] != overSocket {
				t.Errorf("origin %q: the transports differ", origin)
			}
			return overSocket
		}
		for _, c := range []struct {
			origin, cookie string
			told           bool
		}{
			{"http://memory", cookie.Value, true},
			{"https://shop.example", cookie.Value, true},
			{"https://evil.example", cookie.Value, false}, // only the service "open" lets it in at all
			{"null", cookie.Value, false},
			{"", cookie.Value, false},
			{"http://memory", "", false},
			{"http://memory", browserCookie("a"), false},
			{"http://memory.evil.example", cookie.Value, false},
		} {
			key := ask(c.origin, c.cookie)
			if told := key == any(v.key); told != c.told || !told && key != nil {
				t.Errorf("origin %q, cookie %q: key %v", c.origin, c.cookie, key)
			}
		}
		// After a restart the cookie is still known.
		h.restart()
		if ask("http://memory", cookie.Value) != any(v.key) {
			t.Error("forgotten by a restart")
		}
		// With two live chats of one browser nobody can say which one is meant.
		w := h.visitor("support", http.Header{"Origin": {"http://memory"}, "Cookie": {bayeuxtest.Cookie + "=" + cookie.Value}})
		w.do("requestChat", map[string]any{"nickname": "Vera"})
		if key := ask("http://memory", cookie.Value); key != nil {
			t.Errorf("two chats: %v", key)
		}
		w.do("disconnect", nil)
		if key := ask("http://memory", cookie.Value); key != any(v.key) {
			t.Errorf("one chat again: %v", key)
		}
	})
}

func TestOrigins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		for _, c := range []struct {
			origin, service string
			ok              bool
		}{
			{"https://evil.example", "support", false},
			{"https://evil.example", "open", true},
			{"null", "support", true},
			{"https://shop.example", "support", true},
			{"http://memory", "support", true},
			{"", "support", true},
		} {
			header := http.Header{}
			if c.origin != "" {
				header.Set("Origin", c.origin)
			}
			got := h.visitor(c.service, header).do("requestChat", map[string]any{"nickname": "x"})
			if ok := got[0]["statusCode"] == 0.0; ok != c.ok {
				t.Errorf("%+v: %v", c, got)
			}
		}
	})
}

// A requestChat whose outcome was not known leaves no chat behind that seems
// to be listened to for ever.
func TestAnOrphanedChatIsLetGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		v := h.visitor("support", nil)
		release := h.log.Hold()
		got := v.do("requestChat", map[string]any{"nickname": "Vera"})
		if got[0]["statusCode"] != 1.0 {
			t.Fatalf("%v", got)
		}
		release()
		synctest.Wait()
		if n := h.engine.Board().Len(); n > 1 {
			t.Fatalf("%d chats", n)
		}
		time.Sleep(46 * time.Second)
		if n := h.engine.Board().Len(); n != 0 {
			t.Errorf("%d chats are still there", n)
		}
	})
}
