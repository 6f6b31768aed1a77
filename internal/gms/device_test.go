package gms

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/test/schema"
)

// facts are those of a kind in a chat's log.
func facts[F chat.Fact](h *fixture, id string) []F {
	h.t.Helper()
	var list []F
	for _, e := range h.events(id) {
		if f, ok := e.Fact.(F); ok {
			list = append(list, f)
		}
	}
	return list
}

var phone = map[string]any{
	"push_notification_deviceid": "phone-1", "push_notification_type": "fcm", "push_notification_language": "de",
	"push_notification_provider": "app", "push_notification_debug": "true",
}

func with(more map[string]any) map[string]any {
	all := map[string]any{}
	for _, m := range []map[string]any{phone, more} {
		for k, v := range m {
			all[k] = v
		}
	}
	return map[string]any{"userData": all}
}

func TestPushSubscription(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		v := h.visitor("support", nil)
		fields := with(map[string]any{"plan": "gold"})
		fields["nickname"] = "Vera"
		got := v.do("requestChat", fields)
		if diff := cmp.Diff([]string{"1 ParticipantJoined Vera"}, lines(got...)); diff != "" {
			t.Error(diff)
		}
		want := chat.Device{Carrier: chat.CarrierFCM, Token: "phone-1", Provider: "app", Language: "de", Debug: true}
		if diff := cmp.Diff([]chat.Subscribed{{Device: want}}, facts[chat.Subscribed](h, v.chat)); diff != "" {
			t.Error(diff)
		}
		// The device is in nobody's data, and in nothing that the visitor is sent.
		if data := facts[chat.Joined](h, v.chat)[0].Opening.Data; cmp.Diff(map[string]string{"plan": "gold"}, data) != "" {
			t.Errorf("userData %v", data)
		}
		if sum, ok := h.summary(v.chat); !ok || !sum.Subscribed {
			t.Errorf("the summary is %+v", sum)
		}

		// Another device; the same again; and by updateData, beside data.
		v.do("requestNotifications", with(map[string]any{"push_notification_deviceid": "phone-2"}))
		v.do("refresh", with(map[string]any{"push_notification_deviceid": "phone-2"}))
		v.do("updateData", with(map[string]any{"push_notification_deviceid": "phone-3", "k": "v"}))
		v.do("updateData", with(map[string]any{"push_notification_deviceid": "phone-4"}))
		var tokens []chat.Token
		for _, f := range facts[chat.Subscribed](h, v.chat) {
			tokens = append(tokens, f.Token)
		}
		if diff := cmp.Diff([]chat.Token{"phone-1", "phone-2", "phone-3", "phone-4"}, tokens); diff != "" {
			t.Error(diff)
		}
		if data := facts[chat.DataSet](h, v.chat); len(data) != 1 || cmp.Diff(map[string]string{"k": "v"}, data[0].Data) != "" {
			t.Errorf("%v", data)
		}
		if b, err := json.Marshal(v.notes); err != nil || strings.Contains(string(b), "phone-") {
			t.Errorf("the visitor was told %s", b)
		}
		got = v.do("sendMessage", map[string]any{"message": "still there"})
		if len(got) != 1 || got[0]["statusCode"] != 0.0 {
			t.Errorf("%v", got)
		}
	})
}

// A device that nobody here can tell is not taken, and the client has its chat
// all the same.
func TestPushIsNotThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		for name, data := range map[string]map[string]any{
			"not configured": {"push_notification_type": "ios"},
			"other provider": {"push_notification_provider": "other"},
			"switched off":   {"push_notification_type": "gcm"},
			"unknown":        {"push_notification_type": "pigeon"},
			"no type":        {"push_notification_type": ""},
			"no device":      {"push_notification_deviceid": ""},
		} {
			before := h.edge.stats.NoDevice.Load()
			v := h.visitor("support", nil)
			got := v.do("requestChat", with(data))
			if len(got) != 1 || got[0]["statusCode"] != 0.0 {
				t.Errorf("%s: %v", name, got)
			}
			if n := len(facts[chat.Subscribed](h, v.chat)); n != 0 || len(facts[chat.Joined](h, v.chat)[0].Opening.Data) != 0 {
				t.Errorf("%s: %d subscriptions", name, n)
			}
			if n := h.edge.stats.NoDevice.Load() - before; n != 1 && name != "no device" {
				t.Errorf("%s: counted %d times", name, n)
			}
		}
		v := h.chatting("support")
		got := v.do("requestNotifications", with(map[string]any{"push_notification_deviceid": strings.Repeat("x", chat.MaxToken+1)}))
		if len(got) != 1 || got[0]["statusCode"] != 2.0 || len(facts[chat.Subscribed](h, v.chat)) != 0 {
			t.Errorf("a device's id that is too long: %v", got)
		}
	})
}

