package gms

import (
	"context"
	"crypto/rand"
	"strings"
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

// The most that a poller keeps of its chat, in events and in bytes of what
// people wrote. Whoever asks for more is answered from the log.
const (
	recentMessages = 64
	recentBytes    = 32 << 10
)

// pollMark stands in the names of channels that are polled.
const pollMark = "poll."

// poller is a chat that is asked about over REST: it keeps the end of the chat
// in memory, so that asking again costs nothing, and knows when it was asked
// last.
type poller struct {
	// Static after construction.
	edge    *Edge
	name    string        // how the chat's log names it as a channel
	loading chan struct{} // holds one token while the past is being read

	mu sync.Mutex
	// Guarded by mu.
	quiet   *time.Timer
	chat    chat.ID // 0 until it is known
	called  time.Time
	busy    int // calls about files that are under way
	closed  bool
	watch   *engine.Watch
	sum     chat.Summary
	people  participants
	recent  []message // what visitors may see, the latest last
	size    int       // bytes of what people wrote in recent
	floor   int64     // recent holds everything from this index on
	latest  *message  // the last one, typing apart; nil if there is none
	told    int64     // the nextPosition told last
	shown   time.Time // when it was told last with the events up to then; at first when the poller was made
	preview string    // what the visitor was typing when it last asked
}

// newPoller makes a poller for a chat, or for one that is about to be opened
// (0). It is called with mu held.
func (e *Edge) newPoller(id chat.ID) *poller {
	p := &poller{edge: e, name: e.node + pollMark + rand.Text()[:16], chat: id, loading: make(chan struct{}, 1), called: time.Now(), told: 1}
	p.shown = p.called
	p.mu.Lock()
	p.quiet = time.AfterFunc(pollSilence, p.silent)
	p.mu.Unlock()
	e.pollers[p.name] = p
	if id != 0 {
		e.polled[id] = p
	}
	return p
}

// poll finds the poller of a live chat, or makes one, and notes the call.
func (e *Edge) poll(ctx context.Context, id chat.ID) (*poller, error) {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return nil, errClosed
	}
	p := e.polled[id]
	if p == nil || !p.touch() {
		p = e.newPoller(id)
	}
	e.mu.Unlock()
	return p, p.load(ctx)
}

var errClosed = chat.Refuse(chat.Unavailable, "the server stops")

// settle ties a poller to the chat that was opened through it.
func (e *Edge) settle(p *poller, id chat.ID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.chat = id
	if !p.closed {
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
		p.people, p.recent, p.size, p.floor, p.latest = make(participants), nil, 0, 1, nil
	}
	p.mu.Unlock()
	if done {
		return nil
	}
	// From the start, so that the names of all participants are known.
	watch, err := p.edge.o.Engine.Watch(ctx, id, 1, p.deliver)
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
	p.sum = batch.Summary
	for _, event := range batch.Events {
		p.people.observe(event)
		if m, ok := p.people.render(event); ok {
			p.keep(m)
		}
		if visitorLeft(event) {
			break
		}
	}
	p.trim(time.Now())
	p.mu.Unlock()
	if !batch.Summary.Open() {
		p.end()
	}
}

// keep adds a message to the recent ones. It is called with mu held.
func (p *poller) keep(m message) {
	p.recent = append(p.recent, m)
	p.size += m.size()
	if !m.typing() {
		p.latest = &m
	}
}

// trim makes the list as short as it has to be: typing goes when it is stale,
// as it does in every replay, and the oldest messages when there are too many.
// The last one always stays. It is called with mu held.
func (p *poller) trim(now time.Time) {
	kept := p.recent[:0]
	for i, m := range p.recent {
		over := len(p.recent)-i > recentMessages || p.size > recentBytes && i < len(p.recent)-1
		switch {
		case m.stale(now):
			p.size -= m.size()
		case over:
			p.size -= m.size()
			p.floor = m.Index + 1
		default:
			kept = append(kept, m)
		}
	}
	clear(p.recent[len(kept):])
	p.recent = kept
}

// size is how much people wrote of a message, in bytes.
func (m message) size() int {
	n := len(m.EventAttributes) + len(m.MessageType) + len(m.UserData["file-name"])
	if m.Text != nil {
		n += len(*m.Text)
	}
	return n
}

// silent is called when there may have been no call for too long.
func (p *poller) silent() { p.endAfter(pollSilence) }

// end gives the poller up. The chat is told if it listened through it, and
// since when nobody has called. Whoever calls next gets another poller.
func (p *poller) end() { p.endAfter(0) }

// endAfter ends the poller if no call has come for so long, and otherwise looks
// again when that may be so. While a call takes its time there is no silence; its
// end sets the clock.
func (p *poller) endAfter(silence time.Duration) {
	e := p.edge
	e.mu.Lock()
	p.mu.Lock()
	rest := silence - time.Since(p.called)
	busy := silence > 0 && p.busy > 0
	if !p.closed && !busy && rest > 0 {
		p.quiet.Reset(rest)
	}
	if p.closed || busy || rest > 0 {
		p.mu.Unlock()
		e.mu.Unlock()
		return
	}
	p.closed = true
	p.quiet.Stop()
	id, watch, last := p.chat, p.watch, chat.Unbind{Channel: p.name, Since: p.called}
	if p.shown.Before(p.called) {
		// It was there, and did not ask what there is.
		last.Heard = p.shown
	}
	unbind := !e.closed && id != 0 && (watch == nil || p.sum.Open() && p.sum.Channel == p.name)
	p.mu.Unlock()
	delete(e.pollers, p.name)
	if e.polled[id] == p {
		delete(e.polled, id)
	}
	if unbind {
		e.unbinding.Add(1)
	}
	e.mu.Unlock()
	if watch != nil {
		watch.Cancel()
	}
	if unbind {
		go e.unbind(id, last)
	}
}

// bindIfUnbound binds the chat to the poller unless somebody listens already.
func (p *poller) bindIfUnbound(ctx context.Context) error {
	p.mu.Lock()
	sum := p.sum
	p.mu.Unlock()
	e := p.edge
	if !sum.Open() || sum.Bound && (sum.Channel == p.name || !e.isStale(sum.Channel)) {
		return nil
	}
	do := func(a chat.Action) error {
		_, err := e.o.Engine.Do(ctx, sum.Chat, chat.Command{By: chat.TheVisitor(), Do: a})
		return err
	}
	if sum.Bound {
		if err := do(chat.Unbind{Channel: sum.Channel, Heard: unheard()}); err != nil {
			return err
		}
	}
	return do(chat.Bind{Channel: p.name, Browser: sum.Browser, Yield: true})
}

// isStale says whether nobody listens through a channel although a chat's log
// says so: one of this process that is not there, or one through which another
// process was asked, since the visitor asks here now.
func (e *Edge) isStale(channel string) bool {
	if !strings.HasPrefix(channel, e.node) {
		return strings.Contains(channel, "."+pollMark)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return !e.hasChannel(channel)
}

// told is the nextPosition that was told last over REST; 0 if that is not
// known.
func (e *Edge) lastPosition(id chat.ID) int64 {
	e.mu.Lock()
	p := e.polled[id]
	e.mu.Unlock()
	if p == nil {
		return 0
	}
	return p.next()
}
