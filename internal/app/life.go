package app

import (
	"regexp"
	"time"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/config"
)

// rules are the rules of each configured service. A chat whose service is not
// configured any more goes on under the usual ones.
func rules(c config.Config) func(service string) chat.Rules {
	usual := chat.DefaultRules()
	all := make(map[string]chat.Rules, len(c.Services))
	for name, s := range c.Services {
		r := usual
		r.Life = life(s.Life)
		all[name] = r
	}
	return func(service string) chat.Rules {
		if r, ok := all[service]; ok {
			return r
		}
		return usual
	}
}

// life is a configured life as the domain wants it. The configuration is
// valid.
func life(c config.Life) chat.Life {
	l := chat.Life{
		House: c.House, Welcome: c.Welcome,
		Survey: chat.Survey{URL: c.SurveyURL, Cancel: c.CancelURL},
		Mask:   mask(c.Masking), Abandon: abandons[c.StopAbandoned],
	}
	if i := c.Idle; i.Enabled {
		l.Idle = chat.Idle{
			Alert: time.Duration(i.TimeoutAlert), Alert2: time.Duration(i.TimeoutAlert2), Close: time.Duration(i.TimeoutClose),
			Minor:     i.IncludeNotices == config.AllNotices,
			AlertText: i.MessageAlert, Alert2Text: i.MessageAlert2, CloseText: i.MessageClose,
		}
	}
	if a := c.Async; a.Enabled {
		l.AsyncIdle = chat.Idle{
			Alert: time.Duration(a.IdleAlert), Close: time.Duration(a.IdleClose),
			Minor:     a.IdleNotices == config.AllNotices,
			AlertText: a.MessageAlert, CloseText: a.MessageClose,
		}
	}
	return l
}

// abandons are the words of the configuration in the domain's; what is left
// out is always.
var abandons = map[string]chat.Abandon{
	config.StopAlways: chat.AbandonEnds, config.StopNever: chat.AbandonStays,
	config.StopNoAgents: chat.AbandonUnjoined, config.StopNoAnswer: chat.AbandonUnanswered,
}

func mask(c config.Masking) *chat.Mask {
	if !c.Cards && len(c.Patterns) == 0 {
		return nil
	}
	var patterns []*regexp.Regexp
	for _, p := range c.Patterns {
		patterns = append(patterns, regexp.MustCompile(p))
	}
	var with byte
	if c.Replacement != "" {
		with = c.Replacement[0]
	}
	return chat.NewMask(c.Cards, patterns, with)
}
