package desk

import (
	"context"
	"errors"
	"time"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
	"github.com/halley-chat/halley/internal/wake"
)

// The defaults of [Options].
const (
	DefaultAwayAfter    = 20 * time.Second
	DefaultReleaseAfter = time.Minute
)

const (
	// lookEvery is how often the clock is looked at while an agent is without a
	// desk.
	lookEvery = time.Second
	// lateTimer is the delay beyond which a timer shows that the process was
	// stopped (SIGSTOP, a paused VM), so that no desk could have come back.
	lateTimer = 3 * time.Second
)

// connections counts the desks of each agent.
type connections struct {
	wake wake.Signal // holds one token: changed is not empty
	// Guarded by the mutex of the Desk.
	desks map[chat.StaffID]int
	// changed are the agents whose first desk has come or whose last one is
	// gone, with how long that desk was silent before its session ended.
	changed map[chat.StaffID]time.Duration
}

func newConnections() connections {
	return connections{wake: wake.New(), desks: make(map[chat.StaffID]int), changed: make(map[chat.StaffID]time.Duration)}
}

// count notes that a desk of an agent has resumed (1) or is gone (-1).
// Caller holds the Desk's mutex.
func (c *connections) count(id chat.StaffID, n int, silent time.Duration) {
	before := c.desks[id]
	c.desks[id] += n
	if c.desks[id] == 0 {
		delete(c.desks, id)
	}
	if before == 0 || before+n == 0 {
		c.changed[id] = silent
		c.wake.Notify()
	}
}

// resumed counts a desk as one at which its agent can work.
func (d *Desk) resumed(c *client) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, open := d.clients[c]; open && !c.counted {
		c.counted = true
		d.connections.count(c.who.Staff, 1, 0)
	}
}

// connected says whether an agent has a desk.
func (d *Desk) connected(id chat.StaffID) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.connections.desks[id] > 0
}

// takeChanged takes what [connections.count] has noted.
func (d *Desk) takeChanged() map[chat.StaffID]time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	changed := d.connections.changed
	d.connections.changed = make(map[chat.StaffID]time.Duration)
	return changed
}

// keeper tells the agents' logs whether a desk of theirs is connected, and takes
// the chats of those who have been without one for too long. What is to happen
// when stands in the logs; the keeper only keeps the times.
type keeper struct {
	d *Desk
	// Owned by run.
	pending map[chat.StaffID]time.Duration // to be told, as in connections.changed
	due     map[chat.StaffID]time.Time     // what falls due next, of agents without a desk
	// expected is when the next step is to be taken at the latest.
	expected time.Time
}

func newKeeper(d *Desk) *keeper {
	return &keeper{d: d, pending: make(map[chat.StaffID]time.Duration), due: make(map[chat.StaffID]time.Time), expected: time.Now()}
}

// runPresence is the keeper's goroutine; it ends with ctx. No desk of before a
// start is connected any more, so every agent's time begins then.
func (d *Desk) runPresence(ctx context.Context) {
	k := newKeeper(d)
	for _, a := range d.staff.Accounts() {
		k.pending[a.ID] = 0
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.connections.wake:
		case <-timer.C:
		}
		k.step(ctx, time.Now())
		timer.Reset(time.Until(k.expected))
	}
}

// step does what there is to do, after a stop of the process with all times anew.
func (k *keeper) step(ctx context.Context, now time.Time) {
	if now.Sub(k.expected) > lateTimer {
		for id := range k.due {
			k.pending[id] = 0
		}
	}
	k.run(ctx, now)
	k.expected = now.Add(time.Hour)
	if len(k.due)+len(k.pending) > 0 {
		k.expected = now.Add(lookEvery)
	}
}

// run tells what has changed and does what has fallen due. What fails is tried
// again the next time.
func (k *keeper) run(ctx context.Context, now time.Time) {
	for id, silent := range k.d.takeChanged() {
		k.pending[id] = silent
	}
	for id, silent := range k.pending {
		if k.done(ctx, k.tell(ctx, id, silent), id) {
			delete(k.pending, id)
		}
	}
	for id, due := range k.due {
		if _, pending := k.pending[id]; !pending && !now.Before(due) {
			k.done(ctx, k.fallDue(ctx, id, now), id)
		}
	}
}

// done says whether a step needs no repetition.
func (k *keeper) done(ctx context.Context, err error, id chat.StaffID) bool {
	switch {
	case err == nil:
		return true
	case errors.Is(err, engine.ErrDamaged):
		k.d.log.Error("desk: the log of an agent is damaged, its chats stay with it", "staff", int64(id), "err", err)
		delete(k.due, id)
		return true
	case ctx.Err() == nil:
		k.d.complain("keep the presence of an agent", err)
	}
	return false
}

// tell writes to an agent's log whether it has a desk.
func (k *keeper) tell(ctx context.Context, id chat.StaffID, silent time.Duration) error {
	c := chat.AgentCommand{Do: chat.BindAgent}
	if !k.d.connected(id) {
		c = chat.AgentCommand{Do: chat.UnbindAgent, WarnAfter: max(k.d.awayAfter-silent, 0), ReleaseAfter: k.d.releaseAfter}
	}
	res, err := k.d.engine.DoAgent(ctx, id, c)
	if err != nil {
		return err
	}
	k.note(id, res.State)
	return nil
}

func (k *keeper) note(id chat.StaffID, s chat.AgentState) {
	if due := s.Deadline(); !due.IsZero() {
		k.due[id] = due
	} else {
		delete(k.due, id)
	}
}

// fallDue does what has fallen due for an agent without a desk.
func (k *keeper) fallDue(ctx context.Context, id chat.StaffID, now time.Time) error {
	res, err := k.d.engine.DoAgent(ctx, id, chat.AgentCommand{At: now, Do: chat.TickAgent})
	if err != nil {
		return err
	}
	if !res.State.Lost(now) {
		k.note(id, res.State)
		return nil
	}
	k.d.log.Info("desk: an agent without a desk loses its chats", "staff", int64(id), "chats", len(res.State.Chats))
	if err := k.d.handBack(ctx, res.State, chat.LeftLost); err != nil {
		return err
	}
	s, err := k.d.engine.Agent(ctx, id)
	if err != nil {
		return err
	}
	k.note(id, s)
	return nil
}

// handBack takes an agent out of its chats, which then wait in their old places.
func (d *Desk) handBack(ctx context.Context, s chat.AgentState, why chat.LeaveReason) error {
	var errs []error
	for _, id := range s.Chats {
		_, err := d.engine.Do(ctx, id, chat.Command{By: chat.Staff(s.ID), Do: chat.Leave{Reason: why}})
		switch chat.KindOf(err) {
		case chat.Ended, chat.Forbidden, chat.NotFound: // it is not in it any more
		default:
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
