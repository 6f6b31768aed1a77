package visitor

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/halley-chat/halley/bayeux/client"
)

// Say says a line and returns the id that it was given and the index at which
// the visitor has seen its own echo. Until then the line is sent again, under
// the same id, whenever its outcome stays unknown.
func (v *Visitor) Say(ctx context.Context, text string) (id string, index int64, err error) {
	id = rand.Text()
	v.change(func() { v.stats.Sent++ })
	for attempt := 0; ; attempt++ {
		if err := v.await(ctx, func() bool { return v.bound || v.ended || v.opts.Impatient && attempt > 0 }); err != nil {
			return id, 0, err
		}
		v.mu.Lock()
		index, ended, key, conns := v.acks[id], v.ended, v.key, v.conns
		if index == 0 && attempt > 0 && !ended {
			v.stats.Repeats++
		}
		v.mu.Unlock()
		switch {
		case index != 0: // it came with what was missed
			return id, index, nil
		case ended:
			return id, 0, ErrEnded
		}
		err := v.publish(ctx, map[string]any{
			"operation": "sendMessage", "secureKey": key, "message": text, "messageType": "text",
			"eventAttributes": map[string]string{"halley-id": id},
		})
		if err != nil && !retryable(err) {
			return id, 0, err
		}
		err = v.within(ctx, v.opts.Patience, func() bool { return v.acks[id] != 0 || v.ended || v.conns != conns })
		if err != nil && (ctx.Err() != nil || errors.Is(err, client.ErrClosed)) {
			return id, 0, err
		}
	}
}

// Type tells that the visitor types, with a preview, or has stopped. It is
// said once; if it is lost it is lost.
func (v *Visitor) Type(ctx context.Context, on bool, preview string) error {
	operation := "stopTyping"
	if on {
		operation = "startTyping"
	}
	err := v.publish(ctx, map[string]any{"operation": operation, "secureKey": v.Key(), "message": preview})
	if retryable(err) {
		return nil
	}
	return err
}

// End ends the chat and returns when the visitor has been told that it is
// over.
func (v *Visitor) End(ctx context.Context) error {
	for {
		if err := v.await(ctx, func() bool { return v.bound || v.ended }); err != nil {
			return err
		}
		if v.Ended() {
			return nil
		}
		err := v.publish(ctx, map[string]any{"operation": "disconnect", "secureKey": v.Key()})
		if err != nil && !retryable(err) {
			return err
		}
		err = v.within(ctx, v.opts.Patience, func() bool { return v.ended })
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil || errors.Is(err, client.ErrClosed):
			return err
		}
	}
}

// Fetch reads a whole transcript over a connection of its own, with the
// chat's key. Whoever followed the live chat before does not any more.
func Fetch(ctx context.Context, opts Options, key string) (events []Event, ended bool, err error) {
	opts.Transport = client.WebSocket // on which answers cannot overtake each other
	v, err := New(opts)
	if err != nil {
		return nil, false, err
	}
	defer func() { err = errors.Join(err, v.Close(ctx)) }()
	if _, err := v.client.Handshake(ctx); err != nil {
		return nil, false, err
	}
	if err := v.publish(ctx, map[string]any{"operation": "requestNotifications", "secureKey": key, "transcriptPosition": 1, "message": ""}); err != nil {
		return nil, false, err
	}
	v.mu.Lock()
	refused := v.refused
	v.mu.Unlock()
	if refused != nil {
		return nil, false, refused
	}
	// The answer to this one is a refusal, and it is the last thing to come.
	if err := v.publish(ctx, map[string]any{"operation": "nothing"}); err != nil {
		return nil, false, err
	}
	if err := v.await(ctx, func() bool { return v.refused != nil }); err != nil {
		return nil, false, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.answers == 0 {
		return nil, false, fmt.Errorf("visitor: the transcript was not sent: %w", v.refused)
	}
	if len(v.faults) > 0 {
		return nil, false, errors.New(v.faults[0])
	}
	return v.seen(), v.ended, nil
}
