package config_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/halley-chat/halley/internal/config"
)

// A fault is told with the place of its key, however the document writes it,
// or of the nearest table around it.
func TestFaultsHaveAPlace(t *testing.T) {
	for name, c := range map[string]struct {
		doc  string
		want []string
	}{
		"at the top": {
			"# a comment\n\nlisten = \"nowhere\"\n[services.a]\n[queues.a]\nmembers = [\"*\"]\n",
			[]string{`3:1: listen: "nowhere" is not host:port`},
		},
		"in tables": {
			"[services.a]\n  queue = \"b\"\n  origins = [\n    \"https://a.example\",\n    \"what\",\n  ]\n[queues.a]\nmembers = [\"*\"]\noffer_time = \"1ms\"\n",
			[]string{
				`2:3: services.a.queue: there is no queue "b"`,
				`3:3: services.a.origins: "what" is not an origin: "https://host" or "http://host:port" without a path, "null" or "*"`,
				`9:1: queues.a.offer_time: 1ms is not between 100ms and 10m0s`,
			},
		},
		"a key that is missing": {
			"[services.a]\n\n[queues.b]\n",
			[]string{
				`1:11: services.a.queue: there is no queue "a"`,
				`3:9: queues.b.members: nobody takes the chats of this queue; "*" stands for everybody`,
			},
		},
		"a table that is missing": {"listen = \"127.0.0.1:1\"\n", []string{`1:1: services: at least one service is needed`}},
		"dotted keys":             {"services.a.queue = \"b\"\nqueues.a.members = [\"*\"]\n", []string{`1:12: services.a.queue: there is no queue "b"`}},
		"inline tables": {
			"services = { a = { queue = \"a\", hours = { time_zone = \"Mars\" } } }\nqueues = { a = { members = [\"*\"] } }\n",
			[]string{`1:43: services.a.hours.time_zone: "Mars" is not a time zone, such as "Europe/Berlin"`},
		},
		"quoted keys": {
			"[services.\"a\"]\n\"queue\" = \"b\"\n[queues.'a']\nmembers = [\"*\"]\n",
			[]string{`2:1: services.a.queue: there is no queue "b"`},
		},
		"together with a fault of the form": {
			"[services.a]\nqueue = \"b\"\ncolour = \"red\"\n[queues.a]\nmembers = [\"*\"]\n",
			[]string{`2:1: services.a.queue: there is no queue "b"`, `3:1: there is no setting "services.a.colour"`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := config.Parse([]byte(c.doc))
			var faults *config.Faults
			if !errors.As(err, &faults) {
				t.Errorf("%s: got the error %v, want *Faults", name, err)
				return
			}
			if diff := cmp.Diff(c.want, strings.Split(err.Error(), "\n")); diff != "" || len(faults.List) != len(c.want) {
				t.Errorf("%s: got %d faults, want %d; text (-want +got):\n%s", name, len(faults.List), len(c.want), diff)
			}
		})
	}
}

// Whatever a document is, it is read or refused without a panic, and every
// fault is one line in order, with a place that the document has.
func FuzzParse(f *testing.F) {
	for _, doc := range []string{
		"", "listen = 1", "[services.a]\nqueue='x'\n", "[[services]]\n", "a.b.c = [{d=1},{d=2}]\n", "[services]\na = {hours = {weekly = [[1]]}}\n",
		"\"\" = 1\n", "x = \"\"\"\n[y]\nz = [1,\n[listen]\n", "data = 'a'\nDATA = 'b'\n[queues.\"\\n\"]\n", "[services.a\nb = {c = ", config.Document(), "services.\"a.b\".queue = \"\"\n", "x = '''\n'''\n[y]\n",
	} {
		f.Add(doc)
	}
	f.Fuzz(func(t *testing.T, doc string) {
		c, err := config.Parse([]byte(doc))
		var faults *config.Faults
		if err == nil {
			if err := c.Validate(); err != nil {
				t.Errorf("what was taken is not valid: %v", err)
			}
			return
		}
		if !errors.As(err, &faults) || len(faults.List) == 0 {
			t.Fatalf("got the error %v, want *Faults with at least one", err)
		}
		lines := strings.Count(doc, "\n") + 1
		before := config.Fault{Line: 1, Column: 1}
		for _, f := range faults.List {
			if f.Line < 1 || f.Line > lines || f.Column < 1 || f.Column > len(doc)+1 {
				t.Errorf("a fault in line %d of %d: %s", f.Line, lines, f)
			}
			if f.Line < before.Line || f.Line == before.Line && f.Column < before.Column {
				t.Errorf("%s is told after %s", f, before)
			}
			if s := f.String(); strings.ContainsAny(s, "\r\n") || f.Reason == "" {
				t.Errorf("a fault is told as %q", s)
			}
			before = f
		}
	})
}
