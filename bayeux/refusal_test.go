package bayeux_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/halley-chat/halley/bayeux"
)

// A body that is refused whole says why by its status or close code, is counted
// under its reason, and harms no session.
//
// spec:1.4.1 spec:3.4 spec:10.2 spec:14.13
func TestBadBodies(t *testing.T) {
	for name, c := range map[string]struct {
		body   string
		status int // 0 if it is fine over HTTP
		code   int // 0 if it is fine over a WebSocket
		reason string
	}{
		"truncated":          {`[{"channel":"/meta/con`, 400, 1007, "malformed"},
		"no JSON":            {`hello`, 400, 1007, "malformed"},
		"empty":              {``, 400, 1007, "malformed"},
		"empty array":        {`[]`, 400, 0, "malformed"},
		"a number":           {`5`, 400, 1007, "malformed"},
		"trailing":           {`[] []`, 400, 1007, "malformed"},
		"bad UTF-8":          {"[{\"channel\":\"/a\",\"data\":\"\xff\"}]", 0, 1007, "malformed"},
		"nested for ever":    {strings.Repeat(`{"x":`, 20_000), 400, 1007, "malformed"},
		"too many":           {`[` + strings.Repeat(`{"channel":"/a"},`, 100) + `{"channel":"/a"}]`, 400, 1007, "too_many"},
		"too large":          {`[{"channel":"/a","data":"` + strings.Repeat("x", 200_000) + `"}]`, 413, 1009, "too_large"},
		"batched handshakes": {`[{"channel":"/meta/handshake"},{"channel":"/meta/handshake"}]`, 400, 1002, "protocol"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, bayeux.Options{MaxMessageSize: 128 << 10})
				p := w.poller()
				want := int64(0)
				if c.status != 0 {
					want++
					if status, _, _ := w.post(t.Context(), p.cookie, c.body); status != c.status {
						t.Errorf("over HTTP: got status %d, want %d", status, c.status)
					}
				}
				if c.code != 0 {
					want++
					s := w.dial(nil)
					go s.TrySend(c.body)
					if _, code := s.ReadFrame(); int(code) != c.code {
						t.Errorf("over a WebSocket: got close code %d, want %d", code, c.code)
					}
					_ = s.Conn.Close()
					synctest.Wait()
				}
				w.srv.Stats().BadBodies.Each(func(reason string, n int64) {
					if reason == c.reason && n != want || reason != c.reason && n != 0 {
						t.Errorf("%s: counted %d times, want %d under %s", reason, n, want, c.reason)
					}
				})
				if f := p.send(`{"channel":"/meta/subscribe","clientId":"$","subscription":"/x"}`); f[0]["successful"] != true {
					t.Errorf("the session afterwards: got %v, want success", f)
				}
			})
		})
	}
}

// spec:1.3.1 spec:3.3 spec:14.14
func TestBadMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{MaxSubscriptions: 2})
		p := w.poller()
		long := "/" + strings.Repeat("a", 600)
		for body, want := range map[string]string{
			`{"clientId":"$"}`:                                                             "400::channel_missing",
			`{"clientId":"$","channel":5}`:                                                 "400::channel_missing",
			`{"clientId":{},"channel":"/a"}`:                                               "400::field_invalid",
			`{"clientId":"$","channel":"/a","channel":"/b","data":1}`:                      "400::duplicate_key",
			`{"clientId":"$","channel":"/a","ext":{"x":1,"x":2},"data":1}`:                 "400::duplicate_key",
			`{"clientId":"$","channel":"/a","data":1,"id":"a b"}`:                          "405::message_id_invalid",
			`{"clientId":"$","channel":"/a","data":1,"id":{}}`:                             "405::message_id_invalid",
			`{"clientId":"$","channel":"/a//b","data":1}`:                                  "405::channel_invalid",
			`{"clientId":"$","channel":"/a/*/b","data":1}`:                                 "405::channel_invalid",
			`{"clientId":"$","channel":"/a/*","data":1}`:                                   "405::channel_invalid",
			`{"clientId":"$","channel":"a","data":1}`:                                      "405::channel_invalid",
			`{"clientId":"$","channel":"/ä","data":1}`:                                     "405::channel_invalid",
			`{"clientId":"$","channel":"` + long + `","data":1}`:                           "405::channel_invalid",
			`{"clientId":"$","channel":"/a"}`:                                              "400::data_missing",
			`{"clientId":"$","channel":"/meta/what","data":1}`:                             "403:denied_by_security_policy:channel_create_denied",
			`{"clientId":"$","channel":"/meta/subscribe"}`:                                 "403::subscription_missing",
			`{"clientId":"$","channel":"/meta/subscribe","subscription":5}`:                "403::subscription_invalid",
			`{"clientId":"$","channel":"/meta/subscribe","subscription":["/a",5]}`:         "403::subscription_invalid",
			`{"clientId":"$","channel":"/meta/subscribe","subscription":"/meta/x"}`:        "403:denied_by_security_policy:subscribe_denied",
			`{"clientId":"$","channel":"/meta/subscribe","subscription":["/a","b"]}`:       "403::subscription_invalid",
			`{"clientId":"$","channel":"/meta/subscribe","subscription":["/b","/c","/d"]}`: "403:too_many_subscriptions:subscribe_denied",
			`{"CLIENTID":"$","channel":"/a","data":1}`:                                     "402::Unknown client",
			`{"clientId":"$x","channel":"/a","data":1}`:                                    "402::Unknown client",
			`{"clientId":"$","channel":"/meta/unsubscribe","subscription":"/meta/all"}`:    "403::unsubscribe_failed",
		} {
			f := w.poller().send(body)
			if len(f) != 1 || f[0]["successful"] != false || f[0]["error"] != want {
				t.Errorf("%s: %v, want %s", body, f, want)
			}
		}
		for _, body := range []string{
			`{"clientId":"$","channel":"/service/x","id":12}`,
			`{"clientId":"$","channel":"/service/x","id":"MQ=="}`,
			`{"clientId":"$","channel":"/service/x/","id":"1"}`,
			`{"clientId":"$","channel":"/meta/subscribe","id":"1","subscription":"/service/**"}`,
			`{"clientId":"$","channel":"/meta/unsubscribe","id":"1","subscription":"/never"}`,
			`{"clientId":"$","channel":"/a","data":{"k":1,"k":2},"id":"1"}`,
		} {
			if f := p.send(body); f[len(f)-1]["successful"] != true || f[len(f)-1]["id"] == nil {
				t.Errorf(`%s: got %v, want f[len(f)-1]["successful"] == true, f[len(f)-1]["id"] != nil`, body, f)
			}
		}
	})
}
