package app

import (
	"fmt"
	"regexp"
	"time"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/config"
)

// rules are the rules of each configured service. A chat whose service is not
// configured any more goes on under the usual ones. The configuration has been
// validated; what is wrong all the same is an error.
func rules(c config.Config) (func(service string) chat.Rules, error) {
	usual := chat.DefaultRules()
	all := make(map[string]chat.Rules, len(c.Services))
	for name, s := range c.Services {
		r := usual
		r.Files = fileRules(s.Files)
		var err error
		if r.Life, err = life(s.Lifecycle); err != nil {
			return nil, fmt.Errorf("service %s: %w", name, err)
		}
		all[name] = r
	}
	return func(service string) chat.Rules {
		if r, ok := all[service]; ok {
			return r
		}
		return usual
	}, nil
}

// life is a configured life as the domain wants it.
func life(c config.Lifecycle) (l chat.Life, err error) {
	l = chat.Life{
		House: c.House, Welcome: c.Welcome,
		Survey:  chat.Survey{URL: c.SurveyURL, Cancel: c.CancelURL},
		Abandon: abandons[c.StopAbandoned],
	}
	if l.Mask, err = mask(c.Masking); err != nil {
		return l, err
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
	return l, nil
}

// abandons are the words of the configuration in the domain's; what is left
// out is always.
var abandons = map[string]chat.Abandon{
	config.StopAlways: chat.AbandonEnds, config.StopNever: chat.AbandonStays,
	config.StopNoAgents: chat.AbandonUnjoined, config.StopNoAnswer: chat.AbandonUnanswered,
}

func mask(c config.Masking) (*chat.Mask, error) {
	if !c.Cards && len(c.Patterns) == 0 {
		return nil, nil
	}
	var patterns []*regexp.Regexp
	for _, p := range c.Patterns {
		r, err := regexp.Compile(p)
		if err != nil {
			return nil, err
		}
		patterns = append(patterns, r)
	}
	var with byte
	if c.Replacement != "" {
		with = c.Replacement[0]
	}
	return chat.NewMask(c.Cards, patterns, with), nil
}
