// Station 4 of docs/road.md: an operation becomes a command.

package desk

import (
	"context"

	"github.com/halley-chat/halley/internal/chat"
)

// operation is what a desk can ask for.
type operation struct {
	// needsChat says that the command names a chat.
	needsChat bool
	// run carries it out; the error is a refusal. An operation that answers
	// says its success itself.
	run     func(*client, context.Context, command) error
	answers bool
}

// operations are all of them, by name. It is filled below because the operations
// lead back to it through the desk.
var operations map[string]operation

func init() {
	operations = map[string]operation{
		"resume":    {run: (*client).askResume, answers: true},
		"ready":     {run: presence(chat.Ready)},
		"not-ready": {run: presence(chat.NotReady)},
		"open":      {needsChat: true, run: (*client).open, answers: true},

		"accept":  inChat(func(*client, command) chat.Action { return chat.Accept{} }),
		"decline": inChat(func(_ *client, c command) chat.Action { return chat.Decline{Reason: c.Reason} }),
		"leave":   inChat(func(*client, command) chat.Action { return chat.Leave{} }),
		"rejoin":  inChat(func(c *client, _ command) chat.Action { return chat.Rejoin{Capacity: c.capacity()} }),
		"hold":    inChat(func(*client, command) chat.Action { return chat.Hold{} }),
		"end":     inChat(func(*client, command) chat.Action { return chat.End{} }),
		"say": inChat(func(_ *client, c command) chat.Action {
			return chat.Say{Text: c.Text, Attributes: []byte(c.Attributes), Audience: c.audience(), Only: c.To}
		}),
		"notify": inChat(func(_ *client, c command) chat.Action {
			return chat.Notify{Text: c.Text, Attributes: []byte(c.Attributes)}
		}),
		"typing": inChat(func(_ *client, c command) chat.Action { return chat.Type{On: *c.On, Preview: c.Text} }),
	}
}

func presence(to chat.Presence) func(*client, context.Context, command) error {
	return func(c *client, ctx context.Context, cmd command) error { return c.become(ctx, cmd, to) }
}

// inChat is an operation that gives a command to a chat. Whether the agent may is
// for the chat to say.
func inChat(action func(*client, command) chat.Action) operation {
	return operation{needsChat: true, run: func(c *client, ctx context.Context, cmd command) error {
		return c.tell(ctx, cmd, action(c, cmd))
	}}
}

func (c *client) askResume(ctx context.Context, cmd command) error {
	return c.ask(ctx, &ask{resume: &cmd})
}

// capacity is how many chats the agent may have.
func (c *client) capacity() int {
	a, _ := c.d.staff.Account(c.who.Staff)
	return a.Capacity
}
