package echo

import (
	"context"
	"encoding/json"
	"sync"

	"github.com/halley-chat/halley/bayeux/client"
)

// session is the time between a sign-in and its end.
type session struct {
	*desk
	c     *client.Client
	ctx   context.Context
	tasks sync.WaitGroup
}

// receive is called with one delivery after the other.
func (s *session) receive(m *client.Message) {
	var p push
	if err := json.Unmarshal(m.Data, &p); err != nil {
		s.log.Warn("echo: a delivery makes no sense", "error", err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch p.Type {
	case "reply":
		s.answered(p.ID, reply{p.OK, p.Error.Code})
	case "resumed":
		for _, id := range p.Left {
			delete(s.chats, id)
		}
		for _, l := range p.Chats {
			s.follow(l)
		}
		s.applyAgent(p.Agent)
		for _, t := range s.chats {
			t.safe, t.mark = t.last, t.last
		}
		s.synced = true
		close(s.changed)
		s.changed = make(chan struct{})
		s.answered(p.ID, reply{ok: true})
		for _, t := range s.chats {
			s.startSending(t)
		}
	case "own":
		for _, e := range p.Events {
			if e.Type == "freed" {
				delete(s.chats, e.Chat)
			}
		}
		s.applyAgent(p.Agent)
	case "chat":
		s.follow(p.chatLog)
	}
}

// answered hands a reply to whoever waits for it. The caller holds mu.
func (s *session) answered(id string, r reply) {
	if waiting, ok := s.replies[id]; ok {
		waiting <- r
		delete(s.replies, id)
	}
}

// applyAgent takes the agent's own state, unless a newer one has overtaken it. The
// caller holds mu.
func (s *session) applyAgent(a *agent) {
	if a == nil || a.Last < s.own {
		return
	}
	s.own = a.Last
	s.ready = a.Presence == "ready"
	clear(s.offers)
	for _, o := range a.Offers {
		s.offers[o.Chat] = o
	}
	if !s.ready || len(s.offers) > 0 {
		s.notify()
	}
}

// follow takes news of a chat. The caller holds mu.
func (s *session) follow(l chatLog) {
	t := s.chats[l.Chat.ID]
	if t == nil {
		t = newChatState(l.Chat.ID, s.me)
		s.chats[t.id] = t
	}
	t.apply(l.Events)
	if t.over {
		delete(s.chats, t.id)
		return
	}
	s.startSending(t)
}

// awaitSync waits until the desk has caught up with the server, and says
// whether the session goes on.
func (s *session) awaitSync() bool {
	for {
		s.mu.Lock()
		synced, changed := s.synced, s.changed
		s.mu.Unlock()
		if synced && s.ctx.Err() == nil {
			return true
		}
		select {
		case <-changed:
		case <-s.ctx.Done():
			return false
		}
	}
}
