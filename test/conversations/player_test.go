package conversations

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/halley-chat/halley/bayeux"
)

// parrot is a Bayeux server whose one service says back what it is told, in a
// response object, ahead of the acknowledgement and, told "later", after it.
func parrot(t *testing.T) string {
	srv := bayeux.New(bayeux.Options{
		CallbackPolling: true, OrderedPolling: true, TrustClientID: true, HoldsPerBrowser: -1,
		Logger: slog.New(slog.DiscardHandler),
	})
	index := 0
	srv.Handle("/service/chatV2/*", func(_ context.Context, s *bayeux.Session, m *bayeux.Message) error {
		index++
		body := fmt.Appendf(nil, `{"statusCode":0,"chatEnded":false,"chatId":"0000000000000001","userId":"0000000000010001","secureKey":"0123456789abcdef","alias":"1","nextPosition":%d,
			"messages":[{"from":{"nickname":"V","participantId":1,"type":"Client"},"index":%d,"type":"Message","utcTime":1760000000000,"text":%s}]}`, index+1, index, m.Data)
		if string(m.Data) == `"later"` {
			time.AfterFunc(20*time.Millisecond, func() { _ = s.Deliver(m.Channel, body) }) // the session may be over
			return nil
		}
		return s.Deliver(m.Channel, body)
	})
	web := httptest.NewServer(srv)
	t.Cleanup(func() {
		web.CloseClientConnections()
		ctx, cancel := context.WithTimeout(context.Background(), within)
		defer cancel()
		if err := srv.Close(ctx); err != nil {
			t.Error(err)
		}
		web.Close()
	})
	return web.URL
}

// say plays a conversation against the parrot.
func say(t *testing.T, transport, conversation string) error {
	t.Helper()
	s, err := parseScript("x.txtar", []byte("About.\n-- conversation --\n"+conversation))
	if err != nil {
		t.Fatal(err)
	}
	steps, err := readMacros(t).expand(s.steps)
	if err != nil {
		t.Fatal(err)
	}
	url := parrot(t)
	p := newPlayer(t.Context(), transport, func() string { return url })
	defer p.close()
	return p.play(steps)
}

const greeting = `do hello
send
  {"channel":"/service/chatV2/$service","clientId":"$clientId","id":5,
   "data":"one"}
`

// What the library serves is played over every transport, callback-polling
// among them.
func TestTransports(t *testing.T) {
	for _, transport := range []string{overWebSocket, overPolling, overCallback} {
		t.Run(transport, func(t *testing.T) {
			if err := say(t, transport, greeting+`told next=2
  1 Message V: one
want
  {"channel":"/service/chatV2/$service","id":5,"successful":true}
send
  [{"channel":"/service/chatV2/$service","clientId":"$clientId","id":"6","data":"later"}]
want
  {"channel":"/service/chatV2/$service","id":"6","successful":true}
told
  +n Message V: later
quiet
send
  [{"channel":"/meta/connect","clientId":"nobody","connectionType":"$transport","id":"7"}]
want
  {"id":"7","channel":"/meta/connect","successful":false,"error":"402::Unknown client","advice":{"reconnect":"handshake","...":""},"...":""}
`); err != nil {
				t.Error(err)
			}
		})
	}
}

