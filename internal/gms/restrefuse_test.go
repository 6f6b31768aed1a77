package gms

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/halley-chat/halley/internal/chat"
)

func TestRESTRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		p, other := h.polling("support"), h.polling("support")
		key := "secureKey=" + p.key
		long := strings.Repeat("x", chat.MaxText+1)
		base := RESTPath + "support"
		before := len(h.events(p.chat))
		for name, c := range map[string]struct {
			r         *http.Request
			code      any // in errors; nil for none
			status    int
			ended     bool
			wrongKeys int64
		}{
			"no such service":         {formRequest(RESTPath+"nowhere", "nickname=x"), nil, 404, true, 0},
			"no service":              {formRequest(RESTPath, "nickname=x"), nil, 404, true, 0},
			"no such operation":       {formRequest(p.url("dance"), key), 249.0, 404, false, 0},
			"the name over CometD":    {formRequest(p.url("sendMessage"), key+"&message=x"), 249.0, 404, false, 0},
			"a chat without more":     {formRequest(base+"/"+p.chat, key), 249.0, 404, false, 0},
			"GET":                     {httptest.NewRequest("GET", base, nil), 249.0, 405, false, 0},
			"no key":                  {formRequest(p.url("send"), "message=x"), 249.0, 400, false, 0},
			"a key that is none":      {formRequest(p.url("send"), "message=x&secureKey=4ee15d7e1c343c8e"), 249.0, 200, true, 1},
			"the key of another chat": {formRequest(p.url("send"), "message=x&secureKey="+other.key), 249.0, 200, true, 1},
			"no chat in the path":     {formRequest(base+"/what/send", "message=x&"+key), 249.0, 200, true, 1},
			"no message":              {formRequest(p.url("send"), key), 249.0, 400, false, 0},
			"a long message":          {formRequest(p.url("send"), key+"&message="+long), 204.0, 400, false, 0},
			"no nickname":             {formRequest(p.url("updateNickname"), key+"&nickname=+"), 249.0, 400, false, 0},
			"no address":              {formRequest(p.url("pushUrl"), key+"&pushUrl=javascript:alert(1)"), 249.0, 400, false, 0},
			"attributes: no object":   {formRequest(p.url("send"), key+"&message=x&eventAttributes=[1]"), 249.0, 400, false, 0},
			"attributes: broken":      {formRequest(p.url("send"), key+"&message=x&eventAttributes={"), 249.0, 400, false, 0},
			"attributes: twice":       {formRequest(p.url("send"), key+`&message=x&eventAttributes={"a":1,"a":2}`), 249.0, 400, false, 0},
			"the key twice":           {formRequest(p.url("send"), key+"&message=x&"+key), 249.0, 400, false, 0},
			"the key here and there":  {formRequest(p.url("send")+"?"+key, key+"&message=x"), 249.0, 400, false, 0},
			"the key twice in JSON":   {formRequest(p.url("send"), `{"secureKey":"`+p.key+`","message":"x","secureKey":"`+p.key+`"}`), 249.0, 400, false, 0},
			"the key twice in parts":  {multipartRequest(p.url("send"), "secureKey", p.key, "secureKey", p.key, "message", "x"), 249.0, 400, false, 0},
			"JSON: broken":            {formRequest(p.url("send"), `{"secureKey":`), 249.0, 400, false, 0},
			"a form: broken":          {formRequest(p.url("send"), key+"&message=%zz"), 249.0, 400, false, 0},
			"a query: broken":         {formRequest(p.url("send")+"?x=%zz", key+"&message=x"), 249.0, 400, false, 0},
			"a body too long":         {formRequest(p.url("send"), key+"&message="+strings.Repeat("x", maxBody)), 204.0, 413, false, 0},
			"a page of elsewhere":     {origin(formRequest(base, "nickname=x"), "https://evil.example"), 401.0, 403, true, 0},
			"a page with a key":       {origin(formRequest(p.url("send"), key+"&message=x"), "https://evil.example"), 401.0, 403, true, 0},
		} {
			q := &restClient{h: h}
			wrong := h.edge.Stats().WrongKeys.Load()
			n := q.send(c.r)
			var code any
			if list, ok := n["errors"].([]any); ok {
				code = list[0].(map[string]any)["code"]
			}
			if n["statusCode"] != 2.0 || q.status != c.status || code != c.code || n["chatEnded"] != c.ended {
				t.Errorf("%s: %d %v", name, q.status, n)
			}
			if got := h.edge.Stats().WrongKeys.Load() - wrong; got != c.wrongKeys {
				t.Errorf("%s: %d wrong keys", name, got)
			}
		}
		if got := len(h.events(p.chat)); got != before {
			t.Errorf("the log has %d events, not %d", got, before)
		}
		if n := h.engine.Board().Len(); n != 2 {
			t.Errorf("%d chats", n)
		}
		for _, o := range []string{"https://shop.example", "null", "http://example.com"} { // the last is the address itself
			q := &restClient{h: h}
			if n := q.send(origin(formRequest(base, "nickname=x"), o)); n["statusCode"] != 0.0 {
				t.Errorf("%s: %v", o, n)
			}
		}
		h.edge.Drain(0)
		if n := other.do("send", "message", "x"); n["statusCode"] != 0.0 {
			t.Errorf("draining: %v", n)
		}
		other.key = ""
		n := other.do("", "nickname", "x")
		if other.status != 200 || n["errors"].([]any)[0].(map[string]any)["code"] != 240.0 {
			t.Errorf("draining: %d %v", other.status, n)
		}
	})
}

func origin(r *http.Request, origin string) *http.Request {
	r.Header.Set("Origin", origin)
	return r
}
