package push

import (
	"context"
	"sync"
	"time"

	"github.com/halley-chat/halley/internal/chat"
)

// sense says what can be done about a dead letter that is to be sent again.
type sense int

const (
	pointless sense = iota // it would not help anybody
	notYet                 // that will be known in a moment
	sendable
)

// Why there is no sense in sending a dead letter again. Operators read it in
// the list, in the place of what the carrier said.
const (
	whyOver     = "the chat is over"
	whyNoDevice = "there is no device any more"
	whyOther    = "another device was named since"
	whyNotSetUp = "not configured"
	whyListens  = "the visitor listens"
	whyHeard    = "the visitor was back since"
	whyNoEvent  = "there is no such event"
)

// again says whether a dead letter can be sent again, and if there is no sense
// in it, why. It follows from the log, and from whether there is a sender for a
// device.
func (d *backlog) again(l DeadLetter, carries func(chat.Device) bool) (sense, string) {
	switch {
	case d.ended:
		return pointless, whyOver
	case d.device == nil:
		return pointless, whyNoDevice
	case d.named.After(l.At), d.device.Carrier != l.Carrier:
		return pointless, whyOther
	case !carries(*d.device):
		return pointless, whyNotSetUp
	case d.active:
		return sendable, ""
	case d.bound:
		return pointless, whyListens
	case l.Index < d.next:
		return pointless, whyHeard
	case d.mayReturn:
		return notYet, ""
	}
	return sendable, ""
}

// retryInterval is how often the store is asked for dead letters that are to be
// sent again: another process may have written it.
const retryInterval = 5 * time.Second

// retryConcurrency is how many chats are looked at at a time.
const retryConcurrency = 16

// resend sends dead letters again that somebody has asked for. What it does not
// know any more after a crash stands in the store, where a letter is asked for
// until it is settled; so it is not lost, and goes out twice only if the crash
// comes between the carrier's answer and the next write.
type resend struct {
	// Static after construction.
	p *Pusher

	// Owned by run; during a round each letter, and each fold, is owned by its
	// chat's goroutine.
	letters map[int64]*letter
	folds   map[chat.ID]*follow // of the chats that have letters, so that a log is read once
	failing bool                // something could not be read or written, and that has been logged
}

// letter is a dead letter on its way.
type letter struct {
	DeadLetter
	try     try
	outcome *outcome // what the store has not taken yet; nil if nothing
	settled bool
}

// waits says whether it is too early for the next attempt, whatever the circuit is
// like.
func (l *letter) waits() bool {
	at, _ := l.try.next(time.Time{}, nil)
	return time.Now().Before(at)
}

// outcome is what has become of a letter: nil if it was sent.
type outcome struct{ dead *DeadLetter }

func newResend(p *Pusher) *resend {
	return &resend{p: p, letters: make(map[int64]*letter), folds: make(map[chat.ID]*follow)}
}

// run works until ctx ends.
func (r *resend) run(ctx context.Context) {
	for pause(ctx, retryInterval, nil) {
		err := r.round(ctx)
		if err != nil && !r.failing && ctx.Err() == nil {
			r.p.o.Logger.Warn("push: dead letters cannot be sent again now and will be tried again", "err", err)
		}
		r.failing = err != nil
	}
}

// round does what can be done now about everything that is asked for.
func (r *resend) round(ctx context.Context) error {
	list, err := r.p.o.Store.RetryRequested(ctx)
	if err != nil {
		return err
	}
	known := r.letters
	r.letters = make(map[int64]*letter, len(list))
	var chats []chat.ID
	of := make(map[chat.ID][]*letter)
	for _, d := range list {
		l := known[d.ID]
		if l == nil {
			l = &letter{DeadLetter: d}
		}
		r.letters[d.ID] = l
		if of[d.Chat] == nil {
			chats = append(chats, d.Chat)
		}
		of[d.Chat] = append(of[d.Chat], l)
	}
	folds := r.folds
	r.folds = make(map[chat.ID]*follow, len(chats))
	for _, id := range chats {
		f := folds[id]
		if f == nil {
			f = &follow{p: r.p, id: id, backlog: newBacklog(r.p.o.Active), script: r.p.o.Script()}
		}
		r.folds[id] = f
	}
	var work sync.WaitGroup
	failures := make(chan error, 1) // the first one is enough
	slots := make(chan struct{}, retryConcurrency)
	for _, id := range chats {
		slots <- struct{}{}
		work.Go(func() {
			defer func() { <-slots }()
			if err := r.chat(ctx, r.folds[id], of[id]); err != nil {
				select {
				case failures <- err:
				default:
				}
			}
		})
	}
	work.Wait()
	for id, l := range r.letters {
		if l.settled {
			delete(r.letters, id)
		}
	}
	select {
	case err := <-failures:
		return err
	default:
		return nil
	}
}

