package bayeuxtest

import (
	"fmt"
	"net/http"
	"time"

	"github.com/halley-chat/halley/bayeux"
)

// When a connect is answered: sections 2 and 7 of SPEC.md.
var connectCases = []conformanceCase{
	{
		// spec:7.1.1 spec:2.2 spec:14.3
		name:    "the first connect never waits",
		options: bayeux.Options{Timeout: 3 * patience},
		run: func(c *conversation) {
			p := c.party()
			p.handshake("")
			start := time.Now()
			f := p.reply(p.connect(`"advice":{"timeout":30000}`))
			c.took(start, 0, "the first connect")
			if fmt.Sprint(f["advice"]) != "map[interval:0 reconnect:retry timeout:180000]" {
				c.Errorf(`got %v, want fmt.Sprint(f["advice"]) == "map[interval:0 reconnect:retry timeout:180000]"`, f)
			}
		},
	},
	{
		// spec:7.1 spec:7.7 spec:2.2.1
		name:  "a steady connect waits and brings no advice",
		timed: true,
		run: func(c *conversation) {
			p := c.shaken()
			start := time.Now()
			f := p.say(p.connect(""))
			c.took(start, 20*time.Second, "the connect")
			if len(f) != 1 || len(f[0]) != 3 || f[0]["successful"] != true {
				c.Errorf(`got %v, want len(f) == 1, len(f[0]) == 3, f[0]["successful"] == true`, f)
			}
		},
	},
	{
		// spec:2.3 spec:2.2 spec:14.3
		name:  "a client may ask for a shorter hold",
		timed: true,
		run: func(c *conversation) {
			p := c.shaken()
			for asked, want := range map[string]time.Duration{
				`"advice":{"timeout":3000}`:  3 * time.Second,
				`"advice":{"timeout":60000}`: 20 * time.Second, // never longer than advised
				`"advice":{}`:                20 * time.Second,
				`"advice":{"timeout":"x"}`:   20 * time.Second,
				`"advice":{"timeout":-5}`:    0,
				`"advice":{"timeout":0}`:     0,
			} {
				start := time.Now()
				f := p.reply(p.connect(asked))
				c.took(start, want, asked)
				if f.At("advice", "timeout") != 20000.0 || f.At("advice", "reconnect") != "retry" {
					c.Errorf(`%s: got %v, want f.At("advice", "timeout") == 20000.0, f.At("advice", "reconnect") == "retry"`, asked, f)
				}
				start = time.Now()
				p.say(p.connect(""))
				c.took(start, 20*time.Second, "the cycle after "+asked)
			}
		},
	},
	{
		// spec:7.1.2
		name:    "a polled connect among others does not wait",
		over:    polls,
		options: bayeux.Options{Timeout: 3 * patience},
		run: func(c *conversation) {
			p := c.shaken()
			f := p.say(p.connect(""), p.on("/service/none", ""))
			if len(f) != 2 || f[0]["channel"] != "/meta/connect" || f[0]["successful"] != true {
				c.Errorf(`got %v, want len(f) == 2, f[0]["channel"] == "/meta/connect", f[0]["successful"] == true`, f)
			}
		},
	},
	{
		// spec:7.3.2 spec:7.1.3 spec:14.1
		name:    "on a socket only the connect itself waits",
		over:    sockets,
		options: bayeux.Options{Timeout: 3 * patience},
		run: func(c *conversation) {
			p := c.shaken()
			p.works(p.subscribe("/a"))
			held := p.connect("")
			call := p.send(held, p.on("/a", `"data":1`), p.on("/service/none", ""))
			call.ids = call.ids[1:]
			if f := call.wait(); len(deliveries(f)) != 1 || len(f) != 3 {
				c.Errorf(`got %v, want len(deliveries(f)) == 1, len(f) == 3`, f)
			}
			// Messages pass the held connect in both directions.
			for i := range 3 {
				if f := p.say(p.on("/a", fmt.Sprintf(`"data":%d`, i))); len(f) != 2 {
					c.Errorf(`got %v, want len(f) == 2`, f)
				}
			}
			if len(p.early) > 0 {
				c.Errorf("the connect was answered: %v", p.early)
			}
		},
	},
	{
		// spec:7.6.1 spec:3.4
		name:    "a newer connect takes the older one's place",
		over:    polls,
		timed:   true,
		options: bayeux.Options{HoldsPerBrowser: -1},
		run: func(c *conversation) {
			p := c.shaken()
			older := p.send(p.connect(""))
			c.settle()
			newer := p.send(p.connect(""))
			if a := older.answer(); a.status != http.StatusInternalServerError {
				c.Errorf("status %d: %s", a.status, a.text)
			}
			source := c.shaken()
			p.works(p.subscribe("/a"))
			source.works(source.push("/a", "1"))
			if f := newer.wait(); len(f) != 2 || f[0]["data"] != 1.0 || f[1]["channel"] != "/meta/connect" {
				c.Errorf(`got %v, want len(f) == 2, f[0]["data"] == 1.0, f[1]["channel"] == "/meta/connect"`, f)
			}
		},
	},
	{
		// spec:7.6.2
		name:  "a replaced connect on a socket is never answered",
		over:  sockets,
		timed: true,
		run: func(c *conversation) {
			p := c.shaken()
			p.send(p.connect(""))
			time.Sleep(5 * time.Second)
			start := time.Now()
			p.say(p.connect(""))
			c.took(start, 20*time.Second, "the newer connect")
			if len(p.early) > 0 {
				c.Errorf(`got %v, want len(p.early) == 0`, p.early)
			}
		},
	},
	{
		// spec:7.6.3 spec:10.8 spec:14.7
		name:    "a connect on a socket replaces a polled one",
		over:    polls,
		timed:   true,
		options: bayeux.Options{HoldsPerBrowser: -1},
		run: func(c *conversation) {
			p := c.shaken()
			p.works(p.subscribe("/a"))
			polled := p.send(p.connect(""))
			c.settle()
			onSocket := *c
			onSocket.kind = WebSocket
			s := onSocket.party()
			s.id = p.id
			s.socket.ID = p.id
			connect := s.send(s.connect(""))
			if a := polled.answer(); a.status != http.StatusInternalServerError {
				c.Errorf("status %d: %s", a.status, a.text)
			}
			source := c.shaken()
			source.works(source.push("/a", "1"))
			if d := s.collect(1); d[0]["data"] != 1.0 {
				c.Errorf(`got %v, want d[0]["data"] == 1.0`, d)
			}
			c.settle()
			// And back: a polled connect replaces the one on the socket.
			polled = p.send(p.connect(""))
			c.settle()
			source.works(source.push("/a", "2"))
			if f := polled.wait(); len(deliveries(f)) != 1 {
				c.Errorf(`got %v, want len(deliveries(f)) == 1`, f)
			}
			select {
			case f := <-s.frames:
				c.Errorf("the socket's connect %v was answered: %v", connect.ids, f)
			default:
			}
		},
	},
	{
		// spec:7.8 spec:9.4 spec:14.7
		name:    "a client that goes away loses nothing",
		over:    polls,
		timed:   true,
		options: bayeux.Options{MaxInterval: time.Minute},
		run: func(c *conversation) {
			p, source := c.shaken(), c.shaken()
			p.works(p.subscribe("/a"))
			body := p.connect("")
			gone := p.abandon(body)
			c.settle()
			gone()
			c.settle()
			source.works(source.push("/a", "1"))
			source.works(source.push("/a", "2"))
			if d := p.collect(2); d[0]["data"] != 1.0 || d[1]["data"] != 2.0 {
				c.Errorf(`got %v, want d[0]["data"] == 1.0, d[1]["data"] == 2.0`, d)
			}
		},
	},
	{
		// spec:8.4 spec:8.5
		name:    "one browser's second connect is not held",
		over:    polls,
		timed:   true,
		options: bayeux.Options{MaxInterval: time.Minute},
		run: func(c *conversation) {
			a := c.shaken()
			b := c.party()
			b.cookie = a.cookie
			b.handshake("")
			b.say(b.connect(`"advice":{"timeout":0}`))
			held := a.send(a.connect(""))
			c.settle()
			start := time.Now()
			f := b.reply(b.connect(""))
			c.took(start, 0, "the second tab's connect")
			if fmt.Sprint(f["advice"]) != "map[interval:2000 multiple-clients:true reconnect:retry timeout:20000]" || f["successful"] != true {
				c.Errorf(`got %v, want fmt.Sprint(f["advice"]) == "map[interval:2000 multiple-clients:true reconnect:retry timeout:20000]", f["successful"] == true`, f)
			}
			held.wait()
			f = b.reply(b.connect(""))
			c.took(start, 40*time.Second, "the survivor's connect")
			if f.At("advice", "interval") != 0.0 || f.At("advice", "multiple-clients") != nil {
				c.Errorf(`got %v, want f.At("advice", "interval") == 0.0, f.At("advice", "multiple-clients") == nil`, f)
			}
		},
	},
}
