package push_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/push"
)

var refused = &push.Fault{Carrier: chat.CarrierFCM, Verdict: push.Permanent, Status: 400, Code: "INVALID_ARGUMENT"}

// kill opens a chat whose visitor is away and lets so many events in it die.
func (h *fixture) kill(v chat.Device, events int) (chat.ID, []int64) {
	h.t.Helper()
	id := h.chat(v)
	h.unbind(id, "c1")
	h.device.set(func(push.Message) error { return refused })
	var indexes []int64
	for range events {
		indexes = append(indexes, h.say(id, "secret text"))
	}
	h.rest(100 * time.Millisecond)
	return id, indexes
}

// ask is what another process does.
func (h *fixture) ask(want int, ids ...int64) {
	h.t.Helper()
	n, err := h.store.RequestRetry(context.Background(), time.Now(), ids...)
	if err != nil || n != want {
		h.t.Fatalf("asking for %v: got %d, %v, want %d letters", ids, n, err, want)
	}
}

// attempts is how often a chat's device was tried.
func (h *fixture) attempts() int { return len(h.device.seen().tries) }

// What is asked for is sent again, once, in order, and is a dead letter no more;
// the others stay what they are.
func TestSentAgain(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *fixture) {
		a, as := h.kill(phone, 3)
		b, bs := h.kill(phone, 1)
		dead := h.dead() // the latest first
		if len(dead) != 4 {
			t.Fatalf("got %d dead letters, want 4: %v", len(dead), dead)
		}
		h.device.set(nil)
		h.rest(time.Minute)
		same(t, "before anybody asks", []int64(nil), h.device.indexes(0))
		h.ask(2, dead[1].ID, dead[3].ID)
		h.rest(6 * time.Second)
		same(t, "sent again", []int64{as[0], as[2]}, h.device.indexes(a))
		m := h.device.seen().got[0]
		same(t, "the message", push.Message{
			Chat: a, Index: as[0], Type: "chat.Said", Device: phone, Text: push.Text{Title: "Chat", Body: "Neues"}, Keep: 24 * time.Hour,
		}, m)
		same(t, "the other ones", []push.DeadLetter{dead[0], dead[2]}, h.dead())
		h.ask(2)
		h.rest(time.Hour)
		same(t, "all of the one", []int64{as[0], as[2], as[1]}, h.device.indexes(a))
		same(t, "all of the other", bs, h.device.indexes(b))
		same(t, "what is left", []push.DeadLetter(nil), h.dead())
		for _, secret := range []string{"s3cret-token", "secret text", "Anna", "Vera"} {
			if strings.Contains(h.logged.String(), secret) {
				t.Errorf("%q was logged", secret)
			}
		}
	})
}

// What is asked for while no server runs, or when one ends before the carrier
// has taken it, is sent by the next one. What the carrier has taken and the
// store has not noted is not sent twice by the same server.
func TestSentAgainAcrossCrashes(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *fixture) {
		id, indexes := h.kill(phone, 1)
		h.stop()
		h.ask(1)
		h.device.set(func(push.Message) error { return busy })
		h.start()
		h.rest(time.Minute)
		if len(h.dead()) != 1 || h.dead()[0].Asked.IsZero() || h.attempts() < 3 {
			t.Fatalf("%v after %d attempts", h.dead(), h.attempts())
		}
		h.restart()
		h.device.set(nil)
		h.rest(time.Minute)
		same(t, "in the end", indexes, h.device.indexes(id))
		same(t, "what is left", []push.DeadLetter(nil), h.dead())
	})
	inBubble(t, nil, func(t *testing.T, h *fixture) {
		id, indexes := h.kill(phone, 2)
		hold := make(chan struct{})
		h.device.set(nil)
		h.device.mu.Lock()
		h.device.hold = hold
		h.device.mu.Unlock()
		h.ask(2)
		h.rest(6 * time.Second)
		h.store.Break(errors.New("away"))
		close(hold)
		h.rest(time.Minute)
		same(t, "while the store is away", indexes[:1], h.device.indexes(id))
		h.store.Break(nil)
		h.rest(time.Minute)
		same(t, "afterwards", indexes, h.device.indexes(id))
		same(t, "what is left", []push.DeadLetter(nil), h.dead())
		if n := strings.Count(h.logged.String(), "cannot be sent again now"); n != 1 {
			t.Errorf("logged %d times", n)
		}
	})
	// A server that ends just when the carrier has taken it notes that still.
	inBubble(t, nil, func(t *testing.T, h *fixture) {
		id, indexes := h.kill(phone, 1)
		ended := make(chan struct{})
		h.device.set(func(push.Message) error {
			<-ended
			return nil
		})
		h.ask(1)
		h.rest(6 * time.Second)
		go func() {
			time.Sleep(time.Second)
			close(ended)
		}()
		h.restart()
		h.device.set(nil)
		h.rest(time.Minute)
		same(t, "sent", indexes, h.device.indexes(id))
		same(t, "what is left", []push.DeadLetter(nil), h.dead())
	})
}

