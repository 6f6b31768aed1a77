package config

// Limits are how much a service lets visitors do.
type Limits struct {
	// MaxMessage is the longest line in characters, up to and by default
	// [MaxMessageLength].
	MaxMessage int `toml:"max_message_length"`
	// NewChats are how many chats one network address may open in a minute; 0
	// is no limit.
	NewChats int `toml:"new_chats_per_minute"`
	// Operations are how many operations one chat may be asked for in a second,
	// counted over five; 0 is no limit.
	Operations int `toml:"operations_per_second"`
}

// MaxMessageLength is the most that [Limits.MaxMessage] can be. A line is
// bounded to as many bytes besides.
const MaxMessageLength = 16 << 10

// maxRate is the most that a rate can be; more is as good as no limit.
const maxRate = 100_000

func (l Limits) withDefaults() Limits {
	if l.MaxMessage == 0 {
		l.MaxMessage = MaxMessageLength
	}
	return l
}

func (l Limits) validate(v *validation, key string) {
	if l.MaxMessage < 0 || l.MaxMessage > MaxMessageLength {
		v.fault(key+".max_message_length", "%d is not between 1 and %d", l.MaxMessage, MaxMessageLength)
	}
	if l.NewChats < 0 || l.NewChats > maxRate {
		v.fault(key+".new_chats_per_minute", "%d is not between 0, which is no limit, and %d", l.NewChats, maxRate)
	}
	if l.Operations < 0 || l.Operations > maxRate {
		v.fault(key+".operations_per_second", "%d is not between 0, which is no limit, and %d", l.Operations, maxRate)
	}
}
