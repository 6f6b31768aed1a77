package push_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/push"
)

func same(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// Nobody is pushed to who listens; who does not is told of what others do, in
// order, and of nothing that it may not see, has done itself or is over when it
// looks.
func TestPushesWhileNobodyListens(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *fixture) {
		id := h.chat(phone)
		h.say(id, "you are here")
		synctest.Wait()
		same(t, "while the visitor listens", []int64(nil), h.device.indexes(0))

		h.unbind(id, "c1")
		first := h.say(id, "secret text")
		h.do(id, anna, chat.Type{On: true})
		h.do(id, anna, chat.Notify{Text: "for programs"})
		h.do(id, visitor, chat.Say{Text: "by another way"})
		h.do(id, anna, chat.SetData{Data: map[string]string{"k": "v"}})
		second := h.say(id, "more")
		h.rest(time.Second)
		same(t, "while it does not", []int64{first, second}, h.device.indexes(id))
		m := h.device.seen().got[0]
		same(t, "the message", push.Message{
			Chat: id, Index: first, Type: "chat.Said", Device: phone, Text: push.Text{Title: "Chat", Body: "Neues"}, Keep: 24 * time.Hour,
		}, m)

		h.do(id, visitor, chat.Bind{Channel: "c2"})
		h.say(id, "welcome back")
		h.rest(time.Second)
		same(t, "when it is back", []int64{first, second}, h.device.indexes(id))
		if n := h.pusher.Following(); n != 0 {
			t.Errorf("%d chats are followed", n)
		}
		h.do(id, visitor, chat.Unbind{Channel: "c2", Background: true, From: 8})
		third := h.do(id, anna, chat.End{}).Events[0].Index
		h.rest(time.Second)
		// It says that it has seen nothing from 8 on; what went out is not sent twice.
		same(t, "in the background, to the end", []int64{first, second, second + 2, third}, h.device.indexes(id))
		cursors, err := h.store.Cursors(t.Context())
		same(t, "the cursors after the end", map[chat.ID]int64(nil), cursors)
		if err != nil || h.pusher.Following() != 0 || h.pusher.Stats().Sent.Load() != 4 {
			t.Errorf("%v, %d followed, %d sent", err, h.pusher.Following(), h.pusher.Stats().Sent.Load())
		}
	})
}

// A chat that has ended, or whose visitor does not want to be told any more, is
// let go, also if nothing was ever due.
func TestNothingIsKept(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *fixture) {
		ended, lapsed, kept := h.chat(phone), h.chat(phone), h.chat(phone)
		synctest.Wait()
		cursors, err := h.store.Cursors(t.Context())
		same(t, "noted", map[chat.ID]int64{ended: 0, lapsed: 0, kept: 0}, cursors)
		h.do(ended, anna, chat.End{})
		h.do(lapsed, visitor, chat.Unsubscribe{})
		h.rest(time.Second)
		cursors, err2 := h.store.Cursors(t.Context())
		same(t, "kept", map[chat.ID]int64{kept: 0}, cursors)
		if n := h.pusher.Following(); n != 0 || len(h.device.seen().tries) != 0 || err != nil || err2 != nil {
			t.Errorf("%d followed, %d attempts, %v, %v", n, len(h.device.seen().tries), err, err2)
		}
	})
}

// Programs get notices for programs too, and the event itself where they want
// it; devices that people look at never get it.
func TestPayload(t *testing.T) {
	for name, c := range map[string]struct {
		everybody bool
		device    chat.Device
		want      bool
	}{
		"not asked for":        {false, program, false},
		"asked for":            {false, chat.Device{Carrier: chat.CarrierHook, Token: "t", Payload: true}, true},
		"for everybody":        {true, program, true},
		"on a phone":           {true, chat.Device{Carrier: chat.CarrierFCM, Token: "t", Payload: true}, false},
		"on a phone, unwanted": {false, phone, false},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(o *push.Options) { o.Payload = c.everybody }, func(t *testing.T, h *fixture) {
				id := h.chat(c.device)
				h.unbind(id, "c1")
				h.say(id, "hello")
				h.do(id, anna, chat.Notify{Text: "n"})
				h.rest(time.Second)
				kinds := []string{"chat.Said", "chat.Noticed"}
				if c.device.Carrier != chat.CarrierHook {
					kinds = kinds[:1]
				}
				var got []string
				for _, m := range h.device.seen().got {
					got = append(got, m.Type)
					if has := strings.Contains(string(m.Event), "Anna"); has != c.want {
						t.Errorf("%s: the event is %s", name, m.Event)
					}
				}
				same(t, name, kinds, got)
			})
		})
	}
}

