package app

import (
	"net/netip"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/config"
	"github.com/halley-chat/halley/internal/gms"
	"github.com/halley-chat/halley/internal/httpx"
)

// service is a configured service as the visitors' edge wants it. The
// configuration has been validated; what is wrong all the same is an error.
func service(c config.Service) (gms.Service, error) {
	hours, err := hours(c.Hours)
	if err != nil {
		return gms.Service{}, err
	}
	s := gms.Service{
		Queue: c.Queue, Origins: c.Origins, Endpoints: c.Endpoints,
		CheckEmail: c.CheckEmail, Hours: hours, Languages: c.Languages,
		MaxMessage: c.MaxMessage, NewChatsPerMinute: max(c.NewChats, 0), OperationsPerSecond: max(c.Operations, 0),
		HideTyping: c.TypingPreview != nil && !*c.TypingPreview, CallbackPolling: c.CallbackPolling, OneChatPerBrowser: c.OneChatPerBrowser,
		Async: c.Async.Enabled, AgentPreviews: c.AgentTypingPreview,
	}
	for _, f := range c.Required {
		s.Required = append(s.Required, requiredFields[f])
	}
	return s, nil
}

// requiredFields are the configuration's names of fields; a test compares.
var requiredFields = map[string]gms.Field{
	"first_name": gms.FirstName, "last_name": gms.LastName, "name": gms.AnyName, "email": gms.EmailAddress,
}

func hours(c config.Hours) (h chat.Hours, err error) {
	if h.Zone, err = c.Zone(); err != nil {
		return h, err
	}
	for _, line := range c.Weekly {
		spans, err := config.ParseSpans(line)
		if err != nil {
			return h, err
		}
		for _, s := range spans {
			h.Week = append(h.Week, chat.Span{From: chat.Minute(s.From), To: chat.Minute(s.To)})
		}
	}
	for _, line := range c.Closed {
		d, err := config.ParseDate(line)
		if err != nil {
			return h, err
		}
		h.Closed = append(h.Closed, chat.Date(d))
	}
	return h, nil
}

// proxies are those that are believed when they say whom they speak for.
func proxies(c config.Config) (httpx.Proxies, error) { return networks(c.TrustedProxies) }

// networks are configured addresses and networks.
func networks(list []string) (p []netip.Prefix, err error) {
	for _, s := range list {
		n, err := config.ParseNetwork(s)
		if err != nil {
			return nil, err
		}
		p = append(p, n)
	}
	return p, nil
}