// The player finds what is wrong, and says where.
func TestThePlayerCanFail(t *testing.T) {
	const ack = "want\n  {\"channel\":\"/service/chatV2/$service\",\"id\":5,\"successful\":true}\n"
	for name, c := range map[string]struct{ conversation, want string }{
		"the other order":      {greeting + ack, "x.txtar:7: want: what came does not fit"},
		"another text":         {greeting + "told\n  1 Message V: two\n", "messages[0]: want 1 Message V: two"},
		"another index":        {greeting + "told\n  2 Message V: one\n", "got 1 Message V: one"},
		"one event too many":   {greeting + "told\n", "messages[0]: not wanted, got 1 Message V: one"},
		"one event too few":    {greeting + "told\n  1 Message V: one\n  2 Message V: one\n", "messages[1]: missing"},
		"another position":     {greeting + "told next=5\n  1 Message V: one\n", "nextPosition: want 5, got 2"},
		"no refusal":           {greeting + "told error=249\n", "statusCode: want 2, got 0"},
		"no end":               {greeting + "told ended\n  1 Message V: one\n", "chatEnded: want true, got false"},
		"another role":         {greeting + "told from=Agent\n  1 Message V: one\n", "from.type: want Agent"},
		"left over":            {greeting + "told\n  1 Message V: one\n", "what nobody wanted"},
		"not quiet":            {greeting + "quiet\n", "it is not quiet"},
		"an id as text":        {greeting + "told\n  1 Message V: one\n" + strings.Replace(ack, ":5", `:"5"`, 1), `.id: want "5", got 5`},
		"a field too many":     {greeting + "told\n  1 Message V: one\nwant\n  {\"id\":5,\"channel\":\"<any>\"}\n", ".successful: not wanted, got true"},
		"nothing known":        {"send\n  $what\n", "x.txtar:3: send: nothing is known as $what"},
		"a schema not kept":    {"do hello\nsend\n  {\"channel\":\"/service/chatV2/$service\",\"clientId\":\"$clientId\",\"data\":5}\nwant\n  {\"channel\":\"<any>\",\"data\":\"<object>\"}\n", "a response object"},
		"an answer to nothing": {"answer 200\n", "a call before it"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := say(t, overWebSocket, c.conversation); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("want %q, got: %v", c.want, err)
			}
		})
	}
}

// Typing that is no longer shown is missing and nothing else is, and what is there
// must fit.
func TestTypingMayHaveExpired(t *testing.T) {
	event := func(index int, kind, text string) string {
		return fmt.Sprintf(`{"index":%d,"type":%q,"from":{"nickname":"V"},"text":%q}`, index, kind, text)
	}
	first, typing, last := event(1, "Message", "a"), event(2, "TypingStarted", "b"), event(3, "Message", "b")
	for _, c := range []struct {
		lines, events string
		fits          bool
	}{
		{"1 Message V: a\n~ TypingStarted V: b\n3 Message V: b", first + "," + typing + "," + last, true},
		{"1 Message V: a\n~ TypingStarted V: b\n3 Message V: b", first + "," + last, true},
		{"1 Message V: a\n~ TypingStarted V: c\n3 Message V: b", first + "," + typing + "," + last, false},
		{"~ TypingStarted V: b\n1 Message V: a\n3 Message V: b", first + "," + typing + "," + last, false},
		{"1 Message V: a\n~ TypingStarted V: b\n3 Message V: b", first, false},
		{"1 Message V: a\n~ TypingStarted V: b", first, true},
	} {
		t.Run(fmt.Sprintf("%s: %d events", c.lines, strings.Count(c.events, "index")), func(t *testing.T) {
			want, err := parseTold(nil, c.lines)
			if err != nil {
				t.Fatal(err)
			}
			if _, diffs := want.compare(one(t, `{"statusCode":0,"chatEnded":false,"messages":[`+c.events+`]}`)); (len(diffs) == 0) != c.fits {
				t.Errorf("%s: got the differences %v, want it to fit: %v", c.lines, diffs, c.fits)
			}
		})
	}
}

