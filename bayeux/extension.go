package bayeux

import (
	"context"

	"github.com/go-json-experiment/json/jsontext"
)

// Extension looks at whole messages on their way in and out, and may change
// or stop them. Extensions see incoming messages in the order in which they
// are registered, and what goes out in the reverse order (clause 11). A nil
// function is passed over. The functions are called without locks, from many
// goroutines at once.
type Extension struct {
	// Incoming sees every message of a client before anything is decided about
	// it. s is nil for a handshake and for a client that is not known. An error
	// refuses the message: an [*Error] as it is, any other as
	// 404::message_deleted. To add to the reply, use [Message.OnReply].
	Incoming func(ctx context.Context, s *Session, m *Message) error
	// Outgoing sees every message that is about to be delivered, once: s is
	// its receiver, or nil for a broadcast, which is encoded once for all. It
	// returns false to stop it.
	Outgoing func(s *Session, d *Delivery) bool
}

// OnReply calls f when the reply to the message is about to be written, which
// for a held connect is much later. s is the session, nil if there is none.
// What f keeps of m it must have copied.
func (m *Message) OnReply(f func(s *Session, r *Reply)) { m.onReply = append(m.onReply, f) }

// Set replaces a top-level field of the message or adds it; value is raw
// JSON. The fields by which the server finds out whose message it is and what
// it wants cannot be set.
func (m *Message) Set(key string, value jsontext.Value) {
	switch key {
	case "channel", "id", "clientId":
		return
	case "data":
		m.Data = value
	case "ext":
		m.Ext = value
	case "advice":
		m.Advice = value
	case "subscription":
		m.Subscription = value
	}
	m.fields = setField(m.fields, key, value)
}

func setField(fields []field, key string, value jsontext.Value) []field {
	for i := range fields {
		if fields[i].key == key {
			fields[i].value = value
			return fields
		}
	}
	return append(fields, field{key, value})
}

// ExtField is a field of the message's ext as raw JSON; nil if there is none.
func (m *Message) ExtField(key string) jsontext.Value { return objectField(m.Ext, key) }

// Delivery is a message on its way to clients.
type Delivery struct {
	Channel string
	fields  []field // without the channel
}

// NewDelivery makes a message; data is JSON and must not be changed afterwards.
// With an id, and successful set to true or false, it is the answer to a
// remote call (clause 6).
// spec:6.9.1
func NewDelivery(channel string, data jsontext.Value) *Delivery {
	return &Delivery{Channel: channel, fields: []field{{"data", data}}}
}

// Field is a top-level field as raw JSON; nil if there is none.
func (d *Delivery) Field(key string) jsontext.Value {
	for _, f := range d.fields {
		if f.key == key {
			return f.value
		}
	}
	return nil
}

// Set replaces a top-level field or adds it; value is raw JSON and must not be
// changed afterwards. The channel stays, and a clientId is never shown.
func (d *Delivery) Set(key string, value jsontext.Value) {
	if key == "channel" || key == "clientId" {
		return
	}
	d.fields = setField(d.fields, key, value)
}

// append writes the delivery as JSON.
func (d *Delivery) append(b []byte) []byte {
	b = append(b, `{"channel":`...)
	b = appendString(b, d.Channel)
	for _, f := range d.fields {
		b = append(b, ',')
		b = appendString(b, f.key)
		b = append(b, ':')
		b = append(b, f.value...)
	}
	return append(b, '}')
}

// incoming runs the extensions over a message.
// spec:11.7
func (srv *Server) incoming(ctx context.Context, s *Session, m *Message) *Error {
	for i := range srv.opts.Extensions {
		if f := srv.opts.Extensions[i].Incoming; f != nil {
			if err := f(ctx, s, m); err != nil {
				return asError(err, errDeleted)
			}
		}
	}
	return nil
}

// outgoing runs the extensions over a delivery; false means that it goes
// nowhere.
// spec:11.7
func (srv *Server) outgoing(s *Session, d *Delivery) bool {
	for i := len(srv.opts.Extensions) - 1; i >= 0; i-- {
		if f := srv.opts.Extensions[i].Outgoing; f != nil && !f(s, d) {
			return false
		}
	}
	return true
}

// finish lets those who asked for it add to a reply.
func (r *Reply) finish(s *Session) *Reply {
	for i := len(r.onReply) - 1; i >= 0; i-- {
		r.onReply[i](s, r)
	}
	r.onReply = nil
	return r
}

// SetExt adds a field to the reply's ext; value is raw JSON.
func (r *Reply) SetExt(key string, value jsontext.Value) { r.ext = setField(r.ext, key, value) }

// Successful says whether the message was accepted.
func (r *Reply) Successful() bool { return r.err == nil }
