package gms

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
)

func TestRESTAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		p := h.polling("support")
		anna := h.agent(p.chat, 7, "Anna")
		p.do("refresh", "transcriptPosition", "1")
		anna(chat.Say{Text: "bye"})
		anna(chat.End{})
		for _, c := range []struct {
			position string
			want     []string
		}{
			{"1", []string{"1 ParticipantJoined Vera", "5 ParticipantJoined Anna", "6 Message Anna: bye", "7 ParticipantLeft Anna"}},
			{"6", []string{"6 Message Anna: bye", "7 ParticipantLeft Anna"}},
			{"", []string{"7 ParticipantLeft Anna"}},
			{"-1", []string{"7 ParticipantLeft Anna"}},
			{"99", []string{"7 ParticipantLeft Anna"}},
		} {
			n := p.do("refresh", "transcriptPosition", c.position, "message", "typing")
			if diff := cmp.Diff(c.want, lines(n)); diff != "" || n["chatEnded"] != true || n["statusCode"] != 0.0 {
				t.Errorf("%q: %s %v", c.position, diff, n)
			}
		}
		before := len(h.events(p.chat))
		for _, op := range []string{"send", "startTyping", "stopTyping", "disconnect", "pushUrl", "updateNickname", "updateData", "customNotice", "readReceipt"} {
			n := p.do(op, "message", "x", "pushUrl", "https://example.org/", "nickname", "x", "userData[a]", "b")
			if n["statusCode"] != 2.0 || n["chatEnded"] != true || p.status != 200 {
				t.Errorf("%s: %d %v", op, p.status, n)
			}
		}
		if got := len(h.events(p.chat)); got != before {
			t.Errorf("the log has %d events, not %d", got, before)
		}
		time.Sleep(24*time.Hour + time.Second)
		if n := p.do("refresh", "transcriptPosition", "1"); n["statusCode"] != 2.0 || n["chatEnded"] != true {
			t.Errorf("a day later: %v", n)
		}
	})
}

// While the process stands still, for one that is stopped or on a machine that
// is paused, no call can come. Afterwards the silence of a visitor who polls
// counts anew.
func TestRESTAfterAPauseOfTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		p := h.polling("support")
		q := h.edge.polledBy(mustParse(t, p.chat))
		time.Sleep(20 * time.Second)
		// As if the process had stood still for a minute from here on: the timer
		// fires 45 s late, and the client's calls have found nobody.
		q.mu.Lock()
		q.called, q.due = q.called.Add(-time.Minute), q.due.Add(-time.Minute)
		q.mu.Unlock()
		q.checkSilence(time.Now())
		synctest.Wait()
		if s, ok := h.summary(p.chat); !ok || !s.Bound || s.Away {
			t.Errorf("after the pause: got %+v, %v; want a bound visitor", s, ok)
		}
		time.Sleep(30 * time.Second)
		if n := p.do("refresh"); n["statusCode"] != 0.0 || n["chatEnded"] != false {
			t.Errorf("the next call: got %v, want the chat as it was", n)
		}
		time.Sleep(46 * time.Second)
		if _, ok := h.summary(p.chat); ok {
			t.Error("46 s after the last call the chat is open, want it ended")
		}
	})
}

