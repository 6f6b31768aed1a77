package bayeux

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

// eachField calls f with the top-level fields of an object until it returns
// false. It does nothing for any other value.
func eachField(object jsontext.Value, f func(key string, value jsontext.Value) bool) {
	if object.Kind() != '{' {
		return
	}
	dec := jsontext.NewDecoder(bytes.NewBuffer(object), jsontext.AllowDuplicateNames(true))
	if _, err := dec.ReadToken(); err != nil {
		return
	}
	for dec.PeekKind() == '"' {
		t, err := dec.ReadToken()
		if err != nil {
			return
		}
		key := t.String()
		v, err := dec.ReadValue()
		if err != nil || !f(key, v) {
			return
		}
	}
}

// objectField is one field of an object as raw JSON; nil if there is none.
func objectField(object jsontext.Value, key string) (value jsontext.Value) {
	eachField(object, func(k string, v jsontext.Value) bool {
		if k == key {
			value = v
		}
		return value == nil
	})
	return value
}

// hasDuplicateKeys says whether an object has a key twice at its top level.
func hasDuplicateKeys(object jsontext.Value) (twice bool) {
	var few [8]string
	seen := few[:0]
	var many map[string]struct{}
	eachField(object, func(key string, _ jsontext.Value) bool {
		if many == nil && len(seen) == cap(few[:]) {
			many = make(map[string]struct{}, 16)
			for _, k := range seen {
				many[k] = struct{}{}
			}
		}
		if many != nil {
			_, twice = many[key]
			many[key] = struct{}{}
			return !twice
		}
		for _, k := range seen {
			twice = twice || k == key
		}
		seen = append(seen, key)
		return !twice
	})
	return twice
}

// unquote is the text of a JSON string; ok is false for any other value.
func unquote(v jsontext.Value) (s string, ok bool) {
	if v.Kind() != '"' {
		return "", false
	}
	b, err := jsontext.AppendUnquote(nil, v)
	return string(b), err == nil
}
