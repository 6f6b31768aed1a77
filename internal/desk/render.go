// Station 10 of docs/road.md: it is rendered, for each viewer.

package desk

import (
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/halley-chat/halley/internal/chat"
)

// head is what every entry of a log begins with.
type head struct {
	Index int64  `json:"index"`
	At    millis `json:"at"`
	Type  string `json:"type"`
}

// The entries of an agent's log.
type (
	presenceOwn struct {
		head
		To     chat.Presence `json:"to"`
		Reason string        `json:"reason"`
	}
	offerOwn struct {
		head
		offerShape
	}
	closedOwn struct {
		head
		Chat    chat.ID      `json:"chat"`
		Outcome chat.Outcome `json:"outcome"`
	}
	chatOwn struct {
		head
		Chat chat.ID `json:"chat"`
	}
)

// renderOwn is an entry of an agent's log as a desk sees it; nil for one that
// this version does not know.
func renderOwn(e chat.AgentEvent) any {
	h := head{Index: e.Index, At: millisOf(e.At)}
	as := func(kind string) head { h.Type = kind; return h }
	switch f := e.Fact.(type) {
	case chat.PresenceChanged:
		return presenceOwn{as("presence"), f.To, f.Reason}
	case chat.OfferMade:
		return offerOwn{as("offer-made"), offerOf(f)}
	case chat.OfferClosed:
		return closedOwn{as("offer-closed"), f.Chat, f.Outcome}
	case chat.Assigned:
		return chatOwn{as("assigned"), f.Chat}
	case chat.Freed:
		return chatOwn{as("freed"), f.Chat}
	}
	return nil
}

// The entries of a chat's log. From is missing where the house itself acts.
type (
	chatHead struct {
		head
		From *fromShape `json:"from,omitempty"`
	}
	fromShape struct {
		No    int          `json:"no"`
		Role  chat.Role    `json:"role"`
		Name  string       `json:"name"`
		Staff chat.StaffID `json:"staff,omitzero"`
	}
	joinedEvent struct {
		chatHead
		Data    map[string]string `json:"data,omitempty"`
		Opening *openingShape     `json:"opening,omitempty"`
		Async   bool              `json:"async,omitzero"`
	}
	openingShape struct {
		First string `json:"first"`
		Last  string `json:"last"`
		Email string `json:"email"`
	}
	reasonEvent struct {
		chatHead
		Reason string `json:"reason"`
	}
	saidEvent struct {
		chatHead
		Text        string         `json:"text"`
		MessageType string         `json:"messageType,omitempty"`
		Attributes  jsontext.Value `json:"attributes,omitempty"`
		Audience    chat.Audience  `json:"audience,omitempty"`
		To          []int          `json:"to,omitempty"`
		ID          string         `json:"id,omitempty"`
	}
	typedEvent struct {
		chatHead
		On      bool   `json:"on"`
		Preview string `json:"preview,omitempty"`
	}
	renamedEvent struct {
		chatHead
		Name string `json:"name"`
	}
	pushedEvent struct {
		chatHead
		URL string `json:"url"`
	}
	dataEvent struct {
		chatHead
		Data map[string]string `json:"data"`
	}
	queuedEvent struct {
		chatHead
		Queue string `json:"queue"`
	}
	offeredEvent struct {
		chatHead
		Agent  chat.StaffID `json:"agent"`
		Until  millis       `json:"until"`
		Reason string       `json:"reason"`
	}
	agentEvent struct {
		chatHead
		Agent chat.StaffID `json:"agent"`
	}
	refusedEvent struct {
		chatHead
		Agent  chat.StaffID `json:"agent"`
		Reason string       `json:"reason"`
	}
	awayEvent struct {
		chatHead
		Reason chat.AwayReason `json:"reason,omitempty"`
	}
	endedEvent struct {
		chatHead
		Reason chat.EndReason `json:"reason"`
		By     int            `json:"by"`
	}
)

// view renders a chat's events for one agent. It is fed every event from the
// first on, in order, since who speaks is said by earlier ones.
type view struct {
	me    chat.StaffID
	last  int64       // index of the last event fed
	who   []fromShape // the participants by number, from 1
	gone  bool        // the visitor listens no more
	in    bool        // the agent is in the chat
	until int64       // if not: the last event it may see; 0 if it never was in
}

