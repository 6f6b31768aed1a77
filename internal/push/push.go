package push

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
	"github.com/halley-chat/halley/internal/wake"
)

// Script puts the events of one chat into the visitor's words. It is fed all of
// them in order and belongs to one goroutine.
type Script interface {
	// See learns who takes part.
	See(chat.Event)
	// Render is an event's type, the number of the participant behind it and
	// the event itself; ok is false for one that the visitor may not see.
	Render(chat.Event) (kind string, by int, event json.RawMessage, ok bool)
	// ForPeople says whether events of a type are meant for people.
	ForPeople(kind string) bool
}

// Target is one sender among others: the carrier, and which of its credentials.
type Target struct {
	Carrier  chat.Carrier
	Provider string
}

// Options are what a [Pusher] is made of. Engine, Store, Script and Senders are
// required.
type Options struct {
	Engine *engine.Engine
	Store  Store
	// Script makes the script for one chat.
	Script  func() Script
	Senders map[Target]Sender
	// Texts are what devices show, by language as in "de" or "pt-BR"; the one
	// under the empty name is for all others.
	Texts map[string]Text
	// Active pushes to visitors who listen, too.
	Active bool
	// Payload gives the event itself to hooks, also where the visitor's client
	// did not ask for it. The other carriers never get it.
	Payload bool
	// Expiry is how long an event is tried before it becomes a dead letter; 10
	// min if it is 0. Every event is tried at least once, unless its circuit is open.
	Expiry time.Duration
	// Keep is how long carriers keep a message for a device that is switched
	// off; 24 h if it is 0.
	Keep time.Duration
	// Timeout is how long one attempt may take; 10 s if it is 0.
	Timeout time.Duration
	// MaxConcurrent is how many attempts of one sender may be under way at a time; 16
	// if it is 0.
	MaxConcurrent int
	Logger        *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.Expiry == 0 {
		o.Expiry = 10 * time.Minute
	}
	if o.Keep == 0 {
		o.Keep = 24 * time.Hour
	}
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	if o.MaxConcurrent == 0 {
		o.MaxConcurrent = 16
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}

// Stats counts what an operator should know.
type Stats struct {
	Sent    atomic.Int64 // events that a carrier has taken
	Failed  atomic.Int64 // attempts that will be repeated
	Dead    atomic.Int64 // events that were given up
	Unknown atomic.Int64 // devices that a carrier does not know any more
}

// Pusher brings events to devices. All methods may be called from any number
// of goroutines at once.
type Pusher struct {
	// Static after construction.
	o        Options
	circuits map[Target]*circuit
	stats    Stats
	changed  wake.Signal // holds one token: something is pending

	mu sync.Mutex
	// Guarded by mu.
	pending map[chat.ID]chat.Summary // changes on the board that Run has not looked at
	follows map[chat.ID]*follow
	cursors map[chat.ID]int64 // the chats that the store has tracked

	work sync.WaitGroup

	failing bool // owned by Run: chats could not be tracked, and that has been logged
}

// New makes a pusher. It does nothing until [Pusher.Run].
func New(o Options) *Pusher {
	p := &Pusher{
		o: o.withDefaults(), circuits: make(map[Target]*circuit), changed: wake.New(),
		pending: make(map[chat.ID]chat.Summary), follows: make(map[chat.ID]*follow), cursors: make(map[chat.ID]int64),
	}
	for target, sender := range o.Senders {
		p.circuits[target] = newCircuit(target, sender, p.o)
	}
	return p
}

// Stats are the pusher's counters.
func (p *Pusher) Stats() *Stats { return &p.stats }

// Carries says whether there is a sender for a device.
func (p *Pusher) Carries(v chat.Device) bool { return p.circuits[Target{v.Carrier, v.Provider}] != nil }

// storeRetryInterval is how long a call of the store, or of the engine for want of it,
// waits for its next try.
const storeRetryInterval = time.Second

// Run works until ctx ends and then waits for what is under way, which it gives
// up: what a carrier was being handed goes out again after the next start. It
// returns nil and is called once.
func (p *Pusher) Run(ctx context.Context) error {
	defer func() {
		for _, l := range p.circuits {
			l.sender.Close()
		}
	}()
	defer p.work.Wait()
	for logged := false; ; {
		cursors, err := p.o.Store.Cursors(ctx)
		if err == nil {
			p.mu.Lock()
			p.cursors = cursors
			p.mu.Unlock()
			break
		}
		if !logged && ctx.Err() == nil {
			logged = true
			p.o.Logger.Error("push: store cannot be read, will retry", "err", err)
		}
		if !pause(ctx, storeRetryInterval, nil) {
			return nil
		}
	}
	defer p.o.Engine.Board().Watch(p.onSummary).Close()
	p.resume(ctx)
	p.work.Go(func() { newRetry(p).run(ctx) })
	var again <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-p.changed:
		case <-again:
		}
		again = nil
		if !p.dispatch(ctx) {
			again = time.After(storeRetryInterval)
		}
	}
}

