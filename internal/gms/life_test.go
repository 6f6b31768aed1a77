package gms

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/halley-chat/halley/bayeux/bayeuxtest"
	"github.com/halley-chat/halley/internal/chat"
)

// allFeaturesRules are the usual rules for all services but those called featureAction and
// stays.
func allFeaturesRules(service string) chat.Rules {
	r := chat.DefaultRules()
	if service == "stays" {
		r.Abandon = chat.AbandonStays
	}
	if service == "one-async" {
		r.Life = chat.Life{
			Idle: chat.Idle{
				Alert: 255 * time.Second, Alert2: 30 * time.Second, Close: 45 * time.Second,
				AlertText: "still there?", Alert2Text: "hello?", CloseText: "good bye",
			},
			House: "Shop", Welcome: "Welcome!",
			Survey: chat.Survey{URL: "https://shop.example/s?a=1&b=2", Cancel: "https://shop.example/n"},
			Mask:   chat.NewMask(true, []*regexp.Regexp{regexp.MustCompile("geheim")}, 0),
		}
	}
	if service == "mixed" {
		mixedRules(&r)
	}
	return r
}

// last is the last event of a notification.
func last(t testing.TB, n bayeuxtest.Frame) bayeuxtest.Frame {
	t.Helper()
	list := n["messages"].([]any)
	if len(list) == 0 {
		t.Fatalf("no events: %v", n)
	}
	return bayeuxtest.Frame(list[len(list)-1].(map[string]any))
}

var theHouse = map[string]any{"nickname": "Shop", "participantId": 2.0, "type": "External"}

func TestWelcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		v := h.visitor("one-async", nil)
		got := v.do("requestChat", map[string]any{"nickname": "Vera", "text": "hello?"})
		// The house's coming takes an index and is not shown.
		want := []string{"1 ParticipantJoined Vera", "2 Message Vera: hello?", "4 Message Shop: Welcome!"}
		if diff := cmp.Diff(want, lines(got...)); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(theHouse, last(t, got[0])["from"]); diff != "" {
			t.Error(diff)
		}
		h.agent(v.chat, 7, "Anna")
		if diff := cmp.Diff(map[string]any{"nickname": "Anna", "participantId": 3.0, "type": "Agent"}, last(t, v.wait())["from"]); diff != "" {
			t.Error(diff)
		}
		p := h.polling("one-async")
		if diff := cmp.Diff([]string{"1 ParticipantJoined Vera", "3 Message Shop: Welcome!"}, lines(p.do("refresh", "transcriptPosition", "1"))); diff != "" {
			t.Errorf("over REST: %s", diff)
		}
	})
}

// alerted is a chat with an agent in it, in which the first alert stands.
func alerted(h *fixture) (v *visitor, anna func(chat.Action), alert bayeuxtest.Frame) {
	h.t.Helper()
	v = h.chatting("one-async")
	anna = h.agent(v.chat, 7, "Anna")
	v.wait()
	v.stay()
	return v, anna, v.wait()
}

// stay keeps the session alive for longer than one without a connect lives.
func (v *visitor) stay() {
	v.stays = true
	v.connect()
}

func (v *visitor) connect() {
	v.Send(`[{"channel":"/meta/connect","clientId":"$","connectionType":"websocket","id":"c"}]`)
}

// leave ends the session.
func (v *visitor) leave() {
	v.Send(`[{"channel":"/meta/disconnect","clientId":"$","id":"d"}]`)
	synctest.Wait()
}

func TestIdleAlertAndClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		start := time.Now()
		v, _, n := alerted(h)
		e := last(t, n)
		if diff := cmp.Diff([]string{"8 IdleAlert Shop: still there?"}, lines(n)); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(map[string]any{"next-idle-timer-type": "CLOSE", "next-idle-timer-secs": "75"}, e["userData"]); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(theHouse, e["from"]); diff != "" || time.Since(start) != 255*time.Second || n["idleTimerExpire"] != nil || n["chatEnded"] != false {
			t.Errorf("after %v: %s %v", time.Since(start), diff, n)
		}
		n = v.wait()
		if diff := cmp.Diff(map[string]any{"next-idle-timer-type": "CLOSE", "next-idle-timer-secs": "45"}, last(t, n)["userData"]); diff != "" || last(t, n)["text"] != "hello?" {
			t.Error(diff, n)
		}
		n = v.wait()
		if diff := cmp.Diff([]string{"10 IdleClose Shop: good bye"}, lines(n)); diff != "" || n["chatEnded"] != true || n["secureKey"] != nil {
			t.Error(diff, n)
		}
		if got := time.Since(start); got != 330*time.Second {
			t.Errorf("the chat was closed after %v", got)
		}
		events := h.events(v.chat)
		if f, ok := events[len(events)-1].Fact.(chat.Finished); !ok || f.Reason != chat.EndedIdle {
			t.Errorf("the log ends with %+v", events[len(events)-1])
		}
		// Whoever reads it later reads the same.
		if diff := cmp.Diff([]string{"10 IdleClose Shop: good bye"}, lines(v.do("requestNotifications", map[string]any{"transcriptPosition": 10})...)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestIdleTimerExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		v, anna, _ := alerted(h)
		time.Sleep(9500 * time.Millisecond)
		for _, op := range []string{"requestNotifications", "refresh"} {
			if n := v.do(op, map[string]any{"transcriptPosition": 8}); len(n) != 1 || n[0]["idleTimerExpire"] != 66.0 || last(t, n[0])["type"] != "IdleAlert" {
				t.Errorf("%s: %v", op, n)
			}
		}
		p := h.restClient("one-async")
		p.key, p.chat = v.key, v.chat
		if n := p.do("refresh", "transcriptPosition", "8"); n["idleTimerExpire"] != 66.0 {
			t.Errorf("over REST: %v", n)
		}
		anna(chat.Say{Text: "I am still looking"})
		v.wait()
		if n := v.do("requestNotifications", map[string]any{"transcriptPosition": 9}); n[0]["idleTimerExpire"] != nil {
			t.Errorf("after a line: %v", n)
		}
		if n := p.do("refresh", "transcriptPosition", "8"); n["idleTimerExpire"] != nil {
			t.Errorf("after a line, over REST: %v", n)
		}
	})
}

func TestCancelIdleTimer(t *testing.T) {
	for name, fields := range map[string]map[string]any{
		"cancelled": {"message": "", "eventAttributes": map[string]any{"purpose": "cancel-idle-timer"}},
		"another":   {"message": "cancel-idle-timer", "eventAttributes": map[string]any{"purpose": "x"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := open(t)
				v, _, _ := alerted(h)
				time.Sleep(9 * time.Second)
				n := v.do("customNotice", fields)
				if len(n) != 1 || last(t, n[0])["type"] != "CustomNotice" {
					t.Fatalf("%v", n)
				}
				sum, _ := h.summary(v.chat)
				want := time.Now().Add(255 * time.Second)
				if name == "another" {
					want = time.Now().Add(21 * time.Second) // the second alert
				}
				if !sum.Deadline.Equal(want) || sum.Closing.IsZero() != (name == "cancelled") {
					t.Errorf("the deadline is in %v, the chat closes at %v", time.Until(sum.Deadline), sum.Closing)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		p := h.polling("one-async")
		h.agent(p.chat, 7, "Anna")
		time.Sleep(30 * time.Second)
		p.do("customNotice", "message", "", "eventAttributes", `{"purpose":"cancel-idle-timer"}`)
		if sum, _ := h.summary(p.chat); time.Until(sum.Deadline) != 255*time.Second {
			t.Errorf("over REST: the deadline is in %v", time.Until(sum.Deadline))
		}
	})
}

func TestSurvey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		v := h.chatting("one-async")
		anna := h.agent(v.chat, 7, "Anna")
		v.wait()
		anna(chat.End{})
		n := v.wait()
		list := n["messages"].([]any)
		if len(list) != 2 || n["chatEnded"] != true {
			t.Fatalf("%v", n)
		}
		offer := list[0].(map[string]any)
		want := map[string]any{"nickname": "_GCTI_GSS", "participantId": 4.0, "type": "External"}
		if diff := cmp.Diff(want, offer["from"]); diff != "" || offer["type"] != "CustomNotice" {
			t.Error(diff, offer)
		}
		var text map[string]string
		if err := json.Unmarshal([]byte(offer["text"].(string)), &text); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[string]string{"Survey_URL": "https://shop.example/s?a=1&b=2", "Cancel_URL": "https://shop.example/n"}, text); diff != "" {
			t.Error(diff)
		}
		if list[1].(map[string]any)["type"] != "ParticipantLeft" {
			t.Errorf("%v", list[1])
		}
	})
}

