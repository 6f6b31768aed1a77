package gms

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/halley-chat/halley/bayeux/bayeuxtest"
	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
	"github.com/halley-chat/halley/test/schema"
)

func TestNewChatsPerMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := openWith(t, map[string]Service{
			"few":  {Queue: "q", NewChatsPerMinute: 3, Required: []Field{AnyName}},
			"also": {Queue: "q", NewChatsPerMinute: 3},
		})
		start := func(service, address string) float64 {
			t.Helper()
			p := h.restClient(service)
			r := formRequest(p.url(""), "nickname=x")
			r.RemoteAddr = address + ":1234"
			n := p.send(r)
			if n["statusCode"] == 0.0 {
				return 0
			}
			if p.status != http.StatusOK || n["chatEnded"] != true {
				t.Errorf("%d %v", p.status, n)
			}
			code, _ := advice(t, n)
			return code
		}
		for range 3 {
			// What opens nothing is not counted.
			if n := h.restClient("few").do(""); n["statusCode"] != 2.0 {
				t.Errorf("without a name: %v", n)
			}
		}
		for i, want := range []float64{0, 0, 0, codeNoNewChat, codeNoNewChat} {
			if got := start("few", "192.0.2.1"); got != want {
				t.Errorf("chat %d: %v", i+1, got)
			}
		}
		if start("few", "192.0.2.2") != 0 || start("also", "192.0.2.1") != 0 || start("support", "192.0.2.1") != 0 {
			t.Error("another address or another service was refused")
		}
		time.Sleep(20 * time.Second)
		if start("few", "192.0.2.1") != 0 || start("few", "192.0.2.1") != codeNoNewChat {
			t.Error("one more is due every 20 s")
		}
		// Neither is what came to nothing, and a household is one address.
		h.log.Fail(func(engine.Append) error { return errors.New("no space left") })
		for range 3 {
			p := h.restClient("few")
			r := formRequest(p.url(""), "nickname=x")
			r.RemoteAddr = "[2001:db8::1]:1234"
			if n := p.send(r); n["statusCode"] != 1.0 {
				t.Errorf("without a store: %v", n)
			}
		}
		h.log.Fail(nil)
		for i, want := range []float64{0, 0, 0, codeNoNewChat} {
			if got := start("few", fmt.Sprintf("[2001:db8::%d]", i+1)); got != want {
				t.Errorf("chat %d of a household: %v", i+1, got)
			}
		}
		// The same over CometD.
		var codes []float64
		for range 4 {
			n := h.visitor("few", nil).do("requestChat", map[string]any{"nickname": "x"})[0]
			if n["statusCode"] == 0.0 {
				codes = append(codes, 0)
				continue
			}
			code, _ := advice(t, n)
			codes = append(codes, code)
		}
		if diff := cmp.Diff([]float64{0, 0, 0, codeNoNewChat}, codes); diff != "" {
			t.Error(diff)
		}
	})
}

// A chat that is asked for too much is told to try again, and its log stays
// as it is; it can be left all the same.
func TestOperationsPerSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := openWith(t, map[string]Service{"calm": {Queue: "q", OperationsPerSecond: 1}})
		v, p, other := h.chatting("calm"), h.polling("calm"), h.chatting("calm")
		for i := range burst + 2 {
			got, answer := v.do("sendMessage", map[string]any{"message": fmt.Sprint(i)}), p.do("send", "message", fmt.Sprint(i))
			want := 0.0
			if i >= burst {
				want = statusTemporary
			}
			if got[0]["statusCode"] != want || answer["statusCode"] != want || p.status != 200 || got[0]["chatEnded"] != false || got[0]["errors"] != nil {
				t.Errorf("operation %d: %v %v", i+1, got, answer)
			}
		}
		for _, id := range []string{v.chat, p.chat} {
			if n := count[chat.Said](t, h.events(id)); n != burst {
				t.Errorf("%d lines in the log", n)
			}
		}
		if n := h.edge.Stats().Limited.Load(); n != 4 {
			t.Errorf("%d were counted", n)
		}
		if got := other.do("sendMessage", map[string]any{"message": "x"}); got[0]["statusCode"] != 0.0 {
			t.Errorf("another chat: %v", got)
		}
		if got := p.do("refresh", "transcriptPosition", "1"); got["statusCode"] != 1.0 {
			t.Errorf("reading is an operation too: %v", got)
		}
		time.Sleep(time.Second)
		if got := v.do("sendMessage", map[string]any{"message": "later"}); got[0]["statusCode"] != 0.0 {
			t.Errorf("a second later: %v", got)
		}
		if got := v.do("disconnect", nil); got[0]["statusCode"] != 0.0 || got[0]["chatEnded"] != true {
			t.Errorf("leaving: %v", got)
		}
	})
}