// A carrier that fails is asked again for an event's time and no longer; what
// stands behind in the same chat waits, and other chats do not.
func TestRetryFails(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *fixture) {
		a, as := h.kill(phone, 2)
		b, bs := h.kill(phone, 1)
		h.device.set(func(m push.Message) error {
			if m.Chat == a && m.Index == as[0] {
				return &push.Fault{Carrier: chat.CarrierFCM, Verdict: push.DeviceTransient, Status: 404}
			}
			return nil
		})
		before := h.attempts()
		h.ask(3)
		h.rest(9 * time.Minute)
		same(t, "of the other chat", bs, h.device.indexes(b))
		same(t, "of the same chat", []int64(nil), h.device.indexes(a))
		h.rest(2 * time.Minute)
		same(t, "of the same chat, then", as[1:], h.device.indexes(a))
		dead := h.dead()
		if len(dead) != 1 {
			t.Fatalf("got %d dead letters, want one: %v", len(dead), dead)
		}
		d, more := dead[0], h.attempts()-before-2
		if d.Index != as[0] || d.Reason != "404" || d.Attempts != 1+more || more < 8 || more > 30 || !d.Asked.IsZero() || time.Since(d.At) > 2*time.Minute {
			t.Errorf("%+v after %d attempts more", d, more)
		}
		h.rest(time.Hour)
		if n := h.attempts() - before - 2; n != more {
			t.Errorf("%d attempts after it was given up", n-more)
		}
		h.ask(1) // has its time anew
		h.rest(5 * time.Minute)
		h.device.set(nil)
		h.rest(2 * time.Minute)
		same(t, "at the second time", as[:1], h.device.indexes(a)[1:])
	})
}

// Who asks again right after a letter was given up again is heard.
func TestRetryRequestedTwice(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *fixture) {
		id, indexes := h.kill(phone, 1)
		h.ask(1)
		for range 100 { // until the moment at which it is given up
			if h.dead()[0].Attempts == 2 {
				break
			}
			h.rest(100 * time.Millisecond)
		}
		h.device.set(nil)
		h.ask(1)
		h.rest(6 * time.Second)
		same(t, "sent", indexes, h.device.indexes(id))
		same(t, "what is left", []push.DeadLetter(nil), h.dead())
	})
}

// While the way is rejected a letter waits as events do.
func TestRetryWhileTheCircuitIsOpen(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *fixture) {
		_, first := h.kill(phone, 1)
		_, second := h.kill(phone, 1)
		h.device.set(func(push.Message) error { return rejected })
		h.ask(2)
		h.rest(7 * time.Minute)
		h.device.set(nil)
		h.rest(2 * time.Minute)
		if got := h.device.indexes(0); len(got) != 2 || len(h.dead()) != 0 {
			t.Errorf("%v of %v and %v was sent, %v left", got, first, second, h.dead())
		}
	})
	inBubble(t, nil, func(t *testing.T, h *fixture) {
		h.kill(phone, 1)
		h.kill(phone, 1)
		h.device.set(func(push.Message) error { return rejected })
		h.ask(2)
		h.rest(12 * time.Minute)
		for _, d := range h.dead() {
			if !d.Asked.IsZero() || d.Reason != "403 PERMISSION_DENIED" {
				t.Errorf("got the dead letter %+v, want it not asked for and with the reason 403 PERMISSION_DENIED", d)
			}
		}
	})
}

