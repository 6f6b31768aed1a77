package desk

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
)

var errDisk = errors.New("the disk is gone")

func TestStoreFails(t *testing.T) {
	inBubble(t, func(h *fixture) {
		b := h.signIn("anna")
		b.resume(nil)
		id := h.taken(b)
		h.log.Fail(func(engine.Append) error { return errDisk })
		say := object{"op": "say", "chat": id.String(), "text": "Hello", "id": "once"}
		if code := b.code(say); code != "unavailable" {
			t.Errorf("a line says %q", code)
		}
		if code := b.code(object{"op": "ready"}); code != "unavailable" {
			t.Errorf("ready says %q", code)
		}
		h.log.Fail(nil)
		if diff := cmp.Diff([]string{"6 said"}, events(b.must(say), id)); diff != "" {
			t.Errorf("the same line again (-want +got)\n%s", diff)
		}
	})
}

// The store can be written but not read when the agent is given a chat and
// when it loses one: both are shown when it can be read again.
func TestReadsFail(t *testing.T) {
	inBubble(t, func(h *fixture) {
		b := h.signIn("anna")
		b.resume(nil)
		id := h.taken(b)
		second := h.open()
		h.offer(second, anna)
		h.log.FailReads(func(engine.LogID) error { return errDisk })
		h.do(second, chat.Staff(anna), chat.Accept{})
		h.do(id, chat.TheVisitor(), chat.End{})
		time.Sleep(10 * time.Second)
		b.settled()
		h.log.FailReads(nil)
		h.say(second, "Hello?")
		time.Sleep(20 * time.Second)
		got := b.settled()
		if shown := events(got, second); len(shown) < 1 || shown[len(shown)-1] != "6 said" {
			t.Errorf("of the new chat it was shown %v", shown)
		}
		h.say(second, "Hello??")
		if diff := cmp.Diff([]string{"7 said"}, events(b.settled(), second)); diff != "" {
			t.Errorf("and then (-want +got)\n%s", diff)
		}
	})
}

// A desk that reads too slowly is given up as soon as its session says so, and
// its watches end with it.
func TestSlowDesk(t *testing.T) {
	inBubble(t, func(h *fixture) {
		b := h.signIn("anna")
		b.resume(nil)
		id := h.taken(b)
		b.mu.Lock()
		b.full = true
		b.mu.Unlock()
		h.say(id, "one too many")
		synctest.Wait()
		if n := len(h.desk.all()); n != 0 {
			t.Errorf("%d desks are left", n)
		}
		c := b.client()
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.own != nil || len(c.chats) != 0 || c.ctx.Err() == nil {
			t.Error("its watches are still open")
		}
	})
}

// A desk whose goroutine cannot keep up drops batches and reads the logs
// instead: what it is shown in the end is complete and in order.
func TestLostBatches(t *testing.T) {
	inBubble(t, func(h *fixture) {
		b := h.signIn("anna")
		b.resume(nil)
		id := h.taken(b)
		b.settled()
		gate := make(chan struct{})
		b.mu.Lock()
		b.gate = gate
		b.mu.Unlock()
		const lines = 2*maxInbox + 100
		var want []string
		for i := range lines {
			h.say(id, "again")
			want = append(want, fmt.Sprint(i+6, " said"))
		}
		h.do(id, chat.TheVisitor(), chat.End{})
		want = append(want, fmt.Sprint(lines+6, " left"), fmt.Sprint(lines+7, " ended"))
		second := h.open()
		h.offer(second, anna)
		h.do(second, chat.Staff(anna), chat.Accept{})
		synctest.Wait()
		b.mu.Lock()
		b.gate = nil
		b.mu.Unlock()
		close(gate)
		time.Sleep(5 * time.Second)
		got := b.settled()
		if diff := cmp.Diff(want, events(got, id)); diff != "" {
			t.Errorf("(-want +got)\n%.2000s", diff)
		}
		if n := len(events(got, second)); n != 5 {
			t.Errorf("the other chat was shown with %d events", n)
		}
		h.say(second, "Hello")
		if diff := cmp.Diff([]string{"6 said"}, events(b.settled(), second)); diff != "" {
			t.Errorf("and then (-want +got)\n%s", diff)
		}
	})
}

