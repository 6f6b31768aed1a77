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

// Every setting that does not exist and every value that is not valid is told at
// once, in the order of the document; what cannot be decoded is told alone.
func TestEveryFaultIsTold(t *testing.T) {
	const rest = "[services.a]\n[queues.a]\nmembers = [\"*\"]\n"
	for name, c := range map[string]struct {
		doc  string
		want []string
	}{
		"unknown and invalid": {
			`data = " "
trusted_proxies = ["10.0.0.0/8", "here"]
[services.a]
queue = "b"
colour = "red"
orgins = ["*"]
languages = ["en", "tlh"]
[services.a.idle]
enabled = true
timeout_close = "0.5s"
include_notices = "none"
[services.a.files]
upload_max_total_size = 10
[queues.a]
members = ["*"]
offer_time = "1ms"
`,
			[]string{
				`1:1: data: a directory is needed`,
				`2:1: trusted_proxies: "here" is not an address or a network, such as "10.0.0.0/8"`,
				`4:1: services.a.queue: there is no queue "b"`,
				`5:1: there is no setting "services.a.colour"`,
				`6:1: there is no setting "services.a.orgins"; did you mean "origins"?`,
				`7:1: services.a.languages: "tlh" is not one of ["en" "de" "fr" "es" "it" "nl" "pt" "pl"]`,
				`10:1: services.a.idle.timeout_close: 500ms is not between 1s and 24h0m0s`,
				`11:1: services.a.idle.include_notices: "none" is neither "major" nor "all"`,
				`12:13: services.a.files.upload_max_file_size: one file may be larger than all of them together`,
				`16:1: queues.a.offer_time: 1ms is not between 100ms and 10m0s`,
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
		"a name within inline tables": {
			"services = {a = {files = {scan = {comand = [], url = \"https://a.example\"}}}}\n[queues.a]\nmembers = [\"*\"]\n",
			[]string{`1:35: there is no setting "services.a.files.scan.comand"; did you mean "command"?`},
		},
		"a text": {"listen = 8080\n" + rest, []string{`1:10: listen: a text is needed, not a whole number`}},
		"true or false": {
			"secure_cookies = \"yes\"\nlisten = 5\n" + rest, []string{`1:18: secure_cookies: true or false is needed, not a text`},
		},
		"a list": {"[queues.a]\nmembers = \"*\"\n", []string{`2:11: queues.a.members: a list is needed, not a text`}},
		"a text in a list": {
			"[queues.a]\nmembers = [\"x\", 1]\n", []string{`2:17: queues.a.members: a text is needed, not a whole number`},
		},
		"a whole number": {
			"[services.a]\nmax_message_length = 1.5\n", []string{`2:22: services.a.max_message_length: a whole number is needed, not a number with a fraction`},
		},
		"a number that is too large": {
			"[services.a]\nmax_message_length = 99999999999999999999\n",
			[]string{`2:22: services.a.max_message_length: decimal number is too large to fit in a 64-bit signed integer`},
		},
		"a duration": {
			"[queues.a]\noffer_time = \"soon\"\n", []string{`2:14: queues.a.offer_time: a duration is written as "20s" or "1m30s"`},
		},
		"durations without a unit": {
			"[services.a]\n[services.a.idle]\ntimeout_alert = 300\n[queues.a]\nmembers = [\"*\"]\nreserve_after = 20\n",
			[]string{
				`3:1: services.a.idle.timeout_alert: a duration is written as "20s" or "1m30s"`,
				`6:1: queues.a.reserve_after: a duration is written as "20s" or "1m30s"`,
			},
		},
		"twice":       {"data = \"a\"\ndata = \"b\"\n", []string{`2:1: data: key data is already defined`}},
		"table twice": {"[queues.a]\n[queues.a]\n", []string{`2:2: queues.a: table a already exists`}},
		"not TOML":    {"listen = nowhere\n" + rest, []string{`1:10: this is not TOML: expected keyword "nan"`}},
		"never closed": {
			"[services.a]\nwelcome = \"\"\"\nhello\nhouse = 5\n", []string{`4:10: this is not TOML: multiline basic string not terminated by """`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := config.Parse([]byte(c.doc))
			var faults *config.Faults
			if !errors.As(err, &faults) {
				t.Fatalf("got the error %v, want faults", err)
			}
			if diff := cmp.Diff(c.want, strings.Split(err.Error(), "\n")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

var assignment = regexp.MustCompile(`^[a-z0-9_]+ = `)

// Whatever settings of the default document are misspelt, each is told with its
// line and nothing besides.
func TestMisspeltSettingsAreTold(t *testing.T) {
	lines := strings.Split(config.Document(), "\n")
	var settings []int
	for i, line := range lines {
		// Without its members a queue is not valid, which would be told too.
		if assignment.MatchString(line) && !strings.HasPrefix(line, "members") {
			settings = append(settings, i)
		}
	}
	if len(settings) < 20 {
		t.Fatalf("got %d settings in the document, want 20 or more", len(settings))
	}
	rapid.Check(t, func(t *rapid.T) {
		doc := slices.Clone(lines)
		var want []int
		for _, i := range rapid.SliceOfNDistinct(rapid.SampledFrom(settings), 1, 8, rapid.ID[int]).Draw(t, "lines") {
			doc[i] = rapid.StringMatching(`[a-z]{1,3}_x`).Draw(t, fmt.Sprint("prefix ", i)) + fmt.Sprint(i, "_") + doc[i]
			want = append(want, i+1)
		}
		slices.Sort(want)
		_, err := config.Parse([]byte(strings.Join(doc, "\n")))
		var faults *config.Faults
		if !errors.As(err, &faults) {
			t.Fatalf("got the error %v, want faults", err)
		}
		var got []int
		for _, f := range faults.List {
			got = append(got, f.Line)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("got faults in lines %v, want %v:\n%v", got, want, err)
		}
	})
}
