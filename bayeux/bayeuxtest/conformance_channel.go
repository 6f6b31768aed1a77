package bayeuxtest

import (
	"fmt"
	"slices"
	"strings"
)

// Channels: section 4 of SPEC.md.
var channelCases = []conformanceCase{
	{
		// spec:4.1 spec:4.2.1 spec:4.6
		name: "names",
		run: func(c *conversation) {
			p := c.shaken()
			for _, name := range []string{"/a", "/A-z_0!~()@", "/a b", "/a.b", "/#+", "/{x}", "/foo*", "/x/***", "/" + strings.Repeat("a", 511)} {
				p.works(p.on(name, `"data":1`))
				p.works(p.subscribe(name))
				p.works(p.on("/meta/unsubscribe", fmt.Sprintf(`"subscription":%q`, name)))
			}
			for _, name := range []string{"", "/", "//", "a", "/a//b", "/a/*/b", "/**/b", "/a?", "/a%20", "/a&b", "/ä", "/<", "/a'", "/a\\\\b", "/" + strings.Repeat("a", 512)} {
				want := "405::channel_invalid"
				if name == "" {
					want = "400::channel_missing"
				}
				p.fails(fmt.Sprintf(`{"channel":"%s","clientId":"$","id":%q,"data":1}`, name, p.next()), want)
				f := p.fails(p.on("/meta/subscribe", `"subscription":"`+name+`"`), "403::subscription_invalid")
				if f["subscription"] == nil {
					c.Errorf("%s is not echoed: %v", name, f)
				}
				p.fails(p.on("/meta/unsubscribe", `"subscription":"`+name+`"`), "403::subscription_invalid")
			}
		},
	},
	{
		// spec:4.2
		name: "blanks and one slash are cut",
		run: func(c *conversation) {
			p, source := c.shaken(), c.shaken()
			p.works(p.subscribe(" /a/b/ "))
			source.works(source.on("/a/b", `"data":1`))
			source.works(source.on("/a/b/", `"data":2`))
			// The name is delivered as it was published.
			if d := p.collect(2); d[0]["channel"] != "/a/b" || d[1]["channel"] != "/a/b/" {
				c.Errorf(`got %v, want d[0]["channel"] == "/a/b", d[1]["channel"] == "/a/b/"`, d)
			}
			p.works(p.on("/meta/unsubscribe", `"subscription":"/a/b"`))
			source.works(source.on("/a/b", `"data":3`))
			p.nothing("after unsubscribing by another spelling")
		},
	},
	{
		// spec:4.3
		name: "meta and service alone are broadcast",
		run: func(c *conversation) {
			p, source := c.shaken(), c.shaken()
			p.works(p.subscribe("/meta", "/service"))
			source.works(source.on("/meta", `"data":1`))
			source.works(source.on("/service", `"data":2`))
			source.works(source.push("/service", "3"))
			if d := p.collect(3); d[0]["channel"] != "/meta" || d[1]["channel"] != "/service" || d[2]["data"] != 3.0 {
				c.Errorf(`got %v, want d[0]["channel"] == "/meta", d[1]["channel"] == "/service", d[2]["data"] == 3.0`, d)
			}
		},
	},
	{
		// spec:4.4 spec:4.4.1 spec:4.6
		name: "who receives what",
		run: func(c *conversation) {
			source := c.shaken()
			channels := []string{"/a", "/a/b", "/a/b/c", "/b", "/a/1", "/A"}
			for subscription, want := range map[string][]string{
				"/a":              {"/a"},
				"/a/*":            {"/a/b", "/a/1"},
				"/a/**":           {"/a/b", "/a/b/c", "/a/1"},
				"/*":              {"/a", "/b", "/A"},
				"/**":             channels,
				"/a/b/*":          {"/a/b/c"},
				"/a/{x}":          {},
				`/**","/a","/a/*`: channels,
			} {
				p := c.shaken()
				p.works(p.on("/meta/subscribe", `"subscription":["/end","`+subscription+`"]`))
				for i, name := range append(slices.Clone(channels), "/end") {
					source.works(source.push(name, fmt.Sprint(i)))
				}
				got := []string{}
				for end := false; !end; {
					for _, d := range p.collect(1) {
						if end = d["channel"] == "/end"; !end {
							got = append(got, d["channel"].(string))
						}
					}
				}
				if fmt.Sprint(got) != fmt.Sprint(want) {
					c.Errorf("%s receives %v, want %v", subscription, got, want)
				}
			}
		},
	},
	{
		// spec:4.5
		name: "nobody publishes to a pattern",
		run: func(c *conversation) {
			p := c.shaken()
			p.works(p.subscribe("/a/*"))
			for _, name := range []string{"/a/*", "/**", "/service/*"} {
				p.fails(p.on(name, `"data":1`), "405::channel_invalid")
			}
			if f := p.reply(p.push("/a/**", "1")); f["successful"] != false {
				c.Errorf("from the server: %v", f)
			}
			p.nothing("after publishing to patterns")
		},
	},
}
