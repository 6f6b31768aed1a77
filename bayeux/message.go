// Station 2 of docs/road.md: they become messages.

package bayeux

import (
	"bytes"
	"errors"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// Message is one message of a client, decoded strictly: keys match by case,
// and a key that is there twice fails the message (clause 1.4).
type Message struct {
	// Channel is the channel as the client wrote it.
	Channel string
	// ID is the message id as raw JSON, a string or a number; nil if there is
	// none. It is echoed as it came.
	ID jsontext.Value
	// ClientID is the session the message claims to belong to.
	ClientID string
	// Data, Ext, Advice and Subscription are raw JSON, nil if missing. They
	// are only valid during the call that they were handed to.
	Data         jsontext.Value
	Ext          jsontext.Value
	Advice       jsontext.Value
	Subscription jsontext.Value

	fields  []field // every field, in the client's order
	err     *Error  // what is wrong with it, found while decoding
	onReply []func(*Session, *Reply)
}

type field struct {
	key   string
	value jsontext.Value
}

// Field is a top-level field as raw JSON; nil if there is none.
func (m *Message) Field(key string) jsontext.Value {
	for _, f := range m.fields {
		if f.key == key {
			return f.value
		}
	}
	return nil
}

// The ways in which a whole body can be refused.
var (
	errMalformed = errors.New("bayeux: the body is not a JSON message or an array of them")
	errEmpty     = errors.New("bayeux: there is no message in the body")
	errTooMany   = errors.New("bayeux: there are too many messages in the body")
)

// decode reads a body: one message or an array of them (clause 1.1). The
// messages point into body. What is wrong with one of them is noted with that
// message; an error means that the envelope cannot be read.
// spec:1.1 spec:1.4.1 spec:1.4.6 spec:14.13
func decode(body []byte, maxBatch, maxDepth int) (messages []*Message, err error) {
	replaceLoneSurrogates(body)
	// Over a bytes.Buffer the decoder hands out slices of body itself, which
	// stay valid as long as body does.
	dec := jsontext.NewDecoder(bytes.NewBuffer(body), jsontext.AllowDuplicateNames(true))
	switch dec.PeekKind() {
	case '{':
		messages, err = appendMessage(nil, dec, maxDepth)
	case '[':
		messages, err = decodeArray(dec, maxBatch, maxDepth)
	default:
		err = errMalformed
	}
	if err != nil {
		return nil, err
	}
	if rest := bytes.TrimLeft(body[dec.InputOffset():], " \t\r\n"); len(rest) > 0 {
		return nil, errMalformed
	}
	if len(messages) == 0 {
		return nil, errEmpty
	}
	return messages, nil
}

func decodeArray(dec *jsontext.Decoder, maxBatch, maxDepth int) (messages []*Message, err error) {
	if _, err := dec.ReadToken(); err != nil {
		return nil, errMalformed
	}
	for dec.PeekKind() != ']' {
		if len(messages) == maxBatch {
			return nil, errTooMany
		}
		if messages, err = appendMessage(messages, dec, maxDepth); err != nil {
			return nil, err
		}
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, errMalformed
	}
	return messages, nil
}

// appendMessage decodes what comes next. What is no object is a message that
// says nothing.
// spec:1.4.6
func appendMessage(to []*Message, dec *jsontext.Decoder, maxDepth int) ([]*Message, error) {
	m := new(Message)
	if dec.PeekKind() == '{' {
		if err := m.decodeFields(dec, maxDepth); err != nil {
			return nil, err
		}
	} else if _, err := dec.ReadValue(); err != nil {
		return nil, errMalformed
	}
	m.interpret()
	return append(to, m), nil
}

// decodeFields reads an object.
// spec:1.4 spec:14.13
func (m *Message) decodeFields(dec *jsontext.Decoder, maxDepth int) error {
	if _, err := dec.ReadToken(); err != nil {
		return errMalformed
	}
	m.fields = make([]field, 0, 6)
	for dec.PeekKind() != '}' {
		t, err := dec.ReadToken()
		if err != nil {
			return errMalformed
		}
		key := t.String()
		v, err := dec.ReadValue()
		switch {
		case err != nil:
			return errMalformed
		case m.Field(key) != nil:
			m.fail(errDuplicateKey)
		case tooDeep(v, maxDepth-1):
			m.fail(errTooDeep)
		default:
			m.fields = append(m.fields, field{key, v})
		}
	}
	if _, err := dec.ReadToken(); err != nil {
		return errMalformed
	}
	return nil
}

// fail notes what is wrong with the message, unless something is already.
func (m *Message) fail(e *Error) {
	if m.err == nil {
		m.err = e
	}
}

// tooDeep says whether brackets outside of strings nest deeper than limit.
// spec:14.13
func tooDeep(value jsontext.Value, limit int) bool {
	if k := value.Kind(); k != '{' && k != '[' {
		return false
	}
	depth, inString := 0, false
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case inString:
			if c == '\\' {
				i++
			} else if c == '"' {
				inString = false
			}
		case c == '"':
			inString = true
		case c == '{' || c == '[':
			if depth++; depth > limit {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

// interpret fills the fields that the protocol knows and notes what is wrong
// with them.
// spec:1.3.1
func (m *Message) interpret() {
	for _, f := range m.fields {
		if e := m.interpretField(f); e != nil {
			m.fail(e)
		}
	}
	if m.Channel == "" {
		m.fail(errChannelMissing)
	}
}

// interpretField takes one field over; one that is null is not there, unless
// it is data or a subscription.
// spec:1.3.2 spec:1.4.2
func (m *Message) interpretField(f field) (wrong *Error) {
	isNull := f.value.Kind() == 'n'
	switch f.key {
	case "channel":
		m.Channel, _ = unquote(f.value)
	case "data":
		m.Data = f.value
	case "subscription":
		m.Subscription = f.value
	case "clientId":
		s, ok := unquote(f.value)
		if m.ClientID = s; !ok && !isNull {
			return errFieldInvalid
		}
	case "id":
		switch {
		case legalID(f.value):
			m.ID = f.value
		case !isNull:
			return errIDInvalid
		}
	case "ext":
		m.Ext, wrong = objectOrNull(f.value)
	case "advice":
		m.Advice, wrong = objectOrNull(f.value)
	}
	return wrong
}

// objectOrNull is the object that ext or advice must be; nil for null.
// spec:1.4 spec:1.4.2
func objectOrNull(v jsontext.Value) (object jsontext.Value, wrong *Error) {
	switch {
	case v.Kind() == 'n':
		return nil, nil
	case v.Kind() != '{':
		return nil, errFieldInvalid
	case hasDuplicateKeys(v):
		return v, errDuplicateKey
	}
	return v, nil
}

const maxIDLength = 128

// legalID says whether a message id is a number, or a string of the
// characters that the clients use (clause 1.3).
// spec:1.3.2
func legalID(v jsontext.Value) bool {
	if len(v) > maxIDLength+2 {
		return false
	}
	switch v.Kind() {
	case '0':
		return true
	case '"':
		for _, c := range v[1 : len(v)-1] {
			switch {
			case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
			case bytes.IndexByte([]byte("+/=-_.:"), c) >= 0:
			default:
				return false
			}
		}
		return len(v) > 2
	default:
		return false
	}
}

// clientAdvice is the advice that a client sends along with a connect, in
// milliseconds; a negative number means that it did not say.
type clientAdvice struct{ timeout, interval int64 }

// spec:2.3
func (m *Message) clientAdvice() clientAdvice {
	a := clientAdvice{-1, -1}
	eachField(m.Advice, func(key string, v jsontext.Value) bool {
		n, err := strconv.ParseFloat(string(v), 64)
		if err != nil {
			return true // no number
		}
		switch ms := int64(min(max(n, 0), 1e9)); key {
		case "timeout":
			a.timeout = ms
		case "interval":
			a.interval = ms
		}
		return true
	})
	return a
}

// subscriptions are the channels that a subscribe or unsubscribe names.
// spec:6.3 spec:6.5
func (m *Message) subscriptions() ([]string, *Error) {
	switch m.Subscription.Kind() {
	case '"':
		s, _ := unquote(m.Subscription)
		return []string{s}, nil
	case '[':
		dec := jsontext.NewDecoder(bytes.NewReader(m.Subscription))
		if _, err := dec.ReadToken(); err != nil {
			return nil, errSubInvalid
		}
		var names []string
		for dec.PeekKind() == '"' {
			t, err := dec.ReadToken()
			if err != nil {
				return nil, errSubInvalid
			}
			names = append(names, t.String())
		}
		if dec.PeekKind() != ']' {
			return nil, errSubInvalid
		}
		return names, nil
	case 0, 'n':
		return nil, errSubMissing
	default:
		return nil, errSubInvalid
	}
}