func TestMessageLength(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := openWith(t, map[string]Service{"short": {Queue: "q", MaxMessage: 5}})
		v, p := h.chatting("short"), h.polling("short")
		code, _ := advice(t, v.do("sendMessage", map[string]any{"message": "123456"})[0])
		rest, _ := advice(t, p.do("send", "message", "123456"))
		if code != codeTooLong || rest != codeTooLong || p.status != http.StatusBadRequest {
			t.Errorf("%v, %v with the status %d", code, rest, p.status)
		}
		// The chat's own service counts, whichever the call names.
		w := h.visitor("support", nil)
		w.key = v.key
		if code, _ := advice(t, w.do("sendMessage", map[string]any{"message": "123456"})[0]); code != codeTooLong {
			t.Errorf("over another channel: %v", code)
		}
		if diff := cmp.Diff([]string{"3 Message Vera: äöü45"}, lines(v.do("sendMessage", map[string]any{"message": "äöü45"})...)); diff != "" {
			t.Error(diff)
		}
	})
}

// Without a preview the agent is told that the visitor types and not what.
func TestTypingPreviewOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := openWith(t, map[string]Service{"discreet": {Queue: "q", HideTyping: true}})
		v, p := h.chatting("discreet"), h.polling("discreet")
		if diff := cmp.Diff([]string{"3 TypingStarted Vera"}, lines(v.do("startTyping", map[string]any{"message": "secret"})...)); diff != "" {
			t.Error(diff)
		}
		time.Sleep(2 * time.Second)
		if diff := cmp.Diff([]string{"4 TypingStopped Vera"}, lines(v.do("stopTyping", map[string]any{"message": "secret"})...)); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{"3 TypingStarted Vera"}, lines(p.do("refresh", "transcriptPosition", "3", "message", "secret"))); diff != "" {
			t.Error(diff)
		}
		anna := h.agent(v.chat, 7, "Anna")
		v.wait()
		anna(chat.Type{On: true, Preview: "Hel"})
		if diff := cmp.Diff([]string{"8 TypingStarted Anna"}, lines(v.wait())); diff != "" {
			t.Errorf("that an agent types is shown, and not what (-want +got):\n%s", diff)
		}
	})
}

// What an agent is typing stays with the agent unless the service shows it.
func TestAgentPreviews(t *testing.T) {
	for service, want := range map[string]string{"open": "8 TypingStarted Anna: Hel", "shop": "8 TypingStarted Anna"} {
		t.Run(service, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := openWith(t, map[string]Service{"open": {Queue: "q", AgentPreviews: true}, "shop": {Queue: "q"}})
				v := h.chatting(service)
				anna := h.agent(v.chat, 7, "Anna")
				v.wait()
				anna(chat.Type{On: true, Preview: "Hel"})
				got := lines(v.wait())
				if len(got) != 1 || strings.TrimLeft(got[0], "0123456789") != strings.TrimLeft(want, "0123456789") {
					t.Errorf("got %q, want %q", got, want)
				}
			})
		})
	}
}

// rawSession is a client on callback-polling.
type rawSession struct {
	h       *fixture
	web     *http.Client
	service string
	id      string
}

