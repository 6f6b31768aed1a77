package engine_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
	"github.com/halley-chat/halley/internal/engine/enginetest"
)

func typing(by chat.Actor, preview string) chat.Command {
	return chat.Command{By: by, Do: chat.Type{On: preview != "", Preview: preview}}
}

// heard is what a tape shows of typing: who, what, and when after a moment.
func heard(p *tape, since time.Time) []string {
	var list []string
	for _, e := range p.all() {
		if f, ok := e.Fact.(chat.Typed); ok {
			list = append(list, fmt.Sprintf("%d %v %q %v", f.No, f.On, e.Preview, e.At.Sub(since)))
		}
	}
	return list
}

func TestTypingIsThrottled(t *testing.T) {
	v, a := chat.TheVisitor(), chat.Staff(7)
	type step struct {
		after    time.Duration
		c        chat.Command
		deferred bool
	}
	ms := time.Millisecond
	for name, c := range map[string]struct {
		steps []step
		want  []string
	}{
		"the latest one wins": {
			[]step{{0, typing(v, "h"), false}, {300 * ms, typing(v, "he"), true}, {300 * ms, typing(v, "hel"), true}},
			[]string{`1 true "h" 0s`, `1 true "hel" 1s`},
		},
		"each participant has its own second": {
			[]step{{0, typing(v, "h"), false}, {100 * ms, typing(a, "g"), false}, {100 * ms, typing(a, "go"), true}},
			[]string{`1 true "h" 0s`, `2 true "g" 100ms`, `2 true "go" 1.1s`},
		},
		"slow typing does not wait": {
			[]step{{0, typing(v, "h"), false}, {1000 * ms, typing(v, "he"), false}},
			[]string{`1 true "h" 0s`, `1 true "he" 1s`},
		},
		"a stop waits too": {
			[]step{{0, typing(v, "h"), false}, {100 * ms, typing(v, ""), true}},
			[]string{`1 true "h" 0s`, `1 false "" 1s`},
		},
		"a line drops what waits": {
			[]step{{0, typing(v, "h"), false}, {100 * ms, typing(v, "he"), true}, {100 * ms, say("hello"), false}},
			[]string{`1 true "h" 0s`},
		},
		"a line of somebody else does not": {
			[]step{
				{0, typing(v, "h"), false},
				{100 * ms, typing(v, "he"), true},
				{100 * ms, chat.Command{By: a, Do: chat.Say{Text: "yes?"}}, false},
			},
			[]string{`1 true "h" 0s`, `1 true "he" 1s`},
		},
		"a line does not restart the second": {
			[]step{{0, typing(v, "h"), false}, {100 * ms, say("hello"), false}, {100 * ms, typing(v, "I"), true}},
			[]string{`1 true "h" 0s`, `1 true "I" 1s`},
		},
		"leaving drops what waits": {
			[]step{{0, typing(a, "g"), false}, {100 * ms, typing(a, "go"), true}, {0, chat.Command{By: a, Do: chat.Leave{}}, false}},
			[]string{`2 true "g" 0s`, `2 false "" 100ms`},
		},
		"the end drops what waits": {
			[]step{{0, typing(v, "h"), false}, {100 * ms, typing(v, "he"), true}, {0, chat.Command{By: a, Do: chat.End{}}, false}},
			[]string{`1 true "h" 0s`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := enginetest.NewLog()
				e := start(t, engine.Options{Log: log})
				id := open(t, e)
				join(t, e, id, 7)
				time.Sleep(5 * time.Second)
				p, w := watch(t, e, id, 1)
				defer w.Close()
				t0 := time.Now()
				for i, s := range c.steps {
					time.Sleep(s.after)
					before := time.Now()
					if res := do(t, e, id, s.c); res.Deferred != s.deferred {
						t.Errorf("step %d: Deferred is %v", i, res.Deferred)
					}
					if waited := time.Since(before); waited > 0 {
						t.Errorf("step %d was answered after %v", i, waited)
					}
				}
				time.Sleep(5 * time.Second)
				if got := heard(p, t0); fmt.Sprint(got) != fmt.Sprint(c.want) {
					t.Errorf("heard %v\nwant  %v", got, c.want)
				}
				for _, ev := range logged(t, log, id) {
					if ev.Preview != "" {
						t.Error("a preview was stored")
					}
				}
			})
		})
	}
}

func TestTypingInOneTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := enginetest.NewLog()
		e := start(t, engine.Options{Log: log})
		id := open(t, e)
		p, w := watch(t, e, id, 1)
		defer w.Close()
		release := log.Hold()
		t0 := time.Now()
		go do(t, e, id, say("x"))
		synctest.Wait()
		for _, preview := range []string{"a", "ab", "abc"} {
			go do(t, e, id, typing(chat.TheVisitor(), preview))
			synctest.Wait()
		}
		release()
		time.Sleep(3 * time.Second)
		want := []string{`1 true "a" 0s`, `1 true "abc" 1s`}
		if got := heard(p, t0); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("heard %v, want %v", got, want)
		}
	})
}

func TestTypingOfAStranger(t *testing.T) {
	e := start(t, engine.Options{})
	id := open(t, e)
	_, err := e.Do(t.Context(), id, typing(chat.Staff(7), "x"))
	mustKind(t, err, chat.Forbidden)
}

// TestTypingWhenTheClockIsSet has the clock go back by an hour between two
// keys: nobody waits an hour for the second one.
func TestTypingWhenTheClockIsSet(t *testing.T) {
	e := start(t, engine.Options{})
	id := open(t, e)
	c := typing(chat.TheVisitor(), "h")
	do(t, e, id, c)
	c.At = time.Now().Add(-time.Hour)
	if res := do(t, e, id, c); res.Deferred {
		t.Error("typing waits for the clock to come round")
	}
}

// Typing that nobody ends and nobody repeats is over after a while, once, and no
// summary is stored for it.
func TestTypingExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := enginetest.NewLog()
		e := start(t, engine.Options{Log: log})
		id := open(t, e)
		join(t, e, id, 7)
		p, w := watch(t, e, id, 1)
		defer w.Close()
		since := time.Now()
		do(t, e, id, typing(chat.Staff(7), "g"))
		time.Sleep(5 * time.Minute)
		want := []string{`2 true "g" 0s`, `2 false "" 12s`}
		if got := heard(p, since); !slices.Equal(got, want) {
			t.Errorf("heard %q, want %q", got, want)
		}
	})
}

// A chat in which somebody typed when the server stopped is told after its start.
func TestTypingExpiresAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := enginetest.NewLog()
		e := engine.New(engine.Options{Log: log, Logger: quiet})
		if err := e.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		id := open(t, e)
		join(t, e, id, 7)
		since := time.Now()
		do(t, e, id, typing(chat.Staff(7), "g"))
		closing(t, e)
		time.Sleep(20 * time.Second)
		e = start(t, engine.Options{Log: log})
		p, w := watch(t, e, id, 1)
		defer w.Close()
		synctest.Wait()
		if got, want := heard(p, since), []string{`2 false "" 20s`}; !slices.Equal(got, want) {
			t.Errorf("heard %q, want %q", got, want)
		}
	})
}
