// Package config is what an operator decides: one TOML file, read strictly,
// with its defaults in code.
package config

import (
	"errors"
	"fmt"
	"os"
	"time"
)

// Config is the whole configuration.
type Config struct {
	// Listen is the address to serve at, as host:port.
	Listen string `toml:"listen"`
	// Data is the directory in which everything is kept.
	Data string `toml:"data"`
	// MinFreeSpace is how many bytes must be free on the disk of the data
	// directory for files to be taken; by default [DefaultMinFreeSpace], and -1
	// watches nothing.
	MinFreeSpace int64 `toml:"min_free_space"`
	// SecureCookies marks cookies as Secure although the server itself speaks
	// plain HTTP, as it does behind a proxy that ends TLS; false by default.
	SecureCookies bool `toml:"secure_cookies"`
	// TrustedProxies are the networks of proxies that say in X-Forwarded-For
	// whom they speak for.
	TrustedProxies []string `toml:"trusted_proxies"`
	// UnlimitedNetworks are addresses and networks whose visitors are held to no
	// limit by address: [Limits.NewChats], MaxSessions, and that of uploads.
	UnlimitedNetworks []string `toml:"unlimited_networks"`
	// MaxSessions is how many Bayeux sessions visitors of one network address may
	// have; by default [DefaultMaxSessions], and [NoLimit] is no limit.
	MaxSessions int `toml:"sessions_per_address"`
	// Hosts are the names, besides addresses, "localhost" and the host of
	// Listen, under which the desk answers.
	Hosts []string `toml:"hosts"`
	// SamplePage serves the sample page, as the demo always does; false by
	// default.
	SamplePage bool `toml:"sample_page"`
	// TLS has the server speak TLS itself; it does not if TLS is nil.
	TLS *TLS `toml:"tls"`
	// Admin is the listener for operators.
	Admin Admin `toml:"admin"`
	// Log is how the server logs.
	Log Log `toml:"log"`
	// Services are what a client can ask a chat for, by name.
	Services map[string]Service `toml:"services"`
	// Queues are where chats wait, by name.
	Queues map[string]Queue `toml:"queues"`
	// Desk is how agents work.
	Desk Desk `toml:"desk"`
	// Push is how visitors' devices are told of what happens.
	Push Push `toml:"push"`
}

// TLS names the files of a certificate, in PEM. They are read anew when they
// change.
type TLS struct {
	// Cert is the certificate, with those between it and the root behind it.
	Cert string `toml:"cert"`
	// Key is its private key.
	Key string `toml:"key"`
}

// Admin is the listener for operators: metrics, health and readiness.
type Admin struct {
	// Listen is its address; empty for none. Whoever reaches it may read what
	// is there, so by default it is none.
	Listen string `toml:"listen"`
	// Profiles switches /debug/pprof on; false by default.
	Profiles bool `toml:"profiles"`
}

// Log is how the server logs.
type Log struct {
	// Format is LogText, the default, or LogJSON.
	Format string `toml:"format"`
	// Level is "debug", "info", the default, "warn" or "error".
	Level string `toml:"level"`
}

// What [Log.Format] may say.
const (
	LogText = "text"
	LogJSON = "json"
)

// Service is one sort of chat.
type Service struct {
	// Queue is the name of the queue in which its chats wait; by default the
	// service's own name.
	Queue string `toml:"queue"`
	// Origins are the pages that may use it besides the server's own:
	// "https://host:port", "null" for pages without an origin such as files,
	// "*" for all.
	Origins   []string `toml:"origins"`
	Entry              // entry.go
	Limits             // limits.go
	Behavior           // manner.go
	Hours     Hours    `toml:"hours"` // hours.go
	Lifecycle          // life.go
	// Files say which files its chats take; without them none.
	Files *Files `toml:"files"`
}

// Queue is where chats wait for an agent.
type Queue struct {
	// Members are the logins of those who take its chats; "*" stands for every
	// account that is not among the reserve.
	Members []string `toml:"members"`
	// Reserve are the logins of those who take a chat only when for
	// ReserveAfter no member was ready or had one on offer.
	Reserve []string `toml:"reserve"`
	// ReserveAfter is by default 30 s.
	ReserveAfter Duration `toml:"reserve_after"`
	// OfferTime is how long an agent has for an answer; by default 20 s.
	OfferTime Duration `toml:"offer_time"`
}

