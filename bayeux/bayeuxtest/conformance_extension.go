package bayeuxtest

import (
	"fmt"
	"time"

	"github.com/halley-chat/halley/bayeux"
)

// Extensions: section 11 of SPEC.md.
var extensionCases = []conformanceCase{
	{
		// spec:11.1
		name: "who asks for acknowledgements",
		run: func(c *conversation) {
			for asked, want := range map[string]any{`true`: true, `false`: nil, `"true"`: nil, `{"enabled":true}`: nil} {
				if f := c.party().handshake(`"ext":{"ack":` + asked + `}`); f.At("ext", "ack") != want {
					c.Errorf(`%s: got %v, want f.At("ext", "ack") == want`, asked, f)
				}
			}
		},
	},
	{
		// spec:11.1 spec:11.1.1 spec:11.1.2 spec:11.1.3 spec:7.4
		name:    "what is not acknowledged comes again",
		options: bayeux.Options{Timeout: 3 * patience},
		run: func(c *conversation) {
			p := c.party()
			p.handshake(`"ext":{"ack":true}`)
			connect := func(ack int, advice string) (n []any, batch any) {
				c.Helper()
				f := p.say(p.connect(fmt.Sprintf(`"ext":{"ack":%d}%s`, ack, advice)))
				last := f[len(f)-1]
				if last["channel"] != "/meta/connect" {
					c.Fatalf("the connect's reply is not the last: %v", f)
				}
				for _, d := range deliveries(f) {
					n = append(n, d.At("data", "n"))
				}
				return n, last.At("ext", "ack")
			}
			check := func(what string, ack int, advice, want string, batch float64) {
				c.Helper()
				if n, b := connect(ack, advice); fmt.Sprint(n) != want || b != batch {
					c.Errorf("%s: %v in batch %v, want %s in %v", what, n, b, want, batch)
				}
			}
			const atOnce = `,"advice":{"timeout":0}`
			check("the first", 0, atOnce, "[]", 1)
			if f := p.say(p.on("/service/flood", `"data":{"channel":"/a","count":2}`)); len(f) != 1 {
				c.Errorf("messages without a connect: %v", f)
			}
			check("two messages", 1, "", "[0 1]", 2)
			check("lost, and at once", 1, "", "[0 1]", 3)
			p.works(p.on("/service/flood", `"data":{"channel":"/a","count":1}`))
			check("older ones first", 1, "", "[0 1 0]", 4)
			check("acknowledged in part", 3, "", "[0]", 5)
			check("all is had", 5, atOnce, "[]", 6)
		},
	},
	{
		// spec:11.1.2 spec:7.6.1
		name:    "a replaced connect loses nothing",
		over:    polls,
		timed:   true,
		options: bayeux.Options{HoldsPerBrowser: -1},
		run: func(c *conversation) {
			p := c.party()
			p.handshake(`"ext":{"ack":true}`)
			p.say(p.connect(`"ext":{"ack":0},"advice":{"timeout":0}`))
			older := p.send(p.connect(`"ext":{"ack":1}`))
			c.settle()
			newer := p.send(p.connect(`"ext":{"ack":1}`))
			older.answer()
			c.settle()
			p.send(p.on("/service/flood", `"data":{"channel":"/a","count":2}`))
			if d := deliveries(newer.wait()); len(d) != 2 {
				c.Errorf(`got %v, want len(d) == 2`, d)
			}
		},
	},
	{
		// spec:11.2
		name:  "the server's clock",
		timed: true,
		run: func(c *conversation) {
			p := c.shaken()
			now := time.Now().UnixMilli()
			f := p.reply(p.connect(`"ext":{"timesync":{"tc":1000}},"advice":{"timeout":2000}`))
			if got, want := fmt.Sprint(f.At("ext", "timesync")), fmt.Sprint(map[string]any{"tc": 1000.0, "ts": float64(now), "p": 2000.0}); got != want {
				c.Errorf("%s, want %s", got, want)
			}
			f = p.reply(p.on("/service/none", `"ext":{"timesync":{"tc":1000,"l":0,"o":0}}`))
			if _, has := f["ext"]; has {
				c.Errorf("not a meta message: %v", f)
			}
			for _, odd := range []string{`{}`, `{"tc":"x"}`, `5`, `{"tc":1e300}`} {
				if f := p.reply(p.subscribeWith(odd)); f["successful"] != true || f["ext"] != nil {
					c.Errorf(`%s: got %v, want f["successful"] == true, f["ext"] == nil`, odd, f)
				}
			}
		},
	},
	{
		// spec:11.5
		name: "binary data passes through",
		run: func(c *conversation) {
			p, source := c.shaken(), c.shaken()
			p.works(p.subscribe("/a"))
			source.works(source.on("/a", `"data":{"data":"HelloWorld","last":true,"meta":{"n":1}},"ext":{"binary":{}}`))
			d := p.collect(1)[0]
			if fmt.Sprint(d) != fmt.Sprint(Frame{"channel": "/a", "data": map[string]any{"data": "HelloWorld", "last": true, "meta": map[string]any{"n": 1.0}}, "ext": map[string]any{"binary": map[string]any{}}}) {
				c.Errorf(`got %v, want fmt.Sprint(d) == fmt.Sprint(Frame{"channel": "/a", "data": map[string]any{"data": "HelloWorld", "last": true, "meta": map[string]any{"n": 1.0}}, "ext": map[string]any{"binary": map[string]any{}}})`, d)
			}
		},
	},
	{
		// spec:11.6
		name:    "doing nothing but connecting",
		timed:   true,
		options: bayeux.Options{MaxInactivity: 30 * time.Second, HoldsPerBrowser: -1},
		run: func(c *conversation) {
			p := c.shaken()
			p.say(p.connect(""))
			p.works(p.on("/service/none", "")) // this counts
			p.say(p.connect(""))
			p.say(p.connect(""))
			f := p.say(p.connect(""))
			last := f[len(f)-1]
			if last["error"] != "402::Unknown client" || last.At("advice", "reconnect") != "none" || last.At("advice", "interval") != 0.0 {
				c.Errorf(`got %v, want last["error"] == "402::Unknown client", last.At("advice", "reconnect") == "none", last.At("advice", "interval") == 0.0`, f)
			}
			if f[0]["channel"] != "/meta/disconnect" {
				c.Errorf(`got %v, want f[0]["channel"] == "/meta/disconnect"`, f)
			}
		},
	},
}

// subscribeWith subscribes to nothing, with a timesync field.
func (p *party) subscribeWith(timesync string) string {
	return p.on("/meta/subscribe", `"subscription":[],"ext":{"timesync":`+timesync+`}`)
}
