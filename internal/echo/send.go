package echo

import (
	"context"
	"fmt"
)

// startSending starts a goroutine for the pending lines of a chat, unless one runs. The caller
// holds mu.
func (s *session) startSending(t *chatState) {
	if _, ok := t.next(); !ok || s.sending[t.id] || s.ctx.Err() != nil {
		return
	}
	s.sending[t.id] = true
	s.tasks.Go(func() { s.sendPending(t.id) })
}

// sendPending sends the pending lines of a chat, one line after the other.
func (s *session) sendPending(chat string) {
	for {
		d, ok := s.nextLine(chat)
		if !ok {
			return
		}
		if !s.awaitSync() {
			continue // the session has ended
		}
		r, err := s.say(chat, d)
		if err == nil && retryable(r.code) {
			err = fmt.Errorf("echo: say: %s", r.code)
		}
		if err != nil { // if it was said all the same, the next resume tells
			s.log.Debug("echo: a line is tried again", "chat", chat, "error", err)
			s.pause(retryDelay)
			continue
		}
		s.mu.Lock()
		if t := s.chats[chat]; t != nil && !(r.code == "too-long" && t.shorten(d.command)) {
			t.complete(d.command)
		}
		s.mu.Unlock()
		if !r.ok {
			s.log.Info("echo: a line was refused", "chat", chat, "code", r.code)
		}
	}
}

// nextLine is what to say next in a chat; if there is nothing, the chat's
// goroutine counts as gone.
func (s *session) nextLine(chat string) (pendingLine, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.chats[chat]; t != nil && s.ctx.Err() == nil {
		if d, ok := t.next(); ok {
			return d, true
		}
	}
	delete(s.sending, chat)
	return pendingLine{}, false
}

// retryable says whether a refused command may succeed later.
func retryable(code string) bool {
	return code == "unavailable" || code == "conflict" || code == "not-resumed"
}

func (s *session) say(chat string, d pendingLine) (reply, error) {
	select {
	case s.writers <- struct{}{}:
		defer func() { <-s.writers }()
	case <-s.ctx.Done():
		return reply{}, s.ctx.Err()
	}
	if d.echo {
		// Nobody waits for typing to be answered, and a loss does no harm.
		typing := map[string]any{"op": "typing", "id": "t" + d.command, "chat": chat, "on": true, "text": d.text}
		if _, err := s.c.Publish(s.ctx, channel, typing); err != nil {
			return reply{}, err
		}
	}
	return s.command(map[string]any{"op": "say", "id": d.command, "chat": chat, "text": d.text})
}

// command sends a command and waits for its answer. An error means that
// nobody knows what became of it.
func (s *session) command(data map[string]any) (reply, error) {
	id := data["id"].(string)
	answer := make(chan reply, 1)
	s.mu.Lock()
	s.replies[id] = answer
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.replies[id] == answer {
			delete(s.replies, id)
		}
	}()
	ctx, cancel := context.WithTimeout(s.ctx, replyTimeout)
	defer cancel()
	if _, err := s.c.Publish(ctx, channel, data); err != nil {
		return reply{}, err
	}
	select {
	case r := <-answer:
		return r, nil
	case <-ctx.Done():
		return reply{}, fmt.Errorf("echo: no answer to %s: %w", data["op"], ctx.Err())
	}
}
