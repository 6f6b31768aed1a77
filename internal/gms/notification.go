// Station 10 of docs/road.md: it is rendered, for each viewer.

package gms

import (
	"context"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
)

// newResponse is the response object about a chat, without events.
func (e *Edge) newResponse(sum chat.Summary) response {
	r := response{
		StatusCode: statusOK, ChatEnded: !sum.Open(),
		ChatID: sum.Chat.String(), UserID: userID(sum.Chat, chat.VisitorNo), Alias: alias,
		Messages: []message{}, NextPosition: sum.Last + 1,
	}
	if !r.ChatEnded {
		r.SecureKey = e.o.Keys.key(identity{sum.Chat, chat.VisitorNo, sum.KeyEpoch})
	}
	return r
}

// notification is the response object for events from a position on; -1 means
// the last visible one and 0 none. A notification about an ended chat always
// holds a visible event, because clients look at chatEnded only beside one.
func (e *Edge) notification(sum chat.Summary, c participants, events []chat.Event, from int64) response {
	r := e.newResponse(sum)
	if n := len(events); n > 0 {
		r.NextPosition = max(r.NextPosition, events[n-1].Index+1)
	}
	var last *message
	for _, event := range events {
		c.observe(event)
		m, ok := c.render(event, e.o.Services[sum.Service].AgentPreviews)
		if !ok {
			continue
		}
		last = &m
		if from > 0 && event.Index >= from {
			r.Messages = append(r.Messages, m)
		}
		if visitorLeft(event) {
			break
		}
	}
	if last != nil && len(r.Messages) == 0 && (from < 0 || r.ChatEnded) {
		r.Messages = append(r.Messages, *last)
	}
	return r
}

// watchFrom is where a watch begins for somebody who is shown the events from a position
// on, which is as in [Edge.notification].
func watchFrom(position int64) int64 {
	if position <= 0 {
		return engine.LastVisible
	}
	return position
}

// replay is the response object for what a chat's log holds from a position
// on.
func (e *Edge) replay(ctx context.Context, id chat.ID, from int64) (response, error) {
	var r response
	watch, err := e.o.Engine.WatchVisible(ctx, id, watchFrom(from), func(batch engine.Batch) {
		if batch.Replay {
			people := make(participants)
			people.begin(batch)
			r = e.notification(batch.Summary, people, batch.Events, from)
			r.countdown(batch.Summary)
		}
	})
	if err != nil {
		return response{}, err
	}
	watch.Close()
	return r, nil
}