// feed folds an event in and renders it; nil for one that is not shown.
func (v *view) feed(e chat.Event) any {
	v.last = e.Index
	h := chatHead{head: head{Index: e.Index, At: millisOf(e.At)}}
	as := func(kind string) chatHead { h.Type = kind; return h }
	by := func(kind string, no int) chatHead { h.From = v.from(no); return as(kind) }
	defer v.follow(e)
	switch f := e.Fact.(type) {
	case chat.Joined:
		v.who = append(v.who, fromShape{No: f.No, Role: f.Role, Name: f.Name, Staff: f.Staff})
		if f.Role == chat.RoleHouse {
			return nil // its lines say enough
		}
		return joined(f, by("joined", f.No))
	case chat.Left:
		return reasonEvent{by("left", f.No), string(f.Reason)}
	case chat.Said:
		if !v.sees(f) {
			return nil
		}
		said := saidEvent{
			chatHead: by("said", f.No), Text: f.Text, MessageType: f.Type,
			Attributes: jsontext.Value(f.Attributes), Audience: f.Audience, To: f.Only,
		}
		said.ID = v.ownID(e)
		return said
	case chat.Typed:
		return typedEvent{by("typed", f.No), f.On, e.Preview}
	case chat.Renamed:
		e := renamedEvent{by("renamed", f.No), f.Name}
		v.rename(f)
		return e
	case chat.Pushed:
		return pushedEvent{by("pushed", f.No), f.URL}
	case chat.DataSet:
		return dataEvent{by("data", f.No), f.Data}
	case chat.Shared:
		shape := fileShape{f.File, f.Name, f.Size, f.Type}
		return sharedEvent{by("shared", f.No), shape, f.Description, v.ownID(e)}
	case chat.Unshared:
		return unsharedEvent{by("unshared", f.No), f.File}
	case chat.Queued:
		return queuedEvent{as("queued"), f.Queue}
	case chat.Offered:
		return offeredEvent{as("offered"), f.Agent, millisOf(f.Until), f.Reason}
	case chat.Accepted:
		return agentEvent{as("accepted"), f.Agent}
	case chat.Declined:
		return refusedEvent{as("declined"), f.Agent, f.Reason}
	case chat.Missed:
		return agentEvent{as("missed"), f.Agent}
	case chat.Withdrawn:
		return refusedEvent{as("withdrawn"), f.Agent, f.Reason}
	case chat.Away:
		return awayEvent{as("away"), f.Reason}
	case chat.Bound:
		if v.gone {
			return as("back")
		}
	case chat.Unbound:
		if !v.gone {
			return as("gone")
		}
	case chat.Finished:
		return endedEvent{as("ended"), f.Reason, f.By}
	}
	return feedLife(e.Fact, as, by)
}

// ownID is the id of the command behind an event, if it was the agent's own.
func (v *view) ownID(e chat.Event) string {
	if !strings.HasPrefix(e.Command, "s"+strconv.FormatInt(int64(v.me), 10)+":") {
		return ""
	}
	return e.CommandID()
}

// rename lets a participant go by another name from the next event on.
func (v *view) rename(f chat.Renamed) {
	if f.No >= 1 && f.No <= len(v.who) {
		v.who[f.No-1].Name = f.Name
	}
}

func joined(f chat.Joined, h chatHead) joinedEvent {
	e := joinedEvent{chatHead: h}
	if o := f.Opening; o != nil {
		e.Data, e.Async = o.Data, o.Async
		if o.FirstName != "" || o.LastName != "" || o.Email != "" {
			e.Opening = &openingShape{o.FirstName, o.LastName, o.Email}
		}
	}
	return e
}

// from is the participant as it is called now. It is a copy: events are sent
// together, and a later name must not show in those before it.
func (v *view) from(no int) *fromShape {
	if no < 1 || no > len(v.who) {
		return nil
	}
	who := v.who[no-1]
	return &who
}

// follow keeps what rendering later events, and their end for this agent,
// depends on.
func (v *view) follow(e chat.Event) {
	switch f := e.Fact.(type) {
	case chat.Joined:
		if f.Opening != nil && f.Opening.Channel == "" {
			v.gone = true
		}
		if f.Staff == v.me {
			v.in = true
		}
	case chat.Left:
		if p := v.from(f.No); v.in && p != nil && p.Staff == v.me {
			v.in, v.until = false, e.Index
		}
	case chat.Bound:
		v.gone = false
	case chat.Unbound:
		v.gone = true
	case chat.Queued, chat.Held:
		// What follows at once from the agent's leaving is still its affair.
		if !v.in && v.until == e.Index-1 {
			v.until = e.Index
		}
	case chat.Finished:
		if v.in || v.until != 0 && v.until == e.Index-1 {
			v.in, v.until = false, e.Index
		}
	}
}

// was says whether the agent is or ever was in the chat.
func (v *view) was() bool { return v.in || v.until != 0 }
