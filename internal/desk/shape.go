package desk

import (
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/staff"
)

// The shapes of docs/desk-api.md. A millis of 0 stands for no time.
type (
	millis int64

	replyShape struct {
		Type  string   `json:"type"`
		ID    string   `json:"id"`
		OK    bool     `json:"ok"`
		Error *refusal `json:"error,omitempty"`
	}
	resumedShape struct {
		Type    string         `json:"type"`
		ID      string         `json:"id"`
		Now     millis         `json:"now"`
		Agent   agentShape     `json:"agent"`
		Own     []any          `json:"own"`
		Chats   []chatShape    `json:"chats"`
		Left    []chat.ID      `json:"left"`
		Omitted []chat.ID      `json:"omitted,omitempty"`
		Waiting jsontext.Value `json:"waiting"`
	}
	ownPush struct {
		Type   string     `json:"type"`
		Agent  agentShape `json:"agent"`
		Events []any      `json:"events"`
	}
	chatPush struct {
		Type   string   `json:"type"`
		ID     string   `json:"id,omitempty"` // of the open that it answers
		Chat   chatInfo `json:"chat"`
		Events []any    `json:"events"`
	}
	waitingPush struct {
		Type    string         `json:"type"`
		Waiting jsontext.Value `json:"waiting"`
	}
	chatShape struct {
		Chat   chatInfo `json:"chat"`
		Events []any    `json:"events"`
	}

	accountShape struct {
		ID       chat.StaffID `json:"id"`
		Login    string       `json:"login"`
		Name     string       `json:"name"`
		Role     staff.Role   `json:"role"`
		Capacity int          `json:"capacity"`
	}
	agentShape struct {
		accountShape
		Presence chat.Presence `json:"presence"`
		Reason   string        `json:"reason"`
		Since    millis        `json:"since"`
		Chats    []chat.ID     `json:"chats"`
		Offers   []offerShape  `json:"offers"`
		Last     int64         `json:"last"`
	}
	offerShape struct {
		Chat    chat.ID `json:"chat"`
		Until   millis  `json:"until"`
		Queue   string  `json:"queue"`
		Name    string  `json:"name"`
		Subject string  `json:"subject"`
		Since   millis  `json:"since"`
		Reason  string  `json:"reason"`
	}
	chatInfo struct {
		ID      chat.ID        `json:"id"`
		Service string         `json:"service"`
		Queue   string         `json:"queue"`
		Phase   chat.Phase     `json:"phase"`
		Name    string         `json:"name"`
		Subject string         `json:"subject"`
		Opened  millis         `json:"opened"`
		Waiting millis         `json:"waiting"`
		Ended   millis         `json:"ended"`
		Away    bool           `json:"away"`
		Agents  []chat.StaffID `json:"agents"`
		// Abandoned is when the visitor left the chat to the agents.
		Abandoned millis `json:"abandoned,omitzero"`
	}
	waitingShape struct {
		ID      chat.ID      `json:"id"`
		Service string       `json:"service"`
		Queue   string       `json:"queue"`
		Name    string       `json:"name"`
		Subject string       `json:"subject"`
		Since   millis       `json:"since"`
		Offered chat.StaffID `json:"offered"`

		Abandoned millis `json:"abandoned,omitzero"`
	}
)

func millisOf(t time.Time) millis {
	if t.IsZero() {
		return 0
	}
	return millis(t.UnixMilli())
}

func accountOf(a staff.Account) accountShape {
	return accountShape{ID: a.ID, Login: a.Login, Name: a.Name, Role: a.Role, Capacity: a.Capacity}
}

func agentOf(a staff.Account, s chat.AgentState) agentShape {
	offers := make([]offerShape, len(s.Offers))
	for i, o := range s.Offers {
		offers[i] = offerOf(o)
	}
	return agentShape{
		accountShape: accountOf(a), Presence: s.Presence, Reason: s.Reason, Since: millisOf(s.Since),
		Chats: s.Chats, Offers: offers, Last: s.Last,
	}
}

func offerOf(o chat.OfferMade) offerShape {
	return offerShape{
		Chat: o.Chat, Until: millisOf(o.Until), Queue: o.Queue, Name: o.Name, Subject: o.Subject,
		Since: millisOf(o.Since), Reason: o.Reason,
	}
}

func infoOf(s chat.Summary) chatInfo {
	return chatInfo{
		ID: s.Chat, Service: s.Service, Queue: s.Queue, Phase: s.Phase, Name: s.Name, Subject: s.Subject,
		Opened: millisOf(s.Opened), Waiting: millisOf(s.Waiting), Ended: millisOf(s.Ended), Away: s.Away, Agents: s.Agents,
		Abandoned: millisOf(s.Abandoned),
	}
}

// encode writes a shape. It cannot fail but by a mistake in this package: all
// text comes from the log, which takes UTF-8 only, and attributes were valid
// JSON when they were stored; that they may hold a key twice is their
// sender's affair.
func encode(v any) (jsontext.Value, error) {
	b, err := json.Marshal(v, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true), json.FormatNilSliceAsNull(false), json.Deterministic(true))
	return b, err
}
