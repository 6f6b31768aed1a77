package conversations

import (
	"net/http"
	"strings"
	"testing"
)

// called plays steps after the stand-in was called with a body.
func called(t *testing.T, kind, body, conversation string) error {
	t.Helper()
	url, h := configured(`$hook`)
	defer h.close()
	defer http.DefaultClient.CloseIdleConnections()
	s, err := parseScript("x.txtar", []byte("About.\n-- conversation --\n"+conversation))
	if err != nil {
		t.Fatal(err)
	}
	p := newPlayer(t.Context(), overREST, func() string { return h.server.URL })
	p.hook = h
	defer p.close()
	resp, err := http.Post(url, kind, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return p.play(s.steps)
}

func TestTheHook(t *testing.T) {
	const event = `{"from":{"nickname":"A","participantId":2,"type":"Agent"},"index":4,"type":"Message","utcTime":1760000000000,"text":"t"}`
	for name, c := range map[string]struct{ kind, body, conversation, want string }{
		"it fits":           {"application/json", `{"index":4,"event":` + event + `}`, "pushed\n  {\"index\":4,\"event\":\"<object>\"}\nheader\n  Content-Type: application/json\n", ""},
		"another index":     {"application/json", `{"index":4}`, "pushed\n  {\"index\":5}\n", ".index: want 5, got 4"},
		"no event":          {"application/json", `{"event":{"index":4}}`, "pushed\n  {\"event\":\"<object>\"}\n", "a response object"},
		"another type":      {"text/plain", `{}`, "pushed\n  {}\n", `"text/plain"`},
		"no JSON":           {"application/json", `x`, "pushed\n  {}\n", "not called with JSON"},
		"nobody wanted it":  {"application/json", `{"index":4}`, "let a=b\n", "without being wanted"},
		"a status in words": {"application/json", `{}`, "hook gone\n", "invalid syntax"},
		"it answers": {
			"application/json", `{}`, "pushed\n  {}\nhook 410\npost /called\n  {}\nanswer 410\npushed\n  {}\n", "with POST and \"application/x-www-form-urlencoded\"",
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := called(t, c.kind, c.body, c.conversation)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: want %q, got: %v", name, c.want, err)
			}
		})
	}
	p := newPlayer(t.Context(), overREST, func() string { return "" })
	if err := p.play([]step{{verb: "pushed", body: "{}"}}); err == nil {
		t.Error("a call is wanted of a hook that is not there")
	}
}
