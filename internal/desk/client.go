// Station 10 of docs/road.md: it is rendered, for each viewer.

package desk

import (
	"context"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
	"github.com/halley-chat/halley/internal/staff"
	"github.com/halley-chat/halley/internal/wake"
)

// channel is the one channel of the API, in both directions.
const channel = "/service/desk"

const (
	// maxInbox is how many batches wait for one desk's goroutine. One that
	// falls behind further drops them and reads the logs instead.
	maxInbox = 1024
	// retryAfter is how long a desk waits before it tries the store again.
	retryAfter = time.Second
)

// session is what a desk needs of the Bayeux session that carries it.
type session interface {
	// Deliver queues data for the client without blocking; an error means that
	// the session is over.
	Deliver(channel string, data jsontext.Value) error
	// Disconnect ends the session.
	Disconnect()
}

// client is one desk: what one Bayeux session has been shown.
type client struct {
	// Static after construction.
	d      *Desk
	conn   session
	who    Principal
	ctx    context.Context // ends with the session
	cancel context.CancelFunc
	wake   wake.Signal // holds one token: there is something to do

	mu sync.Mutex
	// Guarded by mu.
	inbox   []news
	lost    bool // the inbox was full
	asks    []*ask
	resumed bool

	// Guarded by the mutex of d.
	counted bool          // among the agent's connections
	silent  time.Duration // how long it was when its session ended

	// Owned by run.
	turn    int // counts the resumes, so that batches of an earlier one are known
	account staff.Account
	agent   chat.AgentState
	own     *engine.Watch // of the agent's log; nil if it must be begun
	chats   map[chat.ID]*followed
	shown   int64 // version of the waiting list shown last
	failed  bool  // the store could not be reached: try again in a while
}

// news is a batch that a watch delivered. One of agent and chat is set.
type news struct {
	turn  int
	of    *followed // the chat's; nil for the agent's log
	agent *engine.AgentBatch
	chat  *engine.Batch
}

// ask is something that a goroutine with a command wants of run: to resume, or
// to be told when everything up to an index has been shown.
type ask struct {
	resume *command
	chat   chat.ID
	at     int64 // of the chat's log
	own    int64 // of the agent's log
	done   chan error
}

func newClient(ctx context.Context, d *Desk, conn session, who Principal) *client {
	c := &client{d: d, conn: conn, who: who, wake: wake.New(), chats: make(map[chat.ID]*followed)}
	c.ctx, c.cancel = context.WithCancel(ctx)
	return c
}

func (c *client) notify() { c.wake.Notify() }

// put takes a batch from a watch. It does not block.
func (c *client) put(n news) {
	c.mu.Lock()
	if len(c.inbox) < maxInbox {
		c.inbox = append(c.inbox, n)
	} else {
		c.lost = true
	}
	c.mu.Unlock()
	c.notify()
}

// ask hands something to run and waits for the answer.
func (c *client) ask(ctx context.Context, a *ask) error {
	a.done = make(chan error, 1)
	c.mu.Lock()
	c.asks = append(c.asks, a)
	c.mu.Unlock()
	c.notify()
	select {
	case err := <-a.done:
		return err
	case <-c.ctx.Done():
		return c.ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *client) hasResumed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.resumed
}

// run is the desk's goroutine.
func (c *client) run() {
	defer c.close()
	defer c.forgetAll()
	expiry := time.NewTimer(time.Until(c.who.Expires))
	defer expiry.Stop()
	retry := time.NewTimer(time.Hour)
	defer retry.Stop()
	var pending []*ask
	for {
		select {
		case <-c.ctx.Done():
			return
		case <-expiry.C:
			c.conn.Disconnect()
			return
		case <-c.wake:
		case <-retry.C:
		}
		c.mu.Lock()
		inbox, lost, asks := c.inbox, c.lost, c.asks
		c.inbox, c.lost, c.asks = nil, false, nil
		c.mu.Unlock()
		c.failed = false
		for _, n := range inbox {
			c.hear(n)
		}
		if lost {
			c.lookAgain()
		}
		for _, a := range asks {
			if a.resume != nil {
				a.done <- c.resume(*a.resume)
			} else {
				pending = append(pending, a)
			}
		}
		if c.hasResumed() {
			c.keepUp()
			c.showRest()
		}
		pending = c.settle(pending)
		if c.failed {
			retry.Reset(retryAfter)
		}
	}
}

// showRest pushes what belongs to no log: the waiting list and the account.
func (c *client) showRest() {
	if version, list := c.d.waiting.now(); version != c.shown {
		c.shown = version
		c.deliver(waitingPush{"waiting", list})
	}
	if a, ok := c.d.staff.Account(c.who.Staff); ok && a != c.account {
		c.account = a
		c.deliver(ownPush{"own", agentOf(a, c.agent), nil})
	}
}

// settle answers those whose command has been shown with all it caused, and
// returns the others.
func (c *client) settle(pending []*ask) []*ask {
	rest := pending[:0]
	for _, a := range pending {
		f := c.chats[a.chat]
		if c.agent.Last < a.own || f != nil && (f.watch == nil || f.view.last < a.at) {
			rest = append(rest, a)
			continue
		}
		a.done <- nil
	}
	clear(pending[len(rest):])
	return rest
}

// deliver pushes one message. A session that takes no more is over, and so is
// the desk.
func (c *client) deliver(shape any) {
	data, err := encode(shape)
	if err != nil {
		c.d.log.Error("desk: encode a delivery", "staff", int64(c.who.Staff), "err", err)
		return
	}
	if err := c.conn.Deliver(channel, data); err != nil {
		c.close()
	}
}

// close ends the desk. It does not wait for run and may be called by anybody.
func (c *client) close() {
	c.cancel()
	c.d.forget(c)
}

func (c *client) forgetAll() {
	if c.own != nil {
		c.own.Close()
		c.own = nil
	}
	for id, f := range c.chats {
		f.close()
		delete(c.chats, id)
	}
}
