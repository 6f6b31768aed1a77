package config_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/halley-chat/halley/internal/config"
)

// What a file may say about a service, all of it at once.
func TestServiceSettings(t *testing.T) {
	c, err := config.Parse([]byte(`
trusted_proxies = ["127.0.0.1", "10.0.0.0/8"]

[services.shop]
required_fields = ["first_name", "email"]
check_email = true
max_message_length = 4000
new_chats_per_minute = 30
operations_per_second = 20
languages = ["de", "en"]
typing_preview = false
callback_polling = true
one_chat_per_browser = true

[services.shop.endpoints]
"vip.line" = "gold"

[services.shop.hours]
time_zone = "Europe/Berlin"
weekly = ["mon-fri 08:00-18:00", "Sat 22:00-02:00"]
closed = ["2026-12-24", "12-25"]

[queues.shop]
members = ["*"]
[queues.gold]
members = ["anna"]
`))
	if err != nil {
		t.Fatal(err)
	}
	off := false
	want := config.Service{
		Queue:    "shop",
		Entry:    config.Entry{Required: []string{"first_name", "email"}, CheckEmail: true, Endpoints: map[string]string{"vip.line": "gold"}},
		Limits:   config.Limits{MaxMessage: 4000, NewChats: 30, Operations: 20},
		Behavior: config.Behavior{Languages: []string{"de", "en"}, TypingPreview: &off, CallbackPolling: true, OneChatPerBrowser: true},
		Hours:    config.Hours{TimeZone: "Europe/Berlin", Weekly: []string{"mon-fri 08:00-18:00", "Sat 22:00-02:00"}, Closed: []string{"2026-12-24", "12-25"}},
	}
	got := c.Services["shop"]
	if diff := cmp.Diff(
		[]any{want.Queue, want.Entry, want.Limits, want.Behavior, want.Hours, []string{"127.0.0.1", "10.0.0.0/8"}},
		[]any{got.Queue, got.Entry, got.Limits, got.Behavior, got.Hours, c.TrustedProxies},
	); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestServiceFaults(t *testing.T) {
	for line, want := range map[string]string{
		`required_fields = ["nickname"]`:      `services.a.required_fields: "nickname" is not one of ["first_name" `,
		`required_fields = ["name", "name"]`:  `services.a.required_fields: "name" stands there twice`,
		`endpoints = { vip = "gold" }`:        `services.a.endpoints.vip: there is no queue "gold"`,
		`endpoints = { "" = "a" }`:            `services.a.endpoints.: an endpoint has 1 to 128 bytes`,
		`max_message_length = -1`:             `services.a.max_message_length: -1 is not between`,
		`max_message_length = 16385`:          `services.a.max_message_length: 16385 is not between`,
		`new_chats_per_minute = -2`:           `services.a.new_chats_per_minute: -2 is neither -1`,
		`operations_per_second = 100001`:      `services.a.operations_per_second: 100001 is neither -1`,
		`languages = ["en", "xx"]`:            `services.a.languages: "xx" is not one of ["en" "de" `,
		`languages = ["en", "en"]`:            `services.a.languages: "en" stands there twice`,
		`hours = { time_zone = "Berlin" }`:    `services.a.hours.time_zone: "Berlin" is not a time zone`,
		`hours = { weekly = ["mon 8-18"] }`:   `services.a.hours.weekly: "mon 8-18": opening hours are written as `,
		`hours = { closed = ["25.12."] }`:     `services.a.hours.closed: "25.12.": a date is written as `,
		`hours = { closed = ["2026-02-30"] }`: `services.a.hours.closed: "2026-02-30": `,
		`typing_preview = "no"`:               "",
		`hours = { opens = "08:00" }`:         `there is no setting "services.a.hours.opens"`,
		`colour = "red"`:                      `there is no setting "services.a.colour"`,
	} {
		t.Run(line, func(t *testing.T) {
			_, err := config.Parse([]byte("[services.a]\n" + line + "\n[queues.a]\nmembers = [\"*\"]\n"))
			if err == nil {
				t.Errorf("%s is accepted", line)
				return
			}
			place, reason, _ := strings.Cut(err.Error(), " ")
			if !strings.HasPrefix(place, "2:") || !strings.HasPrefix(reason, want) || strings.Contains(reason, "\n") && want != "" {
				t.Errorf("%s: got %v, want one fault of line 2 that begins with %q", line, err, want)
			}
		})
	}
	for s, want := range map[string]bool{
		"127.0.0.1": true, "10.0.0.0/8": true, "::1": true, "fd00::/8": true,
		"10.0.0.1/8": false, "proxy": false, "": false, "fe80::1%eth0": false, "10.0.0.0/33": false,
	} {
		t.Run("proxy "+s, func(t *testing.T) {
			c := config.Default()
			c.TrustedProxies = []string{s}
			if err := c.Validate(); (err == nil) != want {
				t.Errorf("the proxy %q: got %v, want it valid: %v", s, err, want)
			}
		})
	}
}

func TestParseSpans(t *testing.T) {
	const day = 24 * 60
	for s, want := range map[string][]config.Span{
		"mon 08:00-18:00":       {{480, 1080}},
		" Tue-Thu  8:00-24:00 ": {{day + 480, 2 * day}, {2*day + 480, 3 * day}, {3*day + 480, 4 * day}},
		"sat-mon 00:00-00:01":   {{5 * day, 5*day + 1}, {6 * day, 6*day + 1}, {0, 1}},
		"fri 22:00-02:00":       {{4*day + 1320, 5*day + 120}},
		"sun 22:00-02:00":       {{6*day + 1320, 120}},
		"sun 00:00-24:00":       {{6 * day, 0}},
		"":                      nil, "mon": nil, "mon 8": nil, "mon 8-18": nil, "monday 08:00-18:00": nil, "mon- 08:00-18:00": nil,
		"mon 08:00-08:00": nil, "mon 24:00-08:00": nil, "mon 08:60-18:00": nil, "mon 08:00-24:01": nil, "mon 08:0-18:00": nil,
		"mon +8:00-18:00": nil, "mon 08:00-18:00-19:00": nil, "mon,tue 08:00-18:00": nil,
	} {
		t.Run(s, func(t *testing.T) {
			got, err := config.ParseSpans(s)
			if diff := cmp.Diff(want, got); diff != "" || (err == nil) != (want != nil) {
				t.Errorf("%q: got the error %v, want one: %v; spans (-want +got):\n%s", s, err, want == nil, diff)
			}
		})
	}
}

func TestParseDate(t *testing.T) {
	for s, want := range map[string]config.Date{
		"2026-12-24": {Year: 2026, Month: time.December, Day: 24}, "12-25": {Month: time.December, Day: 25}, "02-29": {Month: time.February, Day: 29},
		"2026-02-29": {}, "13-01": {}, "12-32": {}, "": {}, "2026-1-1": {}, "1-1": {},
	} {
		t.Run(s, func(t *testing.T) {
			got, err := config.ParseDate(s)
			if got != want || (err == nil) != (want != config.Date{}) {
				t.Errorf("%q: got %v, %v, want %v", s, got, err, want)
			}
		})
	}
}
