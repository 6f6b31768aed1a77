// Station 5 of docs/road.md: the chat's room is found.

package engine

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/halley-chat/halley/internal/chat"
)

// idTries is how many ids Open tries. Two chats of one millisecond collide
// once in two million times.
const idTries = 8

// Open starts a chat with a command whose action is a [chat.Open] and returns
// the id that it gave to the chat. The id of the command protects against
// repeats within the chat only: an Open that is sent twice opens two chats,
// and it is for the caller to know.
//
// Errors are refusals of [chat.Decide], or [chat.Unavailable]: nothing is then
// known about the chat, not even whether it was opened.
func (e *Engine) Open(ctx context.Context, c chat.Command) (chat.ID, Result, error) {
	if _, ok := c.Do.(chat.Open); !ok {
		return 0, Result{}, errors.New("engine: Open needs a chat.Open")
	}
	if c.At.IsZero() {
		c.At = time.Now()
	}
	for try := 1; ; try++ {
		id := chat.NewID(c.At, e.random())
		res, err := e.Do(ctx, id, c)
		switch {
		case err != nil && chat.KindOf(err) == chat.Conflict && try < idTries, res.Repeat:
			continue
		case err != nil:
			return 0, Result{}, err
		}
		return id, res, nil
	}
}

// Do gives a command to a chat and waits until what it causes is durable and
// every watch of this engine has been told of it. A command without a time is
// given the present one.
//
// Errors are refusals of [chat.Decide]; [chat.Capacity] if an offer finds no
// free slot; [chat.Unavailable] if too much waits already, the store cannot be
// reached, ctx ends or the engine is closed. After Unavailable nothing is
// known about the command: it may have happened or may even happen yet, and
// the same command with the same id asks again without doing it twice.
func (e *Engine) Do(ctx context.Context, id chat.ID, c chat.Command) (Result, error) {
	if c.At.IsZero() {
		c.At = time.Now()
	}
	o, err := e.chats.ask(ctx, ChatLog(id), &chatJob{cmd: c})
	if err != nil {
		return Result{}, err
	}
	return Result{Events: o.events, Repeat: o.repeat, Deferred: o.deferred, Summary: o.view}, nil
}

// DoAgent gives a command to an agent's log; see [Engine.Do]. Whether there is
// such an agent is for the caller to know.
func (e *Engine) DoAgent(ctx context.Context, id chat.StaffID, c chat.AgentCommand) (AgentResult, error) {
	if c.At.IsZero() {
		c.At = time.Now()
	}
	o, err := e.agents.ask(ctx, AgentLog(id), &agentJob{cmd: c})
	if err != nil {
		return AgentResult{}, err
	}
	return AgentResult{Events: o.events, State: o.view}, nil
}

// Watch shows a chat to deliver: first its past from the index from on, in one
// batch with Replay set and possibly without events, which is over before
// Watch returns; then whatever happens, in order. No event comes twice, and
// none is missing except typing that was over before it could be shown. An
// index beyond the chat's end counts as the one after its last.
//
// deliver is called by the chat's own goroutine and holds up everybody in the
// chat: it must not block and must not call the engine. It may close the
// watch. It must not change the batch. ctx bounds Watch alone.
//
// Errors are [chat.NotFound] and [chat.Unavailable]; deliver may have been
// called before the latter, but is not called afterwards.
func (e *Engine) Watch(ctx context.Context, id chat.ID, from int64, deliver func(Batch)) (*Watch, error) {
	return e.chats.watch(ctx, ChatLog(id), max(from, 1), func(events []chat.Event, now chat.Summary, replay bool) {
		deliver(Batch{Chat: id, Events: events, Summary: now, Replay: replay})
	})
}

// LastVisible as the position of [Engine.WatchVisible] stands for the last event but
// typing that the visitor sees.
const LastVisible = math.MaxInt64

// WatchVisible is [Engine.Watch] for a visitor: the past begins at the latest at the last
// event that the visitor sees, so that it is there whatever the position. Who was in
// the chat before that, and under which name, is in the batch's summary.
func (e *Engine) WatchVisible(ctx context.Context, id chat.ID, from int64, deliver func(Batch)) (*Watch, error) {
	return e.chats.watch(ctx, ChatLog(id), -max(from, 1), func(events []chat.Event, now chat.Summary, replay bool) {
		deliver(Batch{Chat: id, Events: events, Summary: now, Replay: replay})
	})
}

// WatchAgent shows an agent's log as [Engine.Watch] shows a chat. An agent to
// whom nothing has happened yet can be watched too.
func (e *Engine) WatchAgent(ctx context.Context, id chat.StaffID, from int64, deliver func(AgentBatch)) (*Watch, error) {
	return e.agents.watch(ctx, AgentLog(id), max(from, 1), func(events []chat.AgentEvent, now chat.AgentState, replay bool) {
		deliver(AgentBatch{Agent: id, Events: events, State: now, Replay: replay})
	})
}

// Read returns at most limit events of a chat from an index on, all typing
// included and without previews. A chat that does not exist gives none. It
// goes to the store directly; the error is [chat.Unavailable] if that cannot
// be reached.
func (e *Engine) Read(ctx context.Context, id chat.ID, from int64, limit int) ([]chat.Event, error) {
	recs, err := e.o.Log.Read(ctx, ChatLog(id), max(from, 1), limit)
	if err != nil {
		return nil, unavailable(err)
	}
	events := make([]chat.Event, 0, len(recs))
	for _, rec := range recs {
		ev, err := decodeChat(rec)
		if err != nil {
			return nil, err
		}
		events = append(events, ev)
	}
	return events, nil
}

// Summary is the summary of a chat, ended ones included, without the index of
// its last event; ok is false if there is no such chat. It looks at the board
// first and then asks the store, and fails with [chat.Unavailable] if that
// cannot be reached.
func (e *Engine) Summary(ctx context.Context, id chat.ID) (s chat.Summary, ok bool, err error) {
	if s, ok := e.board.Get(id); ok {
		return s, true, nil
	}
	s, ok, err = e.o.Log.Summary(ctx, id)
	if err != nil {
		return chat.Summary{}, false, unavailable(err)
	}
	return s, ok, nil
}

// Agent is the state of an agent as it is now; its slices are shared and must
// not be changed. The error is [chat.Unavailable] as for [Engine.Do].
func (e *Engine) Agent(ctx context.Context, id chat.StaffID) (chat.AgentState, error) {
	o, err := e.agents.ask(ctx, AgentLog(id), &agentJob{peek: true})
	return o.view, err
}

// Board is the list of live chats.
func (e *Engine) Board() *Board { return e.board }
