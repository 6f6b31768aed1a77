package engine_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
	"github.com/halley-chat/halley/internal/engine/enginetest"
)

// watchful are rules with idle control for one service.
func watchful(service string) chat.Rules {
	r := chat.DefaultRules()
	if service == "support" {
		r.Idle = chat.Idle{Alert: 2 * time.Minute, Close: time.Minute}
		r.Welcome = "welcome"
	}
	return r
}

func TestTheServiceSpeaksAtTheOpening(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := enginetest.NewLog()
		e := start(t, engine.Options{Log: log, Rules: watchful})
		id, _, err := e.Open(t.Context(), opening())
		if err != nil {
			t.Fatal(err)
		}
		other := opening()
		o := other.Do.(chat.Open)
		o.Opening.Service = "sales"
		other.Do = o
		id2, _, err := e.Open(t.Context(), other)
		if err != nil {
			t.Fatal(err)
		}
		if !contains[chat.Said](logged(t, log, id)) || contains[chat.Said](logged(t, log, id2)) {
			t.Errorf("welcomes: %v and %v", logged(t, log, id), logged(t, log, id2))
		}
	})
}

// Every line moves the deadline. The row in the store stays as it is, on both
// engines the chat is closed when it is due, and once.
func TestLinesMoveTheDeadlineWithoutARow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, bus := enginetest.NewLog(), enginetest.NewBus()
		one := start(t, engine.Options{Log: log, Bus: bus, Rules: watchful})
		two := start(t, engine.Options{Log: log, Bus: bus, Rules: watchful})
		id, _, err := one.Open(t.Context(), opening())
		if err != nil {
			t.Fatal(err)
		}
		join(t, one, id, 7)
		told := 0
		defer one.Board().Watch(func(chat.Summary) { told++ }).Close()
		rows := 0
		log.Fail(func(a engine.Append) error {
			if a.Summary != nil && a.Log == engine.ChatLog(id) {
				rows++
			}
			return nil
		})
		t0 := time.Now()
		for range 10 {
			time.Sleep(time.Minute)
			do(t, one, id, say("x"))
		}
		synctest.Wait()
		if rows != 0 || told != 0 {
			t.Errorf("ten lines wrote %d rows and told the board's watchers %d times", rows, told)
		}
		want := t0.Add(12 * time.Minute)
		for i, e := range []*engine.Engine{one, two} {
			if s, ok := e.Board().Get(id); !ok || !s.Deadline.Equal(want) && i == 0 || s.Deadline.After(want) {
				t.Errorf("board %d says that the deadline is %v, want %v", i+1, s.Deadline, want)
			}
		}
		time.Sleep(10 * time.Minute)
		events := logged(t, log, id)
		expect[chat.IdleWarned](t, events, t0, 12*time.Minute)
		expect[chat.IdleClosed](t, events, t0, 13*time.Minute)
		expect[chat.Finished](t, events, t0, 13*time.Minute)
	})
}

// A chat that was quiet while no server ran is warned first, in full.
func TestIdleControlAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := enginetest.NewLog()
		e := start(t, engine.Options{Log: log, Rules: watchful})
		id, _, err := e.Open(t.Context(), opening())
		if err != nil {
			t.Fatal(err)
		}
		join(t, e, id, 7)
		time.Sleep(150 * time.Second) // the alert stands
		closing(t, e)
		time.Sleep(time.Hour)
		t0 := time.Now()
		e = start(t, engine.Options{Log: log, Rules: watchful})
		do(t, e, id, chat.Command{By: chat.TheVisitor(), Do: chat.Bind{Channel: "c2"}})
		time.Sleep(time.Hour)
		events := logged(t, log, id)
		expect[chat.IdleWarned](t, events, t0, -time.Hour-30*time.Second, 2*time.Minute)
		expect[chat.Finished](t, events, t0, 3*time.Minute)
	})
}
