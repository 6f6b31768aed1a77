// Station 10 of docs/road.md: it is rendered, for each viewer.

package gms

import (
	"time"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
)

// The most that a poller keeps of its chat, in events and in bytes of what
// people wrote. Whoever asks for more is answered from the log.
const (
	recentMessages = 64
	recentBytes    = 32 << 10
)

// tail is the end of a chat as its visitor sees it.
type tail struct {
	sum    chat.Summary
	people participants
	recent []message // the latest last
	size   int       // bytes of what people wrote in recent
	floor  int64     // recent holds everything from this index on
	latest *message  // the last one, typing apart; nil if there is none
}

func newTail() tail { return tail{people: make(participants), floor: 1} }

// add appends what happened in the chat. previews is as in participants.render.
func (t *tail) add(batch engine.Batch, previews bool) {
	t.sum = batch.Summary
	if batch.Replay {
		t.people.begin(batch)
		t.floor = batch.Summary.Last + 1
		if len(batch.Events) > 0 {
			t.floor = batch.Events[0].Index
		}
	}
	for _, event := range batch.Events {
		t.people.observe(event)
		if m, ok := t.people.render(event, previews); ok {
			t.keep(m)
		}
		if visitorLeft(event) {
			break
		}
	}
	t.trim(time.Now())
}

// keep adds a message to the recent ones.
func (t *tail) keep(m message) {
	t.recent = append(t.recent, m)
	t.size += m.size()
	if !m.typing() {
		t.latest = &m
	}
}

// trim makes the list as short as it has to be: typing goes when it is stale,
// as it does in every replay, and the oldest messages when there are too many.
// The last one always stays.
func (t *tail) trim(now time.Time) {
	kept := t.recent[:0]
	for i, m := range t.recent {
		over := len(t.recent)-i > recentMessages || t.size > recentBytes && i < len(t.recent)-1
		switch {
		case m.stale(now):
			t.size -= m.size()
		case over:
			t.size -= m.size()
			t.floor = m.Index + 1
		default:
			kept = append(kept, m)
		}
	}
	clear(t.recent[len(kept):])
	t.recent = kept
}

// size is how much people wrote of a message, in bytes.
func (m message) size() int {
	n := len(m.EventAttributes) + len(m.MessageType) + len(m.UserData["file-name"])
	if m.Text != nil {
		n += len(*m.Text)
	}
	return n
}

// since returns the visible events from a position on, as [Edge.notification]
// has them; ok is false if the tail does not reach back to the position.
func (t *tail) since(from int64) (events []message, ok bool) {
	if from > 0 && from < t.floor {
		return nil, false
	}
	t.trim(time.Now())
	events = []message{}
	last := t.latest
	for i := range t.recent {
		last = &t.recent[i]
		if from > 0 && last.Index >= from {
			events = append(events, *last)
		}
	}
	if last != nil && len(events) == 0 && (from < 0 || !t.sum.Open()) {
		events = append(events, *last)
	}
	return events, true
}