func TestAsyncChat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		ask := map[string]any{"nickname": "Vera", "userData": map[string]any{"GCTI_Chat_AsyncMode": "true"}}
		// Where the service does not allow it, the chat is like any other.
		live := h.visitor("support", nil)
		live.do("requestChat", ask)
		v := h.visitor("one-async", nil)
		v.do("requestChat", ask)
		anna := h.agent(v.chat, 7, "Anna")
		v.wait()
		live.leave()
		v.leave()
		time.Sleep(10 * time.Minute)
		if _, ok := h.summary(live.chat); ok {
			t.Error("a live chat survives without its visitor")
		}
		anna(chat.Hold{})
		time.Sleep(20 * time.Hour)
		h.restart()
		w := h.visitor("one-async", nil)
		w.key = v.key
		n := w.do("refresh", map[string]any{"transcriptPosition": -1, "message": ""})
		if diff := cmp.Diff([]string{"10 ParticipantLeft Anna"}, lines(n...)); diff != "" || n[0]["chatEnded"] != false {
			t.Fatal(diff, n)
		}
		w.do("sendMessage", map[string]any{"message": "me again"})
		if sum, ok := h.summary(v.chat); !ok || sum.Phase != chat.PhaseWaiting || sum.Prefer != 7 {
			t.Errorf("after a line the chat is %+v", sum)
		}
		w.leave()
		time.Sleep(24*time.Hour + 59*time.Minute)
		if sum, ok := h.summary(v.chat); !ok || sum.Closing.IsZero() {
			t.Errorf("a day later the chat is %+v", sum)
		}
		time.Sleep(2 * time.Minute)
		if _, ok := h.summary(v.chat); ok {
			t.Error("the chat lives although nobody came")
		}
		x := h.visitor("one-async", nil)
		x.key = v.key
		got := lines(x.do("requestNotifications", map[string]any{"transcriptPosition": 1})...)
		if l := len(got); l == 0 || !strings.HasSuffix(got[l-1], "IdleClose Shop: ") {
			t.Errorf("what is left to read ends with %v", got)
		}
	})
}

func TestMasking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		v := h.visitor("one-async", nil)
		v.do("requestChat", map[string]any{"nickname": "Vera", "subject": "4111 1111 1111 1111", "text": "geheim"})
		anna := h.agent(v.chat, 7, "Anna")
		v.wait()
		anna(chat.Say{Text: "is it 4111-1111-1111-1111?"})
		got := []bayeuxtest.Frame{v.wait()}
		got = append(got, v.do("startTyping", map[string]any{"message": "no, 4222222222"})...)
		got = append(got, v.do("sendMessage", map[string]any{"message": "no, 4222222222222"})...)
		got = append(got, v.do("customNotice", map[string]any{"message": "4222222222222"})...)
		got = append(got, v.do("updateNickname", map[string]any{"nickname": "4222222222222"})...)
		want := []string{
			"9 Message Anna: is it ****-****-****-****?", "10 TypingStarted Vera: no, **********", "11 Message Vera: no, *************",
			"12 CustomNotice Vera: *************", "13 NicknameUpdated *************",
		}
		if diff := cmp.Diff(want, lines(got...)); diff != "" {
			t.Error(diff)
		}
		for _, e := range h.events(v.chat) {
			body, err := e.Encode()
			if err != nil || strings.Contains(string(body), "1111") || strings.Contains(string(body), "2222") || strings.Contains(string(body), "geheim") {
				t.Errorf("stored is %s, %v", body, err)
			}
		}
	})
}

// Lines for somebody in particular are shown to no visitor, neither as they
// come nor in what is read back, on either side of the API.
func TestLinesForStaffStayInTheHouse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		v := h.chatting("support")
		anna := h.agent(v.chat, 7, "Anna")
		v.wait()
		p := h.restClient("support")
		p.key, p.chat = v.key, v.chat
		p.do("refresh", "transcriptPosition", "1")
		anna(chat.Say{Text: "psst, all", Audience: chat.AudienceStaff})
		anna(chat.Say{Text: "psst, me", Audience: chat.AudiencePrivate, Only: []int{2}})
		anna(chat.Say{Text: "Hello Vera"})
		got := []bayeuxtest.Frame{v.wait()}
		if diff := cmp.Diff([]string{"8 Message Anna: Hello Vera"}, lines(got...)); diff != "" {
			t.Errorf("live: %s", diff)
		}
		got = append(got, v.do("requestNotifications", map[string]any{"transcriptPosition": 1})...)
		got = append(got, v.do("refresh", map[string]any{"transcriptPosition": 6})...)
		got = append(got, p.do("refresh", "transcriptPosition", "6"), p.do("send", "message", "hi", "transcriptPosition", "1"))
		anna(chat.Say{Text: "psst, at the end", Audience: chat.AudienceStaff})
		anna(chat.End{})
		got = append(got, v.wait(), v.wait())
		got = append(got, p.do("refresh", "transcriptPosition", "1"), p.do("refresh", "transcriptPosition", "-1"))
		got = append(got, v.do("requestNotifications", map[string]any{"transcriptPosition": 1})...)
		for _, n := range got {
			b, err := json.Marshal(n)
			if err != nil || strings.Contains(string(b), "psst") || len(n["messages"].([]any)) == 0 {
				t.Errorf("a visitor is shown %s, %v", b, err)
			}
		}
	})
}

