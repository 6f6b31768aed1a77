package config

import (
	"net/url"
	"regexp"
	"time"
)

// Lifecycle is what a service decides about the life of its chats. Its keys stand
// among those of the [Service].
type Lifecycle struct {
	// Welcome is the house's line at the opening of a chat; none by default.
	Welcome string `toml:"welcome"`
	// House is the name under which the house speaks; by default "System".
	House string `toml:"house"`
	// SurveyURL is offered to the visitor when an agent ends the chat, with
	// CancelURL for those who want no survey; none by default.
	SurveyURL string `toml:"survey_url"`
	CancelURL string `toml:"cancel_url"`
	// StopAbandoned says whether a chat ends whose visitor leaves while it
	// waits: StopAlways, the default, or one of the others.
	StopAbandoned string `toml:"stop_abandoned"`

	Idle    Idle    `toml:"idle"`
	Async   Async   `toml:"async"`
	Masking Masking `toml:"masking"`
}

// Idle is the idle control of chats with an agent in them.
type Idle struct {
	// Enabled is false by default.
	Enabled bool `toml:"enabled"`
	// TimeoutAlert is how long nothing has happened when the visitor is
	// warned, by default 255 s; TimeoutAlert2 how long after that it is warned
	// again, by default not at all; TimeoutClose how long after the last alert
	// the chat ends, by default 45 s.
	TimeoutAlert  Duration `toml:"timeout_alert"`
	TimeoutAlert2 Duration `toml:"timeout_alert2"`
	TimeoutClose  Duration `toml:"timeout_close"`
	// IncludeNotices says what counts as something that happens: Major, the
	// default, or AllNotices.
	IncludeNotices string `toml:"include_notices"`
	// What the visitor is told; each has a default in English.
	MessageAlert  string `toml:"message_alert"`
	MessageAlert2 string `toml:"message_alert2"`
	MessageClose  string `toml:"message_close"`
}

// What [Lifecycle.StopAbandoned] may say.
const (
	StopAlways   = "always"
	StopNever    = "never"
	StopNoAgents = "noagents" // if no agent was ever in it
	StopNoAnswer = "noanswer" // if no agent ever wrote in it
)

// What [Idle.IncludeNotices] and [Async.IdleNotices] may say: lines and
// addresses alone, or typing and notices too.
const (
	Major      = "major"
	AllNotices = "all"
)

// Async is about chats that live for days.
type Async struct {
	// Enabled lets visitors ask for such a chat; false by default.
	Enabled bool `toml:"enabled"`
	// IdleAlert and IdleClose are as TimeoutAlert and TimeoutClose of [Idle];
	// by default a day and an hour. They hold with an agent in the chat or not.
	IdleAlert    Duration `toml:"idle_alert"`
	IdleClose    Duration `toml:"idle_close"`
	IdleNotices  string   `toml:"idle_notices"`
	MessageAlert string   `toml:"message_alert"`
	MessageClose string   `toml:"message_close"`
}

// Masking is what is covered in texts before anybody stores or sees them.
type Masking struct {
	// Cards covers card numbers; false by default.
	Cards bool `toml:"cards"`
	// Patterns are regular expressions as package regexp reads them.
	Patterns []string `toml:"patterns"`
	// Replacement is the one character that covers, in ASCII; by default "*".
	Replacement string `toml:"replacement"`
}

// The defaults of a life.
const (
	DefaultHouse        = "System"
	DefaultTimeoutAlert = Duration(255 * time.Second)
	DefaultTimeoutClose = Duration(45 * time.Second)
	DefaultAsyncAlert   = Duration(24 * time.Hour)
	DefaultAsyncClose   = Duration(time.Hour)

	defaultAlert = "Nothing has been written for a while. The chat will be closed unless somebody writes."
	defaultClose = "The chat was closed because nothing was written for a while."
)

// The bounds of what a life may say.
const (
	minIdle      = time.Second
	maxIdle      = 24 * time.Hour
	maxAsyncIdle = 365 * 24 * time.Hour
	maxWords     = 16 << 10 // bytes of what the house says at once
	maxHouse     = 64       // bytes of its name
	maxPatterns  = 100
	maxPattern   = 1000 // bytes
)

func orElse[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}

