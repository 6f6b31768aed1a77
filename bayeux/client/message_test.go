package client

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestMatches(t *testing.T) {
	for _, test := range []struct {
		pattern, channel string
		want             bool
	}{
		{"/a/b", "/a/b", true},
		{"/a/b", "/a/c", false},
		{"/a/*", "/a/b", true},
		{"/a/*", "/a/b/c", false},
		{"/a/*", "/a/", false},
		{"/a/*", "/a", false},
		{"/a/**", "/a/b/c", true},
		{"/a/**", "/a", false},
		{"/a/**", "/ab/c", false},
		{"/**", "/x", true},
		{"/a*", "/ab", false},
		{"/a*", "/a*", true},
		{"/a**", "/abc", false},
	} {
		t.Run(test.pattern+" "+test.channel, func(t *testing.T) {
			if got := matches(test.pattern, test.channel); got != test.want {
				t.Errorf("matches(%q, %q) = %v", test.pattern, test.channel, got)
			}
		})
	}
}

func TestParseError(t *testing.T) {
	for raw, want := range map[string]Error{
		"402::Unknown client": {Code: 402, Text: "Unknown client"},
		"403:a,b:no: not you": {Code: 403, Args: []string{"a", "b"}, Text: "no: not you"},
		"out of order":        {Text: "out of order"},
		"x:y:z":               {Text: "x:y:z"},
		"":                    {},
		"404:/a:":             {Code: 404, Args: []string{"/a"}},
	} {
		t.Run(raw, func(t *testing.T) {
			want.Raw = raw
			if diff := cmp.Diff(&want, parseError(raw)); diff != "" {
				t.Errorf("parseError(%q) (-want +got):\n%s", raw, diff)
			}
		})
	}
}

func TestDecode(t *testing.T) {
	messages, err := decode([]byte(`[{"channel":"/a","id":12,"successful":true,"advice":{"reconnect":"retry","interval":1.5},"secureKey":"k"},
		{"channel":"/b","id":"x\u0031","data":null,"data":{"a":1,"a":2}},{"channel":"/c","successful":false,"advice":{"timeout":-1,"maxInterval":1e300}}]`))
	if err != nil {
		t.Fatal(err)
	}
	a, b, c := messages[0].message(), messages[1].message(), messages[2].message()
	if a.ID != "12" || !a.Successful || string(a.Fields["secureKey"]) != `"k"` || a.Data != nil {
		t.Errorf("decoded %+v", a)
	}
	if diff := cmp.Diff(&Advice{Reconnect: "retry", Interval: 1500 * time.Microsecond, Timeout: time.Minute}, a.Advice); diff != "" {
		t.Errorf("advice (-want +got):\n%s", diff)
	}
	if b.ID != "x1" || string(b.Data) != `{"a":1,"a":2}` {
		t.Errorf("decoded %+v", b)
	}
	if c.Successful || c.Advice.Timeout != time.Minute || c.Advice.MaxInterval != 0 {
		t.Errorf("decoded %+v with advice %+v", c, c.Advice)
	}
}

func TestNew(t *testing.T) {
	for _, opts := range []Options{
		{}, {URL: "ftp://a.example"}, {URL: "http:///x"}, {URL: "http://a.example", Transports: []string{"carrier-pigeon"}}, {URL: "http://a b"},
	} {
		t.Run(fmt.Sprintf("%q over %q", opts.URL, opts.Transports), func(t *testing.T) {
			if _, err := New(opts); err == nil {
				t.Errorf("New(%+v) is content", opts)
			}
		})
	}
	c, err := New(Options{URL: "wss://a.example"})
	if err != nil {
		t.Fatal(err)
	}
	if got := c.opts.poll.String() + " " + c.opts.sock.String(); got != "https://a.example/ wss://a.example/" {
		t.Errorf("addresses: %s", got)
	}
	if err := c.Close(t.Context()); err != nil {
		t.Error(err)
	}
	<-c.Done()
}

func TestAddresses(t *testing.T) {
	for _, test := range []struct{ base, channel, want string }{
		{"http://a.example/genesys/cometd", "/meta/connect", "http://a.example/genesys/cometd/connect"},
		{"http://a.example/genesys/cometd/", "/meta/handshake", "http://a.example/genesys/cometd/handshake"},
		{"http://a.example/genesys/cometd", "/service/x", "http://a.example/genesys/cometd"},
		{"http://a.example/cometd?key=1", "/meta/connect", "http://a.example/cometd?key=1"},
		{"http://a.example/cometd.php", "/meta/connect", "http://a.example/cometd.php"},
	} {
		t.Run(test.base+" "+test.channel, func(t *testing.T) {
			c, err := New(Options{URL: test.base})
			if err != nil {
				t.Fatal(err)
			}
			if got := newPolling(c).address([]*wireMessage{{Channel: test.channel}}); got != test.want {
				t.Errorf("%s at %s is sent to %s, want %s", test.channel, test.base, got, test.want)
			}
		})
	}
}