func TestScriptsAreReadStrictly(t *testing.T) {
	for text, want := range map[string]string{
		"-- conversation --\nshout\n":                      "x:2: there is no directive",
		"-- conversation --\n  indented\n":                 "x:2: it belongs to no directive",
		"-- conversation --\nsend\n":                       "x:2: nothing is indented below send",
		"-- conversation --\nquiet\n  what\n":              "x:2: quiet takes nothing",
		"-- transports --\npigeon\n-- conversation --\n":   "x:2: there is no transport",
		"About.\n-- what --\n":                             "x:2: there is no section",
		"About.\n":                                         "nothing is said in it",
		"-- conversation --\n# a\n\nsend\n  a\n\n  b\nx\n": "x:8: there is no directive",
	} {
		t.Run(text, func(t *testing.T) {
			if _, err := parseScript("x", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q: want %q, got %v", text, want, err)
			}
		})
	}
	s, err := parseScript("x", []byte("-- conversation --\nsend @b c d\n    {\n      1\n\n    }\n\n# end\nquiet\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := []step{{at: "x:2", verb: "send", client: "b", args: []string{"c", "d"}, body: "{\n  1\n\n}"}, {at: "x:9", verb: "quiet"}}
	if diff := cmp.Diff(want, s.steps, cmp.AllowUnexported(step{})); diff != "" {
		t.Error(diff)
	}
	if _, err := (macros{"a": {{verb: "do", args: []string{"a"}}}}).expand([]step{{verb: "do", args: []string{"a"}}}); err == nil {
		t.Error("a macro that calls itself was played")
	}
}

func TestPatterns(t *testing.T) {
	for _, c := range []struct {
		pattern, value string
		diffs          []string
	}{
		{`{"a":1}`, `{"a":1}`, nil},
		{`{"a":1}`, `{"a":1.0}`, []string{".a: want 1, got 1.0"}},
		{`{"a":1}`, `{"a":1,"b":2}`, []string{".b: not wanted, got 2"}},
		{`{"a":1,"...":""}`, `{"a":1,"b":2}`, nil},
		{`{"a":"<missing>","...":""}`, `{"b":2}`, nil},
		{`{"a":"<missing>","...":""}`, `{"a":2}`, []string{".a: want <missing>, got 2"}},
		{`{"a":[1,"<...>"]}`, `{"a":[1,2]}`, nil},
		{`{"a":[1]}`, `{"a":[1,2]}`, []string{".a[1]: not wanted, got 2"}},
		{`{"a":[1,2]}`, `{"a":[1]}`, []string{".a[1]: missing, want 2"}},
		{`{"a":"<int>"}`, `{"a":1.5}`, []string{".a: want <int>, got 1.5"}},
		{`{"a":"<int>"}`, `{"a":"1"}`, []string{`.a: want <int>, got "1"`}},
		{`{"a":"<text>"}`, `{"a":""}`, []string{`.a: want <text>, got ""`}},
		{`{"a":"<id>"}`, `{"a":"00048AAAAE000001"}`, nil},
		{`{"a":"<bool>"}`, `{"a":null}`, []string{".a: want <bool>, got null"}},
		{`{"a":"</^4.2$/>"}`, `{"a":"402"}`, nil},
		{`{"a":"</^4.2$/>"}`, `{"a":"4024"}`, []string{`.a: want </^4.2$/>, got "4024"`}},
		{`{"a":"<what>"}`, `{"a":1}`, []string{".a: there is no sort <what>"}},
	} {
		t.Run(c.pattern+" "+c.value, func(t *testing.T) {
			pattern, value := one(t, c.pattern), one(t, c.value)
			if _, diffs := match(pattern, value, false); cmp.Diff(c.diffs, diffs) != "" {
				t.Errorf("%s, %s: got %q, want %q", c.pattern, c.value, diffs, c.diffs)
			}
		})
	}
	kept, _ := match(one(t, `{"a":"<int n>","b":["<string s>"]}`), one(t, `{"a":5,"b":["x"]}`), false)
	if diff := cmp.Diff(map[string]string{"n": "5", "s": "x"}, kept); diff != "" {
		t.Error(diff)
	}
	if _, diffs := match(one(t, `{"a":{"b":1}}`), one(t, `{"a":{"b":1,"c":2},"d":3}`), true); len(diffs) > 0 {
		t.Errorf("a subset: %q", diffs)
	}
}

func one(t *testing.T, text string) any {
	t.Helper()
	list, err := parseValues(text)
	if err != nil || len(list) != 1 {
		t.Fatalf("parsing %s: got %v, %v, want one value", text, list, err)
	}
	return list[0]
}
