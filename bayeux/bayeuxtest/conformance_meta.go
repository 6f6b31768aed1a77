package bayeuxtest

import (
	"fmt"
	"slices"

	"github.com/halley-chat/halley/bayeux"
)

// The channels one by one: sections 2 and 6 of SPEC.md.
var metaCases = []conformanceCase{
	{
		// spec:6.1 spec:1.3.7 spec:2.1 spec:2.2 spec:12.4
		name: "the reply to a handshake",
		run: func(c *conversation) {
			p := c.party()
			first := p.handshake(`"minimumVersion":"0.9","advice":{"timeout":1,"interval":2}`)
			second := c.party().say(`{"channel":"/meta/handshake","id":"7","supportedConnectionTypes":["pigeon"]}`)[0]
			for _, f := range []Frame{first, second} {
				id, _ := f["clientId"].(string)
				if f["successful"] != true || f["channel"] != "/meta/handshake" || f["version"] != "1.0" || f["minimumVersion"] != "1.0" || len(id) < 26 {
					c.Errorf(`got %v, want f["successful"] == true, f["channel"] == "/meta/handshake", f["version"] == "1.0", f["minimumVersion"] == "1.0", len(id) >= 26`, f)
				}
				types, _ := f["supportedConnectionTypes"].([]any)
				if !slices.Contains(types, any(c.kind)) || types[0] != WebSocket {
					c.Errorf("connection types %v", types)
				}
				if got, want := fmt.Sprint(f["advice"]), fmt.Sprint(map[string]any{"reconnect": "retry", "interval": 0.0, "timeout": 20000.0}); got != want {
					c.Errorf("advice %s, want %s", got, want)
				}
			}
			if first["clientId"] == second["clientId"] {
				c.Error("the same id twice")
			}
		},
	},
	{
		// spec:6.1
		name: "every handshake makes a session",
		run: func(c *conversation) {
			p := c.shaken()
			old := p.id
			p.works(p.subscribe("/a"))
			p.handshake(`"clientId":"` + old + `"`)
			if p.id == old {
				c.Fatal("the same session")
			}
			p.works(p.on("/service/none", ""))
			p.works(`{"channel":"/service/none","clientId":"` + old + `","id":"x"}`)
		},
	},
	{
		// spec:2.6 spec:3.3
		name: "a handshake may be denied",
		run: func(c *conversation) {
			p := c.party()
			f := p.handshake(`"ext":{"deny":true}`)
			if f["error"] != "403::handshake_denied" || f["successful"] != false || f.At("advice", "reconnect") != "none" || f["clientId"] != nil {
				c.Errorf(`got %v, want f["error"] == "403::handshake_denied", f["successful"] == false, f.At("advice", "reconnect") == "none", f["clientId"] == nil`, f)
			}
			if c.polling() && p.header.Get("Set-Cookie") != "" {
				c.Error("a cookie all the same")
			}
		},
	},
	{
		// spec:6.2
		name: "a session works before its first connect",
		run: func(c *conversation) {
			p := c.party()
			p.handshake("")
			p.works(p.subscribe("/a"))
			p.works(p.on("/service/none", `"data":1`))
			other := c.shaken()
			other.works(other.on("/a", `"data":1`))
			if d := p.collect(1); d[0]["channel"] != "/a" {
				c.Errorf(`got %v, want d[0]["channel"] == "/a"`, d)
			}
		},
	},
	{
		// spec:6.3 spec:1.3.4 spec:14.1
		name: "subscribing",
		run: func(c *conversation) {
			p := c.shaken()
			f := p.fails(p.subscribe("/ok", "/denied/x", "/never"), "403:denied_by_security_policy:subscribe_denied")
			if fmt.Sprint(f["subscription"]) != "[/ok /denied/x /never]" {
				c.Errorf(`got %v, want fmt.Sprint(f["subscription"]) == "[/ok /denied/x /never]"`, f)
			}
			p.works(p.subscribe("/ok"))
			p.works(p.subscribe())
			f = p.reply(p.on("/meta/subscribe", `"subscription":"/ok"`))
			if f["subscription"] != "/ok" || f["successful"] != true {
				c.Errorf(`got %v, want f["subscription"] == "/ok", f["successful"] == true`, f)
			}
			source := c.shaken()
			source.works(source.push("/never", "1"))
			source.works(source.push("/ok", "2"))
			if d := p.collect(1); len(d) != 1 || d[0]["data"] != 2.0 {
				c.Errorf(`got %v, want len(d) == 1, d[0]["data"] == 2.0`, d)
			}
			for subscription, want := range map[string]string{`{}`: "403::subscription_invalid", `["/a",null]`: "403::subscription_invalid", `null`: "403::subscription_missing"} {
				p.fails(p.on("/meta/subscribe", `"subscription":`+subscription), want)
			}
		},
	},
	{
		// spec:6.4 spec:6.9 spec:6.10
		name: "services and meta channels are not for subscribers",
		run: func(c *conversation) {
			p := c.shaken()
			p.works(p.subscribe("/service/**", "/service/none", "/**"))
			for _, name := range []string{"/meta/connect", "/meta/**", "/meta/none"} {
				p.fails(p.subscribe(name), "403:denied_by_security_policy:subscribe_denied")
			}
			p.fails(p.on("/meta/none", `"data":1`), "403:denied_by_security_policy:channel_create_denied")
			p.works(p.on("/service/none", `"data":1`))
			p.nothing("a service reached a subscriber")
		},
	},
	{
		// spec:6.5
		name: "unsubscribing",
		run: func(c *conversation) {
			p, source := c.shaken(), c.shaken()
			p.works(p.subscribe("/a", "/b"))
			f := p.reply(p.on("/meta/unsubscribe", `"subscription":["/a","/never","/service/x"]`))
			if f["successful"] != true || fmt.Sprint(f["subscription"]) != "[/a /never /service/x]" {
				c.Errorf(`got %v, want f["successful"] == true, fmt.Sprint(f["subscription"]) == "[/a /never /service/x]"`, f)
			}
			source.works(source.push("/a", "1"))
			source.works(source.push("/b", "2"))
			if d := p.collect(1); d[0]["channel"] != "/b" {
				c.Errorf(`got %v, want d[0]["channel"] == "/b"`, d)
			}
			p.fails(p.on("/meta/unsubscribe", `"subscription":"/meta/connect"`), "403::unsubscribe_failed")
			p.fails(p.on("/meta/unsubscribe", ``), "403::subscription_missing")
		},
	},
	{
		// spec:6.6 spec:2.5 spec:14.8 spec:14.4
		name:    "disconnecting",
		options: bayeux.Options{HoldsPerBrowser: -1},
		run: func(c *conversation) {
			p := c.shaken()
			held := p.send(p.connect(""))
			c.settle()
			f := p.say(p.on("/meta/disconnect", ""), p.on("/service/none", ""))
			last := f[len(f)-2:]
			if last[0]["successful"] != true || last[0]["channel"] != "/meta/disconnect" || last[0]["clientId"] != nil {
				c.Errorf(`got %v, want last[0]["successful"] == true, last[0]["channel"] == "/meta/disconnect", last[0]["clientId"] == nil`, f)
			}
			if last[1]["error"] != "402::Unknown client" {
				c.Errorf("later in the same body: %v", f)
			}
			if !c.bubble {
				// Over polling the connect may just as well have come too late.
				return
			}
			released := held.wait()
			if r := released[len(released)-1]; r["successful"] != true || r.At("advice", "reconnect") != "none" || r["channel"] != "/meta/connect" {
				c.Errorf("the held connect: %v", released)
			}
			r := p.fails(p.connect(""), "402::Unknown client")
			if r.At("advice", "reconnect") != "handshake" || r.At("advice", "interval") != 0.0 {
				c.Errorf(`got %v, want r.At("advice", "reconnect") == "handshake", r.At("advice", "interval") == 0.0`, r)
			}
		},
	},
	{
		// spec:6.9.1
		name: "a remote call",
		over: []string{LongPolling, WebSocket},
		run: func(c *conversation) {
			p := c.shaken()
			f := p.say(p.on("/service/echo", `"data":{"q":null}`))
			if len(f) != 2 {
				c.Fatalf(`got %v, want len(f) == 2`, f)
			}
			if f[0]["id"] != f[1]["id"] || f[0]["successful"] != true || fmt.Sprint(f[0]["data"]) != "map[q:<nil>]" {
				c.Errorf("the answer: %v", f[0])
			}
			if _, has := f[1]["data"]; has || f[1]["successful"] != true {
				c.Errorf("the reply: %v", f[1])
			}
		},
	},
	{
		// spec:6.11 spec:2.5
		name: "being kicked by one's own message",
		over: []string{LongPolling, WebSocket},
		run: func(c *conversation) {
			p := c.shaken()
			f := p.say(p.on("/service/kick", `"data":1`))
			if len(f) == 1 && !c.polling() {
				f = append(f, p.read()...)
			}
			kicked := false
			for _, m := range f {
				_, hasID := m["id"]
				kicked = kicked || m["channel"] == "/meta/disconnect" && !hasID && m["successful"] == true
			}
			if !kicked {
				c.Errorf(`got %v, want kicked`, f)
			}
		},
	},
	{
		// spec:6.11
		name:    "being kicked while a connect is held",
		timed:   true,
		options: bayeux.Options{HoldsPerBrowser: -1},
		run: func(c *conversation) {
			p := c.shaken()
			held := p.send(p.connect(""))
			c.settle()
			p.send(p.on("/service/kick", `"data":1`))
			f := held.wait()
			if r := f[len(f)-1]; r.At("advice", "reconnect") != "none" || r["successful"] != true {
				c.Errorf(`got %v, want r.At("advice", "reconnect") == "none", r["successful"] == true`, f)
			}
			if c.kind == CallbackPolling && f[0]["channel"] != "/meta/disconnect" {
				c.Errorf("the message that says so is not ahead of the connect: %v", f)
			}
		},
	},
}
