package desk

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/halley-chat/halley/internal/audit"
	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
	"github.com/halley-chat/halley/internal/media"
	"github.com/halley-chat/halley/internal/staff"
	"github.com/halley-chat/halley/internal/wake"
)

// Options are what a [Desk] is made of.
type Options struct {
	Engine *engine.Engine   // required
	Staff  *staff.Directory // required
	// SecureCookie marks the cookie as Secure even where the request came
	// without TLS, as behind a proxy that ends it.
	SecureCookie bool
	// Files keeps what is shared in chats, and Policies say by service what
	// may be; without them there are no files.
	Files    *media.Service
	Policies map[string]*media.Policy
	// Audit is told who is shown which chat and who downloads which file; nil
	// means [audit.Discard].
	Audit audit.Recorder
	// AwayAfter is how long an agent has no desk connected when it becomes not
	// responding, and ReleaseAfter how long after that its chats go back to their
	// queues; 0 means [DefaultAwayAfter] and [DefaultReleaseAfter]. A session that
	// expires had been silent for SilentFor, which counts.
	AwayAfter, ReleaseAfter, SilentFor time.Duration
	Logger                             *slog.Logger // nil means [slog.Default]
}

// Desk serves the desks of all agents. All methods may be called from any
// number of goroutines at once.
type Desk struct {
	// Static after construction.
	engine   *engine.Engine
	staff    *staff.Directory
	secure   bool
	files    *media.Service           // nil if there are none
	policies map[string]*media.Policy // by service
	audit    audit.Recorder
	log      *slog.Logger
	waiting  waitingList

	awayAfter, releaseAfter, silentFor time.Duration

	ctx  context.Context // ends with Close
	stop context.CancelFunc
	work sync.WaitGroup // the desks' goroutines

	mu sync.Mutex
	// Guarded by mu.
	clients     map[*client]struct{}
	connections connections
	closed      bool
	complained  time.Time
}

// New makes a Desk. [Desk.Run] must run while it serves.
func New(o Options) *Desk {
	d := &Desk{
		engine: o.Engine, staff: o.Staff, secure: o.SecureCookie, log: o.Logger,
		files: o.Files, policies: o.Policies, audit: o.Audit,
		clients: make(map[*client]struct{}), connections: newConnections(), waiting: waitingList{list: []byte("[]")},
		awayAfter: cmp.Or(o.AwayAfter, DefaultAwayAfter), releaseAfter: cmp.Or(o.ReleaseAfter, DefaultReleaseAfter), silentFor: o.SilentFor,
	}
	d.ctx, d.stop = context.WithCancel(context.Background())
	if d.audit == nil {
		d.audit = audit.Discard{}
	}
	if d.log == nil {
		d.log = slog.Default()
	}
	return d
}

// Run pushes the waiting list, throws out desks whose sign-in has ended, and
// takes agents out of their chats who are disabled or have been without a desk
// for too long, until ctx ends. It returns nil.
// The engine must have been started.
func (d *Desk) Run(ctx context.Context) error {
	var work sync.WaitGroup
	work.Go(func() { d.runWaiting(ctx) })
	work.Go(func() { d.runStaff(ctx) })
	work.Go(func() { d.runPresence(ctx) })
	work.Wait()
	return nil
}

// Close ends all desks, refuses new ones and returns when their goroutines
// have ended. The engine is closed after it.
func (d *Desk) Close() {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.stop()
	d.work.Wait()
}

// valued is a session that keeps something for the application.
type valued interface {
	session
	Value() any
	SetValue(v any)
}

// attach finds or makes the desk of a session. fresh says that it was made
// now; c is nil if the Desk is closed.
func (d *Desk) attach(s valued, who Principal) (c *client, fresh bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if c, ok := s.Value().(*client); ok {
		return c, false
	}
	if d.closed {
		return nil, false
	}
	c = newClient(d.ctx, d, s, who)
	s.SetValue(c)
	d.clients[c] = struct{}{}
	d.work.Go(c.run)
	return c, true
}

func (d *Desk) forget(c *client) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, open := d.clients[c]; open && c.counted {
		d.connections.count(c.who.Staff, -1, c.silent)
	}
	delete(d.clients, c)
}

func (d *Desk) all() []*client {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := make([]*client, 0, len(d.clients))
	for c := range d.clients {
		list = append(list, c)
	}
	return list
}

// complain logs a failure that an agent was only told the effect of, at most
// once a second: a store that is down makes all commands fail alike.
func (d *Desk) complain(what string, err error) {
	now := time.Now()
	d.mu.Lock()
	quiet := now.Sub(d.complained) < time.Second
	if !quiet {
		d.complained = now
	}
	d.mu.Unlock()
	if !quiet {
		d.log.Warn("desk: could not "+what, "err", err)
	}
}

// confirmEvery is how often every desk's sign-in is confirmed although no account
// has changed: a sign-in can be deleted without such a change, or right after it.
const confirmEvery = 5 * time.Second

// runStaff throws out whoever is not signed in any more, after each change of
// an account and every [confirmEvery], until ctx ends.
func (d *Desk) runStaff(ctx context.Context) {
	changed := wake.New()
	defer d.staff.OnChange(func([]staff.Account) { changed.Notify() })()
	again := time.NewTimer(0)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-again.C:
		}
		for _, c := range d.all() {
			c.notify()
		}
		next := confirmEvery
		if err := errors.Join(d.expel(ctx), d.retire(ctx)); err != nil && ctx.Err() == nil {
			d.complain("throw out agents", err)
			next = retryAfter
		}
		again.Reset(next)
	}
}

// expel disconnects the desks whose sign-in has ended. A desk about which the
// store gives no answer keeps none of the others.
func (d *Desk) expel(ctx context.Context) error {
	var errs []error
	for _, c := range d.all() {
		errs = append(errs, d.confirm(ctx, c))
	}
	return errors.Join(errs...)
}

// confirm disconnects a desk if its sign-in has ended.
func (d *Desk) confirm(ctx context.Context, c *client) error {
	_, err := d.staff.Confirm(ctx, c.who.Session)
	if errors.Is(err, staff.ErrNotSignedIn) {
		c.conn.Disconnect()
		c.close()
		return nil
	}
	return err
}

// retire takes disabled agents offline and out of their chats, which then wait
// in their queues again.
func (d *Desk) retire(ctx context.Context) error {
	for _, a := range d.staff.Accounts() {
		if !a.Disabled {
			continue
		}
		s, err := d.engine.Agent(ctx, a.ID)
		if err != nil {
			return err
		}
		if s.Presence != chat.Offline {
			if _, err := d.engine.DoAgent(ctx, a.ID, chat.AgentCommand{To: chat.Offline}); err != nil {
				return err
			}
		}
		if err := d.handBack(ctx, s, chat.LeftSignedOut); err != nil {
			return err
		}
	}
	return nil
}
