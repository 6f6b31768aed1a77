package config

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Push is how visitors are told through their devices of what happens while
// they do not listen.
type Push struct {
	// Timeout is how long such a visitor may stay away before it has left; by
	// default 24 h.
	Timeout Duration `toml:"timeout"`
	// ToActiveClient tells visitors who listen, too.
	ToActiveClient bool `toml:"to_active_client"`
	// IncludePayload puts the event itself into what customhttp is sent, for
	// all visitors.
	IncludePayload bool `toml:"include_payload"`
	// Expiry is how long an event is tried; by default 10 min.
	Expiry Duration `toml:"expiry"`
	// Texts are what devices show, by language; "default" is for all others.
	Texts map[string]PushText `toml:"texts"`

	PushProvider

	// Providers are further credentials, which clients ask for by name.
	Providers map[string]PushProvider `toml:"providers"`
}

// PushProvider is one set of credentials; what is nil cannot be used.
type PushProvider struct {
	FCM        *PushFCM  `toml:"fcm"`
	APNs       *PushAPNs `toml:"apns"`
	CustomHTTP *PushHTTP `toml:"customhttp"`
}

// PushText is what a device shows.
type PushText struct {
	Title string `toml:"title"`
	Body  string `toml:"body"`
}

// PushFCM is Firebase Cloud Messaging.
type PushFCM struct {
	// ServiceAccount is the file with the service account (JSON).
	ServiceAccount string `toml:"service_account"`
	// Endpoint takes the place of Google's address.
	Endpoint string `toml:"endpoint"`
}

// PushAPNs is Apple's push notification service.
type PushAPNs struct {
	// Key is the file with the signing key (.p8).
	Key    string `toml:"key"`
	KeyID  string `toml:"key_id"`
	TeamID string `toml:"team_id"`
	// Topic is the app's bundle id.
	Topic string `toml:"topic"`
	// Sandbox is for developers' builds.
	Sandbox bool `toml:"sandbox"`
	// Endpoint takes the place of Apple's address.
	Endpoint string `toml:"endpoint"`
}

// PushHTTP is an HTTP address of the operator's.
type PushHTTP struct {
	URL string `toml:"url"`
	// Headers are sent along.
	Headers map[string]string `toml:"headers"`
	// AuthorizationFile holds the value of an Authorization header.
	AuthorizationFile string `toml:"authorization_file"`
}

// The defaults and bounds of pushing.
const (
	DefaultPushTimeout = Duration(24 * time.Hour)
	DefaultPushExpiry  = Duration(10 * time.Minute)
	// DefaultText is the name of the text for all languages that have none.
	DefaultText = "default"

	maxPushTimeout = 20 * 24 * time.Hour
)

func (p Push) withDefaults() Push {
	if p.Timeout == 0 {
		p.Timeout = DefaultPushTimeout
	}
	if p.Expiry == 0 {
		p.Expiry = DefaultPushExpiry
	}
	return p
}

// All are the sets of credentials by name; the usual ones have none.
func (p Push) All() map[string]PushProvider {
	all := maps.Clone(p.Providers)
	if all == nil {
		all = make(map[string]PushProvider)
	}
	all[""] = p.PushProvider
	return all
}

func (p Push) validate(v *validation) {
	if d := time.Duration(p.Timeout); d < time.Second || d > maxPushTimeout {
		v.fault("push.timeout", "%s is not between 1s and %s", d, maxPushTimeout)
	}
	if d := time.Duration(p.Expiry); d < time.Second || d > 24*time.Hour {
		v.fault("push.expiry", "%s is not between 1s and 24h", d)
	}
	for _, language := range slices.Sorted(maps.Keys(p.Texts)) {
		if t := p.Texts[language]; strings.TrimSpace(language) == "" || t.Body == "" || len(t.Title)+len(t.Body) > 1024 {
			v.fault(fmt.Sprintf("push.texts.%s", language), "a text has a language, a body, and up to 1024 bytes")
		}
	}
	p.PushProvider.validate(v, "push")
	for _, name := range slices.Sorted(maps.Keys(p.Providers)) {
		key := "push.providers." + name
		if !nameForm.MatchString(name) {
			v.fault(key, "a name has 1 to 64 letters, digits and _ . - and begins with a letter or digit")
		}
		p.Providers[name].validate(v, key)
	}
}

func (p PushProvider) validate(v *validation, key string) {
	need := func(name, value string) {
		if strings.TrimSpace(value) == "" {
			v.fault(key+name, "it is needed")
		}
	}
	if f := p.FCM; f != nil {
		need(".fcm.service_account", f.ServiceAccount)
		v.address(key+".fcm.endpoint", cmp.Or(f.Endpoint, "https://example.org"))
	}
	if a := p.APNs; a != nil {
		need(".apns.key", a.Key)
		need(".apns.key_id", a.KeyID)
		need(".apns.team_id", a.TeamID)
		need(".apns.topic", a.Topic)
		v.address(key+".apns.endpoint", cmp.Or(a.Endpoint, "https://example.org"))
	}
	if h := p.CustomHTTP; h != nil {
		v.address(key+".customhttp.url", h.URL)
		for _, name := range slices.Sorted(maps.Keys(h.Headers)) {
			if !validHeader(name, h.Headers[name]) {
				v.fault(key+".customhttp.headers", "%q is not a header, or its value has a line break", name)
			}
		}
	}
}

func (v *validation) address(key, text string) {
	// The address may hold a secret, so it is not shown.
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		v.fault(key, "an http or https address is needed")
	}
}

func validHeader(name, value string) bool {
	for _, c := range name {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return name != "" && http.CanonicalHeaderKey(name) != "Content-Length" && !strings.ContainsAny(value, "\r\n")
}
