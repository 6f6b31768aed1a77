package push

import (
	"context"
	"sync"
	"time"

	"github.com/halley-chat/halley/internal/chat"
)

// eligibility says whether a dead letter can be sent again.
type eligibility int

const (
	ineligible eligibility = iota // never
	undecided                     // the log will say in a moment
	eligible
)

// Why a dead letter cannot be sent again. Operators read it in the list, in the
// place of what the carrier said.
const (
	whyOver     = "the chat is over"
	whyNoDevice = "there is no device any more"
	whyOther    = "another device was named since"
	whyNotSetUp = "not configured"
	whyListens  = "the visitor listens"
	whyHeard    = "the visitor was back since"
	whyNoEvent  = "there is no such event"
)

// eligibility says whether a dead letter can be sent again, and if it cannot,
// why. It follows from the log, and from whether there is a sender for a device.
func (b *backlog) eligibility(l DeadLetter, carries func(chat.Device) bool) (eligibility, string) {
	switch {
	case b.ended:
		return ineligible, whyOver
	case b.device == nil:
		return ineligible, whyNoDevice
	case b.subscribedAt.After(l.At), b.device.Carrier != l.Carrier:
		return ineligible, whyOther
	case !carries(*b.device):
		return ineligible, whyNotSetUp
	case b.active:
		return eligible, ""
	case b.bound:
		return ineligible, whyListens
	case l.Index < b.next:
		return ineligible, whyHeard
	case b.mayReturn:
		return undecided, ""
	}
	return eligible, ""
}

// retryInterval is how often the store is asked for retries that somebody has
// requested: another process may have written it.
const retryInterval = 5 * time.Second

// retryConcurrency is how many chats are looked at at a time.
const retryConcurrency = 16

// retry sends dead letters again on request. The request stands in the store
// until it is resolved, so a crash loses nothing, and a letter goes out twice
// only if the crash comes between the carrier's answer and the next write.
type retry struct {
	// Static after construction.
	p *Pusher

	// Owned by run; during a round each letter, and each fold, is owned by its
	// chat's goroutine.
	letters map[int64]*letter
	folds   map[chat.ID]*follow // of the chats that have letters, so that a log is read once
	failing bool                // something could not be read or written, and that has been logged
}

// letter is a dead letter whose retry was requested.
type letter struct {
	DeadLetter
	delivery delivery
	ack      pendingAck
	resolved bool
}

func newRetry(p *Pusher) *retry {
	return &retry{p: p, letters: make(map[int64]*letter), folds: make(map[chat.ID]*follow)}
}

// run works until ctx ends.
func (r *retry) run(ctx context.Context) {
	for pause(ctx, retryInterval, nil) {
		err := r.round(ctx)
		if err != nil && !r.failing && ctx.Err() == nil {
			r.p.o.Logger.Warn("push: dead letters cannot be sent again now, will retry", "err", err)
		}
		r.failing = err != nil
	}
}

