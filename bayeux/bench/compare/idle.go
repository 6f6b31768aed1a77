package main

import (
	"context"
	"fmt"
	"time"
)

// footprint is what idle sessions cost a server.
type footprint struct {
	each      float64 // bytes of RSS per session, as found
	collected float64 // the same after a collection of garbage
}

// idle opens sessions, each subscribed to a channel of its own and with a
// connect held, lets them be for a while and weighs them.
func idle(ctx context.Context, p *process, open open, sessions int, rest time.Duration) (f footprint, err error) {
	// The first client makes the server load what it needs.
	warm, err := gather(ctx, p.addr, open, [][]string{{"/idle/warm"}})
	if err != nil {
		return f, err
	}
	defer warm.close()
	before, err := p.usage()
	if err != nil {
		return f, err
	}
	channels := make([][]string, sessions)
	for i := range channels {
		channels[i] = []string{fmt.Sprintf("/idle/%d", i)}
	}
	c, err := gather(ctx, p.addr, open, channels)
	if err != nil {
		return f, err
	}
	defer c.close()
	select {
	case <-time.After(rest):
	case <-ctx.Done():
		return f, ctx.Err()
	}
	found, err := p.usage()
	if err != nil {
		return f, err
	}
	if err := p.collect(ctx); err != nil {
		return f, err
	}
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
	}
	after, err := p.usage()
	if err != nil {
		return f, err
	}
	if n := c.failed.Load(); n > 0 {
		return f, fmt.Errorf("%s: %d idle clients were lost, the first to: %w", p.name, n, c.failure)
	}
	return footprint{
		each:      float64(found.rss-before.rss) / float64(sessions),
		collected: float64(after.rss-before.rss) / float64(sessions),
	}, nil
}

// openHeld is an [open] for the bare held request: the same request as a held
// connect, without a session.
func openHeld(ctx context.Context, c *crowd, _ []string) (client, error) {
	l, err := newLane(ctx, c)
	if err != nil {
		return nil, err
	}
	p := &pollClient{crowd: c, poll: l, id: "abcdefghijklmnopqrstuvwxyz", cookie: "BAYEUX_BROWSER=abcdefghijklmnopqrstuvwxyz"}
	if err := l.request(c.addr, "connect", p.cookie, connectBody("long-polling", p.id)); err != nil {
		l.conn.Close()
		return nil, err
	}
	return p, nil
}
