package gms

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/halley-chat/halley/bayeux/bayeuxtest"
	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
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
		p := h.restClient("stays")
		p.key, p.chat = v.key, v.chat
		n := p.do("refresh", "transcriptPosition", "1", "userData[push_notification_deviceid]", "phone-1", "userData[push_notification_type]", "fcm")
		if diff := cmp.Diff(want, lines(n)); diff != "" || n["chatEnded"] != true {
			t.Errorf("over REST: %s %v", diff, n)
		}
	})
}

// Over REST an answer to a call without a position shows at most how the chat
// ended. Whoever goes on from its nextPosition misses nothing that came before.
func TestRESTWithoutAPositionAtTheEnd(t *testing.T) {
	all := []string{"1 ParticipantJoined Vera", "5 ParticipantJoined Anna", "6 Message Anna: one", "7 Message Anna: two"}
	for name, c := range map[string]struct {
		end  func(*restClient, func(chat.Action)) bayeuxtest.Frame
		last string
	}{
		"the agent ends it": {func(p *restClient, anna func(chat.Action)) bayeuxtest.Frame {
			anna(chat.End{})
			return p.do("refresh")
		}, "8 ParticipantLeft Anna"},
		"the visitor ends it": {func(p *restClient, _ func(chat.Action)) bayeuxtest.Frame { return p.do("disconnect") }, "8 ParticipantLeft Vera"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := open(t)
				p := h.polling("support")
				anna := h.agent(p.chat, 7, "Anna")
				anna(chat.Say{Text: "one"})
				got := lines(p.do("refresh", "transcriptPosition", "1"))
				anna(chat.Say{Text: "two"})
				n := c.end(p, anna)
				if diff := cmp.Diff([]string{c.last}, lines(n)); diff != "" || n["chatEnded"] != true {
					t.Errorf("the end: %s %v", diff, n)
				}
				for range 2 {
					n = p.do("refresh", "transcriptPosition", fmt.Sprint(n["nextPosition"]))
					for _, line := range lines(n) {
						if !slices.Contains(got, line) {
							got = append(got, line)
						}
					}
				}
				if diff := cmp.Diff(append(slices.Clone(all), c.last), got); diff != "" || n["nextPosition"] != 10.0 {
					t.Errorf("%s %v", diff, n)
				}
			})
		})
	}
}

// A requestChat that is answered with the chat that the browser has names the
// device as any other does, and counts among what is asked of that chat.
func TestOneChatPerBrowserTakesTheDeviceAndCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := openWith(t, map[string]Service{"one": {
			Queue: "q", OneChatPerBrowser: true, Origins: []string{"https://shop.example"}, OperationsPerSecond: 1,
		}})
		v := h.visitor("one", http.Header{"Cookie": {bayeuxtest.Cookie + "=" + browserCookie("c")}, "Origin": {"https://shop.example"}})
		start := func(token string) bayeuxtest.Frame {
			t.Helper()
			fields := with(map[string]any{"push_notification_deviceid": token})
			fields["nickname"] = "Vera"
			return v.do("requestChat", fields)[0]
		}
		start("phone-1")
		id := v.chat
		if n := start("phone-2"); n["chatId"] != id || n["statusCode"] != 0.0 {
			t.Fatalf("again: %v", n)
		}
		var tokens []chat.Token
		for _, f := range facts[chat.Subscribed](h, id) {
			tokens = append(tokens, f.Token)
		}
		if diff := cmp.Diff([]chat.Token{"phone-1", "phone-2"}, tokens); diff != "" {
			t.Error(diff)
		}
		for range 4 {
			if n := start("phone-2"); n["chatId"] != id || n["statusCode"] != 0.0 {
				t.Fatalf("again: %v", n)
			}
		}
		before := len(h.events(id))
		if n := start("phone-3"); n["statusCode"] != 1.0 || n["chatEnded"] != false || n["chatId"] != id {
			t.Errorf("too often: %v", n)
		}
		if after := len(h.events(id)); after != before {
			t.Errorf("what was refused changed the log from %d to %d events", before, after)
		}
		time.Sleep(5 * time.Second)
		if n := start("phone-2"); n["chatId"] != id || n["statusCode"] != 0.0 {
			t.Errorf("later: %v", n)
		}
	})
}

// A session that is bound but could not be shown anything has told its visitor
// nothing: what was still to be pushed is.
func TestBoundAndShownNothing(t *testing.T) {
	for range 20 { // two goroutines may be the first to tell the chat
		synctest.Test(t, boundAndShownNothing)
	}
}

