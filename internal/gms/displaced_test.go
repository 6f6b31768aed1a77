package gms

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/halley-chat/halley/bayeux/bayeuxtest"
	"github.com/halley-chat/halley/internal/chat"
)

// Only the session that was bound last is told; the one before gets nothing
// and no error, and what it still sends is carried out.
func TestOnlyTheLatestSessionIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		old := h.chatting("support")
		now := h.visitor("support", nil)
		now.key = old.key
		if got := now.do("requestNotifications", map[string]any{"transcriptPosition": 1}); len(lines(got...)) != 1 {
			t.Fatalf("%v", got)
		}
		checkDisplaced(t, old.wait())
		anna := h.agent(old.chat, 7, "Anna")
		now.wait()
		// What it sends is shown to it, with what it missed; nothing else is.
		got := old.do("sendMessage", map[string]any{"message": "from the old one"})
		if diff := cmp.Diff([]string{"6 ParticipantJoined Anna", "7 Message Vera: from the old one"}, lines(got...)); diff != "" {
			t.Errorf("the displaced session, of its own line: %s", diff)
		}
		anna(chat.Say{Text: "hello"})
		if diff := cmp.Diff([]string{"7 Message Vera: from the old one", "8 Message Anna: hello"}, lines(now.wait(), now.wait())); diff != "" {
			t.Errorf("the session that listens: %s", diff)
		}
		// And back again.
		if diff := cmp.Diff([]string{"8 Message Anna: hello"}, lines(old.do("requestNotifications", map[string]any{"transcriptPosition": 8})...)); diff != "" {
			t.Errorf("the first session, which listens again: %s", diff)
		}
		checkDisplaced(t, now.wait())
		now.do("sendMessage", map[string]any{"message": "x"})
		if diff := cmp.Diff([]string{"10 Message Vera: x"}, lines(old.wait())); diff != "" {
			t.Errorf("a line of the session that is displaced now: %s", diff)
		}
		anna(chat.Say{Text: "bye"})
		anna(chat.End{})
		n := now.wait()
		if diff := cmp.Diff([]string{"11 Message Anna: bye", "12 ParticipantLeft Anna"}, lines(n)); diff != "" || n["chatEnded"] != true {
			t.Errorf("the end, as told to the displaced session: %s %v", diff, n)
		}
	})
}

// A displaced session may end the chat itself; one that goes leaves the chat to
// whoever listens.
func TestDisplacedSessionLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		for _, op := range []string{"disconnect", ""} {
			old := h.chatting("support")
			now := h.visitor("support", nil)
			now.key = old.key
			now.do("requestNotifications", map[string]any{"transcriptPosition": 1})
			checkDisplaced(t, old.wait())
			if op == "" {
				old.leave()
				time.Sleep(30 * time.Second)
				if s, ok := h.summary(now.chat); !ok || !s.Bound {
					t.Errorf("after the displaced session has gone: got %+v, %v; want a bound visitor", s, ok)
				}
				continue
			}
			got := old.do(op, nil)
			if diff := cmp.Diff([]string{"4 ParticipantLeft Vera"}, lines(got...)); diff != "" || got[0]["chatEnded"] != true {
				t.Errorf("%s of the displaced session: %s %v", op, diff, got)
			}
			if n := now.wait(); n["chatEnded"] != true {
				t.Errorf("the session that listens: got %v, want the end", n)
			}
		}
	})
}

// checkDisplaced checks what a session is told whose chat another one follows
// now.
func checkDisplaced(t testing.TB, n bayeuxtest.Frame) {
	t.Helper()
	if n.At("userData", displacedKey) != "true" || len(lines(n)) != 0 || n["statusCode"] != 0.0 || n["chatEnded"] != false {
		t.Errorf("got %v, want a notification without events that says %s", n, displacedKey)
	}
}