func TestActiveClient(t *testing.T) {
	inBubble(t, func(o *push.Options) { o.Active = true }, func(t *testing.T, h *fixture) {
		id := h.chat(phone)
		first := h.say(id, "one")
		h.unbind(id, "c1")
		second := h.say(id, "two")
		h.do(id, visitor, chat.Bind{Channel: "c2"})
		third := h.say(id, "three")
		h.rest(time.Second)
		same(t, "told of", []int64{6, first, second, third}, h.device.indexes(id))
		h.do(id, visitor, chat.Unsubscribe{})
		h.say(id, "four")
		h.rest(time.Second)
		same(t, "after the subscription", 4, len(h.device.indexes(id)))
	})
}

var busy = &push.Fault{Carrier: chat.CarrierFCM, Verdict: push.Transient, Status: 503, Code: "UNAVAILABLE"}

// A carrier that fails is asked again, ever less often, and what it does not
// take in time becomes a dead letter. The next event has its own chance.
func TestRetryAndExpiry(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *fixture) {
		id := h.chat(phone)
		h.unbind(id, "c1")
		h.device.set(func(push.Message) error { return busy })
		start := time.Now()
		index := h.say(id, "x")
		h.rest(5 * time.Second)
		if n := len(h.device.seen().tries); n < 3 || n > 5 {
			t.Errorf("%d attempts in 5 s", n)
		}
		h.rest(10 * time.Minute)
		tries := h.device.seen().tries
		for i := 2; i < len(tries)-1; i++ {
			gap, want := tries[i].Sub(tries[i-1]), min(time.Second<<(i-1), time.Minute)
			if gap < want/2 || gap > want {
				t.Errorf("pause %d is %v, want up to %v", i, gap, want)
			}
		}
		last := tries[len(tries)-1].Sub(start)
		if last < 10*time.Minute || last > 10*time.Minute+time.Second || len(tries) > 25 {
			t.Errorf("%d attempts, the last after %v", len(tries), last)
		}
		dead := h.dead()
		want := []push.DeadLetter{{
			ID: 1, Chat: id, Index: index, Type: "chat.Said", Carrier: chat.CarrierFCM, Reason: "503 UNAVAILABLE", Attempts: len(tries),
			At: tries[len(tries)-1].UTC().Truncate(time.Millisecond),
		}}
		same(t, "the dead letters", want, dead)

		h.device.set(nil)
		next := h.say(id, "y")
		h.rest(time.Second)
		same(t, "afterwards", []int64{next}, h.device.indexes(id))
		if n := strings.Count(h.logged.String(), "provider unavailable"); n != 1 {
			t.Errorf("it was logged %d times", n)
		}
	})
}

// Retry-After holds for all chats.
func TestRetryAfter(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *fixture) {
		a, b := h.chat(phone), h.chat(phone)
		h.unbind(a, "c1")
		h.unbind(b, "c1")
		h.device.set(func(push.Message) error {
			return &push.Fault{Carrier: chat.CarrierFCM, Status: 429, After: 90 * time.Second}
		})
		start := time.Now()
		h.say(a, "x")
		h.rest(time.Second)
		h.device.set(nil)
		h.say(b, "y")
		h.rest(10 * time.Minute)
		if len(h.device.seen().tries) != 3 || len(h.device.seen().got) != 2 {
			t.Fatalf("%d attempts, %d taken", len(h.device.seen().tries), len(h.device.seen().got))
		}
		for _, at := range h.device.seen().at {
			if d := at.Sub(start); d < 90*time.Second || d > 92*time.Second {
				t.Errorf("taken after %v", d)
			}
		}
	})
}

// What a carrier will never take is not tried again.
func TestRefused(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *fixture) {
		id := h.chat(phone)
		h.unbind(id, "c1")
		h.device.set(func(m push.Message) error {
			if m.Index == 8 {
				return &push.Fault{Carrier: chat.CarrierFCM, Verdict: push.Permanent, Status: 400, Code: "INVALID_ARGUMENT"}
			}
			return nil
		})
		h.say(id, "x")
		next := h.say(id, "y")
		h.rest(time.Second)
		same(t, "taken", []int64{next}, h.device.indexes(id))
		if d := h.dead(); len(d) != 1 || d[0].Attempts != 1 || d[0].Reason != "400 INVALID_ARGUMENT" {
			t.Errorf("got the dead letters %v, want one: 400 INVALID_ARGUMENT after 1 attempt", d)
		}
	})
}

