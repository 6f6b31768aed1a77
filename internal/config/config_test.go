package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/halley-chat/halley/internal/config"
)

func TestParse(t *testing.T) {
	got, err := config.Parse([]byte(`
listen = "0.0.0.0:9000"
data = "/srv/halley"

[services.sales]
queue = "people"
origins = ["https://shop.example", "http://localhost:3000", "null"]

[services.people]

[queues.people]
members = ["*"]
reserve = ["echo"]
reserve_after = "1m30s"
`))
	if err != nil {
		t.Fatal(err)
	}
	want := config.Config{
		Listen: "0.0.0.0:9000", Data: "/srv/halley", MinFreeSpace: config.DefaultMinFreeSpace, MaxSessions: config.DefaultMaxSessions,
		Log: config.Log{Format: config.LogText, Level: "info"},
		Services: map[string]config.Service{
			"sales":  service("people", "https://shop.example", "http://localhost:3000", "null"),
			"people": service("people"),
		},
		Queues: map[string]config.Queue{"people": {
			Members: []string{"*"}, Reserve: []string{"echo"},
			ReserveAfter: config.Duration(90 * time.Second), OfferTime: config.Duration(20 * time.Second),
		}},
		Desk: config.Desk{AwayAfter: config.DefaultAwayAfter, ReleaseAfter: config.DefaultReleaseAfter},
		Push: config.Push{Timeout: config.DefaultPushTimeout, Expiry: config.DefaultPushExpiry},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// service is one of which the file said no more.
func service(queue string, origins ...string) config.Service {
	s := config.Default().Services["customer-support"]
	s.Queue, s.Origins = queue, origins
	return s
}

func TestFaultsOfForm(t *testing.T) {
	const valid = "\n[services.a]\n[queues.a]\nmembers = [\"*\"]\n"
	for name, c := range map[string]struct{ doc, want string }{
		"unknown at the top":  {"listen = \"127.0.0.1:1\"\nlisten_on = 3\n", `2:1: there is no setting "listen_on"`},
		"unknown below":       {"[services.b]\nqueue = \"a\"\n  colour = \"red\"\n", `3:3: there is no setting "services.b.colour"`},
		"two unknown":         {"x = 1\ny = 2\n", "1:1: there is no setting \"x\"\n2:1: there is no setting \"y\""},
		"not TOML":            {"listen = \n", "1:10: this is not TOML: "},
		"wrong type":          {"listen = 8080\n", "1:10: listen: a text is needed, not a whole number"},
		"twice":               {"data = \"a\"\ndata = \"b\"\n", `2:1: data: key data is already defined`},
		"duration of a queue": {"[queues.b]\noffer_time = \"soon\"\nmembers = [\"*\"]\n", "2:14: queues.b.offer_time: "},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := config.Parse([]byte(c.doc + valid))
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("%s: the error is\n%v\nwant it to begin with\n%s", name, err, c.want)
			}
		})
	}
}

