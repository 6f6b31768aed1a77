package gms

import (
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
)

// Half of a surrogate pair in one field, as JSON.stringify writes it, is read as
// U+FFFD, and so are bytes that are no UTF-8.
func TestRESTRepairsText(t *testing.T) {
	for _, c := range []struct {
		name, body, want string
		form             bool
	}{
		{name: "lone surrogate", body: `{"message":"a\ud83d","eventAttributes":{"k":"b\ude00"}}`, want: "a\uFFFD"},
		{name: "a pair", body: `{"message":"a\ud83d\ude00"}`, want: "a\U0001F600"},
		{name: "in the attributes alone", body: `{"message":"a","eventAttributes":"{\"k\":\"\\ud83d\"}"}`, want: "a"},
		{name: "invalid bytes", body: "{\"message\":\"a\xff\"}", want: "a\uFFFD"},
		{name: "invalid bytes in a form", body: "message=a%FF&userData[k]=%FF", want: "a\uFFFD", form: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := open(t)
				p := h.polling("support")
				body := c.body[:len(c.body)-1] + `,"transcriptPosition":3,"secureKey":"` + p.key + `"}`
				if c.form {
					body = c.body + "&transcriptPosition=3&secureKey=" + p.key
				}
				n := p.send(formRequest(p.url("send"), body))
				if diff := cmp.Diff([]string{"3 Message Vera: " + c.want}, lines(n)); diff != "" || p.status != 200 {
					t.Errorf("%s: got %d %v, want %q", c.name, p.status, n, c.want)
				}
			})
		})
	}
}

// What nobody can see is no message and no name.
func TestInvisibleText(t *testing.T) {
	for _, text := range []string{" ", "\u200B", "\n\t\u00A0", "\u2060\uFEFF", "\u3164", "\u202E"} {
		synctest.Test(t, func(t *testing.T) {
			h := open(t)
			v := h.visitor("support", nil)
			got := v.do("requestChat", map[string]any{"nickname": text, "text": text})
			if diff := cmp.Diff([]string{"1 ParticipantJoined Guest"}, lines(got...)); diff != "" {
				t.Errorf("a chat of %q: %s", text, diff)
			}
			for _, op := range []string{"sendMessage", "updateNickname"} {
				if got := v.do(op, map[string]any{"message": text, "nickname": text}); got[0]["statusCode"] != 2.0 || got[0]["chatEnded"] != false {
					t.Errorf("%s with %q: got %v, want a refusal", op, text, got)
				}
			}
			if got := v.do("sendMessage", map[string]any{"message": text + "x" + text}); len(lines(got...)) != 1 {
				t.Errorf("a message with something to see and %q: got %v, want it sent as it is", text, got)
			}
			if got := v.do("updateNickname", map[string]any{"nickname": "\u202EVera\u2066 \u200DS"}); len(lines(got...)) != 1 ||
				last(t, got[0]).At("from", "nickname") != "Vera \u200DS" {
				t.Errorf("a name with marks of direction: got %v, want it without them", got)
			}
		})
	}
}