// A device that is not there any more ends the subscription, unless the visitor
// has named another one meanwhile, which then gets the event.
func TestUnknownDevice(t *testing.T) {
	gone := &push.Fault{Carrier: chat.CarrierFCM, Verdict: push.UnknownDevice, Status: 404, Code: "UNREGISTERED"}
	inBubble(t, nil, func(t *testing.T, h *fixture) {
		id := h.chat(phone)
		h.unbind(id, "c1")
		h.device.set(func(push.Message) error { return gone })
		h.say(id, "x")
		h.say(id, "y")
		h.rest(time.Second)
		if s, _ := h.engine.Board().Get(id); s.Subscribed || len(h.device.seen().tries) != 1 || h.pusher.Stats().Unknown.Load() != 1 {
			t.Errorf("subscribed %v after %d attempts", s.Subscribed, len(h.device.seen().tries))
		}
		if d := h.dead(); len(d) != 1 || d[0].Reason != "404 UNREGISTERED" {
			t.Errorf("got the dead letters %v, want one: 404 UNREGISTERED", d)
		}
		cursors, _ := h.store.Cursors(t.Context())
		same(t, "the cursors", map[chat.ID]int64(nil), cursors)
		h.rest(time.Minute)
		if _, live := h.engine.Board().Get(id); live {
			t.Error("the visitor is not gone")
		}
	})
	inBubble(t, nil, func(t *testing.T, h *fixture) {
		id := h.chat(phone)
		h.unbind(id, "c1")
		hold := make(chan struct{})
		h.device.hold = hold
		h.device.answer = func(m push.Message) error {
			if m.Device.Token == phone.Token {
				return gone
			}
			return nil
		}
		index := h.say(id, "x")
		synctest.Wait()
		h.do(id, visitor, chat.Subscribe{Device: chat.Device{Carrier: chat.CarrierFCM, Token: "new"}})
		close(hold)
		h.rest(time.Second)
		same(t, "taken", []int64{index}, h.device.indexes(id))
		if len(h.dead()) != 0 {
			t.Errorf("got the dead letters %v, want none", h.dead())
		}
	})
}

// A visitor who comes back while an event waits for its next attempt is not
// pushed to any more.
func TestBackBeforeTheNextAttempt(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *fixture) {
		id := h.chat(phone)
		h.unbind(id, "c1")
		h.device.set(func(push.Message) error { return busy })
		h.say(id, "x")
		h.rest(100 * time.Millisecond)
		h.do(id, visitor, chat.Bind{Channel: "c2"})
		h.device.set(nil)
		h.rest(time.Hour)
		if len(h.device.seen().got) != 0 || len(h.device.seen().tries) != 1 || h.pusher.Following() != 0 || len(h.dead()) != 0 {
			t.Errorf("%d taken of %d attempts", len(h.device.seen().got), len(h.device.seen().tries))
		}
	})
}

// So many attempts at a time and no more, whatever the number of chats, and a
// carrier that does not answer holds up nobody for longer than an attempt.
func TestAtOnce(t *testing.T) {
	inBubble(t, func(o *push.Options) { o.MaxConcurrent = 3 }, func(t *testing.T, h *fixture) {
		h.device.hold = make(chan struct{}) // never closed
		var ids []chat.ID
		for range 9 {
			id := h.chat(phone)
			h.unbind(id, "c1")
			h.say(id, "x")
			ids = append(ids, id)
		}
		h.rest(5 * time.Second)
		if len(h.device.seen().tries) != 3 || h.device.seen().most != 3 {
			t.Errorf("%d attempts, %d at a time", len(h.device.seen().tries), h.device.seen().most)
		}
		h.device.mu.Lock()
		h.device.hold = nil
		h.device.mu.Unlock()
		h.rest(time.Minute)
		if h.device.seen().most != 3 || len(h.device.seen().got) != len(ids) {
			t.Errorf("got %d taken, %d at a time, want all, within the limit", len(h.device.seen().got), h.device.seen().most)
		}
	})
}

// What was due when the process ended is sent by the next one, also if the chat
// has ended meanwhile, and what a carrier had taken is not sent again.
func TestRestart(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *fixture) {
		ended, live := h.chat(phone), h.chat(phone)
		h.unbind(ended, "c1")
		h.unbind(live, "c1")
		first := h.say(ended, "taken")
		h.rest(time.Second)
		h.device.set(func(push.Message) error { return busy })
		second := h.say(ended, "not taken")
		third := h.do(ended, anna, chat.End{}).Events[0].Index
		fourth := h.say(live, "not taken")
		h.rest(10 * time.Second)
		h.restart()
		h.device.set(nil)
		h.rest(time.Minute)
		same(t, "of the chat that has ended", []int64{first, second, third}, h.device.indexes(ended))
		same(t, "of the live one", []int64{fourth}, h.device.indexes(live))
		cursors, err := h.store.Cursors(t.Context())
		same(t, "the cursors", map[chat.ID]int64{live: fourth}, cursors)
		if err != nil {
			t.Error(err)
		}
	})
}

