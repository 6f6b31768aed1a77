package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/wake"
)

// Engine runs the chats and the agents' logs of one process. All methods may
// be called from any number of goroutines at once, but not from within a
// delivery to a watcher.
type Engine struct {
	// Static after construction.
	o           Options
	board       *Board
	chats       chatRooms
	agents      agentRooms
	recovery    recovery
	ctx         context.Context // for calls of the store; ends when Close gives up waiting
	abandon     context.CancelFunc
	life        context.Context // of the background work; ends when Close begins
	retire      context.CancelFunc
	noticesLost wake.Signal   // notices have been lost
	random      func() uint32 // for ids
	work        sync.WaitGroup

	// Written by Start before ready is closed.
	unsubscribe func() // ends the subscription of the bus
	ready       chan struct{}

	// Guarded by mu.
	mu    sync.Mutex
	phase phase
}

// phase is where an engine's life stands.
type phase int

const (
	made phase = iota
	started
	closed
)

// New makes an engine over a store. It does nothing until [Engine.Start].
func New(o Options) *Engine {
	e := &Engine{o: o.withDefaults(), random: rand.Uint32, board: newBoard(), noticesLost: wake.New(), ready: make(chan struct{})}
	e.ctx, e.abandon = context.WithCancel(context.Background())
	e.life, e.retire = context.WithCancel(context.Background())
	e.chats = chatRooms{
		e: e, strict: true, closed: true, open: make(map[LogID]*chatRoom),
		fresh: func(id LogID) aggregate[chat.Command, chat.Event, chat.Summary] {
			return newChatAggregate(chat.ID(id.ID), e.o.Rules)
		},
		again:  func(c chat.Command, now time.Time) chat.Command { c.At = now; return c },
		before: e.recovering,
	}
	e.agents = agentRooms{
		e: e, closed: true, open: make(map[LogID]*agentRoom),
		fresh: func(id LogID) aggregate[chat.AgentCommand, chat.AgentEvent, chat.AgentState] {
			return newAgentAggregate(chat.StaffID(id.ID))
		},
		again: func(c chat.AgentCommand, now time.Time) chat.AgentCommand { c.At = now; return c },
	}
	return e
}

// Start subscribes to the bus, lists the live chats on the board and begins to
// serve. Chats that were live before are given a [chat.Recover] in the
// background, or earlier if somebody uses them; Start does not wait for that.
// ctx bounds Start alone. It fails if the store cannot be read, and the engine
// can then only be closed. An engine is started once.
func (e *Engine) Start(ctx context.Context) error {
	if !e.enter(made, started) {
		return errors.New("engine: it was started or closed before")
	}
	e.unsubscribe = sync.OnceFunc(e.o.Bus.Subscribe(e.onNotice))
	defer close(e.ready)
	mark := e.board.mark()
	err := e.o.Log.Live(ctx, func(s chat.Summary) bool {
		e.recovery.add(s.Chat) // which also lists it, if its summary cannot be read
		e.board.list(s, mark)
		return true
	})
	if err != nil {
		return fmt.Errorf("engine: list the live chats: %w", err)
	}
	e.chats.start()
	e.agents.start()
	scheduler := &scheduler{board: e.board, chats: &e.chats, done: e.life.Done()}
	for _, run := range []func(){func() { e.board.run(e.life.Done()) }, scheduler.run, e.recoverAll, e.listen} {
		e.work.Go(run)
	}
	return nil
}

// Close refuses new commands and watches with [chat.Unavailable], finishes the
// commands that were taken, and ends every goroutine of the engine; watchers
// are told nothing more. If ctx ends before that, calls of the store that wait
// are given up and ctx's error is returned. Close may be called more than
// once, and without Start.
func (e *Engine) Close(ctx context.Context) error {
	if e.enter(made, closed) {
		close(e.ready)
	}
	<-e.ready
	e.enter(started, closed)
	e.retire()
	e.chats.stop()
	e.agents.stop()
	finished := make(chan struct{})
	go func() {
		e.work.Wait()
		if e.unsubscribe != nil {
			e.unsubscribe()
		}
		close(finished)
	}()
	defer e.abandon()
	select {
	case <-finished:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// enter moves from one phase of the engine's life to the next.
func (e *Engine) enter(from, to phase) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.phase != from {
		return false
	}
	e.phase = to
	return true
}

// onNotice takes a notice of the bus, or of a room of this engine. It does not
// wait for anything.
func (e *Engine) onNotice(n Notice) {
	switch n.Log.Kind {
	case ChatKind:
		if k := len(n.Records); n.Summary != nil && k > 0 {
			e.board.put(*n.Summary, n.Records[k-1].Index)
		}
		e.chats.onNotice(n)
	case AgentKind:
		e.agents.onNotice(n)
	default:
		e.chats.look()
		e.agents.look()
		e.noticesLost.Notify()
	}
}

// listen brings the board up to date when notices have been lost.
func (e *Engine) listen() {
	for {
		select {
		case <-e.life.Done():
			return
		case <-e.noticesLost:
		}
		if err := e.resync(e.life); err != nil && e.life.Err() == nil {
			e.o.Logger.Warn("resync of the board failed, will retry", "err", err)
			time.AfterFunc(time.Second, func() { e.noticesLost.Notify() })
		}
	}
}
