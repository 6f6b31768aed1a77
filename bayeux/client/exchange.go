package client

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// pending are the requests whose replies have not come yet.
type pending struct {
	mu      sync.Mutex
	last    uint64                       // guarded by mu
	waiting map[string]chan *wireMessage // guarded by mu
}

// expect gives a request its id and returns where its reply will be.
func (p *pending) expect(m *wireMessage) (id string, reply chan *wireMessage) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last++
	id = strconv.FormatUint(p.last, 10)
	m.ID = jsontext.Value(strconv.Quote(id))
	reply = make(chan *wireMessage, 1)
	p.waiting[id] = reply
	return id, reply
}

func (p *pending) forget(ids []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range ids {
		delete(p.waiting, id)
	}
}

// resolve hands a reply to whoever waits for it; others are dropped.
func (p *pending) resolve(m *wireMessage) {
	p.mu.Lock()
	defer p.mu.Unlock()
	id := m.id()
	if reply, ok := p.waiting[id]; ok {
		reply <- m
		delete(p.waiting, id)
	}
}

// exchange sends messages together over a link and waits for all their
// replies, in the order of the messages. An unsuccessful reply is an *Error;
// the replies up to it are returned beside it. If the replies take longer than
// wait, the link is taken for lost.
func (c *Client) exchange(ctx context.Context, l link, wait time.Duration, messages ...*wireMessage) ([]*wireMessage, error) {
	ids := make([]string, len(messages))
	replies := make([]chan *wireMessage, len(messages))
	for i, m := range messages {
		ids[i], replies[i] = c.pending.expect(m)
	}
	defer c.pending.forget(ids)

	outcome, err := l.send(ctx, wait, messages)
	if err != nil {
		return nil, lost(ctx, err)
	}
	var late <-chan time.Time
	if outcome == nil {
		outcome = context.Background()
		timer := time.NewTimer(wait)
		defer timer.Stop()
		late = timer.C
	}
	got := make([]*wireMessage, 0, len(messages))
	for _, reply := range replies {
		m, err := c.await(ctx, l, reply, outcome, late)
		if err != nil {
			return got, err
		}
		got = append(got, m)
		if m.Successful == nil || !*m.Successful {
			return got, m.failure()
		}
	}
	return got, nil
}

// await waits for one reply. A reply that has come counts whatever else has
// happened meanwhile.
func (c *Client) await(ctx context.Context, l link, reply <-chan *wireMessage, outcome context.Context, late <-chan time.Time) (*wireMessage, error) {
	var reason error
	select {
	case m := <-reply:
		return m, nil
	case <-outcome.Done():
		reason = context.Cause(outcome)
	case <-l.lost():
		reason = l.err()
	case <-late:
		reason = errNoReply
		l.fail(errNoReply)
	case <-ctx.Done():
		reason = ctx.Err()
	}
	select {
	case m := <-reply:
		return m, nil
	default:
		return nil, lost(ctx, reason)
	}
}

// lost is the error for a request without a reply.
func lost(ctx context.Context, reason error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("%w: %w", ErrLost, reason)
}

// receive takes what the server sent over a link, in its order. It returns
// when every delivery among it has found room in the queue or the client has
// ended.
func (c *Client) receive(l link, messages []*wireMessage) {
	for _, m := range messages {
		switch {
		case m.Channel == "/meta/disconnect" && m.ID == nil:
			if now, _ := c.now(); now.session != nil && now.link == l {
				now.session.cancel(ErrDisconnected)
			}
		case m.Data != nil:
			c.enqueue(event{message: m.message()})
		default:
			c.pending.resolve(m)
		}
	}
}
