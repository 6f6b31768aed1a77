package app

import (
	"context"
	"time"

	"github.com/halley-chat/halley/internal/audit"
	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/sqlite"
)

const (
	endsEvery = time.Second // between two looks for requests
	endsBatch = 64          // requests of one look
)

// Ended is the outcome of a request to end a chat that was carried out; any
// other is the refusal.
const Ended = "ended"

// runEnds ends the chats that operators ask to be ended, until ctx ends. A
// store that cannot be reached is asked again at the next look.
func (a *App) runEnds(ctx context.Context) error {
	look := time.NewTicker(endsEvery)
	defer look.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-look.C:
		}
		err := a.endRequested(ctx)
		if err != nil && ctx.Err() == nil && !failing {
			a.log.Warn("requests to end chats cannot be carried out, will retry", "err", err)
		}
		failing = err != nil
	}
}

// endRequested carries out the requests that are open. A chat that cannot be
// reached now is left for the next look.
func (a *App) endRequested(ctx context.Context) error {
	requests, err := a.store.Ends().Open(ctx, endsBatch)
	if err != nil {
		return err
	}
	for _, r := range requests {
		outcome := Ended
		_, err := a.engine.Do(ctx, r.Chat, chat.Command{At: time.Now(), Do: chat.End{}})
		switch kind := chat.KindOf(err); {
		case err == nil:
			a.audit.Record(audit.Event{Kind: audit.ChatEnded, Operator: r.Operator, Chat: r.Chat, Detail: r.Reason})
			a.log.Info("a chat was ended by the operator", "chat", r.Chat)
		case kind == 0 || kind == chat.Unavailable:
			return err
		default:
			outcome = err.Error()
		}
		if err := a.store.Ends().Finish(ctx, r.ID, outcome, time.Now()); err != nil {
			return err
		}
	}
	return nil
}

// RequestEnd asks the server that has a data directory open, or the next one
// that has, to end a chat. It waits for the outcome until within has passed;
// then the outcome is empty.
func RequestEnd(ctx context.Context, dir string, r sqlite.End, within time.Duration) (outcome string, err error) {
	store, err := sqlite.OpenShared(ctx, dir)
	if err != nil {
		return "", err
	}
	defer func() {
		if cerr := store.Close(); err == nil {
			err = cerr
		}
	}()
	r.At = time.Now()
	id, err := store.Ends().Request(ctx, r)
	if err != nil {
		return "", err
	}
	for deadline := time.Now().Add(within); time.Now().Before(deadline); {
		if outcome, err := store.Ends().Outcome(ctx, id); outcome != "" || err != nil {
			return outcome, err
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	return "", nil
}
