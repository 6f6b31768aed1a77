package desk

import (
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/halley-chat/halley/internal/chat"
)

// The entries of a chat's log that tell of its life.
type (
	idleWarnedEvent struct {
		chatHead
		Stage  int    `json:"stage"`
		Text   string `json:"text"`
		Closes millis `json:"closes"`
	}
	textEvent struct {
		chatHead
		Text string `json:"text"`
	}
	noticedEvent struct {
		chatHead
		Text       string         `json:"text"`
		Attributes jsontext.Value `json:"attributes,omitempty"`
	}
)

// feedLife renders an event of a chat's life; nil for one that is not shown.
func feedLife(f chat.Fact, as func(string) chatHead, by func(string, int) chatHead) any {
	switch f := f.(type) {
	case chat.IdleWarned:
		return idleWarnedEvent{by("idle-warned", f.No), f.Stage, f.Text, millisOf(f.Closes)}
	case chat.IdleClosed:
		return textEvent{by("idle-closed", f.No), f.Text}
	case chat.SurveyOffered:
		return pushedEvent{by("survey", f.No), f.URL}
	case chat.Noticed:
		return noticedEvent{by("noticed", f.No), f.Text, jsontext.Value(f.Attributes)}
	case chat.Held:
		return agentEvent{as("held"), f.Agent}
	}
	return nil
}

// sees says whether the agent may see a line: under any of the numbers that it
// has or had in the chat.
func (v *view) sees(f chat.Said) bool {
	if f.Audience != chat.AudiencePrivate {
		return f.For(0)
	}
	return slices.ContainsFunc(v.who, func(p fromShape) bool { return p.Staff == v.me && f.For(p.No) })
}

// audience is for whom a line is that a command says: the participants it
// names, or everybody who belongs to the audience.
func (c command) audience() chat.Audience {
	if len(c.To) > 0 && (c.Audience == chat.AudienceAll || c.Audience == chat.AudiencePrivate) {
		return chat.AudiencePrivate
	}
	return c.Audience
}
