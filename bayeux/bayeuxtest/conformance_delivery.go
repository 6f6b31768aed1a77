package bayeuxtest

import (
	"fmt"
	"time"

	"github.com/halley-chat/halley/bayeux"
)

// How messages leave: sections 7 and 13 of SPEC.md.
var deliveryCases = []conformanceCase{
	{
		// spec:7.2 spec:13.2 spec:13.3
		name:    "messages end a hold and arrive in order",
		options: bayeux.Options{HoldsPerBrowser: -1},
		run: func(c *conversation) {
			p, source := c.shaken(), c.shaken()
			p.works(p.subscribe("/a"))
			const messages = 20
			done := make(chan struct{})
			go func() {
				defer close(done)
				for i := range messages {
					if f := source.reply(source.on("/a", fmt.Sprintf(`"data":%d`, i))); f["successful"] != true {
						c.Errorf(`got %v, want f["successful"] == true`, f)
					}
				}
			}()
			got := p.collect(messages)
			<-done
			for i, d := range got {
				if d["data"] != float64(i) {
					c.Fatalf("message %d: %v", i, d)
				}
			}
		},
	},
	{
		// spec:7.2 spec:5.2
		name:    "an answer takes messages along without waking the connect",
		over:    []string{LongPolling},
		timed:   true,
		options: bayeux.Options{HoldsPerBrowser: -1},
		run: func(c *conversation) {
			p := c.shaken()
			start := time.Now()
			held := p.send(p.connect(""))
			c.settle()
			if f := p.say(p.on("/service/flood", `"data":{"channel":"/a","count":2}`)); len(f) != 3 || f[2]["channel"] != "/service/flood" {
				c.Errorf(`got %v, want len(f) == 3, f[2]["channel"] == "/service/flood"`, f)
			}
			if f := held.wait(); len(f) != 1 {
				c.Errorf(`got %v, want len(f) == 1`, f)
			}
			c.took(start, 20*time.Second, "the connect")
		},
	},
	{
		// spec:10.3.2 spec:7.4
		name:    "messages leave with connects alone",
		options: bayeux.Options{ConnectOnly: true, HoldsPerBrowser: -1},
		run: func(c *conversation) {
			p := c.shaken()
			if f := p.say(p.on("/service/flood", `"data":{"channel":"/a","count":2}`)); len(f) != 1 {
				c.Errorf(`got %v, want len(f) == 1`, f)
			}
			if f := p.say(p.connect("")); len(f) != 3 || f[2]["channel"] != "/meta/connect" {
				c.Errorf(`got %v, want len(f) == 3, f[2]["channel"] == "/meta/connect"`, f)
			}
			// A new message ends the hold, on a socket too.
			held := p.send(p.connect(""))
			c.settle()
			source := c.shaken()
			p.works(p.subscribe("/a"))
			source.works(source.push("/a", "7"))
			if f := held.wait(); len(f) != 2 || f[0]["data"] != 7.0 {
				c.Errorf(`got %v, want len(f) == 2, f[0]["data"] == 7.0`, f)
			}
		},
	},
	{
		// spec:7.3 spec:7.3.1 spec:14.9
		name: "a handshake's reply is a frame of its own",
		over: sockets,
		run: func(c *conversation) {
			p := c.party()
			p.socket.Send(`{"channel":"/meta/handshake","id":"1"}`)
			if f := p.read(); len(f) != 1 || f[0]["id"] != "1" {
				c.Errorf(`got %v, want len(f) == 1, f[0]["id"] == "1"`, f)
			}
		},
	},
	{
		// spec:7.3.3 spec:10.8 spec:14.6 spec:8.3 spec:11.4
		name:    "any message on a new socket brings the session there",
		over:    sockets,
		timed:   true, // the server must have seen the old one close
		options: bayeux.Options{MaxInterval: time.Minute},
		run: func(c *conversation) {
			p, source := c.shaken(), c.shaken()
			p.works(p.subscribe("/a"))
			for i, m := range []string{p.on("/service/none", ""), p.subscribe("/b"), p.connect(`"advice":{"timeout":0}`)} {
				_ = p.socket.Conn.Close()
				c.settle()
				source.works(source.push("/a", fmt.Sprint(i)))
				p.dial()
				var got []Frame
				got = append(got, p.say(m)...)
				for len(deliveries(got)) == 0 {
					got = append(got, p.read()...)
				}
				if d := deliveries(got); d[0]["data"] != float64(i) {
					c.Errorf(`got %v, want d[0]["data"] == float64(i)`, got)
				}
				// And from now on without being asked.
				source.works(source.push("/a", "10"))
				if d := p.collect(1); d[0]["data"] != 10.0 {
					c.Errorf(`got %v, want d[0]["data"] == 10.0`, d)
				}
			}
		},
	},
	{
		// spec:7.5
		name:    "lazy messages wait for company",
		timed:   true,
		options: bayeux.Options{HoldsPerBrowser: -1, LazyTimeout: 4 * time.Second},
		run: func(c *conversation) {
			p, source := c.shaken(), c.shaken()
			p.works(p.subscribe("/lazy", "/a"))
			start := time.Now()
			held := p.send(p.connect(""))
			c.settle()
			source.works(source.push("/lazy", "1"))
			var got []Frame
			if c.polling() {
				got = held.wait()
			} else {
				got = p.read()
			}
			if len(deliveries(got)) != 1 {
				c.Errorf(`got %v, want len(deliveries(got)) == 1`, got)
			}
			c.took(start, 4*time.Second, "the lazy message")
			if !c.polling() {
				return
			}
			// A connect's end takes them along.
			start = time.Now()
			held = p.send(p.connect(`"advice":{"timeout":1000}`))
			c.settle()
			source.works(source.push("/lazy", "2"))
			if d := deliveries(held.wait()); len(d) != 1 || d[0]["data"] != 2.0 {
				c.Errorf(`got %v, want len(d) == 1, d[0]["data"] == 2.0`, d)
			}
			c.took(start, time.Second, "the connect")
		},
	},
}