// get sends messages and returns what comes back, with the status.
func (s *rawSession) get(header http.Header, body string) (int, []bayeuxtest.Frame) {
	s.h.t.Helper()
	body = strings.ReplaceAll(body, "$", s.id)
	r, err := http.NewRequestWithContext(s.h.t.Context(), http.MethodGet, bayeuxtest.URL+"?jsonp=cb&message="+url.QueryEscape(body), nil)
	if err != nil {
		s.h.t.Fatal(err)
	}
	if header != nil {
		r.Header = header
	}
	res, err := s.web.Do(r)
	if err != nil {
		s.h.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		s.h.t.Fatal(err)
	}
	script, ok := strings.CutPrefix(string(b), "cb(")
	if !ok {
		return res.StatusCode, nil
	}
	var frames []bayeuxtest.Frame
	if err := json.Unmarshal([]byte(strings.TrimSuffix(script, ")")), &frames); err != nil {
		s.h.t.Fatalf("%v: %s", err, b)
	}
	return res.StatusCode, frames
}

func (h *fixture) rawSession(service string, header http.Header) *rawSession {
	h.t.Helper()
	s := &rawSession{h: h, web: h.net.Client(), service: service}
	h.t.Cleanup(s.web.CloseIdleConnections)
	_, f := s.get(header, `[{"channel":"/meta/handshake","version":"1.0","id":"1","supportedConnectionTypes":["callback-polling"]}]`)
	if len(f) != 1 || f[0]["successful"] != true || f[0]["secureKey"] != nil {
		h.t.Fatalf("handshake: %v", f)
	}
	s.id = f[0]["clientId"].(string)
	return s
}

// do publishes an operation, fetches what it causes and returns the outcome.
func (s *rawSession) do(data string) bayeuxtest.Frame {
	s.h.t.Helper()
	s.get(nil, fmt.Sprintf(`[{"channel":"/service/chatV2/%s","clientId":"$","id":"2","data":%s}]`, s.service, data))
	_, f := s.get(nil, `[{"channel":"/meta/connect","clientId":"$","id":"3","connectionType":"callback-polling"}]`)
	for _, m := range f {
		if data, ok := m["data"].(map[string]any); ok {
			if err := schema.Value(data); err != nil {
				s.h.t.Fatal(err)
			}
			return data
		}
	}
	s.h.t.Fatalf("no notification: %v", f)
	return nil
}

// Callback-polling is there if any service wants it, and for those that do.
func TestCallbackPolling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := openWith(t, map[string]Service{"old": {Queue: "q", CallbackPolling: true}})
		s := h.rawSession("old", nil)
		n := s.do(`{"operation":"requestChat","nickname":"Vera"}`)
		if n["statusCode"] != 0.0 || len(lines(n)) != 1 {
			t.Fatalf("%v", n)
		}
		if diff := cmp.Diff([]string{"3 Message Vera: hi"}, lines(s.do(`{"operation":"sendMessage","secureKey":"`+n["secureKey"].(string)+`","message":"hi"}`))); diff != "" {
			t.Error(diff)
		}
		// Another service does not, whichever channel its chat is asked about on.
		v := h.chatting("support")
		before := len(h.events(v.chat))
		for _, service := range []string{"support", "old"} {
			other := h.rawSession(service, nil)
			for _, op := range []string{"requestNotifications", "sendMessage", "disconnect"} {
				if code, _ := advice(t, other.do(`{"operation":"`+op+`","message":"x","secureKey":"`+v.key+`"}`)); code != codeForbidden {
					t.Errorf("%s on %s: %v", op, service, code)
				}
			}
		}
		chats := h.engine.Board().Len()
		if code, _ := advice(t, h.rawSession("support", nil).do(`{"operation":"requestChat","nickname":"x"}`)); code != codeForbidden {
			t.Errorf("a new chat: %v", code)
		}
		if len(h.events(v.chat)) != before || h.engine.Board().Len() != chats {
			t.Error("a refused call left traces")
		}
	})
}

