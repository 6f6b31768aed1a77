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

	dirty bool // guarded by the pusher's mu: the board has a newer summary of the chat

	// Owned by run.
	backlog backlog
	script  Script
	head    int64 // the last event folded
	done    int64 // the last event that is done with
	seen    int64 // up to here there is nothing to push but what is done
	current delivery
	ack     pendingAck
}

// run works until there is nothing left to do, or ctx ends.
func (f *follow) run(ctx context.Context) {
	var watch *engine.Watch
	defer func() {
		if watch != nil {
			watch.Close()
		}
	}()
	f.script = f.p.o.Script()
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
				f.p.o.Logger.Warn("push: chat cannot be followed, will retry", "chat", f.id.String(), "err", err)
			}
			pause(ctx, storeRetryInterval, nil)
		}
	}
}

// step does the next thing and waits for what comes after it. It says whether
// that was all; an error is one of the engine or the store, and passes.
func (f *follow) step(ctx context.Context) (over bool, err error) {
	if err := f.saveAck(ctx); err != nil {
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
	return f.p.stop(f, forget), nil
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
	device := *f.backlog.device
	o, at, fault := f.deliver(ctx, &f.current, e, device)
	switch o {
	case waiting:
		pause(ctx, time.Until(at), f.wake)
	case delivered:
		return f.advance(ctx, e.Index, nil)
	case unregistered:
		moved, err := f.endSubscription(ctx, device)
		if err != nil || moved {
			return err
		}
		return f.giveUp(ctx, e, fault)
	case failed:
		return f.giveUp(ctx, e, fault)
	}
	return nil
}

// stillDue says whether the visitor has to be told yet, as far as the board knows.
func (f *follow) stillDue() bool {
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

// endSubscription ends the subscription of a device that its carrier does not
// know any more. It says whether the visitor has named another one meanwhile,
// where the event goes then.
func (f *follow) endSubscription(ctx context.Context, device chat.Device) (moved bool, err error) {
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

// giveUp makes a dead letter of an event.
func (f *follow) giveUp(ctx context.Context, e chat.Event, fault *Fault) error {
	kind, _, _, _ := f.script.Render(e)
	dead := DeadLetter{
		Chat: f.id, Index: e.Index, Type: kind, Carrier: fault.Carrier, Reason: fault.reason(), Attempts: f.current.attempts,
		At: time.Now().UTC().Truncate(time.Millisecond),
	}
	f.p.stats.Dead.Add(1)
	f.p.o.Logger.Warn("push: dead letter", "chat", f.id.String(), "index", e.Index, "attempts", dead.Attempts, "err", fault)
	return f.advance(ctx, e.Index, &dead)
}

// advance is done with an event. Nothing else is pushed before the store knows.
func (f *follow) advance(ctx context.Context, index int64, dead *DeadLetter) error {
	f.done, f.current = index, delivery{}
	f.ack = func(ctx context.Context) error { return f.p.o.Store.Advance(ctx, f.id, index, dead) }
	return f.saveAck(ctx)
}

// saveAck makes the write that is pending, if there is one.
func (f *follow) saveAck(ctx context.Context) error {
	if f.ack == nil {
		return nil
	}
	if err := f.ack.save(ctx); err != nil {
		return err
	}
	f.ack = nil
	f.p.moved(f.id, f.done)
	return nil
}
