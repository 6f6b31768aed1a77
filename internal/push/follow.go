package push

import (
	"context"
	"math"
	"time"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
	"github.com/halley-chat/halley/internal/wake"
)

// page is how many events are read at a time.
const page = 64

// follow is one chat being pushed: a goroutine that reads the chat's log and
// hands over one event after the other. It keeps no events, since the log does.
type follow struct {
	// Static after construction.
	p    *Pusher
	id   chat.ID
	wake wake.Signal // holds one token: the log may have grown

	dirty bool // guarded by the pusher's mu: the board has news of the chat

	// Owned by run.
	backlog    backlog
	script     Script
	head       int64 // the last event folded
	done       int64 // the last event that is done with
	seen       int64 // up to here there is nothing to push but what is done
	try        try
	pendingAck *pendingAck // what the store has not taken yet; nil if nothing
}

// pendingAck is a step that the store has to be told of.
type pendingAck struct {
	index int64
	dead  *DeadLetter
}

// try is what has been done about one event.
type try struct {
	index    int64 // 0 if there is none
	attempts int
	give     time.Time // when it is given up
	again    time.Time // when it is tried next
}

// run works until there is nothing left to do, or ctx ends.
func (f *follow) run(ctx context.Context) {
	var watch *engine.Watch
	defer func() {
		if watch != nil {
			watch.Close()
		}
	}()
	logged := false
	for ctx.Err() == nil {
		var err error
		if watch == nil {
			// From beyond the end: only the growing counts.
			watch, err = f.p.o.Engine.Watch(ctx, f.id, math.MaxInt64, func(engine.Batch) { f.wake.Notify() })
		}
		over := false
		if err == nil {
			over, err = f.step(ctx)
		}
		if over {
			return
		}
		if err != nil {
			if !logged && ctx.Err() == nil {
				logged = true
				f.p.o.Logger.Warn("push: a chat cannot be followed now and will be tried again", "chat", f.id.String(), "err", err)
			}
			pause(ctx, storeRetryInterval, nil)
		}
	}
}

// step does the next thing and waits for what comes after it. It says whether
// that was all; an error is one of the engine or the store, and passes.
func (f *follow) step(ctx context.Context) (over bool, err error) {
	if err := f.settle(ctx); err != nil {
		return false, err
	}
	if err := f.catchUp(ctx); err != nil {
		return false, err
	}
	event, due, err := f.due(ctx)
	switch {
	case err != nil:
		return false, err
	case due:
		return false, f.push(ctx, event)
	case !f.backlog.idle():
		select {
		case <-f.wake:
		case <-ctx.Done():
		}
		return false, nil
	}
	forget := f.backlog.over()
	if forget {
		if err := f.p.o.Store.Forget(ctx, f.id); err != nil {
			return false, err
		}
	}
	return f.p.rest(f, forget), nil
}

// catchUp folds what the log holds beyond the head.
func (f *follow) catchUp(ctx context.Context) error {
	for {
		events, err := f.p.o.Engine.Read(ctx, f.id, f.head+1, page)
		if err != nil {
			return err
		}
		for _, e := range events {
			f.backlog.fold(e)
			f.script.See(e)
			f.head = e.Index
		}
		if len(events) < page {
			return nil
		}
	}
}

// due finds the first event that the visitor has to be told of.
func (f *follow) due(ctx context.Context) (e chat.Event, ok bool, err error) {
	if !f.backlog.open() {
		return chat.Event{}, false, nil
	}
	f.seen = max(f.seen, f.done, f.backlog.next-1)
	for f.seen < f.head {
		events, err := f.p.o.Engine.Read(ctx, f.id, f.seen+1, page)
		if err != nil {
			return chat.Event{}, false, err
		}
		for _, e := range events {
			if e.Index > f.head || f.backlog.last > 0 && e.Index > f.backlog.last {
				return chat.Event{}, false, nil
			}
			if f.wanted(e) {
				return e, true, nil
			}
			f.seen = e.Index
		}
		if len(events) == 0 {
			return chat.Event{}, false, nil
		}
	}
	return chat.Event{}, false, nil
}

// wanted says whether an event is one that the device is told of: what others
// did, without their typing, which is over before anybody looks. What is not
// meant for people is for programs only.
func (f *follow) wanted(e chat.Event) bool {
	if _, typed := e.Fact.(chat.Typed); typed {
		return false
	}
	kind, by, _, ok := f.script.Render(e)
	return ok && by != chat.VisitorNo && (f.backlog.device.Carrier == chat.CarrierHook || f.script.ForPeople(kind))
}

