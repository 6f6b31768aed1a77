package gms

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/halley-chat/halley/bayeux/bayeuxtest"
	"github.com/halley-chat/halley/internal/chat"
)

// browserCookie is the value of a cookie that a fixture's edge may have made for the
// browser of a name of one letter.
func browserCookie(letter string) string {
	return (&Keyring{secret: make([]byte, MinSecret)}).browser(strings.Repeat(letter, browserName))
}

func cookieOf(value, origin string) http.Header {
	return http.Header{"Cookie": {bayeuxtest.Cookie + "=" + value}, "Origin": {origin}}
}

// The line of a requestChat that is answered with the browser's old chat is
// said there, once, however often it is sent and whatever happened meanwhile.
func TestOneChatPerBrowserKeepsTheLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := openWith(t, map[string]Service{
			"one": {Queue: "q", OneChatPerBrowser: true, Origins: []string{"https://shop.example"}, MaxMessage: 20},
		})
		ask := func(v *visitor, text string) bayeuxtest.Frame {
			t.Helper()
			got := v.do("requestChat", map[string]any{"nickname": "Vera", "text": text})
			return got[len(got)-1]
		}
		page := func() *visitor { return h.visitor("one", cookieOf(browserCookie("c"), "https://shop.example")) }
		v := page()
		all := []string{"1 ParticipantJoined Vera", "2 Message Vera: My tap drips"}
		if diff := cmp.Diff(all, lines(ask(v, "My tap drips"))); diff != "" {
			t.Fatal(diff)
		}
		v.do("sendMessage", map[string]any{"message": "In the kitchen"})
		all = append(all, "4 Message Vera: In the kitchen")
		// The client sends again what the chat was opened with.
		if n := ask(page(), "My tap drips"); n["chatId"] != v.chat || cmp.Diff(all, lines(n)) != "" {
			t.Fatalf("the same line: %v", n)
		}
		// A new line, three times, in two sessions and after a restart.
		w := page()
		n := ask(w, "And my sink")
		all = append(all, "6 Message Vera: And my sink")
		if diff := cmp.Diff(all, lines(n)); diff != "" || n["chatId"] != v.chat || n["statusCode"] != 0.0 {
			t.Fatalf("another line: %s %v", diff, n)
		}
		for range 2 {
			if diff := cmp.Diff(all, lines(ask(w, "And my sink"))); diff != "" {
				t.Error(diff)
			}
			h.restart()
			w = page()
		}
		if diff := cmp.Diff(all, lines(ask(w, ""))); diff != "" {
			t.Errorf("no line: %s", diff)
		}
		if n := count[chat.Said](t, h.events(v.chat)); n != 3 {
			t.Errorf("%d lines were said", n)
		}
		// What is refused changes nothing.
		before := len(h.events(v.chat))
		for _, text := range []string{strings.Repeat("x", 21), strings.Repeat("x", chat.MaxText+1)} {
			if code, _ := advice(t, ask(w, text)); code != codeTooLong {
				t.Errorf("too long: %v", code)
			}
		}
		if got := len(h.events(v.chat)); got != before {
			t.Errorf("a refusal added %d events", got-before)
		}
		// A new chat may begin with a line of the old one.
		w.do("disconnect", nil)
		if n := ask(page(), "My tap drips"); n["chatId"] == v.chat || len(lines(n)) != 2 {
			t.Errorf("a new chat: %v", n)
		}
	})
}

// An asleep chat is woken by it, as by any other line.
func TestOneChatPerBrowserWakesTheChat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := openWith(t, map[string]Service{"one-async": {Queue: "one-async", Async: true, OneChatPerBrowser: true, Origins: []string{"https://shop.example"}}})
		v := h.visitor("one-async", cookieOf(browserCookie("c"), "https://shop.example"))
		v.do("requestChat", map[string]any{"nickname": "Vera", "text": "hi", "userData": map[string]any{"GCTI_Chat_AsyncMode": "true"}})
		h.agent(v.chat, 7, "Anna")(chat.Hold{})
		synctest.Wait()
		if s, ok := h.summary(v.chat); !ok || s.Phase != chat.PhaseHeld {
			t.Fatalf("%v %+v", ok, s)
		}
		time.Sleep(time.Hour)
		w := h.visitor("one-async", cookieOf(browserCookie("c"), "https://shop.example"))
		w.do("requestChat", map[string]any{"nickname": "Vera", "text": "hi again"})
		synctest.Wait()
		if s, ok := h.summary(v.chat); !ok || w.chat != v.chat || s.Phase != chat.PhaseWaiting {
			t.Errorf("%v %+v", ok, s)
		}
	})
}

// A page that is not to know a chat's key cannot keep it from one that is, and
// cannot have its own chat taken for the visitor's.
func TestHostilePagesTieNoBrowser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := openWith(t, map[string]Service{
			"mixed": {Queue: "q", Origins: []string{"https://shop.example", "*", "null"}, OneChatPerBrowser: true},
			"sales": {Queue: "q", Origins: []string{"https://other.example"}},
		})
		cookie := browserCookie("c")
		key := func(origin string) any {
			t.Helper()
			return h.net.Socket(t, cookieOf(cookie, origin)).Ask(`{"channel":"/meta/handshake"}`)[0]["secureKey"]
		}
		var evil []*visitor
		for service, origins := range map[string][]string{
			"open": {"https://evil.example", "null"}, "mixed": {"https://evil.example", "https://other.example", "null"}, "support": {"null"},
		} {
			for _, origin := range origins {
				u := h.visitor(service, cookieOf(cookie, origin))
				u.do("requestChat", map[string]any{"nickname": "Eve"})
				evil = append(evil, u)
				// Nor by asking for the chat again, or on a channel that names the page.
				again := h.visitor("sales", cookieOf(cookie, origin))
				again.key = u.key
				again.do("requestNotifications", nil)
			}
		}
		own := []string{"http://memory", "https://shop.example"}
		for _, origin := range own {
			if k := key(origin); k != nil {
				t.Errorf("%s is told the key of a hostile page's chat", origin)
			}
		}
		v := h.visitor("mixed", cookieOf(cookie, "https://shop.example"))
		v.do("requestChat", map[string]any{"nickname": "Vera"})
		for _, u := range evil {
			if u.chat == v.chat || u.chat == "" {
				t.Error("the visitor is in a hostile page's chat")
			}
		}
		for _, origin := range own {
			if k := key(origin); k != any(v.key) {
				t.Errorf("%s is told %v", origin, k)
			}
		}
		// A page of another service, which may know that one's keys only.
		w := h.visitor("sales", cookieOf(cookie, "https://other.example"))
		w.do("requestChat", map[string]any{"nickname": "Vera"})
		for origin, want := range map[string]any{
			"https://shop.example": v.key, "https://other.example": w.key, "http://memory": nil, "https://evil.example": nil, "null": nil,
		} {
			if k := key(origin); k != want {
				t.Errorf("%s is told %v, not %v", origin, k, want)
			}
		}
	})
}
