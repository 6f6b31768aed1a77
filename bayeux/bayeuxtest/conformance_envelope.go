package bayeuxtest

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/halley-chat/halley/bayeux"
)

// Envelope, errors and order: sections 1, 3, 5 and 13 of SPEC.md.
var envelopeCases = []conformanceCase{
	{
		// spec:1.1 spec:1.2
		name: "one message or an array of them",
		run: func(c *conversation) {
			p := c.shaken()
			c.send2(p, p.on("/service/none", `"data":1`))
			list := p.say(p.on("/service/none", `"data":1`), p.on("/service/none", `"data":1`))
			if len(list) != 2 {
				c.Errorf(`got %v, want len(list) == 2`, list)
			}
		},
	},
	{
		// spec:1.3.2 spec:14.1
		name: "ids come back as they came",
		run: func(c *conversation) {
			p := c.shaken()
			for _, id := range []string{`"MQ=="`, `12`, `"a-b_c.d:e/f+g"`, `"` + strings.Repeat("x", 128) + `"`} {
				f := p.say(`{"channel":"/service/none","clientId":"$","data":1,"id":` + id + `}`)
				if want := Frame(map[string]any{"channel": "/service/none", "successful": true, "id": f[0]["id"]}); fmt.Sprint(f) != fmt.Sprint([]Frame{want}) {
					c.Errorf(`%s: got %v, want fmt.Sprint(f) == fmt.Sprint([]Frame{want})`, id, f)
				}
				if _, number := f[0]["id"].(float64); number != (id == `12`) {
					c.Errorf("%s changed its type: %v", id, f)
				}
			}
			// One without an id is answered without one.
			f := p.say(`{"channel":"/service/none","clientId":"$","data":1}`, p.on("/service/none", `"data":2`))
			if _, has := f[0]["id"]; has || len(f) != 2 {
				c.Errorf(`got %v, want !has, len(f) == 2`, f)
			}
			for _, id := range []string{`"a b"`, `"` + strings.Repeat("x", 129) + `"`, `""`, `[]`, `true`, `"\u0041"`} {
				call := p.send(`{"channel":"/service/none","clientId":"$","data":1,"id":`+id+`}`, p.on("/service/none", `"data":2`))
				call.ids = call.ids[len(call.ids)-1:]
				f := call.wait()
				if _, has := f[0]["id"]; has || f[0]["error"] != "405::message_id_invalid" {
					c.Errorf(`%s: got %v, want !has, f[0]["error"] == "405::message_id_invalid"`, id, f)
				}
			}
		},
	},
	{
		// spec:1.3.3 spec:1.3.5 spec:6.7 spec:6.8 spec:14.5 spec:12.4
		name: "what a delivery has and a reply has not",
		run: func(c *conversation) {
			p, other := c.shaken(), c.shaken()
			p.works(p.subscribe("/a"))
			other.works(other.subscribe("/a"))
			f := p.own(p.on("/a", `"data":{"x":1},"successful":true,"more":[1]`), 1)
			if len(f) != 2 {
				c.Fatalf(`got %v, want len(f) == 2`, f)
			}
			for _, key := range []string{"clientId", "data", "more", "error", "advice"} {
				if _, has := f[1][key]; has {
					c.Errorf("the reply has %s: %v", key, f[1])
				}
			}
			for _, d := range []Frame{f[0], other.collect(1)[0]} {
				if want := (Frame{"channel": "/a", "data": map[string]any{"x": 1.0}, "more": []any{1.0}}); fmt.Sprint(d) != fmt.Sprint(want) {
					c.Errorf("%v, want %v", d, want)
				}
			}
		},
	},
	{
		// spec:1.3.5 spec:1.3.6 spec:14.5 spec:11.7
		name: "data may be anything and ext travels along",
		run: func(c *conversation) {
			p := c.shaken()
			p.works(p.subscribe("/a"))
			for data, want := range map[string]any{`0`: 0.0, `false`: false, `""`: "", `null`: nil, `{"__proto__":{"a":1},"constructor":2}`: map[string]any{"__proto__": map[string]any{"a": 1.0}, "constructor": 2.0}} {
				f := p.own(p.on("/a", `"ext":{"unknown":{"deep":[]}},"data":`+data), 1)
				got, has := f[0]["data"]
				if !has || fmt.Sprint(got) != fmt.Sprint(want) || f[0].At("ext", "unknown", "deep") == nil {
					c.Errorf(`%s: got %v, want has, fmt.Sprint(got) == fmt.Sprint(want), f[0].At("ext", "unknown", "deep") != nil`, data, f)
				}
			}
			p.fails(p.on("/a", ""), "400::data_missing")
		},
	},
	{
		// spec:1.4 spec:1.4.2 spec:3.2
		name: "a bad message fails alone",
		run: func(c *conversation) {
			p := c.shaken()
			for bad, want := range map[string]string{
				`"chann\u0065l":"/b","data":1`:                         "400::duplicate_key",
				`"data":1,"advice":{"timeout":1,"timeout":2}`:          "400::duplicate_key",
				`"data":1,"ext":[]`:                                    "400::field_invalid",
				`"data":1,"advice":7`:                                  "400::field_invalid",
				`"data":1,"subscription":"/x","ext":{"a":{},"a":null}`: "400::duplicate_key",
			} {
				f := p.say(p.on("/a", bad), p.on("/service/none", `"data":1`))
				if len(f) != 2 || f[0]["error"] != want || f[0]["successful"] != false || f[0]["channel"] != "/a" || f[1]["successful"] != true {
					c.Errorf(`%s: got %v, want len(f) == 2, f[0]["error"] == want, f[0]["successful"] == false, f[0]["channel"] == "/a", f[1]["successful"] == true`, bad, f)
				}
				if _, has := f[0]["advice"]; has {
					c.Errorf("%s: advice in %v", bad, f)
				}
			}
			// Keys of other spelling are other keys, and objects below are free.
			p.works(p.on("/a", `"Channel":"/b","DATA":2,"data":{"k":1,"k":2}`))
		},
	},
	{
		// spec:1.4.1 spec:3.4 spec:10.2
		name: "a bad body is refused whole",
		run: func(c *conversation) {
			for _, body := range []string{`[{"channel":"/a"`, `nothing`, `7`, `{} {}`, `[{},]`} {
				p := c.shaken()
				c.refused(p, 400, 1007, body)
			}
			if !c.polling() { // RFC 6455, section 8.1
				c.refused(c.shaken(), 400, 1007, "{\"channel\":\"/a\",\"x\":\"\xff\"}")
			}
		},
	},
	{
		// spec:1.4.5
		name: "a fault in one string spoils that string alone",
		run: func(c *conversation) {
			p := c.shaken()
			p.works(p.subscribe("/a"))
			texts := map[string]string{
				`half \ud83d`:              "half \ufffd",
				`\udc00\ud83d\ud83d\ude00`: "\ufffd\ufffd\U0001f600",
				`\\ud83d`:                  `\ud83d`,
				`\ud83d\\de00\uD83Dx`:      "\ufffd\\de00\ufffdx",
			}
			if c.polling() {
				texts["caf\xe9 \xf0\x9f"] = "caf\ufffd \ufffd"
			}
			for text, want := range texts {
				f := p.own(p.on("/a", `"data":{"`+text+`":"`+text+`"}`), 1)
				if got := f[0].At("data", want); got != want {
					c.Errorf("%s: got %v, want %q as key and value", text, f[0], want)
				}
			}
			f := p.say(`{"channel":"/a","clientId":"\ud83d","data":1,"id":"x"}`, p.on("/service/none", `"data":"\ud83d"`))
			if f[len(f)-1]["successful"] != true {
				c.Errorf("the message beside a bad clientId: got %v, want success", f)
			}
		},
	},
	{
		// spec:1.4.6 spec:5.1
		name: "what is no message fails alone",
		run: func(c *conversation) {
			for _, bad := range []string{`null`, `5`, `[]`, `"x"`, `{}`, `{"channel":7}`} {
				p := c.shaken()
				f := p.say(bad, p.on("/service/none", `"data":1`))
				if len(f) != 2 || f[0]["error"] != "400::channel_missing" || f[1]["successful"] != true {
					c.Errorf("%s: got %v, want channel_missing and a success", bad, f)
				}
			}
		},
	},
	{
		// spec:1.4.7
		name: "a body without messages",
		run: func(c *conversation) {
			p := c.shaken()
			if c.polling() {
				c.refused(p, 400, 1007, `[]`)
				return
			}
			p.socket.Send(`[]`)
			if f := p.read(); len(f) != 0 {
				c.Errorf("got %v, want an empty array", f)
			}
			p.works(p.on("/service/none", `"data":1`))
		},
	},
	{
		// spec:10.1.1
		name: "messages in a form",
		over: []string{LongPolling},
		run: func(c *conversation) {
			p := c.shaken()
			form := func(content, body string) polled {
				c.Helper()
				req, err := http.NewRequestWithContext(c.Context(), http.MethodPost, c.e.URL, strings.NewReader(body))
				if err != nil {
					c.Fatal(err)
				}
				req.Header.Set("Content-Type", content)
				req.AddCookie(&http.Cookie{Name: Cookie, Value: p.cookie})
				return p.do(req)
			}
			message := strings.ReplaceAll(p.on("/service/none", `"data":"a&message=b+c"`), "$", p.id)
			coded := "message=" + url.QueryEscape("["+message+"]")
			for _, r := range []struct {
				content, body string
				replies       int
			}{
				{"application/x-www-form-urlencoded", coded, 1},
				{"application/x-www-form-urlencoded;charset=UTF-8", "x=1&" + coded + "&message=" + url.QueryEscape(message), 2},
				{"application/x-www-form-urlencoded", " [" + message + "]", 1}, // JSON, as curl sends it
				{"text/plain", message, 1},
			} {
				a := form(r.content, r.body)
				if a.status != 200 || len(a.frames) != r.replies || a.frames[0]["successful"] != true {
					c.Errorf("%s %s: got status %d, %v; want %d replies", r.content, r.body, a.status, a.frames, r.replies)
				}
			}
			for _, body := range []string{"", "x=1", "message=", "message=5", coded + "&message=%5B"} {
				if a := form("application/x-www-form-urlencoded", body); a.status != 400 {
					c.Errorf("%q: got status %d, want 400", body, a.status)
				}
			}
		},
	},
	{
		// spec:14.13 spec:10.2
		name:    "too much is refused",
		options: bayeux.Options{MaxMessageSize: 1000, MaxBatch: 3, MaxDepth: 4},
		run: func(c *conversation) {
			p := c.shaken()
			p.works(p.on("/a", `"data":[[[]]]`))
			m := p.on("/a", `"data":1`)
			p.say(m, p.on("/a", `"data":1`), p.on("/a", `"data":1`))
			f := p.say(p.on("/a", `"data":[[[[]]]]`), m)
			if f[0]["error"] != "400::nested_too_deeply" || f[1]["successful"] != true {
				c.Errorf("got %v, want nested_too_deeply and a success", f)
			}
			c.refused(c.shaken(), 400, 1007, m, m, m, m)
			c.refused(c.shaken(), 413, 1009, `{"channel":"/a","data":"`+strings.Repeat("x", 1000)+`"}`)
		},
	},
	{
		// spec:3.1 spec:3.2 spec:5.3 spec:5.4 spec:13.1 spec:14.2
		name: "everything is answered in order",
		run: func(c *conversation) {
			p := c.shaken()
			f := p.say(
				p.subscribe("/a"), p.on("/a//b", `"data":1`), p.on("/denied/x", `"data":1`), p.on("/meta/none", ""),
				`{"channel":"/a","clientId":"nobody","id":"x","data":1}`, p.on("/service/none", ""), p.on("/meta/unsubscribe", `"subscription":"/a"`),
				`{"clientId":"$","id":"y"}`,
			)
			want := []any{nil, "405::channel_invalid", "403:denied_by_security_policy:publish_denied", "403:denied_by_security_policy:channel_create_denied", "402::Unknown client", nil, nil, "400::channel_missing"}
			var got []any
			for _, r := range f {
				got = append(got, r["error"])
				if r["successful"] != (r["error"] == nil) {
					c.Errorf(`got %v, want r["successful"] == (r["error"] == nil)`, r)
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				c.Errorf("%v, want %v", got, want)
			}
		},
	},
	{
		// spec:5.1 spec:1.3.3 spec:2.4
		name: "a body belongs to the session of its first message",
		run: func(c *conversation) {
			p, other := c.shaken(), c.shaken()
			theirs := `{"channel":"/service/none","clientId":"` + other.id + `","id":"x"}`
			f := p.say(p.on("/service/none", ""), theirs, p.on("/service/none", ""), `{"channel":"/service/none","id":"y"}`)
			for i, want := range []bool{true, false, true, false} {
				if f[i]["successful"] != want || !want && f[i]["error"] != "402::Unknown client" {
					c.Errorf("message %d: %v", i, f[i])
				}
				if _, has := f[i]["advice"]; has {
					c.Errorf("message %d has advice: %v", i, f[i])
				}
			}
		},
	},
	{
		// spec:5.1.1
		name: "a handshake stands alone",
		run: func(c *conversation) {
			shake := `{"channel":"/meta/handshake","version":"1.0","id":"h"}`
			c.refused(c.shaken(), 400, 1002, shake, shake)
			p := c.shaken()
			c.refused(p, 400, 1002, p.on("/service/none", ""), shake)
		},
	},
	{
		// spec:5.2 spec:13.4 spec:7.2
		name: "what a body causes is ahead of its last answer",
		run: func(c *conversation) {
			p := c.shaken()
			p.works(p.subscribe("/a"))
			p.works(p.subscribe("/b"))
			f := p.own(p.on("/b", `"data":1`), 1)
			if f[0]["data"] != 1.0 || f[len(f)-1]["successful"] != true {
				c.Errorf(`got %v, want f[0]["data"] == 1.0, f[len(f)-1]["successful"] == true`, f)
			}
			call := p.send(p.on("/a", `"data":1`), p.on("/service/flood", `"data":{"channel":"/b","count":2}`))
			f = call.wait()
			if c.kind == CallbackPolling {
				f = append(p.collect(3), f...)
			}
			if len(f) != 5 || f[0]["data"] != 1.0 || f[2].At("data", "n") != 1.0 || f[4]["channel"] != "/service/flood" {
				c.Errorf(`got %v, want len(f) == 5, f[0]["data"] == 1.0, f[2].At("data", "n") == 1.0, f[4]["channel"] == "/service/flood"`, f)
			}
		},
	},
}

// send2 sends a message as an object and as an array of one.
func (c *conversation) send2(p *party, message string) {
	c.Helper()
	for _, body := range []string{message, "[" + message + "]"} {
		call := p.send(body)
		call.ids = []string{fmt.Sprintf("n%d", p.sent)}
		if f := call.wait(); len(f) != 1 || f[0]["successful"] != true {
			c.Errorf(`%s: got %v, want len(f) == 1, f[0]["successful"] == true`, body, f)
		}
	}
}