func TestCallbackPollingIsOffByDefault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		s := &rawSession{h: h, web: h.net.Client()}
		defer s.web.CloseIdleConnections()
		if status, f := s.get(nil, `[{"channel":"/meta/handshake"}]`); status != http.StatusBadRequest || f != nil {
			t.Errorf("%d %v", status, f)
		}
	})
}

// Any page can make a browser send its cookie over callback-polling: it is
// told nothing by it, and its chat does not take the place of the visitor's.
func TestCallbackPollingKnowsNoBrowser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := openWith(t, map[string]Service{"old": {Queue: "q", CallbackPolling: true, OneChatPerBrowser: true, Origins: []string{"https://shop.example"}}})
		browser := func() http.Header {
			return http.Header{"Cookie": {bayeuxtest.Cookie + "=" + browserCookie("c")}, "Origin": {"https://shop.example"}}
		}
		v := h.visitor("old", browser())
		v.do("requestChat", map[string]any{"nickname": "Vera"})
		// rawSession itself checks that no key comes with the handshake.
		s := h.rawSession("old", browser())
		if n := s.do(`{"operation":"requestChat","nickname":"x"}`); n["statusCode"] != 0.0 || n["chatId"] == v.chat {
			t.Errorf("%v", n)
		}
		f := h.net.Socket(t, browser()).Ask(`{"channel":"/meta/handshake"}`)
		if f[0]["secureKey"] != any(v.key) {
			t.Errorf("the visitor's own page is told %v", f[0]["secureKey"])
		}
	})
}

// A client that asks for a new chat whenever its session has gone gets the one
// that it has, from the beginning, and hears what happens there from now on.
func TestOneChatPerBrowser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := openWith(t, map[string]Service{
			"one":   {Queue: "q", OneChatPerBrowser: true, Origins: []string{"https://shop.example", "null", "*"}, NewChatsPerMinute: 4},
			"other": {Queue: "q", OneChatPerBrowser: true, Origins: []string{"https://shop.example"}},
		})
		browser := func(origin string) http.Header {
			head := http.Header{"Cookie": {bayeuxtest.Cookie + "=" + browserCookie("c")}}
			if origin != "" {
				head.Set("Origin", origin)
			}
			return head
		}
		start := func(v *visitor) bayeuxtest.Frame {
			t.Helper()
			return v.do("requestChat", map[string]any{"nickname": "Vera"})[0]
		}
		v := h.visitor("one", browser("https://shop.example"))
		start(v)
		v.do("sendMessage", map[string]any{"message": "before"})
		all := []string{"1 ParticipantJoined Vera", "3 Message Vera: before"}
		w := h.visitor("one", browser("https://shop.example"))
		n := start(w)
		if diff := cmp.Diff(all, lines(n)); diff != "" || n["statusCode"] != 0.0 || n["chatId"] != v.chat || n["secureKey"] != v.key || n["chatEnded"] != false {
			t.Fatalf("%s %v", diff, n)
		}
		h.agent(v.chat, 7, "Anna")(chat.Say{Text: "Hello"})
		if diff := cmp.Diff([]string{"7 ParticipantJoined Anna", "8 Message Anna: Hello"}, lines(w.wait(), w.wait())); diff != "" {
			t.Error(diff)
		}
		// Also within one session, while the server drains, and after a restart.
		h.edge.Drain(0)
		if n := start(w); n["chatId"] != v.chat {
			t.Errorf("once more: %v", n)
		}
		h.restart()
		w = h.visitor("one", browser("http://memory"))
		if n := start(w); n["chatId"] != v.chat {
			t.Errorf("after a restart, from an own page: %v", n)
		}
		// To another service it means nothing.
		if n := start(h.visitor("other", browser("https://shop.example"))); n["chatId"] == v.chat || n["statusCode"] != 0.0 {
			t.Errorf("another service: %v", n)
		}
		// Nor to pages that are not to know, or browsers without the cookie.
		for _, header := range []http.Header{browser("null"), browser("https://evil.example"), browser(""), {"Origin": {"https://shop.example"}}} {
			u := h.visitor("one", header)
			if n := start(u); n["statusCode"] != 0.0 || n["chatId"] == v.chat {
				t.Errorf("%v: %v", header, n)
			}
			u.do("disconnect", nil)
		}
		// What such a page opens takes nothing away from the visitor's own.
		time.Sleep(time.Minute)
		u := h.visitor("one", browser("null"))
		start(u)
		if n := start(h.visitor("one", browser("https://shop.example"))); n["chatId"] != v.chat {
			t.Errorf("beside the chat of a page that is not to know: %v", n)
		}
		u.do("disconnect", nil)
		// With two chats nobody can say which one is meant. The other one was opened
		// at the same moment, in another tab.
		second, _, err := h.engine.Open(t.Context(), chat.Command{By: chat.TheVisitor(), Do: chat.Open{Name: "Vera", Opening: chat.Opening{
			Service: "one", Queue: "q", Browser: BrowserDigest(browserCookie("c")),
		}}})
		if err != nil {
			t.Fatal(err)
		}
		x := h.visitor("one", browser("https://shop.example"))
		if n := start(x); n["chatId"] == v.chat || n["chatId"] == second.String() || n["statusCode"] != 0.0 {
			t.Errorf("two chats: %v", n)
		}
		x.do("disconnect", nil)
		if _, err := h.engine.Do(t.Context(), second, chat.Command{By: chat.TheVisitor(), Do: chat.Leave{}}); err != nil {
			t.Fatal(err)
		}
		if n := start(h.visitor("one", browser("https://shop.example"))); n["chatId"] != v.chat {
			t.Errorf("one chat again: %v", n)
		}
		// After the end there is a new one.
		w.do("disconnect", nil)
		if n := start(h.visitor("one", browser("https://shop.example"))); n["chatId"] == v.chat || n["statusCode"] != 0.0 {
			t.Errorf("after the end: %v", n)
		}
	})
}