// resume looks at everything that there is: live chats, and those that have
// ended while something was still due.
func (p *Pusher) resume(ctx context.Context) {
	live := make(map[chat.ID]bool)
	for _, s := range p.o.Engine.Board().All() {
		live[s.Chat] = true
		p.onSummary(s)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for id := range p.cursors {
		if !live[id] {
			p.start(ctx, id)
		}
	}
}

// onSummary takes a change on the board. It is called by the board's notifier and does
// not wait.
func (p *Pusher) onSummary(s chat.Summary) {
	p.mu.Lock()
	_, tracked := p.cursors[s.Chat]
	_, followed := p.follows[s.Chat]
	concerns := s.Subscribed || tracked || followed
	if concerns {
		p.pending[s.Chat] = s
	}
	p.mu.Unlock()
	if concerns {
		p.changed.Notify()
	}
}

// dispatch begins or wakes whatever the changes concern, and notes chats with a
// device in the store. It is called by Run alone and says false if the store
// has to be tried again.
func (p *Pusher) dispatch(ctx context.Context) bool {
	p.mu.Lock()
	changes := p.pending
	p.pending = make(map[chat.ID]chat.Summary)
	var fresh []chat.ID
	for id, s := range changes {
		_, tracked := p.cursors[id]
		due := s.Subscribed && s.Open()
		if due && !tracked {
			fresh = append(fresh, id)
		}
		switch f := p.follows[id]; {
		case f != nil:
			f.dirty = true
			f.wake.Notify()
		case due && (!s.Bound || p.o.Active), tracked && !due:
			p.start(ctx, id)
		}
	}
	p.mu.Unlock()
	if len(fresh) == 0 {
		return true
	}
	if err := p.o.Store.Track(ctx, fresh); err != nil {
		if ctx.Err() == nil && !p.failing {
			p.failing = true
			p.o.Logger.Warn("push: chats cannot be tracked, will retry", "chats", len(fresh), "err", err)
		}
		p.mu.Lock()
		for _, id := range fresh {
			if _, newer := p.pending[id]; !newer {
				p.pending[id] = changes[id]
			}
		}
		p.mu.Unlock()
		return false
	}
	p.failing = false
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range fresh {
		if _, tracked := p.cursors[id]; !tracked {
			p.cursors[id] = 0
		}
	}
	return true
}

// start begins to follow a chat. It is called with mu held.
func (p *Pusher) start(ctx context.Context, id chat.ID) {
	f := &follow{
		p: p, id: id, done: p.cursors[id], wake: wake.New(),
		backlog: newBacklog(p.o.Active),
	}
	p.follows[id] = f
	p.work.Go(func() { f.run(ctx) })
}

// stop ends a follow unless something has happened since it looked last.
func (p *Pusher) stop(f *follow, forget bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if f.dirty {
		f.dirty = false
		return false
	}
	delete(p.follows, f.id)
	if forget {
		delete(p.cursors, f.id)
	}
	return true
}

// moved remembers how far a chat is done with.
func (p *Pusher) moved(id chat.ID, done int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cursors[id] = done
}

// Following lists the chats that are being followed, for tests and operators.
func (p *Pusher) Following() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.follows)
}

// pause waits, or less if there is a token, and says false if ctx has ended.
func pause(ctx context.Context, d time.Duration, wake <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
	case <-wake:
	}
	return ctx.Err() == nil
}