func TestRESTPushSubscription(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		p := h.restClient("support")
		p.do("", "nickname", "Vera", "userData[GCTI_Chat_PushSubscribe]", "true", "userData[GCTI_GMS_PushDeviceId]", "hook-1",
			"userData[GCTI_GMS_PushDeviceType]", "customhttp", "userData[GCTI_GMS_PushIncludePayload]", "true",
			"userData[GCTI_GMS_PushProvider]", "app", "userData[GCTI_GMS_NodeGroup]", "n", "userData[GCTI_GMS_NotifyRequestor]", "r",
			"userData[GCTI_GMS_PushResend]", "true", "userData[plan]", "gold")
		want := chat.Device{Carrier: chat.CarrierHook, Token: "hook-1", Provider: "app", Payload: true}
		if diff := cmp.Diff([]chat.Subscribed{{Device: want}}, facts[chat.Subscribed](h, p.chat)); diff != "" {
			t.Error(diff)
		}
		if data := facts[chat.Joined](h, p.chat)[0].Opening.Data; cmp.Diff(map[string]string{"plan": "gold"}, data) != "" {
			t.Errorf("userData %v", data)
		}
		p.do("updateData", "userData[GCTI_Chat_PushSubscribe]", "false")
		if n := len(facts[chat.Unsubscribed](h, p.chat)); n != 1 || len(facts[chat.DataSet](h, p.chat)) != 0 {
			t.Errorf("%d ends of the subscription", n)
		}
		// A visitor who polls and is told besides may stay silent for a day.
		p.do("refresh", "userData[GCTI_GMS_PushDeviceId]", "hook-2", "userData[GCTI_GMS_PushDeviceType]", "customhttp")
		time.Sleep(23 * time.Hour)
		if sum, live := h.summary(p.chat); !live || !sum.Away {
			t.Errorf("after 23 h: live %v, %+v", live, sum)
		}
		time.Sleep(2 * time.Hour)
		if _, live := h.summary(p.chat); live {
			t.Error("after a day the visitor is still there")
		}
	})
}

// An app that goes to the background says goodbye with a position, and comes
// back as anybody does.
func TestGoingToTheBackground(t *testing.T) {
	for said, from := range map[string]int64{`"3"`: 3, `3`: 3, `"-1"`: 0, `""`: 0, `"soon"`: 0, `99`: 4} {
		synctest.Test(t, func(t *testing.T) {
			h := open(t)
			v := h.visitor("support", nil)
			v.do("requestChat", with(nil))
			v.Send(fmt.Sprintf(`{"channel":"/meta/disconnect","clientId":"$","connectionType":"websocket","ext":{"transcriptPosition":%s}}`, said))
			if f := v.next(); f["channel"] != "/meta/disconnect" || f["successful"] != true {
				t.Fatalf("%v", f)
			}
			synctest.Wait()
			if diff := cmp.Diff([]chat.Away{{Reason: chat.AwayBackground, From: from}}, facts[chat.Away](h, v.chat)); diff != "" {
				t.Errorf("position %s: %s", said, diff)
			}
			time.Sleep(time.Hour)
			w := h.visitor("support", nil)
			w.key = v.key
			if got := w.do("requestNotifications", map[string]any{"transcriptPosition": "1"}); len(got) != 1 || got[0]["chatEnded"] != false {
				t.Errorf("%v", got)
			}
		})
	}
}

// Without a position the goodbye is one like any other, and a connection that
// breaks says since when nobody knows that the visitor was there.
func TestGoodbyes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		v := h.visitor("support", nil)
		v.do("requestChat", with(nil))
		v.Send(`{"channel":"/meta/disconnect","clientId":"$","ext":{"other":1}}`)
		synctest.Wait()
		if diff := cmp.Diff([]chat.Unbound{{Channel: facts[chat.Joined](h, v.chat)[0].Opening.Channel}}, facts[chat.Unbound](h, v.chat)); diff != "" {
			t.Error(diff)
		}
		if n := len(facts[chat.Away](h, v.chat)); n != 0 {
			t.Error("it counts as going to the background")
		}

		w := h.visitor("support", nil)
		w.do("requestChat", with(nil))
		time.Sleep(time.Minute)
		w.Conn.Close()
		time.Sleep(2 * time.Minute)
		gone := facts[chat.Unbound](h, w.chat)
		events := h.events(w.chat)
		if len(gone) != 1 {
			t.Fatalf("%v", gone)
		}
		for _, e := range events {
			if _, ok := e.Fact.(chat.Unbound); ok && e.At.Sub(gone[0].Heard) != connectTimeout+maxInterval {
				t.Errorf("unbound at %v, heard at %v", e.At, gone[0].Heard)
			}
		}

		// Somebody else's or nobody's session: nothing happens.
		x := h.visitor("support", nil)
		x.Send(`{"channel":"/meta/disconnect","clientId":"$","ext":{"transcriptPosition":"1"}}`)
		y := h.visitor("support", nil)
		y.Send(`{"channel":"/meta/disconnect","clientId":"nobody","ext":{"transcriptPosition":"1"}}`)
		if f := y.next(); f["successful"] != false {
			t.Errorf("%v", f)
		}
		if f := x.next(); f["successful"] != true {
			t.Errorf("%v", f)
		}
	})
}

// A script gives what a notification would have.
func TestScript(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		v := h.chatting("support")
		anna := h.agent(v.chat, 7, "Anna")
		anna(chat.Say{Text: "hello", Type: "text"})
		anna(chat.Push{URL: "https://example.org/"})
		v.wait()
		v.wait()
		v.wait()
		var told []any
		for _, n := range v.notes {
			told = append(told, n["messages"].([]any)...)
		}
		s := NewScript()
		var got []any
		for _, e := range h.events(v.chat) {
			s.See(e)
			kind, by, event, ok := s.Render(e)
			if !ok {
				continue
			}
			var m map[string]any
			if err := errors.Join(schema.Event(event), json.Unmarshal(event, &m)); err != nil || m["type"] != kind || m["from"].(map[string]any)["participantId"] != float64(by) || !s.ForPeople(kind) {
				t.Errorf("%s: %s: %v", kind, event, err)
			}
			got = append(got, m)
		}
		if diff := cmp.Diff(told, got); diff != "" {
			t.Error(diff)
		}
		if kind, _, _, ok := s.Render(chat.Event{Fact: chat.Noticed{No: 2, Text: "n"}}); !ok || s.ForPeople(kind) {
			t.Errorf("a %s is for people", kind)
		}
	})
}