func boundAndShownNothing(t *testing.T) {
	h := open(t)
	v := h.visitor("support", nil)
	v.do("requestChat", with(map[string]any{"push_notification_provider": ""}))
	anna := h.agent(v.chat, 7, "Anna")
	v.wait()
	v.leave()
	time.Sleep(20 * time.Second)
	anna(chat.Say{Text: "are you there?"})
	said := time.Now()
	time.Sleep(time.Second)
	w := h.visitor("support", nil)
	w.key = v.key
	var failed atomic.Bool
	h.log.FailReads(func(engine.LogID) error {
		if failed.Swap(true) {
			return nil
		}
		return errors.New("cannot be read now")
	})
	if n := w.do("requestNotifications", nil); n[0]["statusCode"] != 1.0 || len(facts[chat.Bound](h, v.chat)) != 1 {
		t.Fatalf("%v", n)
	}
	synctest.Wait()
	gone := facts[chat.Unbound](h, v.chat)
	if f := gone[len(gone)-1]; len(gone) != 2 || f.Heard.IsZero() || !f.Heard.Before(said) {
		t.Errorf("the chat is told that the visitor has heard everything: %+v", gone)
	}
}

// A visitor who polls and then only writes has not heard what it never asked
// for: that is still to be pushed when it is gone.
func TestPollingIsNotHearing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		p := h.restClient("support")
		start := time.Now()
		p.do("", "nickname", "Vera", "userData[GCTI_GMS_PushDeviceId]", "hook-1", "userData[GCTI_GMS_PushDeviceType]", "customhttp")
		anna := h.agent(p.chat, 7, "Anna")
		time.Sleep(10 * time.Second)
		p.do("refresh", "transcriptPosition", "1")
		time.Sleep(10 * time.Second)
		anna(chat.Say{Text: "are you there?"})
		time.Sleep(10 * time.Second)
		p.do("send", "message", "where are you?")
		p.do("refresh")
		time.Sleep(time.Minute)
		want := []chat.Unbound{{Since: start.Add(30 * time.Second), Heard: start.Add(10 * time.Second)}}
		got := facts[chat.Unbound](h, p.chat)
		for i := range got {
			got[i].Channel = ""
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		// Who asks last has heard all until then.
		p.do("send", "message", "back")
		p.do("refresh", "transcriptPosition", "1")
		time.Sleep(time.Minute)
		if got := facts[chat.Unbound](h, p.chat); len(got) != 2 || !got[1].Heard.IsZero() {
			t.Errorf("%+v", got)
		}
	})
}

// A chat that is to be told once more that a channel is gone is not told so of
// the session which has come back meanwhile.
func TestComingBackBeforeTheChatIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		v := h.chatting("support")
		anna := h.agent(v.chat, 7, "Anna")
		v.wait()
		h.log.FailReads(func(engine.LogID) error { return errors.New("cannot be read now") })
		if n := v.do("requestNotifications", nil); n[0]["statusCode"] != 1.0 {
			t.Fatalf("%v", n)
		}
		h.log.FailReads(nil)
		time.Sleep(time.Second)
		if n := v.do("requestNotifications", map[string]any{"transcriptPosition": 6}); n[0]["statusCode"] != 0.0 {
			t.Fatalf("%v", n)
		}
		time.Sleep(2 * unbindAgain)
		if sum, _ := h.summary(v.chat); !sum.Bound {
			t.Errorf("the chat is told that nobody listens: %+v", sum)
		}
		anna(chat.Say{Text: "still there?"})
		// How often the chat has been told in vain decides about the index.
		if got := lines(v.wait()); len(got) != 1 || !strings.HasSuffix(got[0], " Message Anna: still there?") {
			t.Errorf("the session hears %v", got)
		}
	})
}

// A call over REST that finds the channel of a chat gone, before the chat could
// be told so, does not say that all was heard through it.
func TestPollingFindsADeadChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		p := h.restClient("support")
		start := time.Now()
		p.do("", "nickname", "Vera", "userData[GCTI_GMS_PushDeviceId]", "hook-1", "userData[GCTI_GMS_PushDeviceType]", "customhttp")
		anna := h.agent(p.chat, 7, "Anna")
		time.Sleep(time.Second)
		anna(chat.Say{Text: "are you there?"})
		time.Sleep(30 * time.Second)
		h.log.Fail(func(engine.Append) error { return errors.New("no disk") })
		time.Sleep(11 * time.Second) // it is silent, and the chat cannot be told
		h.log.Fail(nil)
		p.do("send", "message", "back")
		gone := facts[chat.Unbound](h, p.chat)
		if len(gone) != 1 || gone[0].Heard.IsZero() || gone[0].Heard.After(start) || count[chat.Bound](t, h.events(p.chat)) != 1 {
			t.Errorf("the chat was told %+v", gone)
		}
	})
}
