package engine_test

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
	"github.com/halley-chat/halley/internal/engine/enginetest"
)

// when says how long after a moment each event of a kind came.
func when[F chat.Fact](events []chat.Event, since time.Time) []time.Duration {
	var list []time.Duration
	for _, e := range events {
		if _, ok := e.Fact.(F); ok {
			list = append(list, e.At.Sub(since))
		}
	}
	return list
}

func expect[F chat.Fact](t *testing.T, events []chat.Event, since time.Time, want ...time.Duration) {
	t.Helper()
	if got := when[F](events, since); !slices.Equal(got, want) {
		var f F
		t.Errorf("%T came after %v, want %v", f, got, want)
	}
}

func TestOfferIsMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := enginetest.NewLog()
		e := start(t, engine.Options{Log: log})
		if _, err := e.DoAgent(t.Context(), 7, chat.AgentCommand{To: chat.Ready}); err != nil {
			t.Fatal(err)
		}
		id := open(t, e)
		t0 := time.Now()
		do(t, e, id, offer(7, 20*time.Second))
		time.Sleep(time.Minute)
		expect[chat.Missed](t, logged(t, log, id), t0, 20*time.Second)
		s, err := e.Agent(t.Context(), 7)
		if err != nil || s.Presence != chat.NotResponding || len(s.Offers) != 0 {
			t.Errorf("the agent is %+v, %v", s, err)
		}
		_, err = e.Do(t.Context(), id, chat.Command{By: chat.Staff(7), Do: chat.Accept{}})
		mustKind(t, err, chat.NotOffered)
	})
}

func TestVisitorAwayAndGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := enginetest.NewLog()
		e := start(t, engine.Options{Log: log, RoomIdle: 3 * time.Second})
		id := open(t, e)
		back := open(t, e)
		t0 := time.Now()
		for _, id := range []chat.ID{id, back} {
			do(t, e, id, chat.Command{By: chat.TheVisitor(), Do: chat.Unbind{Channel: "c1"}})
		}
		time.Sleep(30 * time.Second)
		if s, ok := e.Board().Get(id); !ok || !s.Away || s.Bound {
			t.Errorf("after 30 s the board says %+v", s)
		}
		do(t, e, back, chat.Command{By: chat.TheVisitor(), Do: chat.Bind{Channel: "c2"}})
		time.Sleep(time.Minute)
		expect[chat.Away](t, logged(t, log, id), t0, 10*time.Second)
		expect[chat.Finished](t, logged(t, log, id), t0, 45*time.Second)
		expect[chat.Finished](t, logged(t, log, back), t0)
		if _, ok := e.Board().Get(id); ok {
			t.Error("the chat that ended is on the board")
		}
	})
}

func TestRulesOfTheService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := enginetest.NewLog()
		e := start(t, engine.Options{Log: log, Rules: func(service string) chat.Rules {
			r := chat.DefaultRules()
			if service == "support" {
				r.AwayAfter, r.GoneAfter = time.Second, 2*time.Second
			}
			return r
		}})
		id := open(t, e)
		t0 := time.Now()
		do(t, e, id, chat.Command{By: chat.TheVisitor(), Do: chat.Unbind{Channel: "c1"}})
		time.Sleep(time.Minute)
		expect[chat.Finished](t, logged(t, log, id), t0, 2*time.Second)
	})
}

var errBroken = errors.New("the disk is on holiday")

func TestDeadlinesSurviveAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := enginetest.NewLog()
		e := start(t, engine.Options{Log: log})
		var ids []chat.ID
		t0 := time.Now()
		for range 150 { // more than are given a tick at once
			id := open(t, e)
			do(t, e, id, chat.Command{By: chat.TheVisitor(), Do: chat.Unbind{Channel: "c1"}})
			ids = append(ids, id)
		}
		log.Fail(func(engine.Append) error { return errBroken })
		time.Sleep(10 * time.Minute)
		log.Fail(nil)
		time.Sleep(time.Minute)
		for _, id := range ids {
			got := when[chat.Finished](logged(t, log, id), t0)
			if len(got) != 1 || got[0] < 10*time.Minute || got[0] > 10*time.Minute+31*time.Second {
				t.Fatalf("chat %v ended after %v, want soon after the outage of 10 minutes", id, got)
			}
		}
	})
}

func TestRecover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := enginetest.NewLog()
		e := start(t, engine.Options{Log: log})
		// One whose visitor had gone already, one on offer, one that is talked
		// in at once, and one that has ended.
		gone, offered, prompt, ended := open(t, e), open(t, e), open(t, e), open(t, e)
		do(t, e, gone, chat.Command{By: chat.TheVisitor(), Do: chat.Unbind{Channel: "c1"}})
		do(t, e, offered, offer(7, 20*time.Second))
		do(t, e, ended, chat.Command{By: chat.TheVisitor(), Do: chat.End{}})
		closing(t, e)
		length := len(logged(t, log, ended))
		time.Sleep(time.Hour)

		t0 := time.Now()
		release := log.Hold() // recovery cannot be over when Start returns
		e = start(t, engine.Options{Log: log})
		if e.Board().Len() != 3 {
			t.Errorf("%d chats on the board after the start, want 3", e.Board().Len())
		}
		bound := make(chan engine.Result, 1)
		go func() {
			bound <- do(t, e, prompt, chat.Command{By: chat.TheVisitor(), Do: chat.Bind{Channel: "c2"}})
		}()
		time.Sleep(2 * time.Second)
		release()
		if s := (<-bound).Summary; !s.Bound || s.Channel != "c2" {
			t.Errorf("after binding at once the visitor is %+v", s)
		}
		time.Sleep(10 * time.Minute)

		for name, id := range map[string]chat.ID{"gone": gone, "offered": offered} {
			events := logged(t, log, id)
			if got := when[chat.Finished](events, t0); len(got) != 1 || got[0] < 45*time.Second || got[0] > 50*time.Second {
				t.Errorf("the chat %q ended after %v, want 45 s of grace", name, got)
			}
			if contains[chat.Missed](events) {
				t.Errorf("somebody was blamed in the chat %q", name)
			}
		}
		if !contains[chat.Withdrawn](logged(t, log, offered)) {
			t.Error("the offer was not withdrawn")
		}
		if s, ok := e.Board().Get(prompt); !ok || !s.Bound {
			t.Errorf("the visitor who bound at once is not there any more: %+v", s)
		}
		if n := len(logged(t, log, ended)); n != length {
			t.Errorf("the ended chat grew from %d to %d events", length, n)
		}
	})
}

func TestRecoverTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := enginetest.NewLog()
		e := start(t, engine.Options{Log: log})
		var ids []chat.ID
		for range 50 {
			ids = append(ids, open(t, e))
		}
		closing(t, e)
		log.Fail(func(engine.Append) error { return errBroken })
		start(t, engine.Options{Log: log})
		time.Sleep(time.Minute)
		log.Fail(nil)
		time.Sleep(20 * time.Second)
		for _, id := range ids {
			if n := len(when[chat.Unbound](logged(t, log, id), time.Time{})); n != 1 {
				t.Fatalf("chat %v was recovered %d times", id, n)
			}
		}
	})
}
