package gms

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"

	"github.com/halley-chat/halley/internal/chat"
)

// A requestChat may bring the visitor's first line. If it is answered with a
// chat that is there already, the line is said in that chat, once: clients that
// ask again after every loss of their session send the same line each time, and
// it may be the one that the chat was opened with. So the line has a command id,
// made of its text, when a chat is opened with it and when it is said later.

// firstLineID is the command id of a visitor's first line; "" if there is none, or if
// the service opens a new chat every time. Nobody without the server's secret
// can try out texts against it, since the log has them only as they were
// masked.
func (e *Edge) firstLineID(s Service, text string) string {
	if text == "" || !s.OneChatPerBrowser {
		return ""
	}
	mac := hmac.New(sha256.New, e.o.Keys.secret)
	mac.Write([]byte("halley first line 1\n"))
	mac.Write([]byte(text))
	return "line." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:16])
}

// checkFirstLine says whether a first line can be said, before anything is done.
func (s Service) checkFirstLine(text string) error {
	if len(text) > chat.MaxText {
		return chat.Refuse(chat.TooLong, "the text is too long")
	}
	return s.fits(text)
}

// sayLine says the first line of a requestChat in a chat that is there already,
// unless it has been said there.
func (c *call) sayLine(ctx context.Context, s Service, text string) error {
	if text == "" {
		return nil
	}
	_, err := c.edge.o.Engine.Do(ctx, c.chat, chat.Command{ID: c.edge.firstLineID(s, text), By: chat.TheVisitor(), Do: chat.Say{Text: text}})
	return err
}