// round does what can be done now about all requests.
func (r *retry) round(ctx context.Context) error {
	chats, err := r.load(ctx)
	if err != nil {
		return err
	}
	var work sync.WaitGroup
	failures := make(chan error, 1) // the first one is enough
	slots := make(chan struct{}, retryConcurrency)
	for _, letters := range chats {
		slots <- struct{}{}
		work.Go(func() {
			defer func() { <-slots }()
			if err := r.chat(ctx, r.folds[letters[0].Chat], letters); err != nil {
				select {
				case failures <- err:
				default:
				}
			}
		})
	}
	work.Wait()
	for id, l := range r.letters {
		if l.resolved {
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

// load reads the requests, keeps what is known about them already, and returns
// them by chat, the oldest first.
func (r *retry) load(ctx context.Context) (chats [][]*letter, err error) {
	list, err := r.p.o.Store.RetryRequested(ctx)
	if err != nil {
		return nil, err
	}
	letters, folds := make(map[int64]*letter, len(list)), make(map[chat.ID]*follow)
	of := make(map[chat.ID]int) // where a chat's letters are in chats
	for _, d := range list {
		l := r.letters[d.ID]
		if l == nil {
			l = &letter{DeadLetter: d}
		}
		letters[d.ID] = l
		i, ok := of[d.Chat]
		if !ok {
			i = len(chats)
			of[d.Chat], folds[d.Chat] = i, r.fold(d.Chat)
			chats = append(chats, nil)
		}
		chats[i] = append(chats[i], l)
	}
	r.letters, r.folds = letters, folds
	return chats, nil
}

// fold is the fold of a chat's log, as far as it is known.
func (r *retry) fold(id chat.ID) *follow {
	if f := r.folds[id]; f != nil {
		return f
	}
	return &follow{p: r.p, id: id, backlog: newBacklog(r.p.o.Active), script: r.p.o.Script()}
}

// chat does what can be done now about the letters of one chat. Each waits until
// the one before it is resolved.
func (r *retry) chat(ctx context.Context, f *follow, letters []*letter) error {
	for _, l := range letters {
		if l.ack == nil {
			if err := r.try(ctx, f, l); err != nil {
				return err
			}
		}
		if l.ack == nil {
			return nil
		}
		if err := l.ack.save(ctx); err != nil {
			return err
		}
		l.resolved = true
	}
	return nil
}

// try makes an attempt at a letter if it is eligible and one is due. Errors are
// those of the engine and pass.
func (r *retry) try(ctx context.Context, f *follow, l *letter) error {
	if at, _ := l.delivery.next(time.Time{}, nil); time.Now().Before(at) {
		return nil
	}
	if err := f.catchUp(ctx); err != nil {
		return err
	}
	switch e, why := f.backlog.eligibility(l.DeadLetter, r.p.Carries); e {
	case undecided:
		return nil
	case ineligible:
		r.refuse(l, why)
		return nil
	}
	events, err := r.p.o.Engine.Read(ctx, l.Chat, l.Index, 1)
	switch {
	case err != nil:
		return err
	case len(events) == 0 || events[0].Index != l.Index || !f.wanted(events[0]):
		r.refuse(l, whyNoEvent)
		return nil
	}
	device := *f.backlog.device
	o, _, fault := f.deliver(ctx, &l.delivery, events[0], device)
	switch o {
	case delivered:
		r.p.o.Logger.Info("push: dead letter sent again", "letter", l.ID, "chat", l.Chat.String(), "index", l.Index)
		r.resolve(l, nil)
	case unregistered:
		moved, err := f.endSubscription(ctx, device)
		if err != nil || moved {
			return err
		}
		r.fail(l, fault)
	case failed:
		r.fail(l, fault)
	}
	return nil
}

// refuse leaves a letter dead because it is not eligible.
func (r *retry) refuse(l *letter, why string) {
	r.p.o.Logger.Info("push: dead letter not sent again", "letter", l.ID, "chat", l.Chat.String(), "index", l.Index, "why", why)
	dead := l.DeadLetter
	dead.Reason = why
	dead.Attempts += l.delivery.attempts
	r.resolve(l, &dead)
}

// fail gives a letter up once more.
func (r *retry) fail(l *letter, fault *Fault) {
	dead := l.DeadLetter
	dead.Carrier, dead.Reason, dead.Attempts = fault.Carrier, fault.reason(), l.Attempts+l.delivery.attempts
	dead.At = time.Now().UTC().Truncate(time.Millisecond)
	r.p.o.Logger.Warn("push: dead letter given up again", "letter", l.ID, "chat", l.Chat.String(), "index", l.Index, "attempts", dead.Attempts, "err", fault)
	r.resolve(l, &dead)
}

// resolve makes the write pending that ends the request.
func (r *retry) resolve(l *letter, dead *DeadLetter) {
	l.ack = func(ctx context.Context) error { return r.p.o.Store.ResolveRetry(ctx, l.ID, dead) }
}
