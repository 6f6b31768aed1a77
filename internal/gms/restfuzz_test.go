package gms

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Whatever is sent to the REST side is answered with the response object and
// never with a 5xx. Nobody learns a key that it did not bring, and a refused
// call leaves no trace.
func FuzzREST(f *testing.F) {
	form := "application/x-www-form-urlencoded"
	for _, c := range []struct{ op, query, kind, body string }{
		{"", "", form, "nickname=Vera&userData%5Bk%5D=v"},
		{"send", "transcriptPosition=1", form, "secureKey=KEY&message=hello&eventAttributes=%7B%7D"},
		{"send", "", form, `{"secureKey":"KEY","message":"x","eventAttributes":{"a":[1]},"userData":{"a":1}}`},
		{"refresh", "secureKey=KEY", form, "transcriptPosition=-1&message=ty"},
		{"refresh", "", "multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"secureKey\"\r\n\r\nKEY\r\n--b--\r\n"},
		{"updateData", "", form, "secureKey=KEY&userData[a]=b&userData={\"c\":{}}"},
		{"customNotice", "", "", "secureKey=KEY&message=%00"},
		{"startTyping", "", form, "secureKey=KEY&message=h"},
		{"stopTyping", "", form, "secureKey=KEY"},
		{"pushUrl", "", form, "secureKey=KEY&pushUrl=https%3A%2F%2Fexample.org"},
		{"updateNickname", "", form, "secureKey=KEY&nickname=V"},
		{"readReceipt", "", form, "secureKey=KEY&transcriptPosition=99999999999999999999"},
		{"disconnect", "", form, "secureKey=KEY"},
		{"../x", "", form, ""},
		{"send", "", form, `{"secureKey":"KEY","secureKey":"KEY"}`},
	} {
		f.Add(c.op, c.query, c.kind, c.body)
	}
	h := open(f)
	f.Fuzz(func(t *testing.T, op, query, kind, body string) {
		h.t = t
		p := h.polling("support")
		other := h.polling("support")
		defer func() {
			p.do("disconnect")
			other.do("disconnect")
		}()
		brought := strings.Contains(query+body, "KEY")
		query, body = strings.ReplaceAll(query, "KEY", p.key), strings.ReplaceAll(body, "KEY", p.key)
		r := httptest.NewRequest(http.MethodPost, RESTPath+"support", strings.NewReader(body))
		if op != "" {
			r.URL.Path += "/" + p.chat + "/" + op
		}
		r.URL.RawQuery = query
		r.Header.Set("Content-Type", kind)
		chats := h.engine.Board().Len()
		q := &restClient{h: h, service: "support"}
		n := q.send(r)
		if shown := fmt.Sprint(n, q.header); strings.Contains(shown, other.key) || strings.Contains(shown, p.key) && (!brought || n["statusCode"] != 0.0) {
			t.Fatalf("a key got out: %s", shown)
		}
		if n["statusCode"] == 0.0 {
			if q.chat != "" && q.chat != p.chat {
				q.do("disconnect")
			}
			return
		}
		if got := append(h.events(p.chat), h.events(other.chat)...); len(got) != 4 || h.engine.Board().Len() != chats {
			t.Errorf("a refused call left traces: %v", got)
		}
	})
}