func (l Lifecycle) withDefaults() Lifecycle {
	l.House = orElse(l.House, DefaultHouse)
	l.StopAbandoned = orElse(l.StopAbandoned, StopAlways)
	i := &l.Idle
	i.TimeoutAlert = orElse(i.TimeoutAlert, DefaultTimeoutAlert)
	i.TimeoutClose = orElse(i.TimeoutClose, DefaultTimeoutClose)
	i.IncludeNotices = orElse(i.IncludeNotices, Major)
	i.MessageAlert = orElse(i.MessageAlert, defaultAlert)
	i.MessageAlert2 = orElse(i.MessageAlert2, i.MessageAlert)
	i.MessageClose = orElse(i.MessageClose, defaultClose)
	a := &l.Async
	a.IdleAlert = orElse(a.IdleAlert, DefaultAsyncAlert)
	a.IdleClose = orElse(a.IdleClose, DefaultAsyncClose)
	a.IdleNotices = orElse(a.IdleNotices, Major)
	a.MessageAlert = orElse(a.MessageAlert, defaultAlert)
	a.MessageClose = orElse(a.MessageClose, defaultClose)
	l.Masking.Replacement = orElse(l.Masking.Replacement, "*")
	return l
}

func (l Lifecycle) validate(v *validation, key string) {
	for _, w := range []struct {
		key, text string
		most      int
	}{
		{"welcome", l.Welcome, maxWords},
		{"house", l.House, maxHouse},
		{"idle.message_alert", l.Idle.MessageAlert, maxWords},
		{"idle.message_alert2", l.Idle.MessageAlert2, maxWords},
		{"idle.message_close", l.Idle.MessageClose, maxWords},
		{"async.message_alert", l.Async.MessageAlert, maxWords},
		{"async.message_close", l.Async.MessageClose, maxWords},
	} {
		if len(w.text) > w.most {
			v.fault(key+"."+w.key, "it has more than %d bytes", w.most)
		}
	}
	for _, u := range []struct{ key, url string }{{"survey_url", l.SurveyURL}, {"cancel_url", l.CancelURL}} {
		if u.url != "" && !webAddress(u.url) {
			v.fault(key+"."+u.key, "%q is no http or https address", u.url)
		}
	}
	if l.CancelURL != "" && l.SurveyURL == "" {
		v.fault(key+".cancel_url", "there is no survey_url")
	}
	v.span(key+".idle.timeout_alert", l.Idle.TimeoutAlert, maxIdle)
	v.span(key+".idle.timeout_alert2", l.Idle.TimeoutAlert2, maxIdle)
	v.span(key+".idle.timeout_close", l.Idle.TimeoutClose, maxIdle)
	v.notices(key+".idle.include_notices", l.Idle.IncludeNotices)
	v.span(key+".async.idle_alert", l.Async.IdleAlert, maxAsyncIdle)
	v.span(key+".async.idle_close", l.Async.IdleClose, maxAsyncIdle)
	v.notices(key+".async.idle_notices", l.Async.IdleNotices)
	switch l.StopAbandoned {
	case "", StopAlways, StopNever, StopNoAgents, StopNoAnswer:
	default:
		v.fault(key+".stop_abandoned", "%q is none of %q, %q, %q and %q", l.StopAbandoned, StopAlways, StopNever, StopNoAgents, StopNoAnswer)
	}
	l.Masking.validate(v, key+".masking")
}

func (m Masking) validate(v *validation, key string) {
	if len(m.Patterns) > maxPatterns {
		v.fault(key+".patterns", "there are more than %d", maxPatterns)
	}
	for _, p := range m.Patterns {
		if _, err := regexp.Compile(p); err != nil || p == "" || len(p) > maxPattern {
			v.fault(key+".patterns", "%q is not a regular expression of 1 to %d bytes", p, maxPattern)
		}
	}
	if r := m.Replacement; r != "" && (len(r) != 1 || r[0] <= ' ' || r[0] > '~' || r[0] == '-' || r[0] >= '0' && r[0] <= '9') {
		v.fault(key+".replacement", "%q is not one character in ASCII that is no digit, space or dash", r)
	}
}

// span checks a time; zero is one that is left out.
func (v *validation) span(key string, d Duration, most time.Duration) {
	if t := time.Duration(d); t != 0 && (t < minIdle || t > most) {
		v.fault(key, "%s is not between %s and %s", t, minIdle, most)
	}
}

func (v *validation) notices(key, value string) {
	if value != "" && value != Major && value != AllNotices {
		v.fault(key, "%q is neither %q nor %q", value, Major, AllNotices)
	}
}

func webAddress(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https")
}
