package echo

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/halley-chat/halley/bayeux/client"
)

func onBoth(t *testing.T, test func(t *testing.T, transport string)) {
	for _, transport := range []string{client.WebSocket, client.LongPolling} {
		t.Run(transport, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, transport) })
		})
	}
}

func (h *fakeDesk) want(chat string, lines ...string) {
	h.t.Helper()
	time.Sleep(time.Minute) // on the fake clock: long enough for everything that was going on
	if diff := cmp.Diff(lines, h.spokenIn(chat)); diff != "" {
		h.t.Errorf("said in chat %s (-want +got):\n%s", chat, diff)
	}
}

func TestEchoes(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		h := newFakeDesk(t)
		h.offer("A", "before you came")
		dismiss := h.employ(transport)
		h.want("A", greeting, "echo: before you came")
		h.say("A", "one")
		h.say("A", "two")
		h.want("A", greeting, "echo: before you came", "echo: one", "echo: two")
		h.offer("B")
		h.want("B", greeting)

		h.happens("A", "joined", anna, "")
		h.say("A", "for Anna")
		h.happens("A", "left", anna, "")
		h.say("A", "alone again")
		h.want("A", greeting, "echo: before you came", "echo: one", "echo: two", "echo: alone again")
		if h.repeats != 0 {
			t.Errorf("%d commands were repeated without need", h.repeats)
		}

		dismiss()
		if h.presence != "offline" || len(h.cookies) != 0 {
			t.Error("the agent has not signed out")
		}
		h.say("A", "while nobody listens")
		h.employ(transport) // knows nothing of what was before
		h.want("A", greeting, "echo: before you came", "echo: one", "echo: two", "echo: alone again", "echo: while nobody listens")
		if h.repeats != 0 {
			t.Errorf("%d commands were repeated without need", h.repeats)
		}
	})
}

func TestStopsAtTheEnd(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		h := newFakeDesk(t)
		h.offer("A")
		h.employ(transport)
		h.want("A", greeting)
		h.happens("A", "left", echoer, "")
		h.offer("A", "come back")
		h.want("A", greeting, greeting, "echo: come back")
		h.happens("A", "ended", visitor, "")
		h.say("A", "nobody hears that")
		h.want("A", greeting, greeting, "echo: come back")
	})
}

func TestGetsReadyAgain(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		h := newFakeDesk(t)
		h.employ(transport)
		time.Sleep(time.Minute)
		for _, presence := range []string{"not-responding", "not-ready"} {
			h.mu.Lock()
			h.presence = presence
			h.tellOwn()
			h.mu.Unlock()
			time.Sleep(time.Minute)
			h.mu.Lock()
			if h.presence != "ready" {
				t.Errorf("the agent stays %s", h.presence)
			}
			h.mu.Unlock()
		}
	})
}

func TestSignsInAgain(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		h := newFakeDesk(t)
		h.offer("A")
		h.employ(transport)
		h.want("A", greeting)
		h.mu.Lock()
		clear(h.cookies)
		h.mu.Unlock()
		h.restart()
		h.say("A", "are you there?")
		h.want("A", greeting, "echo: are you there?")
		if h.signIns != 2 {
			t.Errorf("%d sign-ins, want 2", h.signIns)
		}
	})
}

func TestRefusedLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newFakeDesk(t)
		err := Run(t.Context(), Options{URL: "http://halley.example", Login: "bot", Password: "wrong", Dial: h.net.Dial})
		if !errors.Is(err, ErrRefused) {
			t.Errorf("Run: %v, want ErrRefused", err)
		}
		for _, opts := range []Options{{}, {URL: "http://a.example"}, {URL: "ws://a.example", Login: "x"}, {URL: "%", Login: "x"}} {
			if err := Run(t.Context(), opts); err == nil {
				t.Errorf("Run(%+v) is content", opts)
			}
		}
	})
}

func TestLongLines(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		h := newFakeDesk(t)
		h.offer("A", strings.Repeat("é", 60), "short")
		h.employ(transport)
		h.want("A", greeting, "echo: "+strings.Repeat("é", 28), "echo: short")
	})
}

func TestRefusals(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		h := newFakeDesk(t)
		busy := 3
		h.refuse = func(op, id string) string {
			switch {
			case op == "say" && strings.HasSuffix(id, "-2"):
				return "invalid"
			case op == "say" && busy > 0:
				busy--
				return "unavailable"
			}
			return ""
		}
		h.offer("A", "cannot be answered", "can")
		h.employ(transport)
		h.want("A", greeting, "echo: can")
		if busy != 0 {
			t.Errorf("the agent gave up too early")
		}
	})
}

// TestExactlyOnce breaks everything at random moments, now and then between a
// deed and its answer, and wants every line answered once and in order.
func TestExactlyOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		h := newFakeDesk(t)
		seed := rand.Uint64()
		r := rand.New(rand.NewPCG(seed, 0))
		t.Logf("seed %d", seed)
		broken := true
		h.refuse = func(string, string) string { // is called with h.mu held
			if broken && r.IntN(12) == 0 {
				return "cut"
			}
			return ""
		}
		dismiss := h.employ(transport)
		const chats, lines = 20, 30
		want := map[string][]string{}
		for i := range chats {
			chat := fmt.Sprint("chat", i)
			want[chat] = []string{greeting}
			h.offer(chat)
		}
		for i := range chats * lines {
			chat := fmt.Sprint("chat", i%chats)
			h.mu.Lock()
			wait, dice := time.Duration(r.IntN(800))*time.Millisecond, r.IntN(40)
			h.mu.Unlock()
			time.Sleep(wait)
			text := fmt.Sprint("line ", i)
			want[chat] = append(want[chat], "echo: "+text)
			h.say(chat, text)
			switch dice {
			case 0:
				h.restart()
			case 1, 2:
				h.cut()
			case 3:
				dismiss()
				dismiss = h.employ(transport)
			}
		}
		h.mu.Lock()
		broken = false
		h.mu.Unlock()
		time.Sleep(5 * time.Minute)
		for chat, lines := range want {
			h.want(chat, lines...)
		}
	})
}
