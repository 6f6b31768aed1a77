package bayeuxtest

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/halley-chat/halley/bayeux"
)

// Cookies, the life of sessions: sections 8 and 9 of SPEC.md.
var lifeCases = []conformanceCase{
	{
		// spec:8.1 spec:14.10
		name: "the cookie",
		run: func(c *conversation) {
			p := c.party()
			p.handshake("")
			set, err := http.ParseSetCookie(p.header.Get("Set-Cookie"))
			if err != nil || set.Name != Cookie || !set.HttpOnly || set.Path != "/" || len(set.Value) < 16 || set.Secure || set.MaxAge != 0 {
				c.Fatalf(`got %v %v, want err == nil, set.Name == Cookie, set.HttpOnly, set.Path == "/", len(set.Value) >= 16, !set.Secure, set.MaxAge == 0`, set, err)
			}
			if !c.polling() {
				return
			}
			p.handshake("")
			if again := p.header.Get("Set-Cookie"); again != "" {
				c.Errorf("set again: %s", again)
			}
		},
	},
	{
		// spec:8.2 spec:2.4
		name: "another browser's session is unknown",
		over: polls,
		run: func(c *conversation) {
			p, thief := c.shaken(), c.shaken()
			thief.id = p.id
			f := thief.fails(thief.connect(""), "402::Unknown client")
			if f.At("advice", "reconnect") != "handshake" {
				c.Errorf(`got %v, want f.At("advice", "reconnect") == "handshake"`, f)
			}
			thief.cookie = ""
			thief.fails(thief.subscribe("/a"), "402::Unknown client")
			p.works(p.subscribe("/a"))
		},
	},
	{
		// spec:9.1 spec:9.2 spec:9.5 spec:2.5 spec:14.4
		name:    "a session expires",
		timed:   true,
		options: bayeux.Options{MaxInterval: 8 * time.Second},
		run: func(c *conversation) {
			p := c.shaken()
			p.works(p.subscribe("/a"))
			for range 3 {
				time.Sleep(7 * time.Second)
				p.works(p.on("/service/none", ""))
			}
			p.say(p.connect("")) // held for longer than MaxInterval
			time.Sleep(7 * time.Second)
			p.works(p.on("/service/none", ""))
			time.Sleep(9 * time.Second)
			source := c.shaken()
			source.works(source.push("/a", "1"))
			if !c.polling() {
				c.ends(p, 1000)
				p.dial()
			}
			f := p.fails(p.connect(""), "402::Unknown client")
			if f.At("advice", "reconnect") != "handshake" || f.At("advice", "interval") != 0.0 {
				c.Errorf(`got %v, want f.At("advice", "reconnect") == "handshake", f.At("advice", "interval") == 0.0`, f)
			}
			old := p.id
			p.handshake("")
			if p.id == old {
				c.Error("the old id came back")
			}
			p.nothing("from the life before")
		},
	},
	{
		// spec:9.3 spec:9.4 spec:14.6 spec:11.4
		name:    "a session survives its socket",
		over:    sockets,
		timed:   true,
		options: bayeux.Options{MaxInterval: 8 * time.Second},
		run: func(c *conversation) {
			p, source := c.shaken(), c.shaken()
			p.works(p.subscribe("/a"))
			p.send(p.connect(""))
			c.settle()
			_ = p.socket.Conn.Close()
			c.settle()
			source.works(source.push("/a", "1"))
			time.Sleep(7 * time.Second)
			p.dial()
			f := p.say(p.connect(`"advice":{"timeout":0}`))
			for len(deliveries(f)) == 0 {
				f = append(f, p.read()...)
			}
			if d := deliveries(f); d[0]["data"] != 1.0 {
				c.Errorf(`got %v, want d[0]["data"] == 1.0`, f)
			}
			_ = p.socket.Conn.Close()
			time.Sleep(9 * time.Second)
			p.dial()
			p.fails(p.connect(""), "402::Unknown client")
		},
	},
	{
		// spec:9.1
		name:    "the clock waits for the reply to be written",
		over:    sockets,
		timed:   true,
		options: bayeux.Options{MaxInterval: 9 * time.Second},
		run: func(c *conversation) {
			// A pipe takes nothing before it is read from.
			reader := c.party()
			reader.handshake("")
			slow := c.slow(reader.id)
			slow.Send(`{"channel":"/meta/connect","clientId":"$","id":"1"}`)
			time.Sleep(8 * time.Second)
			slow.Read()
			time.Sleep(8 * time.Second)
			f := slow.Ask(`{"channel":"/service/none","clientId":"$","id":"2"}`)
			if f[0]["successful"] != true {
				c.Errorf(`got %v, want f[0]["successful"] == true`, f)
			}
		},
	},
}

// slow opens a socket that nobody reads from but the case itself.
func (c *conversation) slow(id string) *Socket {
	c.Helper()
	return (&party{conversation: c, id: id}).open()
}

// abandon sends a message and returns a function that hangs up.
func (p *party) abandon(message string) (hangUp func()) {
	ctx, cancel := context.WithCancel(p.Context())
	go p.exchange(ctx, p.cookie, strings.ReplaceAll(message, "$", p.id))
	return cancel
}
