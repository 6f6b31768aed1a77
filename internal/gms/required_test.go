package gms

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/halley-chat/halley/internal/chat"
)

// What a service wants to know before it opens a chat, over both sides: a
// refusal has its own code, opens nothing, and leaves no session bound.
func TestRequiredFields(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := openWith(t, map[string]Service{
			"names":  {Queue: "q", Required: []Field{FirstName, LastName}},
			"name":   {Queue: "q", Required: []Field{AnyName}},
			"mail":   {Queue: "q", CheckEmail: true},
			"mailed": {Queue: "q", CheckEmail: true, Required: []Field{EmailAddress}},
			"short":  {Queue: "q", MaxMessage: 5},
		})
		for _, c := range []struct {
			service string
			fields  map[string]any
			code    float64 // 0: opens
			status  int
		}{
			{"support", nil, 0, 200},
			{"names", map[string]any{"nickname": "V"}, codeFirstName, 400},
			{"names", map[string]any{"firstName": " ", "lastName": "K"}, codeFirstName, 400},
			{"names", map[string]any{"firstName": "Vera"}, codeLastName, 400},
			{"names", map[string]any{"firstName": "Vera", "lastName": "K"}, 0, 200},
			{"name", nil, codeName, 400},
			{"name", map[string]any{"nickname": " ", "emailAddress": "v@example.org"}, codeName, 400},
			{"name", map[string]any{"nickname": "V"}, 0, 200},
			{"name", map[string]any{"lastName": "K"}, 0, 200},
			{"mail", nil, 0, 200},
			{"mail", map[string]any{"emailAddress": ""}, 0, 200},
			{"mail", map[string]any{"emailAddress": "vera"}, codeEmail, 400},
			{"mail", map[string]any{"emailAddress": "vera@example.org"}, 0, 200},
			{"support", map[string]any{"emailAddress": "vera"}, 0, 200},
			{"mailed", nil, codeEmail, 400},
			{"mailed", map[string]any{"emailAddress": "v@example.org"}, 0, 200},
			{"short", map[string]any{"text": "123456"}, codeTooLong, 400},
			{"short", map[string]any{"text": "äöü45"}, 0, 200},
		} {
			chats := h.engine.Board().Len()
			v := h.visitor(c.service, nil)
			got := v.do("requestChat", c.fields)
			p := h.restClient(c.service)
			var fields []string
			for name, value := range c.fields {
				fields = append(fields, name, value.(string))
			}
			answer := p.do("", fields...)
			if c.code == 0 {
				if got[0]["statusCode"] != 0.0 || answer["statusCode"] != 0.0 || h.engine.Board().Len() != chats+2 {
					t.Errorf("%s %v: %v %v", c.service, c.fields, got, answer)
				}
				continue
			}
			overCometD, _ := advice(t, got[0])
			overREST, _ := advice(t, answer)
			if overCometD != c.code || overREST != c.code || p.status != c.status {
				t.Errorf("%s %v: %v, %v with the status %d", c.service, c.fields, overCometD, overREST, p.status)
			}
			if h.engine.Board().Len() != chats || got[0]["chatId"] != "" || answer["chatId"] != "" {
				t.Errorf("%s %v opened a chat", c.service, c.fields)
			}
			if own, _ := advice(t, v.do("sendMessage", map[string]any{"message": "x"})[0]); own != codeRefused {
				t.Errorf("%s %v: the session has a chat", c.service, c.fields)
			}
		}
	})
}

func TestValidEmail(t *testing.T) {
	for s, want := range map[string]bool{
		"vera@example.org": true, "v.k+chat@mail.example.co.uk": true, "vera@exämple.org": true,
		"": false, "vera": false, "vera@": false, "@example.org": false, "vera@localhost": false, "vera@example.": false, "vera@.org": false,
		"Vera <vera@example.org>": false, "vera@example.org, x@example.org": false, " vera@example.org": false, "ve ra@example.org": false,
		strings.Repeat("v", 65) + "@example.org": false, "v@" + strings.Repeat("e.", 130) + "org": false,
	} {
		if got := validEmail(s); got != want {
			t.Errorf("%q: %v", s, got)
		}
	}
}

// Outside of its hours a service takes no new chats, and those that are open
// go on.
func TestHours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The bubble's clock begins on a Saturday, 2000-01-01 00:00 UTC.
		const day = 24 * 60
		h := openWith(t, map[string]Service{"shop": {Queue: "q", Hours: chat.Hours{
			Week:   []chat.Span{{From: 5*day + 9*60, To: 5*day + 10*60}},
			Closed: []chat.Date{{Year: 2000, Month: time.January, Day: 8}},
		}}})
		starts := func() (code float64) {
			t.Helper()
			n := h.visitor("shop", nil).do("requestChat", map[string]any{"nickname": "x"})[0]
			p := h.restClient("shop")
			m := p.do("", "nickname", "x")
			if n["statusCode"] != m["statusCode"] || p.status != http.StatusOK {
				t.Errorf("the sides differ: %v %v", n, m)
			}
			if n["statusCode"] == 0.0 {
				return 0
			}
			code, _ = advice(t, n)
			if n["chatEnded"] != true {
				t.Errorf("%v", n)
			}
			return code
		}
		if code := starts(); code != codeNoNewChat {
			t.Errorf("at midnight: %v", code)
		}
		time.Sleep(9 * time.Hour)
		if code := starts(); code != 0 {
			t.Errorf("at nine: %v", code)
		}
		time.Sleep(time.Hour - time.Second)
		v := h.visitor("shop", nil)
		v.do("requestChat", map[string]any{"nickname": "Vera"})
		time.Sleep(time.Second)
		if code := starts(); code != codeNoNewChat {
			t.Errorf("at ten: %v", code)
		}
		if diff := cmp.Diff([]string{"3 Message Vera: hi"}, lines(v.do("sendMessage", map[string]any{"message": "hi"})...)); diff != "" {
			t.Errorf("in a chat that was open: %s", diff)
		}
		time.Sleep(7*day*time.Minute - 30*time.Minute)
		if code := starts(); code != codeNoNewChat {
			t.Errorf("on a closed date: %v", code)
		}
		time.Sleep(7 * day * time.Minute)
		if code := starts(); code != 0 {
			t.Errorf("a week later: %v", code)
		}
	})
}

func TestEndpoints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := openWith(t, map[string]Service{"shop": {Queue: "people", Endpoints: map[string]string{"vip": "gold"}}})
		got := make(map[string]string)
		for _, endpoint := range []string{"", "vip", "other", "gold", " vip "} {
			v := h.visitor("shop", nil)
			v.do("requestChat", map[string]any{"nickname": "x", "endpoint": endpoint})
			p := h.restClient("shop")
			p.do("", "nickname", "x", "endpoint", endpoint)
			a, _ := h.summary(v.chat)
			b, _ := h.summary(p.chat)
			if a.Queue != b.Queue {
				t.Errorf("%q: %q and %q", endpoint, a.Queue, b.Queue)
			}
			got[endpoint] = a.Queue
		}
		if diff := cmp.Diff(map[string]string{"": "people", "vip": "gold", "other": "people", "gold": "people", " vip ": "gold"}, got); diff != "" {
			t.Error(diff)
		}
	})
}
