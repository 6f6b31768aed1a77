package gms

import (
	"context"
	"time"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
)

// The most that one answer takes from a chat's log, in events and in bytes as
// [chat.Event.Size] counts them. One event fits whatever its size.
const (
	pageEvents = 500
	pageBytes  = 256 << 10
)

// page is the response object for what a chat's log holds from a position on,
// as [Edge.replay] has it, unless that is too much for one answer: then the
// answer goes up to its nextPosition and says that the chat has not ended, so
// that the client asks on. The store is read for what is answered alone, beside
// what follows the last visible event.
func (e *Edge) page(ctx context.Context, id chat.ID, from int64) (response, error) {
	if from <= 0 {
		return e.replay(ctx, id, from)
	}
	var end engine.Batch
	watch, err := e.o.Engine.WatchVisible(ctx, id, engine.LastVisible, func(batch engine.Batch) {
		if batch.Replay {
			end = batch
		}
	})
	if err != nil {
		return response{}, err
	}
	watch.Close()
	start := end.Summary.Last + 1
	if len(end.Events) > 0 {
		start = end.Events[0].Index
	}
	events, whole := end.Events, true
	if from < start {
		past, err := e.o.Engine.Read(ctx, id, from, int(min(start-from, pageEvents)))
		if err != nil {
			return response{}, err
		}
		if past = cut(past, pageBytes); len(past) == 0 {
			return response{}, chat.Refuse(chat.NotFound, "the chat has been removed")
		}
		if whole = from+int64(len(past)) == start; whole {
			past = append(past, end.Events...)
		}
		events = past
	}
	return e.pageResponse(end.Summary, events, from, whole), nil
}

// pageResponse is the response object for a page, which is the whole rest or not.
func (e *Edge) pageResponse(sum chat.Summary, events []chat.Event, from int64, whole bool) response {
	people := make(participants)
	people.begin(engine.Batch{Summary: sum, Events: events})
	now := time.Now()
	shown := make([]chat.Event, 0, len(events))
	for _, event := range events {
		if !event.Stale(now) {
			shown = append(shown, event)
		}
	}
	r := e.notification(sum, people, shown, from)
	r.countdown(sum)
	if !whole {
		r.NextPosition, r.ChatEnded = events[len(events)-1].Index+1, false
		r.SecureKey = e.o.Keys.key(identity{sum.Chat, chat.VisitorNo, sum.KeyEpoch})
	}
	return r
}

// cut is the longest prefix of events within a size, and at least one event.
func cut(events []chat.Event, size int64) []chat.Event {
	for i, event := range events {
		if size -= event.Size(); size < 0 && i > 0 {
			return events[:i]
		}
	}
	return events
}

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