// Where the option is off, the same browser gets a chat each time.
func TestOneChatPerBrowserIsOffByDefault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		head := http.Header{"Cookie": {bayeuxtest.Cookie + "=" + browserCookie("c")}, "Origin": {"https://shop.example"}}
		a, b := h.visitor("support", head), h.visitor("support", head)
		a.do("requestChat", nil)
		b.do("requestChat", nil)
		if a.chat == b.chat {
			t.Error("both have the same chat")
		}
	})
}

// What the REST side knows of where a call comes from.
func TestRESTAddress(t *testing.T) {
	for remote, want := range map[string]string{"192.0.2.1:80": "192.0.2.1", "[2001:db8::1]:80": "2001:db8::1", "memory": "memory"} {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.RemoteAddr = remote
		if got := (&rest{r: r}).address(); got != want {
			t.Errorf("%s: %s", remote, got)
		}
	}
}

// A refused origin is logged, once in a while, so that whoever sets up a page
// learns what to allow.
func TestRefusedOriginsAreLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		var log bytes.Buffer
		h.edge.o.Logger = slog.New(slog.NewTextHandler(&log, nil))
		ask := func(origin string) {
			r := formRequest(RESTPath+"support", "nickname=Vera")
			r.Header.Set("Origin", origin)
			w := httptest.NewRecorder()
			h.edge.REST().ServeHTTP(w, r)
			if w.Code != http.StatusForbidden {
				t.Errorf("from %s: got %d, want 403", origin, w.Code)
			}
		}
		for range 3 {
			ask("http://localhost:3000")
			ask("https://elsewhere.example")
		}
		for _, origin := range []string{"http://localhost:3000", "https://elsewhere.example"} {
			if got := strings.Count(log.String(), origin); got != 1 {
				t.Errorf("log lines about %s: got %d, want 1:\n%s", origin, got, &log)
			}
		}
		if got := h.edge.Stats().RefusedOrigins.Load(); got != 6 {
			t.Errorf("counted: got %d, want 6", got)
		}
	})
}
