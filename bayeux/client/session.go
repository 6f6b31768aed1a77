package client

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"
)

// loop keeps a session until the client ends.
func (c *Client) loop() {
	defer close(c.loopDone)
	err := c.runSessions()
	if isClosed(c.closing) {
		// The server has answered the connect, and its reply to the disconnect is
		// still to come over the same connection.
		<-c.ctx.Done()
	}
	now, _ := c.now()
	if now.session != nil {
		now.session.cancel(ErrClosed)
	}
	if now.link != nil {
		now.link.close()
	}
	if c.opts.own {
		c.opts.http.CloseIdleConnections()
	}
	if isClosed(c.closing) {
		err = nil // it ended because it was closed
	} else {
		c.opts.Logger.Warn("bayeux client: ended", "error", err)
	}
	c.end(err)
}

// runSessions keeps one session after the other and returns why no other one
// follows.
func (c *Client) runSessions() error {
	for unproven := 0; ; {
		s, err := c.handshake()
		if err != nil {
			return err
		}
		if err := c.connectLoop(s); err != nil {
			return err
		}
		// A server that forgets sessions before they are of any use must not
		// be asked for new ones without a pause.
		unproven++
		if s.proven {
			unproven = 0
		}
		if unproven > 0 && !c.pause(c.backoff(unproven)) {
			return ErrClosed
		}
	}
}

// handshake repeats the handshake until it has a session or the client has to end. It
// leaves the client's state up.
func (c *Client) handshake() (*session, error) {
	c.change(func(s *state) { s.up = false })
	transportFailures := 0 // handshakes that failed because of their transport
	for attempt := 1; ; attempt++ {
		transport := c.opts.Transports[transportFailures%len(c.opts.Transports)]
		s, err := c.tryHandshake(transport)
		if err == nil {
			return s, nil
		}
		if c.ctx.Err() != nil {
			return nil, ErrClosed
		}
		c.opts.Logger.Info("bayeux client: handshake failed", "transport", transport, "attempt", attempt, "error", err)
		var refused *Error
		delay := c.backoff(attempt)
		switch {
		case errors.As(err, &refused):
			if refused.Advice == nil || refused.Advice.Reconnect == "none" {
				return nil, err
			}
			delay = max(delay, refused.Advice.Interval)
		case errors.Is(err, ErrTransport), errors.Is(err, ErrDisconnected):
			return nil, err
		case c.opts.GiveUp != nil && c.opts.GiveUp(attempt, err):
			return nil, err
		case !errors.As(err, new(*dialError)):
			transportFailures++
			if transportFailures < len(c.opts.Transports) {
				delay = 0 // the next one has not been tried yet
			}
		}
		if !c.pause(delay) {
			return nil, ErrClosed
		}
	}
}

func (c *Client) tryHandshake(transport string) (*session, error) {
	now, _ := c.now()
	l := now.link
	if l == nil || l.name() != transport || isClosed(l.lost()) {
		if l != nil {
			l.close()
		}
		var err error
		if l, err = c.open(c.ctx, transport); err != nil {
			return nil, err
		}
		c.change(func(s *state) { s.link = l })
	}
	replies, err := c.exchange(c.ctx, l, c.opts.MaxNetworkDelay, &wireMessage{
		Channel: "/meta/handshake", Version: "1.0", MinimumVersion: "1.0", ConnectionTypes: c.opts.Transports,
	})
	if err != nil {
		return nil, err
	}
	reply := replies[0].message()
	if reply.ClientID == "" {
		return nil, errors.New("bayeux client: the server gave no client id")
	}
	if l, err = c.negotiate(l, replies[0].ConnectionTypes); err != nil {
		return nil, err
	}
	s := &session{id: reply.ClientID, advice: Advice{Timeout: defaultTimeout}, alive: time.Now()}
	if reply.Advice != nil {
		s.advice = *reply.Advice
	}
	s.ctx, s.cancel = context.WithCancelCause(c.ctx)
	c.change(func(st *state) {
		if st.session != nil {
			st.session.cancel(errReplaced)
		}
		st.session, st.link = s, l
	})
	if err := c.resubscribe(s, l); err != nil {
		if errors.Is(context.Cause(s.ctx), ErrDisconnected) {
			err = ErrDisconnected
		}
		return nil, err
	}
	c.opts.Logger.Debug("bayeux client: new session", "transport", l.name())
	c.enqueue(event{kind: handshaken, message: reply})
	c.change(func(st *state) { st.up, st.reply = true, reply })
	return s, nil
}

// negotiate stays with the transport of the handshake if the server allows it,
// and otherwise takes the first of its own that the server allows.
func (c *Client) negotiate(l link, allowed []string) (link, error) {
	if slices.Contains(allowed, l.name()) {
		return l, nil
	}
	for _, transport := range c.opts.Transports {
		if slices.Contains(allowed, transport) {
			l.close()
			return c.open(c.ctx, transport)
		}
	}
	return nil, ErrTransport
}