// Duration is a time span, written as "20s" or "1m30s".
type Duration time.Duration

// UnmarshalText reads what [time.ParseDuration] reads.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	if err != nil {
		return errDuration
	}
	*d = Duration(v)
	return nil
}

var errDuration = errors.New(`a duration is written as "20s" or "1m30s"`)

// MarshalText writes the duration as UnmarshalText reads it.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// The defaults of what a configuration leaves out.
const (
	DefaultListen       = "127.0.0.1:8080"
	DefaultData         = "./data"
	DefaultMinFreeSpace = 512 << 20 // bytes
	DefaultMaxSessions  = 300
	DefaultOfferTime    = Duration(20 * time.Second)
	DefaultReserveAfter = Duration(30 * time.Second)
)

// Default is the configuration of a server that was given none: one service
// with one queue, in which every account takes part.
func Default() Config {
	return Config{
		Services: map[string]Service{"customer-support": {}},
		Queues:   map[string]Queue{"customer-support": {Members: []string{All}}},
	}.withDefaults()
}

// All stands for every account in [Queue.Members] and for every page in
// [Service.Origins].
const All = "*"

// Demo is the configuration of "serve --demo". The service customer-support is
// for people, with the scripted agent "echo" in reserve after 5 s; the service
// echo is for that agent alone, and for pages from anywhere over any transport,
// so that a client can be tried against it. Nothing is limited for those on the
// same machine. offerTime 0 means the default.
func Demo(offerTime time.Duration) Config {
	c := Config{
		Data:              DefaultData + "/demo",
		UnlimitedNetworks: []string{"127.0.0.0/8", "::1"},
		Services: map[string]Service{
			"customer-support": {Origins: []string{"null"}, Files: &Files{}, Limits: Limits{Operations: NoLimit}},
			"echo": {
				Origins: []string{All, "null"}, Files: &Files{}, Limits: Limits{Operations: NoLimit}, Behavior: Behavior{CallbackPolling: true},
			},
		},
		Queues: map[string]Queue{
			"customer-support": {
				Members: []string{All}, Reserve: []string{"echo"},
				ReserveAfter: Duration(5 * time.Second), OfferTime: Duration(offerTime),
			},
			"echo": {Members: []string{"echo"}, OfferTime: Duration(offerTime)},
		},
	}
	return c.withDefaults()
}

func (c Config) withDefaults() Config {
	if c.Listen == "" {
		c.Listen = DefaultListen
	}
	if c.Data == "" {
		c.Data = DefaultData
	}
	c.Log.Format, c.Log.Level = orElse(c.Log.Format, LogText), orElse(c.Log.Level, "info")
	if c.MinFreeSpace == 0 {
		c.MinFreeSpace = DefaultMinFreeSpace
	}
	if c.MaxSessions == 0 {
		c.MaxSessions = DefaultMaxSessions
	}
	c.Desk, c.Push = c.Desk.withDefaults(), c.Push.withDefaults()
	for name, s := range c.Services {
		if s.Queue == "" {
			s.Queue = name
		}
		s.Limits, s.Behavior, s.Hours = s.Limits.withDefaults(), s.Behavior.withDefaults(), s.Hours.withDefaults()
		s.Lifecycle = s.Lifecycle.withDefaults()
		c.Services[name] = s
	}
	c.filesWithDefaults()
	for name, q := range c.Queues {
		if q.OfferTime == 0 {
			q.OfferTime = DefaultOfferTime
		}
		if q.ReserveAfter == 0 {
			q.ReserveAfter = DefaultReserveAfter
		}
		c.Queues[name] = q
	}
	return c
}

// Load reads and validates a file. If something is wrong with it, the error is
// of type [*Faults] and each of its lines begins with the file's path.
func Load(path string) (Config, error) {
	body, err := os.ReadFile(path)
	if err != nil {
		return Config{}, fmt.Errorf("config: %w", err)
	}
	c, err := Parse(body)
	var faults *Faults
	if errors.As(err, &faults) {
		faults.File = path
	}
	return c, err
}
