package gms

import (
	"context"
	"time"

	"github.com/halley-chat/halley/bayeux"
	"github.com/halley-chat/halley/internal/chat"
)

// The values of [binding.backgroundFrom] that are no position.
const (
	noGoodbye  = 0  // the client has not said goodbye to go to the background
	noPosition = -1 // it has, without a position that makes sense
)

// beforeDisconnect sees what clients send before it is acted upon. An app that goes to
// the background says goodbye with the position from which on it wants to be
// told; the session's end follows.
func (e *Edge) beforeDisconnect(_ context.Context, s *bayeux.Session, m *bayeux.Message) error {
	if s == nil || m.Channel != "/meta/disconnect" {
		return nil
	}
	position := m.ExtField("transcriptPosition")
	b, ok := s.Value().(*binding)
	if position == nil || !ok {
		return nil
	}
	from := request{"transcriptPosition": position}.position(noPosition)
	b.backgroundFrom.Store(from)
	return nil
}

// closingUnbind is what the chat is told of a session's end.
func (b *binding) closingUnbind(r bayeux.Reason) chat.Unbind {
	back := b.backgroundFrom.Load()
	switch {
	case r == bayeux.Disconnected && back != noGoodbye:
		return chat.Unbind{Background: true, From: max(back, 0)}
	case r == bayeux.Disconnected:
		return chat.Unbind{}
	default:
		return chat.Unbind{Heard: unheard()}
	}
}

// unheard is when the client of a session that has expired was surely there.
// What was sent since then may be lost.
func unheard() time.Time { return time.Now().Add(-connectTimeout - maxInterval) }