// Servers limit how many messages one request may have.
const resubscribeBatch = 50

// resubscribe subscribes the new session to what the last one was subscribed to.
// What the server refuses now is logged and left out.
func (c *Client) resubscribe(s *session, l link) error {
	var wanted []*wireMessage
	for _, channel := range c.subscribed() {
		m := subscribeMessage("/meta/subscribe", channel)
		m.ClientID = s.id
		wanted = append(wanted, &m)
	}
	for len(wanted) > 0 {
		some := wanted[:min(resubscribeBatch, len(wanted))]
		got, err := c.exchange(s.ctx, l, c.opts.MaxNetworkDelay, some...)
		if refused := (*Error)(nil); errors.As(err, &refused) {
			c.opts.Logger.Warn("bayeux client: a subscription was not renewed", "error", refused.Raw)
		} else if err != nil {
			return err
		}
		wanted = wanted[len(got):]
	}
	return nil
}

// connectLoop connects again and again until the session is lost, which is no error,
// or the client has to end.
func (c *Client) connectLoop(s *session) error {
	defer s.cancel(errReplaced)
	connected := false
	for failures := 0; ; {
		reply, err := c.connect(s, !connected)
		if reply != nil && reply.Advice != nil {
			s.advice = *reply.Advice
		}
		switch {
		case err == nil:
			if failures > 0 {
				c.enqueue(event{kind: reconnected})
			}
			connected, failures = true, 0
			s.proven, s.alive = true, time.Now()
			if s.advice.Reconnect == "none" {
				return ErrDisconnected
			}
			c.change(func(st *state) { st.up = true })
			if !c.pause(s.advice.Interval) {
				return ErrClosed
			}
			continue
		case c.ctx.Err() != nil:
			return ErrClosed
		case errors.Is(context.Cause(s.ctx), ErrDisconnected):
			return ErrDisconnected
		case s.ctx.Err() != nil:
			return nil
		}
		connected = false
		failures++
		c.change(func(st *state) { st.up = false })
		delay := c.backoff(failures)
		if refused := (*Error)(nil); errors.As(err, &refused) {
			again, wait, err := s.connectRefused(refused)
			if err != nil || again {
				c.pause(wait)
				return err
			}
			delay = max(delay, wait)
		} else if c.opts.GiveUp != nil && c.opts.GiveUp(failures, err) {
			return err
		}
		c.opts.Logger.Info("bayeux client: connection lost", "attempt", failures, "error", err)
		if s.mustHaveExpired() {
			return nil
		}
		if !c.pause(delay) {
			return ErrClosed
		}
	}
}

// connect sends one connect and waits for its reply, over a new link if the
// present one is lost. The first connect after a handshake or a loss asks for
// an answer at once.
func (c *Client) connect(s *session, first bool) (*Message, error) {
	now, _ := c.now()
	l := now.link
	if isClosed(l.lost()) {
		l.close()
		fresh, err := c.open(s.ctx, l.name())
		if err != nil {
			return nil, err
		}
		l = fresh
		c.change(func(st *state) { st.link = l })
	}
	m := wireMessage{Channel: "/meta/connect", ClientID: s.id, ConnectionType: l.name()}
	if first {
		m.Advice = &wireAdvice{Timeout: new(float64)}
	}
	replies, err := c.exchange(s.ctx, l, s.advice.Timeout+c.opts.MaxNetworkDelay, &m)
	if len(replies) == 0 {
		return nil, err
	}
	return replies[0].message(), err
}

// connectRefused says what an unsuccessful connect means: handshake again, try
// again, or end with an error; and how long to wait before.
func (s *session) connectRefused(e *Error) (handshake bool, wait time.Duration, err error) {
	reconnect := ""
	if e.Advice != nil {
		reconnect, wait = e.Advice.Reconnect, e.Advice.Interval
	}
	switch {
	case reconnect == "none":
		return false, 0, ErrDisconnected
	case reconnect == "handshake", reconnect == "" && e.Code == 402:
		return true, wait, nil
	}
	return false, wait, nil
}

// mustHaveExpired says whether the server must have expired the session by now, if
// it told how long it remembers one.
func (s *session) mustHaveExpired() bool {
	a := s.advice
	return a.MaxInterval > 0 && time.Since(s.alive) > a.Timeout+a.Interval+a.MaxInterval
}

// backoff is how long to wait after a number of failures in a row.
func (c *Client) backoff(failures int) time.Duration {
	unit := c.opts.Backoff
	if failures <= 1 {
		return rand.N(unit)
	}
	d := c.opts.MaxBackoff
	if shift := failures - 2; shift < 20 && unit<<shift < d {
		d = unit << shift
	}
	return d/2 + rand.N(d/2+1)
}

// pause waits, and says whether the client is still wanted after it.
func (c *Client) pause(d time.Duration) bool {
	if d <= 0 {
		return c.ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-c.ctx.Done():
		return false
	}
}
