// Station 10 of docs/road.md: it is rendered, for each viewer.

package gms

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
)

// response is the object that answers every operation and carries every
// notification.
type response struct {
	StatusCode   int       `json:"statusCode"`
	ChatEnded    bool      `json:"chatEnded"`
	ChatID       string    `json:"chatId"`
	UserID       string    `json:"userId"`
	SecureKey    string    `json:"secureKey,omitempty"`
	Alias        string    `json:"alias"`
	Messages     []message `json:"messages"`
	NextPosition int64     `json:"nextPosition"`
	Errors       []failure `json:"errors,omitempty"`

	UserData        map[string]string `json:"userData,omitempty"`
	IdleTimerExpire *int64            `json:"idleTimerExpire,omitempty"` // seconds
}

// message is one event as a visitor sees it.
type message struct {
	From            party           `json:"from"`
	Index           int64           `json:"index,omitzero"`
	Type            string          `json:"type"`
	UTCTime         int64           `json:"utcTime"`
	Text            *string         `json:"text,omitempty"`
	MessageType     string          `json:"messageType,omitempty"`
	EventAttributes json.RawMessage `json:"eventAttributes,omitempty"`

	UserData map[string]string `json:"userData,omitempty"`
}

type party struct {
	Nickname      string `json:"nickname"`
	ParticipantID int    `json:"participantId"`
	Type          string `json:"type"`
}

var partyTypes = map[chat.Role]string{
	chat.RoleVisitor: "Client", chat.RoleAgent: "Agent", chat.RoleSupervisor: "Supervisor", chat.RoleBot: "External",
	chat.RoleHouse: "External",
}

// alias names the server that serves a chat; every node answers for every
// chat, so there is one name.
const alias = "1"

// userID is the participant's id on the wire: hexadecimal, as Genesys'.
func userID(id chat.ID, no int) string {
	return fmt.Sprintf("%012X%04X", uint64(id)&(1<<48-1), no)
}

// participants are who takes part in a chat, by number, as told by its joins and changes
// of name.
type participants map[int]party

// begin takes up whoever was in the chat before a batch that begins a watch.
func (c participants) begin(batch engine.Batch) {
	start := batch.Summary.Last + 1
	if len(batch.Events) > 0 {
		start = batch.Events[0].Index
	}
	for _, p := range batch.Summary.Participants {
		if p.Joined < start {
			c[p.No] = party{Nickname: p.NameAt(start), ParticipantID: p.No, Type: partyTypes[p.Role]}
		}
	}
}

// observe takes up what an event says about who is in the chat.
func (c participants) observe(e chat.Event) {
	switch f := e.Fact.(type) {
	case chat.Joined:
		c[f.No] = party{Nickname: f.Name, ParticipantID: f.No, Type: partyTypes[f.Role]}
	case chat.Renamed:
		p := c[f.No]
		p.Nickname = f.Name
		c[f.No] = p
	}
}

// render is the event in the visitor's words; ok is false for one that the
// visitor may not see. previews says whether the visitor sees what agents are
// typing; that they type is always shown.
func (c participants) render(e chat.Event, previews bool) (m message, ok bool) {
	if !e.VisibleToVisitor() {
		return message{}, false
	}
	m = message{Index: e.Index, UTCTime: e.At.UnixMilli()}
	switch f := e.Fact.(type) {
	case chat.Joined:
		m.Type, m.From = "ParticipantJoined", c[f.No]
	case chat.Left:
		m.Type, m.From = "ParticipantLeft", c[f.No]
	case chat.Said:
		m.Type, m.From, m.Text = "Message", c[f.No], &f.Text
		m.MessageType, m.EventAttributes = f.Type, f.Attributes
	case chat.Typed:
		m.From, m.Type = c[f.No], typingStopped
		if f.On {
			m.Type = typingStarted
		}
		if e.Preview != "" && (previews || f.No == chat.VisitorNo) {
			m.Text = &e.Preview
		}
	case chat.Renamed:
		m.Type, m.From = "NicknameUpdated", c[f.No]
	case chat.Pushed:
		m.Type, m.From, m.Text = "PushUrl", c[f.No], &f.URL
	case chat.Noticed:
		m.Type, m.From, m.Text, m.EventAttributes = "CustomNotice", c[f.No], &f.Text, f.Attributes
	case chat.Shared:
		m.Type, m.From = "FileUploaded", c[f.No]
		m.UserData = map[string]string{"file-id": string(f.File), "file-name": f.Name, "file-size": strconv.FormatInt(f.Size, 10)}
	case chat.Unshared:
		m.Type, m.From, m.UserData = "FileDeleted", c[f.No], map[string]string{"file-id": string(f.File)}
	default:
		return m, c.renderLife(f, e.At, &m)
	}
	return m, true
}

// typing says whether the message tells of typing.
func (m message) typing() bool { return m.Type == typingStarted || m.Type == typingStopped }

// stale says whether the message is left out of what is told later.
func (m message) stale(now time.Time) bool {
	return m.typing() && now.Sub(time.UnixMilli(m.UTCTime)) > chat.TypingAge
}

const (
	typingStarted = "TypingStarted"
	typingStopped = "TypingStopped"
)
