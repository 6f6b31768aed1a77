package config_test

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/halley-chat/halley/internal/config"
)

// Everything that is wrong with a document is told at once, in its order, and
// nothing that only follows from something else.
func TestEveryFaultIsTold(t *testing.T) {
	const rest = "[services.a]\n[queues.a]\nmembers = [\"*\"]\n"
	for name, c := range map[string]struct {
		doc  string
		want []string
	}{
		"of every sort": {
			`listen = 8080
data = "x"
data = "y"
secure_cookies = "yes"
trusted_proxies = ["10.0.0.0/8", 7, "here"]
[services.a]
queue = "b"
colour = "red"
orgins = ["*"]
languages = ["en", "tlh"]
max_message_length = 1.5
[services.a.idle]
enabled = true
timeout_alert = "soon"
timeout_close = "0.5s"
include_notices = "none"
[services.a.files]
upload_max_total_size = 10
upload_max_files = "3"
[queues.a]
members = "*"
offer_time = 20
reserve_after = ["1s"]
[queues.a]
[push]
expiry = 1979-05-27
`,
			[]string{
				`1:10: listen: it is a whole number, and a text is needed`,
				`3:1: "data" stands there twice, first in line 2`,
				`4:18: secure_cookies: it is a text, and true or false is needed`,
				`5:34: trusted_proxies: it is a whole number, and a text is needed`,
				`7:1: services.a.queue: there is no queue "b"`,
				`8:1: there is no setting "services.a.colour"`,
				`9:1: there is no setting "services.a.orgins"; did you mean "origins"?`,
				`10:1: services.a.languages: "tlh" is not one of ["en" "de" "fr" "es" "it" "nl" "pt" "pl"]`,
				`11:22: services.a.max_message_length: it is a number that is not whole, and a whole number is needed`,
				`14:17: services.a.idle.timeout_alert: a duration is written as "20s" or "1m30s"`,
				`15:1: services.a.idle.timeout_close: 500ms is not between 1s and 24h0m0s`,
				`16:1: services.a.idle.include_notices: "none" is neither "major" nor "all"`,
				`17:13: services.a.files.upload_max_file_size: one file may be larger than all of them together`,
				`19:20: services.a.files.upload_max_files: it is a text, and a whole number is needed`,
				`21:11: queues.a.members: it is a text, and a list is needed`,
				`22:14: queues.a.offer_time: a duration is written as "20s" or "1m30s"`,
				`23:1: queues.a.reserve_after: it is a list, and a text is needed`,
				`24:9: "queues.a" stands there twice, first in line 20`,
				`26:10: push.expiry: it is a date or a time, and a text is needed`,
			},
		},
		"tables in the place of values, and the other way round": {
			"data = {}\n[services]\na = 5\n[services.b.origins]\n[[services.c]]\nqueue = \"b\"\n[listen]\nport = 1\n[queues]\nb = [1]\nc = {offer_time = {s = 1}, reserve = [[\"x\"]]}\n",
			[]string{
				`1:8: data: it is a table, and a text is needed`,
				`3:5: services.a: it is a whole number, and a table is needed`,
				`4:13: services.b.origins: it is a table, and a list is needed`,
				`5:12: services.c: it is a list of tables, and a table is needed`,
				`7:2: listen: it is a table, and a text is needed`,
				`10:1: queues.b: it is a list, and a table is needed`,
				`11:19: queues.c.offer_time: it is a table, and a text is needed`,
				`11:28: queues.c.reserve: it is a list, and a text is needed`,
			},
		},
		"inline": {
			"services = {a = {queue = 5, hours = {time_zone = \"Mars\", weekly = [\"mon\", 3]}, files = {scan = {comand = []}}}}\nqueues.a.members = [\"*\", \"*\"]\nqueues.a = {}\n",
			[]string{
				`1:26: services.a.queue: it is a whole number, and a text is needed`,
				`1:38: services.a.hours.time_zone: "Mars" is not a time zone, such as "Europe/Berlin"`,
				`1:75: services.a.hours.weekly: it is a whole number, and a text is needed`,
				`1:97: there is no setting "services.a.files.scan.comand"; did you mean "command"?`,
				`2:10: queues.a.members: "*" stands there twice`,
				`3:8: "queues.a" stands there twice, first in line 2`,
			},
		},
		"a number that is too large": {
			"[services.a]\nmax_message_length = 99999999999999999999\nnew_chats_per_minute = -1\n[queues.a]\nmembers = [\"*\"]\n",
			[]string{
				`2:22: services.a.max_message_length: 99999999999999999999 is not a whole number of 64 bits`,
				`3:1: services.a.new_chats_per_minute: -1 is not between 0, which is no limit, and 100000`,
			},
		},
		"not TOML here and there": {
			"listen = nowhere\ndata \"x\"\n[services.a]\nqueue = \"b\nwelcome = 3\n  origins = [\n  \"what\",\n  \"why\"\nhouse = 4\n[services.b\nqueue = 7\n[queues.a] # the only one\n\n# more\nmembers = [\"*\"] reserve = []\noffer_time = \"1ms\"\n",
			[]string{
				`1:10: this is not TOML: expected keyword "nan"`,
				`2:6: this is not TOML: expected '=' after key`,
				`4:11: this is not TOML: basic strings cannot have new lines`,
				`5:11: services.a.welcome: it is a whole number, and a text is needed`,
				`9:1: this is not TOML: expected ',' or ']' after array value`,
				`9:9: services.a.house: it is a whole number, and a text is needed`,
				`10:12: this is not TOML: expected ']' to close table name`,
				`15:17: this is not TOML: expected newline but got U+0072 'r'`,
				`16:1: queues.a.offer_time: 1ms is not between 100ms and 10m0s`,
			},
		},
		"a text that never ends": {
			"[services.a]\nwelcome = \"\"\"\nhello\nhouse = 5\n[queues.a]\nmembers = []\n",
			[]string{
				`2:1: this is not TOML: multiline basic string not terminated by """`,
				`4:9: services.a.house: it is a whole number, and a text is needed`,
				`6:1: queues.a.members: nobody takes the chats of this queue; "*" stands for everybody`,
			},
		},
		"upper and lower case": {
			"Listen = \"127.0.0.1:1\"\nLISTEN = 5\n" + rest,
			[]string{
				`2:1: "listen" stands there twice, first in line 1`,
				`2:10: listen: it is a whole number, and a text is needed`,
			},
		},
		"names": {
			"secure-cookies = true\ntrustedProxies = []\nentirely_different = 1\nservice.x.queue = \"a\"\n[queue.b]\nmembers = 4\n" + rest,
			[]string{
				`1:1: there is no setting "secure-cookies"; did you mean "secure_cookies"?`,
				`2:1: there is no setting "trustedProxies"; did you mean "trusted_proxies"?`,
				`3:1: there is no setting "entirely_different"`,
				`4:1: there is no setting "service"; did you mean "services"?`,
				`5:2: there is no setting "queue"; did you mean "queues"?`,
			},
		},
		"what is missing because of its name": {
			"[services.a]\nendpoint = {x = \"y\"}\n[services.b]\nqueue = \"c\"\n[services.c]\nqueue = \"d\"\n[queues.a]\nmembres = [\"*\"]\n[queues.c]\nlogins = [\"*\"]\n",
			[]string{
				`2:1: there is no setting "services.a.endpoint"; did you mean "endpoints"?`,
				`6:1: services.c.queue: there is no queue "d"`,
				`8:1: there is no setting "queues.a.membres"; did you mean "members"?`,
				`9:9: queues.c.members: nobody takes the chats of this queue; "*" stands for everybody`,
				`10:1: there is no setting "queues.c.logins"`,
			},
		},
		"twice within a value": {
			"services = {a = {queue = \"a\", queue = \"a\"}}\n[queues.a]\nmembers = [\"*\"]\n",
			[]string{`1:31: "services.a.queue" stands there twice, first in line 1`},
		},
		"all queues misspelt": {
			"[services.a]\n[queue.a]\nmembers = [\"*\"]\n",
			[]string{`2:2: there is no setting "queue"; did you mean "queues"?`},
		},
		"a key that is added to what is closed": {
			"services.a.idle = {enabled = true}\nservices.a.idle.enabled = 5\nservices.a.queue.x = 1\n[services.a.idle]\nenabled = 6\n[queues.a]\nmembers = [\"*\"]\n[queues.a.members]\n",
			[]string{
				`2:12: "services.a.idle" stands there twice, first in line 1`,
				`2:17: "services.a.idle.enabled" stands there twice, first in line 1`,
				`2:27: services.a.idle.enabled: it is a whole number, and true or false is needed`,
				`3:12: services.a.queue: it is a table, and a text is needed`,
				`4:13: "services.a.idle" stands there twice, first in line 1`,
				`5:1: "services.a.idle.enabled" stands there twice, first in line 1`,
				`5:11: services.a.idle.enabled: it is a whole number, and true or false is needed`,
				`8:11: "queues.a.members" stands there twice, first in line 7`,
			},
		},
	} {
		_, err := config.Parse([]byte(c.doc))
		var faults *config.Faults
		if !errors.As(err, &faults) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(c.want, strings.Split(err.Error(), "\n")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

var assignment = regexp.MustCompile(`^[a-z0-9_]+ = `)

// Of the default document any lines can be spoilt, in any way, and each of them
// is told with its line and nothing besides.
func TestSpoiltLinesAreTold(t *testing.T) {
	lines := strings.Split(config.Document(), "\n")
	var settings []int
	for i, line := range lines {
		if assignment.MatchString(line) {
			settings = append(settings, i)
		}
	}
	if len(settings) < 20 {
		t.Fatalf("there are %d settings", len(settings))
	}
	rapid.Check(t, func(t *rapid.T) {
		doc := slices.Clone(lines)
		var want []int
		for _, i := range rapid.SliceOfNDistinct(rapid.SampledFrom(settings), 1, 8, rapid.ID[int]).Draw(t, "lines") {
			name, _, _ := strings.Cut(doc[i], " ")
			doc[i] = rapid.SampledFrom([]string{
				name + " = 1979-05-27",
				name + " = {}",
				name + " = [[1]]",
				name + " = ",
				name + " 5",
				name + " = \"x",
				name + "x = 1",
				doc[i] + "; " + name + "x = 1",
			}).Draw(t, fmt.Sprint("how ", i))
			want = append(want, i+1)
		}
		slices.Sort(want)
		_, err := config.Parse([]byte(strings.Join(doc, "\n")))
		var faults *config.Faults
		if !errors.As(err, &faults) {
			t.Fatalf("it is taken: %v", err)
		}
		var got []int
		for _, f := range faults.List {
			got = append(got, f.Line)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("faults in lines %v, want %v:\n%v", got, want, err)
		}
	})
}
