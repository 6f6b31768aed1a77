package gms

import (
	"context"

	"github.com/halley-chat/halley/internal/chat"
)

// A key can be in two places: a tab that was duplicated, two windows of a site.
// Only the session bound last is told of everything. One that is displaced is
// told that it is, in a form that no client takes for a failure; it is sent what
// it missed together with what its own operations cause, and when the chat ends.
// A requestNotifications makes it the listener again.

// displacedKey is the field of a response's userData that tells a session that
// another one listens now.
const displacedKey = "halley-displaced"

// displace notes that another session is bound, and says so once. It is called
// by the chat's room.
func (b *binding) displace(sum chat.Summary) {
	if b.displaced.Swap(true) {
		return
	}
	r := b.edge.newResponse(sum)
	r.NextPosition = max(b.next.Load(), 1)
	r.UserData = map[string]string{displacedKey: "true"}
	send(b.session, b.channel, r)
}

// alone waits until nobody else sends the session what it missed. The caller
// calls release afterwards.
func (b *binding) alone(ctx context.Context) (release func(), err error) {
	select {
	case b.catching <- struct{}{}:
		return func() { <-b.catching }, nil
	case <-ctx.Done():
		return nil, errSlow
	}
}

// catchUp sends a displaced session what it has not been sent yet.
func (b *binding) catchUp(ctx context.Context, id chat.ID) error {
	release, err := b.alone(ctx)
	if err != nil {
		return err
	}
	defer release()
	if now, _ := b.session.Value().(*binding); now != b {
		return nil // the session has asked again, and is shown everything there
	}
	from := max(b.next.Load(), 1)
	r, err := b.edge.replay(ctx, id, from)
	if err != nil {
		return err
	}
	// What was sent once is not repeated only to tell the end beside it.
	if r.NextPosition > from {
		send(b.session, b.channel, r)
		b.next.Store(r.NextPosition)
	}
	return nil
}

// startCatchUp sends a displaced session the end of its chat, on a goroutine of
// its own, since the chat's room must not wait.
func (b *binding) startCatchUp(id chat.ID) {
	e := b.edge
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return
	}
	e.unbinding.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), e.o.Patience)
		defer cancel()
		if err := b.catchUp(ctx, id); err != nil {
			e.o.Logger.Warn("gms: a displaced session could not be told the end of its chat", "chat", id.String(), "err", err)
		}
	})
}
