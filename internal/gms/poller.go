// Station 10 of docs/road.md: it is rendered, for each viewer.

package gms

import (
	"context"
	"crypto/rand"
	"sync"
	"time"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
)

// Presence over REST. A visitor who polls counts as listening while its calls
// keep coming: the first one binds a channel to the chat. Clients poll every 3
// to 30 s, so only a silence of 35 s says that one is gone. The chat is then
// told, with the time of the last call, from which away and gone are counted:
// the visitor is away at once and has left 45 s after its last call, while one
// that polls every 30 s is never away. A call about a file lasts until the file
// has come or gone (transfer.go).
//
// A visitor may use both sides in one chat. A call over REST reads for itself
// and needs nothing that is pushed, so it leaves the channel of a Bayeux
// session alone as long as that is bound, and binds its own when there is none.
// A requestNotifications over CometD, in contrast, asks to be pushed to and
// takes over.

// pollSilence is how long no call may come before the visitor is unbound.
const pollSilence = 35 * time.Second

// pollMark stands in the names of channels that are polled.
const pollMark = "poll."

// pauseTolerance is how late a timer may fire before it is taken for a sign that
// the process stood still: stopped, or on a machine that was paused.
const pauseTolerance = 5 * time.Second

// poller is a chat that is asked about over REST: it keeps the end of the chat
// in memory, so that asking again costs nothing, and knows when it was asked
// last. It is in the edge's maps until it is closed, and soon after that no more.
// The edge's lock is never held together with a poller's.
type poller struct {
	// Static after construction.
	edge    *Edge
	name    string        // how the chat's log names it as a channel
	loading chan struct{} // holds one token while the past is being read
	silence *time.Timer   // calls checkSilence

	mu sync.Mutex
	// Guarded by mu.
	chat    chat.ID // 0 until it is known
	watch   *engine.Watch
	tail    tail
	closed  bool
	called  time.Time // when the last call came, or anything moved in one about a file
	due     time.Time // when silence fires
	busy    int       // calls about files that are under way
	told    int64     // the nextPosition sent last
	shown   time.Time // when it was sent last with the events up to then; at first when the poller was made
	preview string    // what the visitor was typing when it last asked
}

// newPoller makes a poller for a chat, or for one that is about to be opened
// (0).
func (e *Edge) newPoller(id chat.ID) *poller {
	now := time.Now()
	p := &poller{
		edge: e, name: e.node + pollMark + rand.Text()[:16], chat: id, loading: make(chan struct{}, 1),
		called: now, due: now.Add(pollSilence), shown: now, told: 1,
	}
	p.silence = time.AfterFunc(pollSilence, func() { p.checkSilence(time.Now()) })
	return p
}

// register puts a poller into the maps, unless the edge is closed or the chat
// has another one, which it then returns.
func (e *Edge) register(p *poller, id chat.ID) (*poller, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, errClosed
	}
	if there := e.polled[id]; id != 0 && there != nil {
		return there, nil
	}
	e.pollers[p.name] = p
	if id != 0 {
		e.polled[id] = p
	}
	return p, nil
}

// forget takes a poller that is closed out of the maps.
func (e *Edge) forget(p *poller, id chat.ID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.pollers, p.name)
	if e.polled[id] == p {
		delete(e.polled, id)
	}
}

// polledBy returns the poller of a chat; nil if it has none.
func (e *Edge) polledBy(id chat.ID) *poller {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.polled[id]
}

// poll finds the poller of a live chat, or makes one, and notes the call.
func (e *Edge) poll(ctx context.Context, id chat.ID) (*poller, error) {
	p := e.polledBy(id)
	for p == nil || !p.touch() {
		if p != nil {
			e.forget(p, id)
		}
		fresh := e.newPoller(id)
		var err error
		if p, err = e.register(fresh, id); p != fresh {
			fresh.silence.Stop()
		}
		if err != nil {
			return nil, err
		}
	}
	return p, p.load(ctx)
}