// push makes an attempt at an event, or waits until it may be made.
func (f *follow) push(ctx context.Context, e chat.Event) error {
	now, device := time.Now(), *f.backlog.device
	if f.try.index != e.Index {
		f.try = try{index: e.Index, give: now.Add(f.p.o.Expiry)}
	}
	circuit := f.p.circuits[Target{device.Carrier, device.Provider}]
	if circuit == nil {
		// It was there when the visitor named the device.
		return f.bury(ctx, e, &Fault{Carrier: device.Carrier, Verdict: Permanent, Code: "not configured"})
	}
	at, bar := f.next(circuit)
	switch {
	case now.Before(at):
		pause(ctx, at.Sub(now), f.wake)
		return nil
	case bar != nil:
		return f.bury(ctx, e, bar)
	}
	fault, sent := circuit.send(ctx, f.message(e, device), f.still)
	if !sent {
		return nil // the log says why, if it was not ctx
	}
	f.try.attempts++
	switch {
	case fault == nil:
		f.p.stats.Sent.Add(1)
		return f.advance(ctx, pendingAck{e.Index, nil})
	case fault.Verdict == UnknownDevice:
		return f.lapse(ctx, e, device, fault)
	case fault.Verdict == Permanent, !time.Now().Before(f.try.give):
		return f.bury(ctx, e, fault)
	}
	f.p.stats.Failed.Add(1)
	f.try.again = f.try.after(fault)
	return nil
}

// after is when the next attempt may be made after one that has failed.
func (t try) after(fault *Fault) time.Time {
	return time.Now().Add(max(backoff(t.attempts), min(fault.After, maxPause)))
}

// next is when the event may be tried. Its last attempt is made when its time
// is up, unless the carrier still wants to be left alone. If the way is barred
// and stays closed for longer than the event's time, that is when it is given
// up, and bar is why.
func (f *follow) next(l *circuit) (at time.Time, bar *Fault) {
	closed, bar := l.until()
	return f.try.next(closed, bar)
}

// next is the same, of a circuit that is closed until then.
func (t try) next(closed time.Time, bar *Fault) (time.Time, *Fault) {
	at := t.again
	if t.attempts > 0 && at.After(t.give) {
		at = t.give
	}
	switch {
	case !closed.After(at):
		return at, nil
	case bar != nil && closed.After(t.give):
		return t.give, bar
	}
	return closed, nil
}

// still says whether the visitor has to be told yet, as far as the board knows.
func (f *follow) still() bool {
	s, live := f.p.o.Engine.Board().Get(f.id)
	return !live || !s.Bound || f.p.o.Active
}

func (f *follow) message(e chat.Event, device chat.Device) Message {
	kind, _, event, _ := f.script.Render(e)
	m := Message{
		Chat: f.id, Index: e.Index, Type: kind, Device: device, Text: textFor(f.p.o.Texts, device.Language), Keep: f.p.o.Keep,
	}
	if device.Carrier == chat.CarrierHook && (device.Payload || f.p.o.Payload) {
		m.Event = event
	}
	return m
}

// lapse ends the subscription of a device that its carrier does not know any
// more. If the visitor has named another one meanwhile, the event goes there.
func (f *follow) lapse(ctx context.Context, e chat.Event, device chat.Device, fault *Fault) error {
	elsewhere, err := f.unsubscribe(ctx, device)
	if err != nil || elsewhere {
		return err
	}
	return f.bury(ctx, e, fault)
}

// unsubscribe ends the subscription of a device, and says whether the visitor
// has named another one meanwhile.
func (f *follow) unsubscribe(ctx context.Context, device chat.Device) (elsewhere bool, err error) {
	res, err := f.p.o.Engine.Do(ctx, f.id, chat.Command{Do: chat.Unsubscribe{Token: device.Token, Reason: chat.UnsubscribedInvalid}})
	switch {
	case err != nil:
		return false, err
	case len(res.Events) == 0 && res.Summary.Subscribed && res.Summary.Open():
		return true, nil
	}
	f.p.stats.Unknown.Add(1)
	return false, nil
}

// bury gives an event up.
func (f *follow) bury(ctx context.Context, e chat.Event, fault *Fault) error {
	kind, _, _, _ := f.script.Render(e)
	dead := DeadLetter{
		Chat: f.id, Index: e.Index, Type: kind, Carrier: fault.Carrier, Reason: fault.reason(), Attempts: f.try.attempts,
		At: time.Now().UTC().Truncate(time.Millisecond),
	}
	f.p.stats.Dead.Add(1)
	f.p.o.Logger.Warn("push: an event was given up", "chat", f.id.String(), "index", e.Index, "attempts", dead.Attempts, "err", fault)
	return f.advance(ctx, pendingAck{e.Index, &dead})
}

// advance is done with an event. Nothing else is pushed before the store knows.
func (f *follow) advance(ctx context.Context, o pendingAck) error {
	f.done, f.try, f.pendingAck = o.index, try{}, &o
	return f.settle(ctx)
}

// settle tells the store what it has not taken yet. What a carrier has taken is
// noted even if ctx has ended meanwhile, or it would go out again after a
// restart.
func (f *follow) settle(ctx context.Context) error {
	if f.pendingAck == nil {
		return nil
	}
	saving, cancel := context.WithTimeout(context.WithoutCancel(ctx), ackTimeout)
	defer cancel()
	if err := f.p.o.Store.Advance(saving, f.id, f.pendingAck.index, f.pendingAck.dead); err != nil {
		return err
	}
	f.pendingAck = nil
	f.p.moved(f.id, f.done)
	return nil
}

// ackTimeout is how long a cursor may take to be saved.
const ackTimeout = 3 * time.Second
