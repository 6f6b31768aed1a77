package schema

import (
	"encoding/json"
	"strings"
	"testing"
)

const (
	event = `{"from":{"nickname":"V","participantId":1,"type":"Client"},"index":4,"type":"Message","utcTime":1760000000000,"text":"t"}`
	good  = `{"statusCode":0,"chatEnded":false,"chatId":"00048AAAAE000001","userId":"0000000000010001","secureKey":"0123456789abcdef","alias":"1","messages":[` + event + `],"nextPosition":5}`
)

// What the schema must refuse is what a client stumbles over.
func TestResponse(t *testing.T) {
	if err := Response([]byte(good)); err != nil {
		t.Fatal(err)
	}
	set := func(key string, v any) func(r, m map[string]any) {
		return func(r, _ map[string]any) {
			if r[key] = v; v == nil {
				delete(r, key)
			}
		}
	}
	inEvent := func(key string, v any) func(r, m map[string]any) {
		return func(_, m map[string]any) {
			if m[key] = v; v == nil {
				delete(m, key)
			}
		}
	}
	failure := []any{map[string]any{"code": 249, "advice": "No."}}
	for name, c := range map[string]struct {
		change func(r, m map[string]any)
		ok     bool
	}{
		"no messages":                {set("messages", nil), false},
		"null messages":              {set("messages", []any(nil)), false},
		"empty messages":             {set("messages", []any{}), true},
		"no chatEnded":               {set("chatEnded", nil), false},
		"no chatId":                  {set("chatId", nil), false},
		"no alias":                   {set("alias", nil), false},
		"an unknown field":           {set("idle", 1), false},
		"a key outside the alphabet": {set("secureKey", "0123456789abcde*"), false},
		"a key after the end":        {set("chatEnded", true), false},
		"a key with a status":        {set("statusCode", 1), false},
		"nextPosition too small":     {set("nextPosition", 4), false},
		"a position as string":       {set("nextPosition", "5"), false},
		"errors although it is done": {set("errors", failure), false},
		"userData that is no string": {set("userData", map[string]any{"a": 1}), false},
		"userData":                   {set("userData", map[string]any{"file-id": "1"}), true},
		"an unknown type":            {inEvent("type", "Bot"), false},
		"no index":                   {inEvent("index", nil), false},
		"an index of 0":              {inEvent("index", 0), false},
		"a time in seconds":          {inEvent("utcTime", 1760000000), false},
		"a message without text":     {inEvent("text", nil), false},
		"attributes as a string":     {inEvent("eventAttributes", "{}"), false},
		"a file without its id":      {inEvent("type", "FileUploaded"), false},
		"limits without values": {func(r, m map[string]any) {
			m["type"], m["text"] = "Notice", "file-client-cfg-get"
		}, false},
		"limits": {func(r, m map[string]any) {
			m["type"], m["text"], m["userData"] = "Notice", "file-client-cfg-get", map[string]any{"upload-max-files": "3"}
			delete(m, "index")
		}, true},
		"the same index twice": {func(r, m map[string]any) { r["messages"] = []any{m, m} }, false},
		"an end without an event": {func(r, m map[string]any) {
			r["chatEnded"], r["messages"] = true, []any{}
			delete(r, "secureKey")
		}, false},
		"an end whose event was not asked for": {func(r, m map[string]any) {
			r["chatEnded"], r["nextPosition"] = true, 1
			delete(r, "secureKey")
		}, true},
		"an end": {func(r, m map[string]any) { r["chatEnded"] = true; delete(r, "secureKey") }, true},
		"a refusal": {func(r, m map[string]any) {
			r["statusCode"], r["errors"], r["messages"] = 2, failure, []any{}
			delete(r, "secureKey")
		}, true},
		"advice with markup": {func(r, m map[string]any) {
			r["statusCode"], r["errors"], r["messages"] = 2, []any{map[string]any{"code": 249, "advice": "<b>No.</b>"}}, []any{}
			delete(r, "secureKey")
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			var r map[string]any
			if err := json.Unmarshal([]byte(good), &r); err != nil {
				t.Fatal(err)
			}
			c.change(r, r["messages"].([]any)[0].(map[string]any))
			if err := Value(r); (err == nil) != c.ok {
				t.Errorf("%s: got %v, want it valid: %v", name, err, c.ok)
			}
		})
	}
}

func TestEvent(t *testing.T) {
	if err := Event([]byte(event)); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{`{}`, `[]`, `x`, strings.Replace(event, "Client", "Robot", 1), strings.Replace(event, `,"text":"t"`, ``, 1)} {
		t.Run(bad, func(t *testing.T) {
			if Event([]byte(bad)) == nil {
				t.Errorf("%s passes", bad)
			}
		})
	}
}
