package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/halley-chat/halley/bayeux/client"
	"github.com/halley-chat/halley/test/visitor"
)

const (
	probeEvery = 50 * time.Millisecond
	usageEvery = 100 * time.Millisecond
)

// probe is a chat that goes on beside the floods.
type probe struct {
	s *server
	v *visitor.Visitor
	n int
}

func startProbe(ctx context.Context, s *server) (*probe, error) {
	v, err := visitor.New(visitor.Options{URL: s.url("/genesys/cometd"), Service: "echo", Nickname: "Probe", Transport: client.WebSocket})
	if err != nil {
		return nil, err
	}
	if err := v.Start(ctx); err != nil {
		return nil, fmt.Errorf("the probe gets no chat: %w", err)
	}
	return &probe{s: s, v: v}, nil
}

func (p *probe) close() { _ = p.v.Close(context.Background()) }

// measure says a line every 50 ms for a time and notes how long it takes until
// the visitor sees it in the chat. peak, if there is one, becomes the most that
// the server uses meanwhile.
func (p *probe) measure(ctx context.Context, lasting time.Duration, peak *usage) (m measure, err error) {
	ctx, cancel := context.WithTimeout(ctx, lasting+30*time.Second)
	defer cancel()
	var took []time.Duration
	next := time.Now()
	for end := next.Add(lasting); time.Now().Before(end); {
		start := time.Now()
		p.n++
		if _, _, err := p.v.Say(ctx, fmt.Sprint("line ", p.n)); err != nil {
			return m, fmt.Errorf("the probe's line %d: %w", p.n, err)
		}
		took = append(took, time.Since(start))
		if peak != nil && time.Since(next) > usageEvery {
			u, err := p.s.usage()
			if err != nil {
				return m, err
			}
			peak.memory, peak.goroutines = max(peak.memory, u.memory), max(peak.goroutines, u.goroutines)
			next = time.Now()
		}
		select {
		case <-time.After(probeEvery):
		case <-ctx.Done():
			return m, ctx.Err()
		}
	}
	slices.Sort(took)
	m.p95 = took[len(took)*95/100]
	m.usage, err = p.s.usage()
	return m, err
}
