package app

import (
	"encoding/json"
	"testing"

	"github.com/halley-chat/halley/test/schema"
)

// read decodes a response object of the Chat API, which must have its shape.
func read(t testing.TB, body []byte, into any) {
	t.Helper()
	if err := schema.Response(body); err != nil {
		t.Error(err)
	}
	if err := json.Unmarshal(body, into); err != nil {
		t.Errorf("got the error %v, want an answer that can be read: %s", err, body)
	}
}