// chat does what can be done now about the letters of one chat. Each waits until
// the one before it is settled.
func (r *resend) chat(ctx context.Context, f *follow, letters []*letter) error {
	for _, l := range letters {
		if l.outcome == nil && !l.waits() {
			if err := r.try(ctx, f, l); err != nil {
				return err
			}
		}
		if l.outcome == nil {
			return nil
		}
		if err := r.settle(ctx, l); err != nil {
			return err
		}
	}
	return nil
}

// try makes an attempt at a letter if that makes sense. If it is the last one,
// the letter has an outcome. The errors are those of the engine and pass.
func (r *resend) try(ctx context.Context, f *follow, l *letter) error {
	if err := f.catchUp(ctx); err != nil {
		return err
	}
	what, why := f.backlog.again(l.DeadLetter, r.p.Carries)
	switch what {
	case notYet:
		return nil
	case pointless:
		r.leave(l, why)
		return nil
	}
	events, err := r.p.o.Engine.Read(ctx, l.Chat, l.Index, 1)
	switch {
	case err != nil:
		return err
	case len(events) == 0 || events[0].Index != l.Index || !f.wanted(events[0]):
		r.leave(l, whyNoEvent)
		return nil
	}
	return r.send(ctx, f, l, events[0])
}

// leave leaves a letter dead, with the reason that there is no sense in sending
// it.
func (r *resend) leave(l *letter, why string) {
	r.p.o.Logger.Info("push: a dead letter is not sent again", "letter", l.ID, "chat", l.Chat.String(), "index", l.Index, "why", why)
	dead := l.DeadLetter
	dead.Reason = why
	dead.Attempts += l.try.attempts
	l.outcome = &outcome{&dead}
}

// send makes an attempt at a letter when its circuit is open.
func (r *resend) send(ctx context.Context, f *follow, l *letter, e chat.Event) error {
	now, device := time.Now(), *f.backlog.device
	if l.try.index == 0 {
		l.try = try{index: e.Index, give: now.Add(r.p.o.Expiry)}
	}
	circuit := r.p.circuits[Target{device.Carrier, device.Provider}]
	at, bar := l.try.next(circuit.until())
	switch {
	case now.Before(at):
		return nil
	case bar != nil:
		r.fail(l, bar)
		return nil
	}
	fault, sent := circuit.send(ctx, f.message(e, device), f.still)
	if !sent {
		return nil
	}
	l.try.attempts++
	switch {
	case fault == nil:
		r.p.stats.Sent.Add(1)
		r.p.o.Logger.Info("push: a dead letter was sent again", "letter", l.ID, "chat", l.Chat.String(), "index", l.Index)
		l.outcome = &outcome{}
	case fault.Verdict == UnknownDevice:
		elsewhere, err := f.unsubscribe(ctx, device)
		if err != nil || elsewhere {
			return err
		}
		r.fail(l, fault)
	case fault.Verdict == Permanent, !time.Now().Before(l.try.give):
		r.fail(l, fault)
	default:
		r.p.stats.Failed.Add(1)
		l.try.again = l.try.after(fault)
	}
	return nil
}

// fail gives a letter up once more.
func (r *resend) fail(l *letter, fault *Fault) {
	dead := l.DeadLetter
	dead.Carrier, dead.Reason, dead.Attempts = fault.Carrier, fault.reason(), l.Attempts+l.try.attempts
	dead.At = time.Now().UTC().Truncate(time.Millisecond)
	r.p.o.Logger.Warn("push: a dead letter was given up again", "letter", l.ID, "chat", l.Chat.String(), "index", l.Index, "attempts", dead.Attempts, "err", fault)
	l.outcome = &outcome{&dead}
}

// settle tells the store what has become of a letter, also if ctx has ended
// meanwhile: what a carrier has taken would go out again after a restart.
func (r *resend) settle(ctx context.Context, l *letter) error {
	saving, cancel := context.WithTimeout(context.WithoutCancel(ctx), ackTimeout)
	defer cancel()
	if err := r.p.o.Store.ResolveRetry(saving, l.ID, l.outcome.dead); err != nil {
		return err
	}
	l.settled = true
	return nil
}
