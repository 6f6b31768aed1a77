package gms

import (
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
)

// Where the features of a chat meet.

// An app names its device whenever it asks for events. In a chat that its
// visitor has left to the agents it is still given what is left to read.
func TestDeviceInAnAbandonedChat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		v := h.visitor("stays", nil)
		v.do("requestChat", map[string]any{"nickname": "Vera"})
		v.do("disconnect", nil)
		want := []string{"1 ParticipantJoined Vera", "3 ParticipantLeft Vera"}
		for _, op := range []string{"requestNotifications", "refresh"} {
			n := v.do(op, with(map[string]any{"push_notification_provider": ""}))
			if diff := cmp.Diff(want, lines(n...)); diff != "" || n[0]["statusCode"] != 0.0 || n[0]["chatEnded"] != true {
				t.Errorf("%s: %s %v", op, diff, n)
			}
		}
		p := h.poster("stays")
		p.key, p.chat = v.key, v.chat
		n := p.do("refresh", "transcriptPosition", "1", "userData[push_notification_deviceid]", "phone-1", "userData[push_notification_type]", "fcm")
		if diff := cmp.Diff(want, lines(n)); diff != "" || n["chatEnded"] != true {
			t.Errorf("over REST: %s %v", diff, n)
		}
	})
}
