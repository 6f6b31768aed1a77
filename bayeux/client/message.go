package client

import (
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Message is a message from the server: a delivery or a reply.
type Message struct {
	// Channel is the channel it was sent on.
	Channel string
	// ID is the id of the request that a reply belongs to.
	ID string
	// ClientID is the new session's id, in the reply to a handshake. Whoever
	// knows it can act as the session.
	ClientID string
	// Successful is the outcome that a reply tells; it is always true in the
	// replies that the methods of [Client] return without an error.
	Successful bool
	// Advice is how the server wants to be called; nil if it did not say.
	Advice *Advice
	// Data is the payload of a delivery as raw JSON.
	Data jsontext.Value
	// Ext is the extensions' part as raw JSON; nil if there is none.
	Ext jsontext.Value
	// Fields are all further fields of the message as raw JSON.
	Fields map[string]jsontext.Value
}

// Advice is how a server wants to be called.
type Advice struct {
	// Reconnect is "retry", "handshake" or "none"; empty if it was not said.
	Reconnect string
	// Interval is how long to wait before the next connect, Timeout for how
	// long the server holds one.
	Interval, Timeout time.Duration
	// MaxInterval is how long the server remembers a session that does not
	// connect, beyond Interval; 0 if it was not said.
	MaxInterval time.Duration
}

// wireMessage is a message as it stands on the wire, in both directions.
type wireMessage struct {
	Channel         string                    `json:"channel"`
	ID              jsontext.Value            `json:"id,omitzero"`
	ClientID        string                    `json:"clientId,omitzero"`
	Version         string                    `json:"version,omitzero"`
	MinimumVersion  string                    `json:"minimumVersion,omitzero"`
	ConnectionTypes []string                  `json:"supportedConnectionTypes,omitzero"`
	ConnectionType  string                    `json:"connectionType,omitzero"`
	Subscription    jsontext.Value            `json:"subscription,omitzero"`
	Successful      *bool                     `json:"successful,omitzero"`
	Error           string                    `json:"error,omitzero"`
	Advice          *wireAdvice               `json:"advice,omitzero"`
	Data            jsontext.Value            `json:"data,omitzero"`
	Ext             jsontext.Value            `json:"ext,omitzero"`
	Fields          map[string]jsontext.Value `json:",embed"`
}

// wireAdvice has its times in milliseconds. A request only ever says timeout,
// and says it also when it is zero.
type wireAdvice struct {
	Reconnect   string   `json:"reconnect,omitzero"`
	Interval    *float64 `json:"interval,omitzero"`
	Timeout     *float64 `json:"timeout,omitzero"`
	MaxInterval *float64 `json:"maxInterval,omitzero"`
}

// What a server is taken to mean when its advice leaves something out.
const defaultTimeout = 60 * time.Second

func (a *wireAdvice) advice() *Advice {
	if a == nil {
		return nil
	}
	out := &Advice{Reconnect: a.Reconnect, Timeout: defaultTimeout}
	set := func(to *time.Duration, ms *float64) {
		if ms != nil && *ms >= 0 && *ms < 1e12 {
			*to = time.Duration(*ms * float64(time.Millisecond))
		}
	}
	set(&out.Interval, a.Interval)
	set(&out.Timeout, a.Timeout)
	set(&out.MaxInterval, a.MaxInterval)
	return out
}

// id is the message id as text, whether it came as a string or as a number.
func (w *wireMessage) id() string {
	if w.ID.Kind() != '"' {
		return string(w.ID)
	}
	text, err := jsontext.AppendUnquote(nil, w.ID)
	if err != nil {
		return ""
	}
	return string(text)
}

func (w *wireMessage) message() *Message {
	return &Message{
		Channel: w.Channel, ID: w.id(), ClientID: w.ClientID, Successful: w.Successful != nil && *w.Successful,
		Advice: w.Advice.advice(), Data: w.Data, Ext: w.Ext, Fields: w.Fields,
	}
}

// failure is the error that an unsuccessful reply stands for.
func (w *wireMessage) failure() *Error {
	e := parseError(w.Error)
	e.Channel, e.Advice = w.Channel, w.Advice.advice()
	return e
}

var errEmptyBody = errors.New("bayeux client: the server sent no message")

// What others publish passes through servers as it is, so that this end does
// not refuse what they let pass.
var lenient = json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))

func decode(body []byte) ([]*wireMessage, error) {
	var messages []*wireMessage
	if err := json.Unmarshal(body, &messages, lenient); err != nil {
		return nil, fmt.Errorf("bayeux client: the server sent something that is not an array of messages: %w", err)
	}
	for _, m := range messages {
		if m == nil {
			return nil, errors.New("bayeux client: the server sent null in place of a message")
		}
	}
	if len(messages) == 0 {
		return nil, errEmptyBody
	}
	return messages, nil
}