func TestValidate(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*config.Config)
		want   string
	}{
		"listen":          {func(c *config.Config) { c.Listen = "8080" }, "listen: "},
		"port":            {func(c *config.Config) { c.Listen = "127.0.0.1:http" }, "listen: "},
		"data":            {func(c *config.Config) { c.Data = " " }, "data: "},
		"no services":     {func(c *config.Config) { c.Services = nil }, "services: "},
		"service name":    {func(c *config.Config) { c.Services["a/b"] = config.Service{Queue: "echo"} }, "services.a/b: "},
		"no queue":        {func(c *config.Config) { c.Services["x"] = config.Service{Queue: "y"} }, `services.x.queue: there is no queue "y"`},
		"queue name":      {func(c *config.Config) { c.Queues[""] = c.Queues["echo"] }, "queues.: "},
		"no members":      {queue(func(q *config.Queue) { q.Members = nil }), "queues.echo.members: "},
		"member twice":    {queue(func(q *config.Queue) { q.Members = []string{"echo", "echo"} }), "queues.echo.members: "},
		"member in caps":  {queue(func(q *config.Queue) { q.Members = []string{"Echo"} }), "queues.echo.members: "},
		"everybody spare": {queue(func(q *config.Queue) { q.Reserve = []string{"*"} }), "queues.echo.reserve: "},
		"in both":         {queue(func(q *config.Queue) { q.Reserve = []string{"echo"} }), "queues.echo.reserve: "},
		"offer time":      {queue(func(q *config.Queue) { q.OfferTime = 1 }), "queues.echo.offer_time: "},
		"reserve after":   {queue(func(q *config.Queue) { q.ReserveAfter = -1 }), "queues.echo.reserve_after: "},
	} {
		t.Run(name, func(t *testing.T) {
			conf := config.Demo(0)
			c.change(&conf)
			err := conf.Validate()
			if err == nil || !strings.HasPrefix(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: the error is %v, want just one beginning with %q", name, err, c.want)
			}
		})
	}
}

func queue(f func(*config.Queue)) func(*config.Config) {
	return func(c *config.Config) {
		q := c.Queues["echo"]
		f(&q)
		c.Queues["echo"] = q
	}
}

func TestOrigins(t *testing.T) {
	for origin, want := range map[string]bool{
		"*": true, "null": true, "https://a.example": true, "http://127.0.0.1:8080": true, "http://[::1]:8080": true,
		"": false, "a.example": false, "https://a.example/": false, "https://a.example/x": false, "https://A.example": false, "ftp://a.example": false,
		"https://*.example": false, "https://u@a.example": false, "https://a.example:443": false, "http://a.example:80": false, "https://a.example:": false,
		"https://": false, "NULL": false, "file://": false,
	} {
		t.Run(origin, func(t *testing.T) {
			c := config.Demo(0)
			c.Services["echo"] = config.Service{Queue: "echo", Origins: []string{origin}}
			if got := c.Validate() == nil; got != want {
				t.Errorf("origin %q: valid = %v (%v)", origin, got, c.Validate())
			}
		})
	}
}

func TestBuiltIn(t *testing.T) {
	if err := config.Default().Validate(); err != nil {
		t.Errorf("the default: %v", err)
	}
	demo := config.Demo(3 * time.Second)
	if err := demo.Validate(); err != nil {
		t.Errorf("the demo: %v", err)
	}
	if demo.Data != "./data/demo" {
		t.Errorf("the demo keeps its data in %q", demo.Data)
	}
	want := config.Queue{
		Members: []string{"*"}, Reserve: []string{"echo"},
		ReserveAfter: config.Duration(5 * time.Second), OfferTime: config.Duration(3 * time.Second),
	}
	if diff := cmp.Diff(want, demo.Queues["customer-support"]); diff != "" {
		t.Errorf("the demo's queue for people (-want +got):\n%s", diff)
	}
	for name, want := range map[string]bool{"echo": true, "customer-support": false} {
		if got := demo.Services[name].CallbackPolling; got != want {
			t.Errorf("the demo's %s is served over callback-polling: %v", name, got)
		}
	}
	if got := config.Demo(0).Queues["echo"].OfferTime; got != config.DefaultOfferTime {
		t.Errorf("an offer of the demo lasts %s", time.Duration(got))
	}
}

func TestLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "halley.toml")
	if _, err := config.Load(path); err == nil {
		t.Error("a missing file is no error")
	}
	if err := os.WriteFile(path, []byte("x = 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := config.Load(path); err == nil || !strings.HasPrefix(err.Error(), path+":1:1: ") {
		t.Errorf("the error is %v", err)
	}
	if err := os.WriteFile(path, []byte("[services.a]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := config.Load(path); err == nil || !strings.HasPrefix(err.Error(), path+":1:11: services.a.queue: ") {
		t.Errorf("the error is %v", err)
	}
}
