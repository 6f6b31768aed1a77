package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// The load's shape, which is CometD's own: clients in rooms, and each message
// of a batch to a room by chance. Every room has fanOut members.
const (
	clients        = 500
	rooms          = 100
	roomsPerClient = 10
	fanOut         = clients * roomsPerClient / rooms
	batchSize      = 10
	textSize       = 50
	perBatch       = batchSize * fanOut // deliveries
)

// crowd is the clients of one server.
type crowd struct {
	addr  string
	began time.Time // what timestamps in messages count from

	members []client
	stopped atomic.Bool

	latency   histogram
	delivered atomic.Int64 // messages that arrived
	frames    atomic.Int64 // frames or responses that had any in them
	reads     atomic.Int64 // reads from sockets that returned something
	failed    atomic.Int64 // clients that were lost
	failOnce  sync.Once
	failure   error // the first of them; read it once failed is not 0
}

// client is one session.
type client interface {
	// publish sends a batch; it may return before that is done.
	publish(body []byte)
	// clientID is the session's.
	clientID() string
	close()
}

// open makes a client with its session, subscribed to the channels and with a
// connect held.
type open func(ctx context.Context, c *crowd, channels []string) (client, error)

// gather brings a crowd together. channels are those of each client.
func gather(ctx context.Context, addr string, open open, channels [][]string) (*crowd, error) {
	c := &crowd{addr: addr, began: time.Now(), members: make([]client, len(channels))}
	var (
		next  atomic.Int64
		wg    sync.WaitGroup
		first error
		once  sync.Once
	)
	for range 16 {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(channels) || ctx.Err() != nil {
					return
				}
				m, err := open(ctx, c, channels[i])
				if err != nil {
					once.Do(func() { first = fmt.Errorf("client %d: %w", i, err) })
					return
				}
				c.members[i] = m
			}
		})
	}
	wg.Wait()
	if first == nil {
		first = ctx.Err()
	}
	if first != nil {
		c.close()
		return nil, first
	}
	return c, nil
}

func (c *crowd) close() {
	c.stopped.Store(true)
	for _, m := range c.members {
		if m != nil {
			m.close()
		}
	}
}

// lose notes that a client was lost.
func (c *crowd) lose(err error) {
	if c.stopped.Load() {
		return
	}
	c.failOnce.Do(func() { c.failure = err })
	c.failed.Add(1)
}

// seatings says which rooms each client is in: every client in roomsPerClient
// of them, every room with fanOut clients, and no two rooms alike.
func seatings() [][]string {
	list := make([][]string, clients)
	dice := rand.New(rand.NewPCG(1, 2))
	for layer := range roomsPerClient {
		for place, who := range dice.Perm(clients) {
			room := layer*rooms/roomsPerClient + place/fanOut
			list[who] = append(list[who], fmt.Sprintf("/room/%d", room))
		}
	}
	return list
}

// arrived is called with every payload that came from the server. It says
// whether the reply to a connect was in it.
func (c *crowd) arrived(payload []byte) (connect bool) {
	now := time.Since(c.began)
	n := scan(payload, func(at int64) { c.latency.add(now - time.Duration(at)) })
	if n > 0 {
		c.delivered.Add(int64(n))
		c.frames.Add(1)
	}
	return holdsConnect(payload)
}

// dial connects to the server. Source addresses vary, so that the ports of
// one do not run out.
func (c *crowd) dial(ctx context.Context) (net.Conn, error) {
	d := net.Dialer{
		Timeout:   20 * time.Second,
		LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+rand.IntN(200)))},
	}
	conn, err := d.DialContext(ctx, "tcp", c.addr)
	if err != nil {
		return nil, err
	}
	return &counted{conn, &c.reads}, nil
}

// counted counts the reads that returned something.
type counted struct {
	net.Conn
	reads *atomic.Int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.reads.Add(1)
	}
	return n, err
}