// A chat that the agent is given and loses before its desk looks is shown
// nevertheless.
func TestCameAndWent(t *testing.T) {
	inBubble(t, func(h *fixture) {
		b := h.signIn("anna")
		b.resume(nil)
		b.settled()
		gate := make(chan struct{})
		b.mu.Lock()
		b.gate = gate
		b.mu.Unlock()
		if _, err := h.engine.DoAgent(h.t.Context(), anna, chat.AgentCommand{To: chat.Ready}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // the desk's goroutine waits at the gate
		id := h.open()
		h.offer(id, anna)
		h.do(id, chat.Staff(anna), chat.Accept{})
		h.do(id, chat.TheVisitor(), chat.Say{Text: "Bye"})
		h.do(id, chat.TheVisitor(), chat.End{})
		close(gate)
		time.Sleep(5 * time.Second)
		want := []string{"1 joined", "2 queued", "3 offered", "4 accepted", "5 joined", "6 said", "7 left", "8 ended"}
		if diff := cmp.Diff(want, events(b.settled(), id)); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	})
}

func TestSignInEnds(t *testing.T) {
	inBubble(t, func(h *fixture) {
		b := h.signIn("anna")
		b.resume(nil)
		time.Sleep(time.Until(b.who.Expires) - time.Second)
		synctest.Wait()
		if b.ended() {
			t.Fatal("it was thrown out early")
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if !b.ended() {
			t.Error("it is still there after its sign-in has ended")
		}
	})
}

// Disabled, or given another password, beside the running server.
func TestThrownOut(t *testing.T) {
	for name, act := range map[string]func(ctx context.Context, h *fixture) error{
		"disable": func(ctx context.Context, h *fixture) error { return otherProcess(h).Disable(ctx, "anna") },
		"passwd": func(ctx context.Context, h *fixture) error {
			return otherProcess(h).SetPassword(ctx, "anna", "another one entirely")
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(h *fixture) {
				b, other := h.signIn("anna"), h.signIn("ben")
				b.resume(nil)
				other.resume(nil)
				b.must(object{"op": "ready"})
				id := h.taken(b)
				if err := act(h.t.Context(), h); err != nil {
					t.Fatal(err)
				}
				time.Sleep(2 * time.Second)
				synctest.Wait()
				if !b.ended() || other.ended() {
					t.Errorf("thrown out: anna %v, ben %v", b.ended(), other.ended())
				}
				state, err := h.engine.Agent(h.t.Context(), anna)
				if err != nil {
					t.Fatal(err)
				}
				gone := name == "disable"
				if (state.Presence == chat.Offline) != gone || (len(state.Chats) == 0) != gone {
					t.Errorf("the agent is %s with %d chats", state.Presence, len(state.Chats))
				}
				if s, _, err := h.engine.Summary(h.t.Context(), id); err != nil || (s.Phase == chat.PhaseWaiting) != gone {
					t.Errorf("its chat is %s (%v)", s.Phase, err)
				}
			})
		})
	}
}

// One session that the store cannot read keeps no other desk: those whose sign-in
// has ended are disconnected.
func TestThrownOutBesideAnUnreadableSession(t *testing.T) {
	inBubble(t, func(h *fixture) {
		var bad, anna []*browser
		for range 8 { // whatever the order in which desks are looked at
			bad, anna = append(bad, h.signIn("ben")), append(anna, h.signIn("anna"))
		}
		h.store.mu.Lock()
		h.store.unreadable = bad[0].who.Session
		h.store.mu.Unlock()
		for _, b := range bad[1:] {
			b.Disconnect()
		}
		if err := otherProcess(h).SetPassword(h.t.Context(), "anna", "another one entirely"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(pollAccounts + time.Millisecond)
		synctest.Wait()
		for i, b := range anna {
			if !b.ended() {
				t.Errorf("desk %d of anna: got connected, want disconnected", i)
			}
		}
		if bad[0].ended() {
			t.Error("the desk with the unreadable session: got disconnected, want connected")
		}
	})
}

// pollAccounts is how often a directory looks for changes of other processes.
const pollAccounts = time.Second

// A sign-in that another process deletes without a change of the account.
func TestThrownOutWithoutAChangeOfTheAccount(t *testing.T) {
	inBubble(t, func(h *fixture) {
		b := h.signIn("anna")
		b.resume(nil)
		if err := h.store.DeleteSession(h.t.Context(), b.who.Session); err != nil {
			t.Fatal(err)
		}
		time.Sleep(confirmEvery + time.Millisecond)
		synctest.Wait()
		if !b.ended() {
			t.Errorf("after %v: got connected, want disconnected", confirmEvery)
		}
	})
}

// An account that was renamed shows up at its desks.
func TestAccountChanges(t *testing.T) {
	inBubble(t, func(h *fixture) {
		b := h.signIn("anna")
		b.resume(nil)
		a, err := h.store.Account(h.t.Context(), anna)
		if err != nil {
			t.Fatal(err)
		}
		a.Capacity = 9
		if err := h.store.UpdateAccount(h.t.Context(), a); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		got := pushes(b.settled(), "own")
		if len(got) != 1 || got[0]["agent"].(object)["capacity"] != 9.0 || len(got[0]["events"].([]any)) != 0 {
			t.Errorf("it was told %v", got)
		}
	})
}
