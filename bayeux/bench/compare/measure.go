package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// sample is what one server did during one measurement.
type sample struct {
	rate      float64       // deliveries per second that arrived
	cpu       float64       // µs of the server's CPU per delivery
	p50, p99  time.Duration // from the moment a batch was due until a message arrived
	perFrame  float64       // messages per frame or response at the client
	perRead   float64       // messages per read at the client
	perWrite  float64       // messages per write of the server
	rss       int64         // of the server, at the end
	lost      int64         // deliveries that did not arrive within the time
	busy      float64       // share of one core that the server used
	generator float64       // the same for the load generator
}

// workload is what is offered.
type workload struct {
	perBatch int64 // deliveries that a batch leads to
	window   int64 // deliveries on their way at once at saturation
	// send sends the i-th batch, which was due at a time.
	send func(i int, at int64)
}

// publishing is CometD's load on a crowd. together puts the messages of a
// batch into one room instead of into any.
func publishing(c *crowd, together bool) workload {
	text := bytes.Repeat([]byte("x"), textSize)
	dice := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 3))
	room := func() int { return dice.IntN(rooms) }
	size := 0
	return workload{perBatch, 50_000, func(i int, at int64) {
		who := i % len(c.members)
		m, pick := c.members[who], room
		if together {
			one := room()
			pick = func() int { return one }
		}
		body := batch(make([]byte, 0, size), m.clientID(), who, at, text, pick)
		size = cap(body)
		m.publish(body)
	}}
}

// measure offers batches for a time and measures what arrives. rate is in
// deliveries per second; 0 offers as much as arrives.
func measure(ctx context.Context, p *process, c *crowd, w workload, rate int, length time.Duration) (s sample, err error) {
	c.latency.reset()
	delivered, frames, reads := c.delivered.Load(), c.frames.Load(), c.reads.Load()
	own := ownCPU()
	before, err := p.usage()
	if err != nil {
		return s, err
	}
	begin := time.Now()
	var expected int64
	arrived := func() int64 { return c.delivered.Load() - delivered }
	for i := 0; ; i++ {
		var due time.Time
		if rate > 0 {
			due = begin.Add(time.Duration(float64(i) * float64(w.perBatch) / float64(rate) * float64(time.Second)))
			if wait := time.Until(due); wait > 0 {
				time.Sleep(wait)
			}
		} else {
			for expected-arrived() > w.window && time.Since(begin) < length {
				time.Sleep(100 * time.Microsecond)
			}
			due = time.Now()
		}
		if due.Sub(begin) >= length || time.Since(begin) >= 2*length || ctx.Err() != nil || c.failed.Load() > 0 {
			break
		}
		w.send(i, int64(due.Sub(c.began)))
		expected += w.perBatch
	}
	offered := time.Since(begin)
	for patience := time.Now().Add(5 * time.Second); arrived() < expected && time.Now().Before(patience) && c.failed.Load() == 0; {
		time.Sleep(time.Millisecond)
	}
	// What arrives a moment after the last batch belongs to the time in which
	// it was offered; a backlog counts as time of its own.
	took := max(offered, time.Since(begin)-20*time.Millisecond)
	after, err := p.usage()
	if err != nil {
		return s, err
	}
	if n := c.failed.Load(); n > 0 {
		return s, fmt.Errorf("%s: %d clients were lost, the first to: %w", p.name, n, c.failure)
	}
	n := float64(arrived())
	per := func(of int64) float64 { return n / float64(max(of, 1)) }
	s = sample{
		rate: n / took.Seconds(), lost: expected - arrived(),
		cpu: float64((after.cpu - before.cpu).Microseconds()) / n,
		p50: c.latency.quantile(0.5), p99: c.latency.quantile(0.99),
		perFrame: per(c.frames.Load() - frames), perRead: per(c.reads.Load() - reads), perWrite: per(after.writes - before.writes),
		rss:  after.rss,
		busy: (after.cpu - before.cpu).Seconds() / took.Seconds(), generator: (ownCPU() - own).Seconds() / took.Seconds(),
	}
	c.settle()
	return s, ctx.Err()
}

// settle waits until nothing has arrived for a while, so that a backlog is not
// counted with the next measurement, for at most 15 s.
func (c *crowd) settle() {
	patience := time.Now().Add(15 * time.Second)
	for last := int64(-1); last != c.delivered.Load() && time.Now().Before(patience); {
		last = c.delivered.Load()
		time.Sleep(300 * time.Millisecond)
	}
}