// Whoever listened before a restart has a moment to come back before it is told
// through its device what it may have missed.
func TestRestartUnderAListener(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *fixture) {
		back, lost := h.chat(phone), h.chat(phone)
		h.say(back, "x")
		index := h.say(lost, "x")
		h.restart()
		h.rest(9 * time.Second)
		h.do(back, visitor, chat.Bind{Channel: "c2"})
		same(t, "at once", []int64(nil), h.device.indexes(0))
		h.rest(time.Minute)
		same(t, "of the one that came back", []int64(nil), h.device.indexes(back))
		// What happened in the last two minutes; the first is the agent's joining.
		same(t, "of the one that did not", []int64{6, index}, h.device.indexes(lost))
	})
}

// While the store is away nothing is lost and nothing runs wild.
func TestStoreIsAway(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *fixture) {
		h.store.Break(errors.New("away"))
		id := h.chat(phone)
		h.unbind(id, "c1")
		first := h.say(id, "x")
		second := h.say(id, "y")
		h.rest(time.Minute)
		// The next event waits until the first one is noted.
		same(t, "while it is away", []int64{first}, h.device.indexes(id))
		h.store.Break(nil)
		h.rest(5 * time.Second)
		same(t, "afterwards", []int64{first, second}, h.device.indexes(id))
		cursors, _ := h.store.Cursors(t.Context())
		same(t, "the cursors", map[chat.ID]int64{id: second}, cursors)
		if n := strings.Count(h.logged.String(), "cannot be tracked"); n != 1 {
			t.Errorf("logged %d times", n)
		}

		h.store.Break(errors.New("away"))
		h.restart() // and is away when the pusher begins
		third := h.say(id, "z")
		h.rest(time.Minute)
		h.store.Break(nil)
		h.rest(5 * time.Second)
		same(t, "after a start without it", []int64{first, second, third}, h.device.indexes(id))
	})
}

// A device whose carrier is not configured any more gets nothing, and its
// events do not pile up.
func TestNotConfiguredAnyMore(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *fixture) {
		v := phone
		v.Provider = "gone"
		if h.pusher.Carries(v) || !h.pusher.Carries(phone) {
			t.Error("what can be carried is wrong")
		}
		id := h.chat(v)
		h.unbind(id, "c1")
		h.say(id, "x")
		h.rest(time.Second)
		if d := h.dead(); len(d) != 1 || d[0].Reason != "not configured" || d[0].Attempts != 0 {
			t.Errorf("got the dead letters %v, want one: not configured, after 0 attempts", d)
		}
	})
}

// Logs hold neither devices nor what was written nor what carriers say about
// them.
func TestLogsHoldNoSecrets(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *fixture) {
		v := program
		v.Payload = true
		id := h.chat(v)
		h.unbind(id, "c1")
		n := 0
		h.device.set(func(m push.Message) error {
			n++
			switch n {
			case 1:
				return fmt.Errorf("dial https://example.org/%s: %s", string(m.Device.Token), m.Event)
			case 2:
				return &push.Fault{Carrier: chat.CarrierHook, Verdict: push.Permanent, Status: 400}
			}
			return &push.Fault{Carrier: chat.CarrierHook, Verdict: push.UnknownDevice, Status: 410}
		})
		h.say(id, "secret text")
		h.say(id, "secret text")
		h.rest(time.Hour)
		h.stop()
		text := h.logged.String()
		if !strings.Contains(text, id.String()) || !strings.Contains(text, "dead letter") {
			t.Errorf("nothing was logged: %s", text)
		}
		for _, secret := range []string{"s3cret-token", "secret text", "Anna", "Vera", "example.org"} {
			if strings.Contains(text, secret) || strings.Contains(fmt.Sprintf("%+v", h.dead()), secret) {
				t.Errorf("%q stands in\n%s%+v", secret, text, h.dead())
			}
		}
	})
}

// Scripts come from outside, and so they are made while no lock is held: one may
// ask the pusher something.
func TestScriptIsMadeWithoutTheLock(t *testing.T) {
	var p *push.Pusher
	made := 0
	inBubble(t, func(o *push.Options) {
		script := o.Script
		o.Script = func() push.Script {
			made += min(p.Following(), 1)
			return script()
		}
	}, func(t *testing.T, h *fixture) {
		p = h.pusher
		id := h.chat(phone)
		h.unbind(id, "c1")
		index := h.say(id, "x")
		h.rest(time.Second)
		same(t, "taken", []int64{index}, h.device.indexes(id))
		if made != 1 {
			t.Errorf("got %d scripts made while the chat was followed, want 1", made)
		}
	})
}
