package visitor

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Event is one event of a chat as the visitor sees it.
type Event struct {
	Index int64  `json:"index"`
	Type  string `json:"type"`
	Time  int64  `json:"utcTime"` // milliseconds since 1970
	Text  string `json:"text"`
	From  Party  `json:"from"`
	// Attributes are the eventAttributes of a message as raw JSON.
	Attributes json.RawMessage `json:"eventAttributes"`
}

// Party is who an event comes from.
type Party struct {
	Nickname string `json:"nickname"`
	Type     string `json:"type"`
	No       int    `json:"participantId"`
}

// The types of events that the harness looks at.
const (
	Joined  = "ParticipantJoined"
	Left    = "ParticipantLeft"
	Message = "Message"
)

// Typing says whether the event is about typing, which has no lasting text and
// is left out of replays after a while.
func (e Event) Typing() bool { return strings.HasPrefix(e.Type, "Typing") }

// ID is the id that the visitor gave the message; empty if there is none.
func (e Event) ID() string {
	var a struct {
		ID string `json:"halley-id"`
	}
	if len(e.Attributes) == 0 || json.Unmarshal(e.Attributes, &a) != nil {
		return ""
	}
	return a.ID
}

// Content is everything that has to be the same whenever and wherever the
// event is shown, as one line.
func (e Event) Content() string {
	text := e.Text
	if e.Typing() {
		text = "" // the preview is shown live only
	}
	return fmt.Sprintf("%d %s by %d %s %q: %q %q", e.Index, e.Type, e.From.No, e.From.Type, e.From.Nickname, text, e.ID())
}

// Lasting are the events that stay: all but typing, by index.
func Lasting(events []Event) []Event {
	return slices.DeleteFunc(slices.Clone(events), Event.Typing)
}

// notification is the object that answers every operation.
type notification struct {
	StatusCode int     `json:"statusCode"`
	ChatEnded  bool    `json:"chatEnded"`
	ChatID     string  `json:"chatId"`
	SecureKey  string  `json:"secureKey"`
	Messages   []Event `json:"messages"`
	Errors     []struct {
		Code   int    `json:"code"`
		Advice string `json:"advice"`
	} `json:"errors"`
}

func (n *notification) refusal() error {
	if len(n.Errors) == 0 {
		return fmt.Errorf("visitor: refused with status %d", n.StatusCode)
	}
	return fmt.Errorf("visitor: refused with status %d, code %d: %s", n.StatusCode, n.Errors[0].Code, n.Errors[0].Advice)
}
