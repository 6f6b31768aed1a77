package desk

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
)

const untilLost = DefaultAwayAfter + DefaultReleaseAfter

// wantAgent checks an agent's presence and how many chats it has.
func (h *fixture) wantAgent(when string, want chat.Presence, chats int) {
	h.t.Helper()
	synctest.Wait()
	if s := h.agent(anna); s.Presence != want || len(s.Chats) != chats {
		h.t.Errorf("%s: got %s with %d chats, want %s with %d", when, s.Presence, len(s.Chats), want, chats)
	}
}

// readyWithChat is Anna, ready and in a chat that has waited for a minute.
func (h *fixture) readyWithChat() (*browser, chat.ID) {
	h.t.Helper()
	b := h.signIn("anna")
	b.resume(nil)
	b.must(object{"op": "ready"})
	id := h.open()
	time.Sleep(time.Minute)
	h.offer(id, anna)
	b.must(object{"op": "accept", "chat": id.String()})
	time.Sleep(time.Hour)
	return b, id
}

// An agent whose last desk is gone is not responding after a while, and later its
// chats wait again, in their old places.
func TestAgentWithoutADesk(t *testing.T) {
	inBubble(t, func(h *fixture) {
		b, id := h.readyWithChat()
		opened := h.summary(id).Opened
		b.Disconnect()
		time.Sleep(DefaultAwayAfter - time.Second)
		h.wantAgent("a moment before the agent is away", chat.Ready, 1)
		time.Sleep(2 * time.Second)
		h.wantAgent("when the agent is away", chat.NotResponding, 1)
		time.Sleep(DefaultReleaseAfter - 3*time.Second)
		h.wantAgent("a moment before the agent is lost", chat.NotResponding, 1)
		time.Sleep(3 * time.Second)
		h.wantAgent("when the agent is lost", chat.NotResponding, 0)
		if s := h.summary(id); s.Phase != chat.PhaseWaiting || !s.Waiting.Equal(opened) || s.Prefer != anna || len(s.Excluded) != 0 {
			t.Errorf("its chat: got %+v, want waiting since %v, rather for Anna", s, opened)
		}
		log, err := h.engine.Read(h.t.Context(), id, 6, 10)
		if err != nil || len(log) != 2 {
			t.Fatalf("the chat's log: got %+v, %v", log, err)
		}
		if left, ok := log[0].Fact.(chat.Left); !ok || left.Reason != chat.LeftLost || !log[0].VisibleToVisitor() {
			t.Errorf("got %+v, want that Anna was lost, for the visitor to see", log[0])
		}
		h.reconnect(b.who).resume(nil)
		h.wantAgent("back too late", chat.NotResponding, 0)
	})
}

// An agent who is back in time has lost nothing.
func TestAgentIsBackInTime(t *testing.T) {
	for name, after := range map[string]time.Duration{
		"after a reload of the page":   time.Second,
		"after being away":             DefaultAwayAfter + 2*time.Second,
		"a moment before it is lost":   untilLost - 2*time.Second,
		"after a break of some length": 30 * time.Second,
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(h *fixture) {
				b, _ := h.readyWithChat()
				b.Disconnect()
				time.Sleep(after)
				synctest.Wait()
				h.reconnect(b.who).resume(nil)
				h.wantAgent("back", chat.Ready, 1)
				time.Sleep(2 * untilLost)
				h.wantAgent("much later", chat.Ready, 1)
			})
		})
	}
}

// Only the going of the last desk counts, and only a desk that has resumed.
func TestSeveralDesksOfAnAgent(t *testing.T) {
	inBubble(t, func(h *fixture) {
		b, _ := h.readyWithChat()
		second := h.reconnect(b.who)
		second.resume(nil)
		second.resume(nil) // once more counts once
		h.reconnect(b.who) // not resumed
		b.Disconnect()
		time.Sleep(2 * untilLost)
		h.wantAgent("with one desk left", chat.Ready, 1)
		second.Disconnect()
		time.Sleep(untilLost + 2*time.Second)
		h.wantAgent("with none left", chat.NotResponding, 0)
	})
}

// A desk whose session expires has been silent before, which counts.
func TestSilenceBeforeASessionExpires(t *testing.T) {
	inBubble(t, func(h *fixture) {
		b, _ := h.readyWithChat()
		h.desk.silentFor = DefaultAwayAfter
		h.desk.expired(b.client())
		b.Disconnect()
		time.Sleep(2 * time.Second)
		h.wantAgent("at the expiry", chat.NotResponding, 1)
	})
}

// An agent who was signed out everywhere, by another password.
func TestPasswordChangeDoesNotStrandChats(t *testing.T) {
	inBubble(t, func(h *fixture) {
		_, id := h.readyWithChat()
		if err := otherProcess(h).SetPassword(h.t.Context(), "anna", "another one entirely"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(untilLost + 3*time.Second)
		h.wantAgent("signed out everywhere", chat.NotResponding, 0)
		if s := h.summary(id); s.Phase != chat.PhaseWaiting {
			t.Errorf("its chat: got %s, want waiting", s.Phase)
		}
	})
}

// The store is away when the agent is lost.
func TestAgentIsLostDuringAnOutage(t *testing.T) {
	inBubble(t, func(h *fixture) {
		b, _ := h.readyWithChat()
		h.log.Fail(func(engine.Append) error { return errors.New("the disk is gone") })
		b.Disconnect()
		time.Sleep(untilLost + time.Hour)
		h.wantAgent("during the outage", chat.Ready, 1)
		h.log.Fail(nil)
		time.Sleep(untilLost + 10*time.Second)
		h.wantAgent("after the outage", chat.NotResponding, 0)
	})
}

// A start begins every agent's time anew, and so does a stop of the process.
func TestTimesOfAbsenceBeginAnew(t *testing.T) {
	inBubble(t, func(h *fixture) {
		b, _ := h.readyWithChat()
		b.Disconnect()
		time.Sleep(untilLost - 5*time.Second)
		h.wantAgent("before the start", chat.NotResponding, 1)

		second := New(Options{Engine: h.engine, Staff: h.staff, Logger: slog.New(slog.DiscardHandler)})
		ctx, cancel := context.WithCancel(h.t.Context())
		var work sync.WaitGroup
		work.Go(func() { _ = second.Run(ctx) })
		synctest.Wait()
		cancel()
		work.Wait()
		state := h.agent(anna)
		due := state.Deadline()
		if until := time.Until(due); until != untilLost {
			t.Errorf("after a start: got %v until the agent is lost, want %v", until, untilLost)
		}

		k := newKeeper(h.desk)
		k.due[anna] = due
		k.expected = time.Now().Add(-time.Hour)
		k.step(h.t.Context(), time.Now())
		if until := time.Until(k.due[anna]); until != untilLost {
			t.Errorf("after a stop: got %v until the agent is lost, want %v", until, untilLost)
		}
	})
}
