package gms

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/halley-chat/halley/internal/chat"
)

// maxBody is the longest body of a call, in bytes; files have an address of
// their own.
const maxBody = 256 << 10

// keyField is the credential. It must not be there twice, or what was checked
// by one reader might not be what another one uses.
const keyField = "secureKey"

// errForm is what cannot be read at all.
var errForm = chat.Refuse(chat.Invalid, "the request cannot be read")

// readRequest reads the fields of a call: those of its body and, where the
// body has none of the name, those of its query.
func readRequest(w http.ResponseWriter, r *http.Request) (request, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, errForm
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooBig *http.MaxBytesError
	switch {
	case errors.As(err, &tooBig):
		return nil, errTooBig
	case err != nil:
		return nil, errForm
	}
	form, err := readBody(r.Header.Get("Content-Type"), body)
	if err != nil {
		return nil, err
	}
	if err := form.add(query); err != nil {
		return nil, err
	}
	return form.request()
}

// form is what a call brings, before it is put together: single fields, and
// the entries of userData.
type form struct {
	fields request
	data   request
}

// readBody reads a body: JSON if it begins as an object, whatever the header
// says, or a form.
func readBody(contentType string, body []byte) (*form, error) {
	f := &form{fields: make(request), data: make(request)}
	if text := bytes.TrimLeft(body, " \t\r\n"); len(text) > 0 && text[0] == '{' {
		value, ok := repairJSON(text)
		if !ok {
			return nil, errForm
		}
		fields, err := parseRequest(value)
		if err != nil {
			return nil, errForm
		}
		for name, v := range fields {
			if key, ok := dataKey(name); ok {
				f.data[key] = v
			} else {
				f.fields[name] = v
			}
		}
		return f, nil
	}
	kind, parameters, err := mime.ParseMediaType(contentType)
	if err == nil && kind == "multipart/form-data" {
		return f, f.parts(multipart.NewReader(bytes.NewReader(body), parameters["boundary"]))
	}
	values, err := url.ParseQuery(string(bytes.TrimSpace(body)))
	if err != nil {
		return nil, errForm
	}
	return f, f.add(values)
}

// parts reads the parts of a multipart body. A part is a value whatever type
// it claims to have, unless it is a file.
func (f *form) parts(r *multipart.Reader) error {
	values := make(url.Values)
	for {
		part, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			return f.add(values)
		}
		if err != nil {
			return errForm
		}
		b, err := io.ReadAll(part)
		if err != nil {
			return errForm
		}
		if name := part.FormName(); name != "" && part.FileName() == "" {
			values.Add(name, string(b))
		}
	}
}

// add adds the fields that are not there yet.
func (f *form) add(values url.Values) error {
	for name, list := range values {
		name = strings.ToValidUTF8(name, "\uFFFD")
		if _, there := f.fields[name]; name == keyField && (there || len(list) > 1) {
			return errForm
		}
		into := f.fields
		if key, ok := dataKey(name); ok {
			into, name = f.data, key
		}
		if _, there := into[name]; there || len(list) == 0 {
			continue
		}
		v, err := jsontext.AppendQuote(nil, strings.ToValidUTF8(list[0], "\uFFFD"))
		if err != nil {
			return errForm
		}
		into[name] = v
	}
	return nil
}

// dataKey is the key in userData[key].
func dataKey(name string) (string, bool) {
	key, ok := strings.CutPrefix(name, "userData[")
	if !ok {
		return "", false
	}
	return strings.CutSuffix(key, "]")
}

// request puts the fields together, in the shapes that they have over CometD.
func (f *form) request() (request, error) {
	r := f.fields
	if r.text("subject") == "" && r["Subject"] != nil {
		r["subject"] = r["Subject"] // one client writes it so
	}
	for _, name := range []string{"eventAttributes", "userData"} {
		if err := r.unwrap(name); err != nil {
			return nil, err
		}
	}
	if len(f.data) == 0 {
		return r, nil
	}
	if r["userData"].Kind() == '{' {
		whole, err := parseRequest(r["userData"])
		if err != nil {
			return nil, errForm
		}
		for key, v := range f.data {
			whole[key] = v
		}
		f.data = whole
	}
	var b bytes.Buffer
	enc := jsontext.NewEncoder(&b)
	_ = enc.WriteToken(jsontext.BeginObject) // a buffer takes everything
	for key, v := range f.data {
		if err := errors.Join(enc.WriteToken(jsontext.String(key)), enc.WriteValue(v)); err != nil {
			return nil, errForm
		}
	}
	_ = enc.WriteToken(jsontext.EndObject)
	r["userData"] = b.Bytes()
	return r, nil
}

// unwrap replaces a field that holds an object as a string of JSON by the
// object. A string that is empty is as good as none.
func (r request) unwrap(name string) error {
	s, ok := text(r[name])
	if !ok {
		return nil
	}
	if s = strings.TrimSpace(s); s == "" {
		delete(r, name)
		return nil
	}
	v, ok := repairJSON(jsontext.Value(s))
	if !ok || v.Kind() != '{' {
		return chat.Refuse(chat.Invalid, "a field is not an object")
	}
	r[name] = v
	return nil
}
