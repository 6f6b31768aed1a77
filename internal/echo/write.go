package echo

import (
	"context"
	"fmt"
)

// write sees to it that somebody works off what is owed to a chat. The caller
// holds mu.
func (s *shift) write(t *talk) {
	if _, owes := t.next(); !owes || s.writing[t.id] || s.ctx.Err() != nil {
		return
	}
	s.writing[t.id] = true
	s.tasks.Go(func() { s.workOff(t.id) })
}

// workOff says what is owed to a chat, one line after the other.
func (s *shift) workOff(chat string) {
	for {
		d, owes := s.nextDebt(chat)
		if !owes {
			return
		}
		if !s.awaitSync() {
			continue // the shift is over
		}
		r, err := s.say(chat, d)
		if err == nil && again(r.code) {
			err = fmt.Errorf("echo: say: %s", r.code)
		}
		if err != nil { // if it was said all the same, the next resume tells
			s.log.Debug("echo: a line is tried again", "chat", chat, "error", err)
			s.pause(retryDelay)
			continue
		}
		s.mu.Lock()
		if t := s.talks[chat]; t != nil && !(r.code == "too-long" && t.shorten(d.command)) {
			t.settle(d.command)
		}
		s.mu.Unlock()
		if !r.ok {
			s.log.Info("echo: a line was refused", "chat", chat, "code", r.code)
		}
	}
}

// nextDebt is what to say next in a chat; if there is nothing, the chat's
// goroutine counts as gone.
func (s *shift) nextDebt(chat string) (debt, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.talks[chat]; t != nil && s.ctx.Err() == nil {
		if d, owes := t.next(); owes {
			return d, true
		}
	}
	delete(s.writing, chat)
	return debt{}, false
}

// again says whether a refused command may succeed later.
func again(code string) bool {
	return code == "unavailable" || code == "conflict" || code == "not-resumed"
}

func (s *shift) say(chat string, d debt) (reply, error) {
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
func (s *shift) command(data map[string]any) (reply, error) {
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
