package gms

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/halley-chat/halley/bayeux/bayeuxtest"
	"github.com/halley-chat/halley/test/schema"
)

// Whatever is published to a service is answered with response objects and
// never with a panic. A other learns no key that it did not bring, nobody
// learns that of another chat, and a refused operation leaves no trace.
func FuzzCometD(f *testing.F) {
	for _, c := range []struct {
		bound         bool
		service, data string
	}{
		{false, "support", `{"operation":"requestChat","nickname":"Vera","userData":{"k":"v","n":5},"text":"x","subject":"s"}`},
		{true, "support", `{"operation":"requestChat","firstName":"Vera","emailAddress":"v@example.org","endpoint":"e"}`},
		{true, "support", `{"operation":"sendMessage","secureKey":"KEY","message":"m","messageType":"text","eventAttributes":{"a":[1,{}],"halley-id":"i"}}`},
		{true, "support", `{"operation":"sendMessage","secureKey":"","message":"m"}`},
		{false, "support", `{"operation":"sendMessage","secureKey":"","message":"m"}`},
		{false, "support", `{"operation":"sendMessage","secureKey":"KEY","message":"\u0000\u2028"}`},
		{false, "support", `{"operation":"requestNotifications","secureKey":"KEY","transcriptPosition":"1","userData":{"push_notification_deviceid":"d","push_notification_type":"fcm"}}`},
		{true, "support", `{"operation":"requestNotifications","secureKey":"KEY","transcriptPosition":-1e3}`},
		{true, "support", `{"operation":"refresh","secureKey":"KEY","transcriptPosition":99999999999999999999,"message":"p"}`},
		{true, "support", `{"operation":"startTyping","secureKey":"KEY","message":"p"}`},
		{true, "support", `{"operation":"stopTyping","secureKey":"KEY"}`},
		{true, "support", `{"operation":"updateNickname","secureKey":"KEY","nickname":"V"}`},
		{true, "support", `{"operation":"updateData","secureKey":"KEY","userData":{"a":"b","a":"c"}}`},
		{true, "support", `{"operation":"pushUrl","secureKey":"KEY","pushUrl":"https://example.org/"}`},
		{true, "support", `{"operation":"customNotice","secureKey":"KEY","message":"n","eventAttributes":{"purpose":"cancel-idle-timer"}}`},
		{true, "support", `{"operation":"readReceipt","secureKey":"KEY","transcriptPosition":2}`},
		{true, "support", `{"operation":"disconnect","secureKey":"KEY"}`},
		{false, "support", `{"operation":"disconnect","secureKey":"KEY","secureKey":"x"}`},
		{false, "nothing", `{"operation":"requestChat"}`},
		{false, "support/x", `{"operation":"refresh","chatId":"CHAT","userId":"","secureKey":"CHAT"}`},
		{false, "support", `{},"successful":true`},
		{false, "support", `{}},{"channel":"/meta/disconnect","clientId":"$"`},
		{false, "support", `[{"operation":5}]`},
		{false, "support", `null`},
	} {
		f.Add(c.bound, c.service, c.data)
	}
	h := open(f)
	f.Fuzz(func(t *testing.T, bound bool, service, data string) {
		h.t = t
		mine, other := h.polling("support"), h.polling("support")
		owner := h.visitor("support", nil)
		owner.key = mine.key
		owner.do("requestNotifications", nil)
		from := owner
		if !bound {
			from = h.visitor("support", nil)
		}
		data = strings.NewReplacer("KEY", mine.key, "CHAT", mine.chat).Replace(data)
		brought := strings.Contains(data, mine.key)
		chats, logs := h.engine.Board().Len(), len(h.events(mine.chat))+len(h.events(other.chat))
		name, err := json.Marshal("/service/chatV2/" + service)
		if err != nil {
			t.Fatal(err)
		}
		// The pipe between them holds nothing, so that somebody has to read while
		// the other one writes.
		frames := reading(from.Socket)
		if !bound {
			reading(owner.Socket)
		}
		from.Send(fmt.Sprintf(`[{"channel":%s,"clientId":"$","id":"fuzz","data":%s}]`, name, data))
		// What comes before the answer to this has come because of the other.
		_ = from.TrySend(`[{"channel":"/meta/connect","clientId":"$","id":"fence","connectionType":"websocket","advice":{"timeout":0}}]`)
		done, refused := false, false
		for answered := false; !answered; {
			b, open := <-frames
			if !open {
				refused = true // the body was no message
				break
			}
			if string(b) == "1011" {
				t.Fatal("something panicked")
			}
			if strings.Contains(string(b), other.key) || !bound && !brought && strings.Contains(string(b), mine.key) {
				t.Fatalf("a key got out: %s", b)
			}
			var list []struct {
				ID         any             `json:"id"`
				Data       json.RawMessage `json:"data"`
				Successful *bool           `json:"successful"`
			}
			if err := json.Unmarshal(b, &list); err != nil {
				t.Fatalf("%v: %s", err, b)
			}
			for _, m := range list {
				answered = answered || m.ID == "fence"
				if m.Data == nil {
					refused = refused || m.ID == "fuzz" && m.Successful != nil && !*m.Successful
					continue
				}
				if err := schema.Response(m.Data); err != nil {
					t.Fatal(err)
				}
				var r struct {
					StatusCode int    `json:"statusCode"`
					ChatID     string `json:"chatId"`
					SecureKey  string `json:"secureKey"`
				}
				if err := json.Unmarshal(m.Data, &r); err != nil {
					t.Fatal(err)
				}
				done, refused = done || r.StatusCode == 0, refused || r.StatusCode != 0
				if r.SecureKey != "" && r.ChatID != mine.chat {
					(&restClient{h: h, service: "support", key: r.SecureKey, chat: r.ChatID}).do("disconnect")
				}
			}
		}
		// Text that is no value can hold messages of its own, a disconnect say.
		if n := len(h.events(mine.chat)) + len(h.events(other.chat)); refused && !done && json.Valid([]byte(data)) && (n != logs || h.engine.Board().Len() != chats) {
			t.Errorf("a refused operation left traces: %d events, now %d", logs, n)
		}
		mine.do("disconnect")
		other.do("disconnect")
	})
}

// reading hands on a socket's frames until it ends; a code of 1011, with which
// a server ends it that has panicked, comes as the last one.
func reading(s *bayeuxtest.Socket) <-chan []byte {
	frames := make(chan []byte, 1000)
	go func() {
		defer close(frames)
		for {
			b, code := s.ReadFrame()
			if code == 1011 {
				frames <- []byte("1011")
			}
			if code != 0 {
				return
			}
			frames <- b
		}
	}()
	return frames
}