// What makes no sense any more is not sent, and says why; a device that is gone
// ends the subscription; what was buried is forgotten.
func TestIneligibleLettersStay(t *testing.T) {
	newPhone := chat.Device{Carrier: chat.CarrierFCM, Token: "new"}
	strange := chat.Device{Carrier: chat.CarrierFCM, Token: "t", Provider: "gone"}
	for why, c := range map[string]struct {
		device chat.Device
		then   func(h *fixture, id chat.ID)
	}{
		"the chat is over":               {phone, func(h *fixture, id chat.ID) { h.do(id, anna, chat.End{}) }},
		"there is no device any more":    {phone, func(h *fixture, id chat.ID) { h.do(id, visitor, chat.Unsubscribe{}) }},
		"another device was named since": {phone, func(h *fixture, id chat.ID) { h.do(id, visitor, chat.Subscribe{Device: newPhone}) }},
		"not configured":                 {strange, func(*fixture, chat.ID) {}},
		"the visitor listens":            {phone, func(h *fixture, id chat.ID) { h.do(id, visitor, chat.Bind{Channel: "c2"}) }},
		"the visitor was back since": {phone, func(h *fixture, id chat.ID) {
			h.do(id, visitor, chat.Bind{Channel: "c2"})
			h.rest(time.Second)
			h.unbind(id, "c2")
		}},
	} {
		t.Run(why, func(t *testing.T) {
			inBubble(t, nil, func(t *testing.T, h *fixture) {
				id, indexes := h.kill(c.device, 1)
				letter := h.dead()[0]
				h.device.set(nil)
				h.rest(time.Second)
				c.then(h, id)
				h.ask(1, letter.ID)
				h.rest(time.Minute)
				for _, index := range h.device.indexes(id) {
					if index == indexes[0] {
						t.Errorf("%s: it was sent", why)
					}
				}
				letter.Reason = why
				dead := h.dead()
				same(t, why, letter, dead[len(dead)-1])
			})
		})
	}

	inBubble(t, nil, func(t *testing.T, h *fixture) {
		id, _ := h.kill(phone, 1)
		h.device.set(func(push.Message) error {
			return &push.Fault{Carrier: chat.CarrierFCM, Verdict: push.UnknownDevice, Status: 404, Code: "UNREGISTERED"}
		})
		h.ask(1)
		h.rest(6 * time.Second)
		if s, _ := h.engine.Board().Get(id); s.Subscribed {
			t.Error("a device that is gone is still subscribed")
		}
		if d := h.dead(); len(d) != 1 || d[0].Reason != "404 UNREGISTERED" || d[0].Attempts != 2 {
			t.Errorf("got the dead letters %v, want one of 404 UNREGISTERED after 2 attempts", d)
		}
	})
	inBubble(t, nil, func(t *testing.T, h *fixture) {
		h.kill(phone, 1)
		h.device.set(func(push.Message) error { return busy })
		h.ask(1)
		h.rest(20 * time.Second)
		if n, err := h.store.Purge(t.Context()); n != 1 || err != nil {
			t.Fatalf("purge: got %d, %v, want one letter", n, err)
		}
		before := h.attempts()
		h.device.set(nil)
		h.rest(time.Hour)
		if n := h.attempts() - before; n != 0 {
			t.Errorf("%d attempts at what was buried", n)
		}
	})
}

// A visitor that may be back in a moment has that moment.
func TestRetryWaitsForTheVisitor(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *fixture) {
		id, indexes := h.kill(phone, 1)
		h.device.set(nil)
		h.do(id, visitor, chat.Bind{Channel: "c2"})
		h.rest(100 * time.Second)
		h.do(id, visitor, chat.Unbind{Channel: "c2", Heard: time.Now().Add(-110 * time.Second)})
		h.ask(1)
		h.rest(7 * time.Second)
		same(t, "at once", []int64(nil), h.device.indexes(id))
		h.rest(10 * time.Second)
		same(t, "when it is away", indexes, h.device.indexes(id))
	})
}
