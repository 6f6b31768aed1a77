package client

import (
	"context"
	"errors"

	"github.com/go-json-experiment/json/jsontext"
)

// Subscription is a subscription made with [Client.Subscribe].
type Subscription struct {
	c       *Client
	channel string
	remove  func()
}

// Subscribe subscribes to a channel, or to a pattern of channels, and calls fn
// with every delivery on it. It waits for a session if there is none, and for
// the server's reply; the subscription is renewed after every handshake until
// [Subscription.Cancel]. A refusal is an [*Error]; any other error is ctx's or
// wraps [ErrClosed]. After an error the subscription is off again.
func (c *Client) Subscribe(ctx context.Context, channel string, fn func(*Message)) (*Subscription, error) {
	s := &Subscription{c: c, channel: channel, remove: c.Listen(channel, fn)}
	for {
		_, session, err := c.request(ctx, subscribeMessage("/meta/subscribe", channel))
		switch {
		case err == nil && c.remember(s, session):
			return s, nil
		case err == nil, errors.Is(err, ErrLost), isUnknownClient(err):
			continue
		}
		s.remove()
		return nil, err
	}
}

// remember makes a subscription part of every session that follows the one it
// was made in. It says no if that one has been followed already.
func (c *Client) remember(s *Subscription, in *session) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state.session != in {
		return false
	}
	c.subs = append(c.subs, s)
	return true
}

// Cancel ends the subscription: fn is not called any more, and if no other
// subscription to the same channel is left the server is told. The error says
// why the server may not know; the subscription is over in any case.
func (s *Subscription) Cancel(ctx context.Context) error {
	s.remove()
	if others := s.forget(); others {
		return nil
	}
	if now, _ := s.c.now(); now.session == nil || now.ended {
		return nil // no session has it
	}
	_, _, err := s.c.request(ctx, subscribeMessage("/meta/unsubscribe", s.channel))
	return err
}

// forget takes the subscription out of those to renew and says whether another
// one to its channel is left.
func (s *Subscription) forget() (others bool) {
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	kept := make([]*Subscription, 0, len(c.subs))
	for _, x := range c.subs {
		if x != s {
			kept = append(kept, x)
			others = others || x.channel == s.channel
		}
	}
	c.subs = kept
	return others
}

// subscribed are the channels of all subscriptions, once each.
func (c *Client) subscribed() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var channels []string
	seen := map[string]bool{}
	for _, s := range c.subs {
		if !seen[s.channel] {
			seen[s.channel] = true
			channels = append(channels, s.channel)
		}
	}
	return channels
}

func subscribeMessage(meta, channel string) wireMessage {
	quoted, err := jsontext.AppendQuote(nil, channel)
	if err != nil { // not UTF-8: let the server refuse it
		quoted = []byte(`""`)
	}
	return wireMessage{Channel: meta, Subscription: quoted}
}
