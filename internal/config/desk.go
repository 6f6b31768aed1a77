package config

import "time"

// Desk is how agents work.
type Desk struct {
	// AwayAfter is how long no desk of an agent is connected when it becomes
	// not responding; by default 20 s.
	AwayAfter Duration `toml:"away_after"`
	// ReleaseAfter is how long after that its chats go back to their queues; by
	// default 1 min.
	ReleaseAfter Duration `toml:"release_after"`
}

// The defaults of [Desk].
const (
	DefaultAwayAfter    = Duration(20 * time.Second)
	DefaultReleaseAfter = Duration(time.Minute)
)

func (d Desk) withDefaults() Desk {
	if d.AwayAfter == 0 {
		d.AwayAfter = DefaultAwayAfter
	}
	if d.ReleaseAfter == 0 {
		d.ReleaseAfter = DefaultReleaseAfter
	}
	return d
}

func (d Desk) validate(v *validation) {
	v.span("desk.away_after", d.AwayAfter, time.Hour)
	v.span("desk.release_after", d.ReleaseAfter, time.Hour)
}
