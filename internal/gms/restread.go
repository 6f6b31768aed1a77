package gms

import (
	"context"
	"time"

	"github.com/halley-chat/halley/internal/chat"
)

func (p *poller) id() chat.ID {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.chat
}

// tell notes which nextPosition the client is told, with the events before it.
func (p *poller) tell(next int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.told, p.shown = next, time.Now()
}

// next is the nextPosition told last.
func (p *poller) next() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.told
}

// read is the response object for the events from a position on. Without events
// its nextPosition is the one sent last, so that a client which goes on from
// there misses nothing. ok is false if memory does not reach back to the
// position.
func (p *poller) read(from int64) (r response, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r = p.edge.newResponse(p.tail.sum)
	r.countdown(p.tail.sum)
	if r.Messages, ok = p.tail.since(from); !ok {
		return response{}, false
	}
	if from == 0 {
		r.NextPosition = p.told
	} else {
		p.told, p.shown = r.NextPosition, time.Now()
	}
	return r, true
}

// reportTyping tells the chat what the visitor is typing, if that is news. A preview
// that is too long is left out: the call asks for events first of all.
func (p *poller) reportTyping(ctx context.Context, c *call, preview string) error {
	p.mu.Lock()
	id, news := p.chat, preview != "" && preview != p.preview && len(preview) <= chat.MaxText
	if preview == "" {
		p.preview = ""
	}
	p.mu.Unlock()
	if !news {
		return nil
	}
	do, err := c.filter(chat.Type{On: true, Preview: preview})
	if err != nil {
		return err
	}
	if _, err := p.edge.o.Engine.Do(ctx, id, chat.Command{By: chat.TheVisitor(), Do: do}); err != nil {
		return err
	}
	p.typed(preview)
	return nil
}

// typed notes what the visitor was typing when the chat was last told.
func (p *poller) typed(preview string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.preview = preview
}
