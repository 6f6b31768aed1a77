package config

// Limits are how much a service lets visitors do.
type Limits struct {
	// MaxMessage is the longest line in characters, up to and by default
	// [MaxMessageLength].
	MaxMessage int `toml:"max_message_length"`
	// NewChats are how many chats one network address may open in a minute; by
	// default [DefaultNewChats], and [NoLimit] is no limit.
	NewChats int `toml:"new_chats_per_minute"`
	// Operations are how many operations one chat may be asked for in a second,
	// counted over five; by default [DefaultOperations], and [NoLimit] is no
	// limit.
	Operations int `toml:"operations_per_second"`
}

// MaxMessageLength is the most that [Limits.MaxMessage] can be. A line is
// bounded to as many bytes besides.
const MaxMessageLength = 16 << 10

// The rates of a service that says nothing about them. The first is far more
// than the people behind one address open, and far less than a flood; the second
// is more than any client asks for that waits for its answers.
const (
	DefaultNewChats   = 20
	DefaultOperations = 20
)

// NoLimit switches a limit off, where 0 is its default.
const NoLimit = -1

// maxRate is the most that a rate can be; more is as good as no limit.
const maxRate = 100_000

func (l Limits) withDefaults() Limits {
	if l.MaxMessage == 0 {
		l.MaxMessage = MaxMessageLength
	}
	if l.NewChats == 0 {
		l.NewChats = DefaultNewChats
	}
	if l.Operations == 0 {
		l.Operations = DefaultOperations
	}
	return l
}

func (l Limits) validate(v *validation, key string) {
	if l.MaxMessage < 0 || l.MaxMessage > MaxMessageLength {
		v.fault(key+".max_message_length", "%d is not between 1 and %d", l.MaxMessage, MaxMessageLength)
	}
	v.limit(key+".new_chats_per_minute", l.NewChats)
	v.limit(key+".operations_per_second", l.Operations)
}

// limit checks a number that [NoLimit] switches off.
func (v *validation) limit(key string, n int) {
	if n < NoLimit || n > maxRate {
		v.fault(key, "%d is neither -1, which is no limit, nor between 1 and %d", n, maxRate)
	}
}
