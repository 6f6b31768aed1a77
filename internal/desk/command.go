// Station 4 of docs/road.md: an operation becomes a command.

package desk

import (
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/halley-chat/halley/internal/chat"
)

// maxID is the longest command id in characters.
const maxID = 64

// command is what a desk publishes. Fields that an operation does not use are
// ignored.
type command struct {
	Op     string  `json:"op"`
	ID     string  `json:"id"`
	Chat   string  `json:"chat"`
	Text   string  `json:"text"`
	Reason string  `json:"reason"`
	On     *bool   `json:"on"`
	From   int64   `json:"from"`
	Cursor *cursor `json:"cursor"`

	// Of a line: for whom it is.
	Audience chat.Audience `json:"audience"`
	To       []int         `json:"to"` // participants, by number
	// Attributes is a JSON object for the programs on the other side.
	Attributes jsontext.Value `json:"attributes"`

	chat chat.ID
}

// cursor is how much a desk has seen: the last index of the agent's log and of
// each chat. Only the size of a message bounds how many chats it names; see
// [maxLeftRead].
type cursor struct {
	Own   int64             `json:"own"`
	Chats map[chat.ID]int64 `json:"chats"`
}

var errMalformed = chat.Refuse(chat.Invalid, "the command is not the JSON object it should be")

// decode reads a command strictly: keys match by case and stand there once. If
// it fails, the command holds the id if that at least could be read.
func decode(data jsontext.Value) (command, error) {
	var c command
	err := json.Unmarshal(data, &c)
	named := c.ID != "" && utf8.RuneCountInString(c.ID) <= maxID && len(c.ID) <= chat.MaxCommandID
	switch {
	case err != nil && named:
		return command{ID: c.ID}, errMalformed
	case err != nil:
		return command{}, errMalformed
	case !named:
		return command{}, chat.Refuse(chat.Invalid, "a command has an id of 1 to 64 characters")
	}
	op, ok := operations[c.Op]
	if !ok {
		return c, chat.Refuse(chat.Unknown, "there is no such operation")
	}
	if op.needsChat {
		if c.chat, err = chat.ParseID(c.Chat); err != nil {
			return c, chat.Refuse(chat.Invalid, "the chat is not an id of a chat")
		}
	}
	if c.Op == "typing" && c.On == nil {
		return c, chat.Refuse(chat.Invalid, `typing needs "on"`)
	}
	return c, nil
}
