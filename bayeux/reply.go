// Station 12 of docs/road.md: bytes go out.

package bayeux

import (
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Reply is the answer to one message of a client.
type Reply struct {
	channel      string
	id           jsontext.Value
	subscription jsontext.Value
	clientID     string // handshake only
	err          *Error
	advice       *advice
	extra        []field
	ext          []field
	transports   string // of a handshake, as raw JSON
	lead         bool   // goes ahead of queued messages: a handshake's
	onReply      []func(*Session, *Reply)
}

// Set adds a top-level field to the reply; value is raw JSON. Fields that the
// protocol knows cannot be set.
func (r *Reply) Set(key string, value jsontext.Value) {
	switch key {
	case "channel", "id", "clientId", "successful", "error", "advice", "data", "subscription", "ext",
		"version", "minimumVersion", "supportedConnectionTypes":
		return
	}
	r.extra = setField(r.extra, key, value)
}

// replyTo begins the answer to a message. It shares no memory with it: a
// reply may be written after the body's buffer has gone on to other uses.
// spec:1.3 spec:1.3.2 spec:1.3.4
func replyTo(m *Message) *Reply {
	return &Reply{channel: m.Channel, id: m.ID.Clone(), subscription: m.Subscription.Clone(), onReply: m.onReply}
}

func (r *Reply) fail(e *Error) *Reply {
	r.err = e
	return r
}

// sessionOver completes the reply of a connect whose session has ended (2.5).
// spec:2.5
func (r *Reply) sessionOver(reason Reason) *Reply {
	switch reason {
	case Disconnected, Kicked:
		r.advice = &advice{reconnect: "none", bare: true}
	default:
		r.fail(errUnknownClient)
		r.advice = &advice{reconnect: "handshake", bare: true}
	}
	return r
}

// size is about what the reply takes in memory and on the wire, in bytes.
func (r *Reply) size() int {
	n := 128 + len(r.channel) + len(r.id) + len(r.subscription)
	for _, f := range r.extra {
		n += len(f.key) + len(f.value)
	}
	for _, f := range r.ext {
		n += len(f.key) + len(f.value)
	}
	return n
}

// advice is what the server advises. All members go out together, because a
// client replaces its old advice by the new one as a whole (clause 2.1).
type advice struct {
	reconnect string
	interval  time.Duration
	timeout   time.Duration
	bare      bool // only reconnect and interval: the session is unknown or over
	multiple  bool
}

// spec:2.1
func (a *advice) append(b []byte) []byte {
	b = append(b, `{"reconnect":"`...)
	b = append(b, a.reconnect...)
	b = append(b, `","interval":`...)
	b = strconv.AppendInt(b, a.interval.Milliseconds(), 10)
	if !a.bare {
		b = append(b, `,"timeout":`...)
		b = strconv.AppendInt(b, a.timeout.Milliseconds(), 10)
	}
	if a.multiple {
		b = append(b, `,"multiple-clients":true`...)
	}
	return append(b, '}')
}

func appendObject(b []byte, fields []field) []byte {
	b = append(b, '{')
	for i, f := range fields {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, f.key)
		b = append(b, ':')
		b = append(b, f.value...)
	}
	return append(b, '}')
}

func appendString(b []byte, s string) []byte {
	b, err := jsontext.AppendQuote(b, s)
	if err != nil {
		// Every string that comes here was decoded from valid JSON or made here.
		return append(b, `""`...)
	}
	return b
}

// append writes the reply as JSON.
// spec:1.3 spec:1.3.3 spec:1.3.5 spec:1.3.7 spec:3.2 spec:14.5
func (r *Reply) append(b []byte) []byte {
	b = append(b, '{')
	if r.id != nil {
		b = append(b, `"id":`...)
		b = append(b, r.id...)
		b = append(b, ',')
	}
	if r.channel != "" {
		b = append(b, `"channel":`...)
		b = appendString(b, r.channel)
		b = append(b, ',')
	}
	if r.subscription != nil {
		b = append(b, `"subscription":`...)
		b = append(b, r.subscription...)
		b = append(b, ',')
	}
	if r.clientID != "" {
		b = append(b, `"clientId":`...)
		b = appendString(b, r.clientID)
		b = append(b, ',')
	}
	if r.transports != "" && r.err == nil {
		b = append(b, `"version":"1.0","minimumVersion":"1.0","supportedConnectionTypes":`...)
		b = append(b, r.transports...)
		b = append(b, ',')
	}
	for _, f := range r.extra {
		b = appendString(b, f.key)
		b = append(b, ':')
		b = append(b, f.value...)
		b = append(b, ',')
	}
	if len(r.ext) > 0 {
		b = append(b, `"ext":`...)
		b = appendObject(b, r.ext)
		b = append(b, ',')
	}
	if r.advice != nil {
		b = append(b, `"advice":`...)
		b = r.advice.append(b)
		b = append(b, ',')
	}
	if r.err != nil {
		b = append(b, `"error":`...)
		b = appendString(b, r.err.Error())
		return append(b, `,"successful":false}`...)
	}
	return append(b, `"successful":true}`...)
}

// appendDelivery writes a message for a subscriber or the owner of a session.
func appendDelivery(b []byte, channel string, data []byte) []byte {
	b = append(b, `{"channel":`...)
	b = appendString(b, channel)
	b = append(b, `,"data":`...)
	b = append(b, data...)
	return append(b, '}')
}

// broadcast is a client's message for the subscribers: whatever the client
// sent but its clientId and its id (clause 6). The channel is as published.
// spec:1.3.6 spec:1.4.3 spec:6.8 spec:11.5 spec:12.4
func (m *Message) broadcast() *Delivery {
	d := &Delivery{Channel: m.Channel, fields: make([]field, 0, len(m.fields))}
	for _, f := range m.fields {
		switch f.key {
		case "clientId", "id", "channel", "successful":
		default:
			d.fields = append(d.fields, f)
		}
	}
	return d
}

// The punctuation of an array.
var (
	arrayOpen  = []byte("[")
	arrayComma = []byte(",")
	arrayClose = []byte("]")
)

// arrayParts is appendArray without copying the messages: the parts of the
// array, to be written one after the other, and their size.
// spec:1.1 spec:7.2 spec:13.4
func arrayParts(messages []entry, replies []*Reply) (parts [][]byte, size int) {
	add := func(part []byte) {
		parts = append(parts, part)
		size += len(part)
	}
	element := func(part []byte) {
		if len(parts) > 1 {
			add(arrayComma)
		}
		add(part)
	}
	parts = make([][]byte, 0, 2*(len(messages)+len(replies))+2)
	add(arrayOpen)
	for _, r := range replies {
		if r.lead {
			element(r.append(nil))
		}
	}
	for _, m := range messages {
		element(m.body)
	}
	for _, r := range replies {
		if !r.lead {
			element(r.append(make([]byte, 0, r.size())))
		}
	}
	add(arrayClose)
	return parts, size
}

// appendArray joins encoded messages and replies to one JSON array. Order:
// leading replies, messages, other replies (clause 7.2).
// spec:1.1 spec:7.2 spec:13.4
func appendArray(b []byte, messages []entry, replies []*Reply) []byte {
	b = append(b, '[')
	for _, r := range replies {
		if r.lead {
			b = append(r.append(b), ',')
		}
	}
	for _, m := range messages {
		b = append(append(b, m.body...), ',')
	}
	for _, r := range replies {
		if !r.lead {
			b = append(r.append(b), ',')
		}
	}
	b[len(b)-1] = ']'
	return b
}