var errClosed = chat.Refuse(chat.Unavailable, "the server stops")

// settle ties a poller to the chat that was opened through it.
func (e *Edge) settle(p *poller, id chat.ID) {
	p.mu.Lock()
	p.chat = id
	p.mu.Unlock()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.pollers[p.name] == p {
		e.polled[id] = p
	}
}

// touch notes a call, and says whether the poller is still there for it.
func (p *poller) touch() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.called = time.Now()
	return !p.closed
}

// load begins to watch the chat unless that has been done.
func (p *poller) load(ctx context.Context) error {
	select {
	case p.loading <- struct{}{}:
	case <-ctx.Done():
		return errSlow
	}
	defer func() { <-p.loading }()
	p.mu.Lock()
	id, done := p.chat, p.watch != nil
	if !done {
		p.tail = newTail()
	}
	p.mu.Unlock()
	if done {
		return nil
	}
	watch, err := p.edge.o.Engine.WatchVisible(ctx, id, engine.LastVisible, p.deliver)
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.watch = watch
	closed := p.closed
	p.mu.Unlock()
	if closed {
		watch.Cancel()
	}
	return nil
}

var errSlow = chat.Refuse(chat.Unavailable, "no answer in time")

// deliver is called by the chat's room.
func (p *poller) deliver(batch engine.Batch) {
	p.mu.Lock()
	p.tail.add(batch, p.edge.o.Services[batch.Summary.Service].AgentPreviews)
	p.mu.Unlock()
	if !batch.Summary.Open() {
		p.end()
	}
}

// begin notes a call that will take its time, and says whether the poller is
// still there for it. done notes its end.
func (p *poller) begin() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.called = time.Now()
	p.busy++
	return true
}

func (p *poller) done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.busy--
	p.arm(time.Now())
}

// arm sets the timer for when there will have been no call for pollSilence. It is
// called with mu held.
func (p *poller) arm(now time.Time) {
	if p.closed || p.busy > 0 {
		return // the end of the call arms it
	}
	wait := max(p.called.Add(pollSilence).Sub(now), 0)
	p.due = now.Add(wait)
	p.silence.Reset(wait)
}

// checkSilence is called by the timer. It ends the poller if no call has come for
// pollSilence and none is under way. A process that stood still could not be
// called, so the silence then counts anew, as it does after a restart.
func (p *poller) checkSilence(now time.Time) {
	p.mu.Lock()
	if now.Sub(p.due) > pauseTolerance {
		p.called = now
	}
	after := func() {}
	if p.busy > 0 || now.Sub(p.called) < pollSilence {
		p.arm(now)
	} else {
		after = p.close()
	}
	p.mu.Unlock()
	after()
}

// end gives the poller up. The chat is told if it listened through it, and
// since when nobody has called. Whoever calls next gets another poller.
func (p *poller) end() {
	p.mu.Lock()
	after := p.close()
	p.mu.Unlock()
	after()
}

// close marks the poller as closed and returns what remains to be done without
// the lock. It is called with mu held.
func (p *poller) close() (after func()) {
	if p.closed {
		return func() {}
	}
	p.closed = true
	p.silence.Stop()
	id, watch, last := p.chat, p.watch, chat.Unbind{Channel: p.name, Since: p.called}
	if p.shown.Before(p.called) {
		// It was there, and did not ask what there is.
		last.Heard = p.shown
	}
	bound := id != 0 && (watch == nil || p.tail.sum.Open() && p.tail.sum.Channel == p.name)
	return func() {
		p.edge.forget(p, id)
		if watch != nil {
			watch.Cancel()
		}
		if bound {
			p.edge.startUnbind(id, last)
		}
	}
}

// lastPosition is the nextPosition that was sent last over REST; 0 if that is
// not known.
func (e *Edge) lastPosition(id chat.ID) int64 {
	p := e.polledBy(id)
	if p == nil {
		return 0
	}
	return p.next()
}
