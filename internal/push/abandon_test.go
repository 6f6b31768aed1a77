package push_test

import (
	"testing"
	"time"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/push"
)

// A chat that its visitor has left to the agents goes on without it: its device
// is told of what came before, and of nothing that comes after.
func TestAbandonedChatIsNotPushed(t *testing.T) {
	inBubble(t, func(o *push.Options) { o.Expiry = 100 * time.Hour }, func(t *testing.T, h *fixture) {
		h.abandon = chat.AbandonStays
		h.restart()
		id := h.chat(phone)
		h.unbind(id, "c1")
		h.device.set(func(push.Message) error { return busy })
		before := h.say(id, "come back")
		left := h.do(id, anna, chat.Leave{}).Events[0].Index
		h.rest(25 * time.Hour) // it has left the chat, which waits
		if s, ok := h.engine.Board().Get(id); !ok || s.Open() || !s.Live() {
			t.Fatalf("got the chat %+v (on the board: %v), want one that is live and waits", s, ok)
		}
		h.do(id, chat.Actor{}, chat.Offer{Agent: 7, Name: "Anna", Role: chat.RoleAgent, Until: time.Now().Add(time.Minute), Capacity: 1000})
		h.do(id, anna, chat.Accept{})
		h.say(id, "nobody is there")
		h.device.set(nil)
		h.rest(time.Hour)
		h.say(id, "nobody at all")
		h.rest(time.Hour)
		same(t, "what the device was told of", []int64{before, left}, h.device.indexes(id))
		if n := h.pusher.Following(); n != 0 {
			t.Errorf("%d chats are followed", n)
		}
		h.restart()
		h.rest(time.Hour)
		same(t, "after a restart", []int64{before, left}, h.device.indexes(id))
	})
}
