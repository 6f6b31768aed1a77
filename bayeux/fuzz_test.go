package bayeux

import (
	"bytes"
	"encoding/json"
	"testing"
)

// FuzzDecode feeds arbitrary bodies: nothing panics, what is accepted is a
// message or an array of messages, and what would be published is JSON
// without the sender's clientId and id.
// spec:1.4.1
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`[{"channel":"/meta/handshake","version":"1.0","minimumVersion":"1.0beta","supportedConnectionTypes":["long-polling","callback-polling","iframe","websocket"]}]`,
		"{\n  \"channel\" : \"/meta/connect\",\n  \"clientId\" : \"C\",\n  \"connectionType\" : \"websocket\",\n  \"advice\" : {\"timeout\":10000}\n}",
		`{"channel":"/meta/subscribe","clientId":"C","subscription":["/service/chatV2/S","/a/**"]}`,
		`{"channel":"/service/chatV2/S","data":{"operation":"customNotice","message":"m","secureKey":"K"},"id":"88","clientId":"C"}`,
		`{"channel":"/meta/disconnect","clientId":"C","ext":{"transcriptPosition":"7"}}`,
		`[{"channel":"/a","data":null,"id":1e3,"ext":{"a":1,"a":2}},{"channel":"/a","channel":"/b"}]`,
		`{"channel":"\ud800","data":"\u2028"}`, `[[[[]]]]`, `[{}]`, "[{\"channel\":\"/\xff\"}]",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		messages, err := decode(body, 100, 64)
		if err != nil {
			if messages != nil {
				t.Fatal("messages and an error")
			}
			return
		}
		if !json.Valid(body) || bytes.Contains(bytes.ToLower(body), []byte(`"\ud800"`)) {
			t.Fatalf("accepted what is not JSON, or left a lone surrogate: %q", body)
		}
		for _, m := range messages {
			m.clientAdvice()
			_, _ = m.subscriptions()
			if r := replyTo(m).append(nil); !json.Valid(r) {
				t.Fatalf("the reply is not JSON: %q", r)
			}
			if m.err != nil {
				continue
			}
			b := m.broadcast().append(nil)
			var fields map[string]json.RawMessage
			if err := json.Unmarshal(b, &fields); err != nil {
				t.Fatalf("the broadcast is not JSON: %q", b)
			}
			if _, leaks := fields["clientId"]; leaks {
				t.Fatalf("the broadcast carries the clientId: %q", b)
			}
		}
	})
}

// FuzzChannel checks that an accepted name stays what it is when it is
// normalised again, and that its own patterns are accepted names.
// spec:4.2
func FuzzChannel(f *testing.F) {
	for _, s := range []string{"/a", "/a/b/", " /a ", "/a/*", "/**", "/a//b", "/service/chatV2/customer-support", "/ä"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name, wild, ok := normalChannel(s)
		if !ok {
			return
		}
		again, wildAgain, ok := normalChannel(name)
		if !ok || again != name || wild != wildAgain {
			t.Fatalf("%q became %q and then %q", s, name, again)
		}
		patterns(name, func(p string) bool {
			if _, _, ok := normalChannel(p); !ok && len(p) <= maxChannelLength {
				t.Fatalf("%q is looked up under %q", s, p)
			}
			return true
		})
	})
}
