package bayeux_test

import (
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/halley-chat/halley/bayeux"
)

// FuzzBatch has a server process arbitrary bodies of a client whose id stands
// where the body says $. It answers each with one reply for every message, in
// order, or refuses it as a whole; it never shows a clientId but in the reply
// to a handshake, and the session can be used afterwards.
//
// spec:1.2 spec:1.3.3 spec:5.1
func FuzzBatch(f *testing.F) {
	for _, seed := range []string{
		`[{"channel":"/meta/connect","clientId":"$","connectionType":"long-polling","id":"1","advice":{"timeout":0}}]`,
		`[{"channel":"/meta/subscribe","clientId":"$","subscription":["/a","/b/**"],"id":2},{"channel":"/a","clientId":"$","data":{"x":"$"},"id":"3"}]`,
		`{"channel":"/service/chatV2/S","data":{"operation":"customNotice","message":"m","secureKey":"K"},"id":"88","clientId":"$"}`,
		`[{"channel":"/meta/unsubscribe","clientId":"$","subscription":"/a"},{"channel":"/meta/disconnect","clientId":"$"},{"channel":"/a","clientId":"$","data":1}]`,
		`[{"channel":"/meta/handshake","version":"1.0"},{"channel":"/meta/connect","clientId":"$"}]`,
		`{"channel":"/meta/handshake","version":"1.0","minimumVersion":"1.0beta","supportedConnectionTypes":["long-polling","iframe"],"ext":{"ack":true}}`,
		`[{"channel":"/a//b","clientId":"$","data":0},{"channel":"/a/*","clientId":"$","data":null},{"channel":"/meta/none","clientId":"$"},{}]`,
		`[{"channel":"/a","clientId":"x","data":1,"ext":{"a":1,"a":2}},{"channel":"/a","channel":"/b","clientId":"$"}]`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		srv := bayeux.New(bayeux.Options{
			TrustClientID: true, HoldsPerBrowser: -1, Timeout: 1, MaxBatch: 20, Logger: slog.New(slog.DiscardHandler),
			Ack: true, Extensions: []bayeux.Extension{bayeux.Timesync(), bayeux.Timestamp()},
		})
		defer func() { closeServer(t, srv) }()
		ask := func(body string) (int, []frame) {
			w := httptest.NewRecorder()
			srv.ServeHTTP(w, httptest.NewRequest("POST", "/cometd", strings.NewReader(body)))
			var frames []frame
			if w.Code == 200 {
				if err := json.Unmarshal(w.Body.Bytes(), &frames); err != nil || len(frames) == 0 {
					t.Fatalf(`got %v: %s, want err == nil, len(frames) != 0`, err, w.Body)
				}
			}
			return w.Code, frames
		}
		_, hand := ask(`{"channel":"/meta/handshake"}`)
		id := hand[0]["clientId"].(string)
		body = strings.ReplaceAll(body, "$", id)
		status, frames := ask(body)
		switch status {
		case 200:
		case 400, 413:
			frames = nil
		default:
			t.Fatalf("status %d", status)
		}
		replies := 0
		for _, f := range frames {
			if f["clientId"] != nil && (f["channel"] != "/meta/handshake" || f["clientId"] == id) {
				t.Fatalf("a clientId is shown: %v", f)
			}
			if _, delivery := f["data"]; !delivery {
				replies++
			}
		}
		var sent []json.RawMessage
		if json.Unmarshal([]byte(body), &sent) != nil {
			sent = []json.RawMessage{nil}
		}
		if status == 200 && replies != len(sent) {
			t.Fatalf("%d replies to %d messages: %v", replies, len(sent), frames)
		}
		if srv.Session(id) == nil {
			return // it said goodbye
		}
		if _, after := ask(`{"channel":"/service/x","clientId":"` + id + `","id":"after","data":1}`); after[len(after)-1]["id"] != "after" {
			t.Fatalf("the session suffered: %v", after)
		}
	})
}