func TestBotsAreExternal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		v := h.chatting("support")
		id, err := chat.ParseID(v.chat)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []chat.Command{
			{Do: chat.Offer{Agent: 9, Name: "Robbie", Role: chat.RoleBot, Until: time.Now().Add(time.Minute), Capacity: 9}},
			{By: chat.Staff(9), Do: chat.Accept{}},
			{By: chat.Staff(9), Do: chat.Notify{Text: "n"}},
		} {
			if _, err := h.engine.Do(t.Context(), id, c); err != nil {
				t.Fatal(err)
			}
		}
		v.wait()
		n := v.wait()
		if diff := cmp.Diff(map[string]any{"nickname": "Robbie", "participantId": 2.0, "type": "External"}, last(t, n)["from"]); diff != "" || last(t, n)["type"] != "CustomNotice" {
			t.Error(diff, n)
		}
	})
}

// A chat that its visitor leaves to the agents is over for the visitor, on
// either side of the API, and whoever reads it later does not see what became
// of it.
func TestAbandonedChat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		v := h.visitor("stays", http.Header{"Origin": {"http://memory"}})
		v.do("requestChat", map[string]any{"nickname": "Vera", "text": "help"})
		sum, _ := h.summary(v.chat)
		known := func() int { return len(h.engine.Board().ByBrowser(sum.Browser)) }
		if sum.Browser == "" || known() != 1 {
			t.Fatalf("the browser %q has %d chats", sum.Browser, known())
		}
		n := v.do("disconnect", nil)
		if known() != 0 {
			t.Error("the browser is told the key of a chat that its visitor has left")
		}
		if diff := cmp.Diff([]string{"4 ParticipantLeft Vera"}, lines(n...)); diff != "" || n[0]["chatEnded"] != true || n[0]["secureKey"] != nil {
			t.Fatal(diff, n)
		}
		p := h.polling("stays")
		if n := p.do("disconnect"); n["chatEnded"] != true || n["secureKey"] != nil {
			t.Errorf("over REST: %v", n)
		}
		for _, id := range []string{v.chat, p.chat} {
			if sum, ok := h.summary(id); !ok || sum.Phase != chat.PhaseWaiting {
				t.Fatalf("the chat is %+v", sum)
			}
			anna := h.agent(id, 7, "Anna")
			anna(chat.Say{Text: "too late"})
		}
		synctest.Wait() // the chats are told of the channels that have gone
		events := len(h.events(v.chat))
		for _, op := range []string{"sendMessage", "startTyping", "updateNickname", "customNotice", "readReceipt", "disconnect"} {
			if n := v.do(op, map[string]any{"message": "x", "nickname": "x"}); len(n) != 1 || n[0]["statusCode"] != 2.0 || n[0]["chatEnded"] != true {
				t.Errorf("%s: %v", op, n)
			}
			rest := strings.NewReplacer("sendMessage", "send").Replace(op)
			if n := p.do(rest, "message", "x", "nickname", "x"); n["statusCode"] != 2.0 || n["chatEnded"] != true {
				t.Errorf("%s over REST: %v", op, n)
			}
		}
		if got := len(h.events(v.chat)); got != events {
			t.Errorf("refused operations changed the log from %d to %d events", events, got)
		}
		for from, want := range map[int][]string{
			1: {"1 ParticipantJoined Vera", "2 Message Vera: help", "4 ParticipantLeft Vera"}, -1: {"4 ParticipantLeft Vera"}, 99: {"4 ParticipantLeft Vera"},
		} {
			n := v.do("requestNotifications", map[string]any{"transcriptPosition": from})
			if diff := cmp.Diff(want, lines(n...)); diff != "" || n[0]["chatEnded"] != true || n[0]["secureKey"] != nil {
				t.Errorf("from %d: %s %v", from, diff, n)
			}
		}
		if n := p.do("refresh", "transcriptPosition", "1"); len(lines(n)) != 2 || n["chatEnded"] != true {
			t.Errorf("over REST: %v", n)
		}
		time.Sleep(25 * time.Hour)
		w := h.visitor("stays", http.Header{"Origin": {"http://memory"}})
		w.key = v.key
		if n := w.do("requestNotifications", nil); n[0]["statusCode"] != 2.0 {
			t.Errorf("a day later: %v", n)
		}
	})
}
