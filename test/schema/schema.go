// Package schema holds the shape of the response object of the Chat API
// Version 2 as a JSON schema, for tests to check every answer against.
package schema

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

//go:embed response.schema.json
var source []byte

var compiled = sync.OnceValues(func() (*jsonschema.Schema, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(source))
	if err != nil {
		return nil, err
	}
	const name = "response.schema.json"
	c := jsonschema.NewCompiler()
	if err := c.AddResource(name, doc); err != nil {
		return nil, err
	}
	return c.Compile(name)
})

// Response says what is wrong with a response object, given as JSON: its form,
// and what a schema cannot say, that indexes rise and that nextPosition lies
// beyond them. It is nil if all is well. It may be called from any goroutine.
func Response(body []byte) error {
	s, err := compiled()
	if err != nil {
		return fmt.Errorf("the schema: %w", err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("a response object: %w: %s", err, body)
	}
	if err := s.Validate(v); err != nil {
		return fmt.Errorf("a response object: %w\n%s", err, body)
	}
	var r struct {
		ChatEnded    bool  `json:"chatEnded"`
		NextPosition int64 `json:"nextPosition"`
		Messages     []struct {
			Index *int64 `json:"index"`
		} `json:"messages"`
	}
	if err := json.Unmarshal(body, &r); err != nil {
		return err
	}
	last := int64(0)
	for _, m := range r.Messages {
		switch {
		case m.Index == nil:
		case *m.Index <= last:
			return fmt.Errorf("a response object: index %d after %d\n%s", *m.Index, last, body)
		default:
			last = *m.Index
		}
	}
	// An ended chat shows its last event in any case, and one event alone may
	// therefore lie beyond what the client was told so far.
	if last >= r.NextPosition && !(r.ChatEnded && len(r.Messages) == 1) {
		return fmt.Errorf("a response object: nextPosition %d after index %d\n%s", r.NextPosition, last, body)
	}
	return nil
}

// Event says what is wrong with a single event, as one is pushed to a program.
// It may be called from any goroutine.
func Event(event []byte) error {
	return Value(map[string]any{
		"statusCode": 0, "chatEnded": false, "chatId": "0000000000000001", "userId": "0000000000000001", "alias": "1",
		"messages": []json.RawMessage{event}, "nextPosition": json.Number("9223372036854775807"),
	})
}

// Value is [Response] of a response object that was decoded.
func Value(v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return Response(body)
}