// A visitor who polls as slowly as clients do is never away, and one that
// stops is gone 45 s after its last call.
func TestRESTAwayAndGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		p := h.polling("support")
		for range 10 {
			time.Sleep(30 * time.Second)
			p.do("refresh")
		}
		if n := len(h.events(p.chat)); n != 2 {
			t.Errorf("polling left traces: %v", h.events(p.chat))
		}
		time.Sleep(34 * time.Second)
		if s, ok := h.summary(p.chat); !ok || s.Away || !s.Bound {
			t.Errorf("after 34 s: %+v", s)
		}
		time.Sleep(2 * time.Second)
		if s, ok := h.summary(p.chat); !ok || !s.Away || s.Bound {
			t.Errorf("after 36 s: %+v", s)
		}
		// A call brings it back.
		p.do("send", "message", "still here")
		if s, ok := h.summary(p.chat); !ok || s.Away || !s.Bound {
			t.Errorf("back: %+v", s)
		}
		last := time.Now()
		time.Sleep(44 * time.Second)
		if _, ok := h.summary(p.chat); !ok {
			t.Error("gone too early")
		}
		time.Sleep(2 * time.Second)
		if s, ok := h.summary(p.chat); ok {
			t.Errorf("still there: %+v", s)
		}
		events := h.events(p.chat)
		end := events[len(events)-1]
		if f, ok := end.Fact.(chat.Finished); !ok || f.Reason != chat.EndedGone || end.At.Sub(last).Round(time.Second) != 45*time.Second {
			t.Errorf("%+v %v after the last call", end, end.At.Sub(last))
		}
	})
}

// A visitor who opened a chat and never called again is gone as well, even if
// the store was away when that was found out.
func TestRESTGoneWhileTheStoreIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		p := h.polling("support")
		time.Sleep(30 * time.Second)
		h.log.Fail(func(engine.Append) error { return errors.New("no disk") })
		time.Sleep(30 * time.Second)
		h.log.Fail(nil)
		time.Sleep(40 * time.Second)
		if s, ok := h.summary(p.chat); ok {
			t.Errorf("still there: %+v", s)
		}
	})
}

// Both faces in one chat: each reads all, and asking over REST takes nothing
// away from a session that lives.
func TestRESTBesideCometD(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		v := h.chatting("support")
		p := h.restClient("support")
		p.key, p.chat = v.key, v.chat
		if diff := cmp.Diff([]string{"1 ParticipantJoined Vera"}, lines(p.do("refresh", "transcriptPosition", "1"))); diff != "" {
			t.Error(diff)
		}
		p.do("send", "message", "over REST")
		if diff := cmp.Diff([]string{"3 Message Vera: over REST"}, lines(v.wait())); diff != "" {
			t.Error(diff)
		}
		v.do("sendMessage", map[string]any{"message": "over CometD"})
		if diff := cmp.Diff([]string{"3 Message Vera: over REST", "4 Message Vera: over CometD"}, lines(p.do("refresh", "transcriptPosition", "2"))); diff != "" {
			t.Error(diff)
		}
		if events := h.events(v.chat); count[chat.Bound](t, events) != 0 {
			t.Errorf("the session was displaced: %v", events)
		}
		// Once that session is gone, whoever polls is the one who listens.
		v.Send(`{"channel":"/meta/disconnect","clientId":"$","id":"d"}`)
		for range 20 {
			time.Sleep(5 * time.Second)
			p.do("refresh")
		}
		if s, ok := h.summary(p.chat); !ok || !s.Bound || !strings.Contains(s.Channel, pollMark) {
			t.Fatalf("%+v", s)
		}
		// And a session that asks to be told takes over.
		w := h.visitor("support", nil)
		w.key = p.key
		w.do("requestNotifications", nil)
		p.do("send", "message", "here?")
		if got := lines(w.wait()); !strings.HasSuffix(got[0], "Vera: here?") {
			t.Errorf("%v", got)
		}
		time.Sleep(60 * time.Second)
		if s, ok := h.summary(p.chat); !ok || !s.Bound || strings.Contains(s.Channel, pollMark) {
			t.Errorf("the end of the polling unbound the session: %+v", s)
		}
	})
}

func TestRESTWhenTheStoreIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		p := h.polling("support")
		p.do("refresh", "transcriptPosition", "1")
		release := h.log.Hold()
		for _, op := range []string{"send", "", "disconnect"} {
			began, q := time.Now(), &restClient{h: h, service: "support", key: p.key, chat: p.chat}
			n := q.do(op, "message", "x", "nickname", "x")
			if n["statusCode"] != 1.0 || n["errors"] != nil || n["chatEnded"] != false || q.status != 200 {
				t.Errorf("%q: %d %v", op, q.status, n)
			}
			if took := time.Since(began); took > 2600*time.Millisecond {
				t.Errorf("%q took %v", op, took)
			}
		}
		began := time.Now()
		if n := p.do("refresh", "transcriptPosition", "1"); n["statusCode"] != 0.0 || len(lines(n)) != 1 || time.Since(began) > 0 {
			t.Errorf("what is in memory: %v", n)
		}
		release()
		synctest.Wait()
		over := h.polling("support")
		over.do("disconnect")
		h.log.FailReads(func(engine.LogID) error { return errors.New("no disk") })
		if n := over.do("refresh", "transcriptPosition", "1"); n["statusCode"] != 1.0 {
			t.Errorf("%v", n)
		}
		h.log.FailReads(nil)
		if n := over.do("refresh", "transcriptPosition", "1"); n["statusCode"] != 0.0 || len(lines(n)) != 2 {
			t.Errorf("%v", n)
		}
	})
}

// A long chat is answered in full from the log, with the right names, and
// somebody who keeps up costs the store nothing.
func TestRESTLongChat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		p := h.polling("support")
		anna := h.agent(p.chat, 7, "Anna")
		p.do("refresh", "transcriptPosition", "1")
		for i := range recentMessages {
			anna(chat.Say{Text: fmt.Sprint("m", i)})
		}
		anna(chat.Rename{Name: "Anna B"})
		anna(chat.Say{Text: strings.Repeat("y", chat.MaxText)})
		anna(chat.Say{Text: strings.Repeat("z", chat.MaxText)})
		anna(chat.Say{Text: "last"})
		all := lines(p.do("refresh", "transcriptPosition", "1"))
		if len(all) != recentMessages+6 || all[2] != "6 Message Anna: m0" || all[len(all)-1] != "73 Message Anna B: last" {
			t.Fatalf("%d: %v", len(all), all)
		}
		reads := 0
		h.log.FailReads(func(engine.LogID) error { reads++; return nil })
		for i := range 20 {
			anna(chat.Say{Text: fmt.Sprint("more ", i)})
			n := p.do("refresh", "transcriptPosition", fmt.Sprint(74+i))
			if diff := cmp.Diff([]string{fmt.Sprintf("%d Message Anna B: more %d", 74+i, i)}, lines(n)); diff != "" {
				t.Error(diff)
			}
		}
		if reads != 0 {
			t.Errorf("%d reads of the store", reads)
		}
		if got := lines(p.do("refresh", "transcriptPosition", "2")); len(got) != len(all)+19 || reads == 0 {
			t.Errorf("%d events, %d reads", len(got), reads)
		}
		for _, q := range h.edge.pollers {
			q.mu.Lock()
			if len(q.tail.recent) > recentMessages || q.tail.size > recentBytes {
				t.Errorf("%d messages, %d bytes are kept", len(q.tail.recent), q.tail.size)
			}
			size := 0
			for _, m := range q.tail.recent {
				size += m.size()
			}
			if size != q.tail.size {
				t.Errorf("%d bytes are kept and %d counted", size, q.tail.size)
			}
			q.mu.Unlock()
		}
	})
}

func TestRESTRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		p := h.polling("support")
		p.do("send", "message", "before")
		h.restart()
		n := p.do("refresh", "transcriptPosition", "1")
		if diff := cmp.Diff([]string{"1 ParticipantJoined Vera", "3 Message Vera: before"}, lines(n)); diff != "" {
			t.Error(diff)
		}
		for range 8 {
			time.Sleep(10 * time.Second)
			p.do("refresh")
		}
		if s, ok := h.summary(p.chat); !ok || s.Away || !s.Bound {
			t.Errorf("%+v", s)
		}
		if events := h.events(p.chat); count[chat.Bound](t, events) != 1 {
			t.Errorf("%v", events)
		}
	})
}
