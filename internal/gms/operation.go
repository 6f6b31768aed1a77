// Station 4 of docs/road.md: an operation becomes a command.

package gms

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/halley-chat/halley/bayeux"
	"github.com/halley-chat/halley/internal/chat"
)

// request is the data of an operation: its top-level fields as raw JSON.
type request map[string]jsontext.Value

// The refusals of data that is no operation: they fail the publish itself.
var (
	errDuplicate = &bayeux.Error{Code: 400, Text: "duplicate_key"}
	errNoObject  = &bayeux.Error{Code: 400, Text: "data_invalid"}
)

// errFields refuses an object within an operation that has a key twice.
var errFields = chat.Refuse(chat.Invalid, "an object has a key twice")

// maxIdentifier bounds what a client may use as the id of a message, in bytes.
const maxIdentifier = 64

// parseRequest reads the fields of an operation: an object in which no key is
// there twice, since one of them is a credential. The values are copies.
func parseRequest(data jsontext.Value) (request, error) {
	if data.Kind() != '{' {
		return nil, errNoObject
	}
	dec := jsontext.NewDecoder(bytes.NewReader(data), jsontext.AllowDuplicateNames(true))
	if _, err := dec.ReadToken(); err != nil {
		return nil, errNoObject
	}
	r := make(request)
	for dec.PeekKind() == '"' {
		t, err := dec.ReadToken()
		if err != nil {
			return nil, errNoObject
		}
		key := t.String()
		v, err := dec.ReadValue()
		if err != nil {
			return nil, errNoObject
		}
		if _, twice := r[key]; twice {
			return nil, errDuplicate
		}
		r[key] = v.Clone()
	}
	return r, nil
}

// text is a field's string; "" if it is missing or something else.
func (r request) text(key string) string {
	s, _ := text(r[key])
	return s
}

func text(v jsontext.Value) (string, bool) {
	if v.Kind() != '"' {
		return "", false
	}
	b, err := jsontext.AppendUnquote(nil, v)
	return string(b), err == nil
}

// position is transcriptPosition, a number or a numeric string: the index of
// the first event wanted. -1 means the last one only; what is missing, 0 or
// unreadable is taken for the value missing.
func (r request) position(missing int64) int64 {
	v := r["transcriptPosition"]
	s, isText := text(v)
	if !isText {
		s = string(v)
	}
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	switch {
	case err != nil || n == 0 || n < -1:
		return missing
	default:
		return n
	}
}

// userData is the field of that name as strings; what is no string stays as
// the JSON it came in.
func (r request) userData() (map[string]string, error) {
	v := r["userData"]
	if v.Kind() != '{' {
		return nil, nil
	}
	fields, err := parseRequest(v)
	if err != nil {
		return nil, errFields
	}
	data := make(map[string]string, len(fields))
	for key, value := range fields {
		if s, ok := text(value); ok {
			data[key] = s
		} else if value.Kind() != 'n' {
			data[key] = string(value)
		}
	}
	return data, nil
}

// attributes are eventAttributes, an object or nothing, and the id under
// "halley-id" by which a client of ours makes a repeated message harmless.
func (r request) attributes() (attributes jsontext.Value, id string, err error) {
	v := r["eventAttributes"]
	if v.Kind() != '{' {
		return nil, "", nil
	}
	fields, err := parseRequest(v)
	if err != nil {
		return nil, "", errFields
	}
	id = fields.text("halley-id")
	if len(id) > maxIdentifier {
		return nil, "", chat.Refuse(chat.Invalid, "the message's id is too long")
	}
	return v, id, nil
}

// opening is the chat that a requestChat asks for, and the id of the request.
func (r request) opening() (chat.Open, string, error) {
	data, err := r.userData()
	if err != nil {
		return chat.Open{}, "", err
	}
	id, err := takeOpeningID(data)
	if err != nil {
		return chat.Open{}, "", err
	}
	device, _ := takeDevice(data)
	o := chat.Open{
		Device: device,
		Name:   cleanName(r.text("nickname")),
		Text:   r.text("text"),
		Opening: chat.Opening{
			Subject: r.text("subject"), FirstName: r.text("firstName"), LastName: r.text("lastName"),
			Email: r.text("emailAddress"), Data: data,
		},
	}
	if blank(o.Text) {
		o.Text = ""
	}
	if o.Name == "" {
		o.Name = cleanName(o.Opening.FirstName + " " + o.Opening.LastName)
	}
	if o.Name == "" {
		o.Name = anonymous
	}
	return o, id, nil
}

// anonymous is what a visitor is called who gave no name.
const anonymous = "Guest"
