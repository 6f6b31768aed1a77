package echo

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"time"

	"github.com/halley-chat/halley/bayeux/client"
)

// keepReady resumes, becomes ready and accepts offers whenever that is needed.
func (s *session) keepReady() {
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	o := outage{log: s.log}
	for {
		select {
		case <-s.wake:
		case <-ticker.C:
			s.tick()
		case <-s.ctx.Done():
			return
		}
		for s.ctx.Err() == nil {
			data := s.nextCommand()
			if data == nil {
				break
			}
			r, err := s.command(data)
			if r.ok {
				o.end()
				s.applied(data)
				continue
			}
			if data["op"] == "accept" && err == nil && !retryable(r.code) {
				s.log.Debug("echo: offer not accepted", "chat", data["chat"], "code", r.code)
				s.applied(data) // somebody else has it, or there is no room
				continue
			}
			if data["op"] == "resume" && err == nil && !retryable(r.code) {
				s.forget() // what we believe to know cannot be resumed from
			}
			if s.ctx.Err() == nil {
				s.pause(o.failed(data["op"], r.code, err))
			}
		}
	}
}

// outage is a time in which commands fail. Its beginning and its end are
// logged, and the pauses in it grow.
type outage struct {
	log      *slog.Logger
	failures int
}

// failed notes a failure and returns the pause before the next attempt.
func (o *outage) failed(op any, code string, err error) time.Duration {
	o.failures++
	if o.failures == 1 {
		o.log.Warn("echo: command refused, will retry", "op", op, "code", code, "err", err)
	}
	return min(retryDelay<<min(o.failures-1, 10), maxRetryDelay)
}

func (o *outage) end() {
	if o.failures > 0 {
		o.log.Info("echo: commands are accepted again", "failures", o.failures)
	}
	o.failures = 0
}

// nextCommand is the next command to send besides lines; nil if there is none.
func (s *session) nextCommand() map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !s.synced:
		chats := make(map[string]int64, len(s.chats))
		for id, t := range s.chats {
			chats[id] = t.last
			if s.c.Transport() == client.LongPolling {
				chats[id] = t.safe // the responses that came last may have overtaken one that was lost
			}
		}
		return map[string]any{"op": "resume", "id": "resume-" + rand.Text(), "cursor": map[string]any{"own": s.own, "chats": chats}}
	case !s.ready:
		return map[string]any{"op": "ready", "id": "ready-" + rand.Text()}
	}
	for _, o := range s.offers {
		return map[string]any{"op": "accept", "id": fmt.Sprintf("accept-%s-%d", o.Chat, o.Until), "chat": o.Chat}
	}
	return nil
}

func (s *session) tick() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.synced {
		for _, t := range s.chats {
			t.tick()
		}
	}
}

// applied notes that a command has been done; what it led to may have been told
// already.
func (s *session) applied(data map[string]any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch data["op"] {
	case "ready":
		s.ready = true
	case "accept":
		delete(s.offers, data["chat"].(string))
	}
}

func (s *session) pause(d time.Duration) {
	select {
	case <-time.After(d):
	case <-s.ctx.Done():
	}
}
