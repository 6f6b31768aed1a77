package gms

import (
	"encoding/json"

	"github.com/halley-chat/halley/internal/chat"
)

// Script renders the events of one chat in the visitor's words, for whoever
// brings them there by another way than this edge. It is fed the events in
// order and belongs to one goroutine.
type Script struct{ people participants }

// NewScript makes a script for a chat, which begins with the chat's first
// event.
func NewScript() *Script { return &Script{make(participants)} }

// See learns from an event who takes part, and who goes by another name.
func (s *Script) See(e chat.Event) { s.people.observe(e) }

// Render is an event's type, the number of the participant behind it and the
// event itself; ok is false for one that the visitor may not see.
func (s *Script) Render(e chat.Event) (kind string, by int, event json.RawMessage, ok bool) {
	m, ok := s.people.render(e, false)
	if !ok {
		return "", 0, nil, false
	}
	event, err := json.Marshal(m)
	if err != nil {
		return "", 0, nil, false // as in response.encode, which cannot happen
	}
	return m.Type, m.From.ParticipantID, event, true
}

// ForPeople says whether events of a type are meant for people. Those that are
// not have no place on the screen of a phone.
func (s *Script) ForPeople(kind string) bool {
	switch kind {
	case "CustomNotice", "Notice", "FileDeleted":
		return false
	}
	return true
}
