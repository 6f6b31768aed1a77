package push_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/push"
)

// client is a visitor's app as the log sees it, with what really reaches it.
type client struct {
	h       *fixture
	id      chat.ID
	channel string
	alive   bool // its connection works
	lost    time.Time
	heard   map[int64]bool
	n       int
}

// listen is what a connection that works brings.
func (c *client) listen() {
	c.h.t.Helper()
	if c.channel == "" || !c.alive {
		return
	}
	events, err := c.h.engine.Read(c.h.t.Context(), c.id, 1, 10000)
	if err != nil {
		c.h.t.Fatal(err)
	}
	for _, e := range events {
		c.heard[e.Index] = true
	}
}

func (c *client) do(a chat.Action) {
	c.h.t.Helper()
	if _, err := c.h.engine.Do(c.h.t.Context(), c.id, chat.Command{By: visitor, Do: a}); err != nil && chat.KindOf(err) != chat.Ended {
		c.h.t.Fatal(err)
	}
}

// TestNothingIsLost lets chance play: an agent who writes, connections that
// break unnoticed, goodbyes, carriers that fail, restarts at any moment. In the
// end every event that the visitor may see has reached it on one way or the
// other.
func TestNothingIsLost(t *testing.T) {
	for seed := range uint64(60) {
		inBubble(t, func(o *push.Options) { o.Expiry = 1000 * time.Hour }, func(t *testing.T, h *fixture) {
			r := rand.New(rand.NewPCG(seed, 7))
			var mu sync.Mutex
			luck := rand.New(rand.NewPCG(seed, 8)) // guarded by mu
			h.device.set(func(push.Message) error {
				mu.Lock()
				wait, fail := luck.IntN(3), luck.IntN(4) == 0
				mu.Unlock()
				time.Sleep(time.Duration(wait) * time.Millisecond)
				if fail {
					return busy
				}
				return nil
			})
			c := &client{h: h, id: h.chat(phone), channel: "c1", alive: true, heard: make(map[int64]bool)}
			for range 60 {
				c.listen()
				h.rest(time.Duration(r.IntN(40)) * time.Second / 4)
				// A connection that broke is found out in the end.
				if c.channel != "" && !c.alive && time.Since(c.lost) > 90*time.Second {
					c.do(chat.Unbind{Channel: c.channel, Heard: time.Now().Add(-110 * time.Second)})
					c.channel = ""
				}
				switch r.IntN(12) {
				case 0, 1, 2, 3, 4:
					h.say(c.id, "x")
				case 5:
					c.listen()
					if c.channel != "" && c.alive {
						c.alive, c.lost = false, time.Now()
					}
				case 6: // a goodbye
					if c.channel != "" && c.alive {
						c.listen()
						c.do(chat.Unbind{Channel: c.channel})
						c.channel = ""
					}
				case 7: // to the background
					if c.channel != "" && c.alive {
						c.listen()
						s := h.do(c.id, anna, chat.Type{On: true}).Summary // it has not seen this one
						c.do(chat.Unbind{Channel: c.channel, Background: true, From: s.Last})
						c.channel = ""
					}
				case 8: // comes back, and may be cut off before anything reaches it
					c.n++
					c.channel, c.alive, c.lost = fmt.Sprint("d", c.n), r.IntN(3) > 0, time.Now()
					c.do(chat.Bind{Channel: c.channel})
				case 9: // a crash: nobody says goodbye
					c.listen()
					h.restart()
					c.channel = ""
				case 10:
					h.rest(time.Duration(r.IntN(5)) * time.Millisecond)
					h.restart()
					c.channel = ""
				case 11:
					h.do(c.id, anna, chat.Push{URL: "https://example.org/"})
				}
			}
			c.listen()
			if c.channel != "" {
				c.do(chat.Unbind{Channel: c.channel, Heard: time.Now().Add(-110 * time.Second)})
			}
			if r.IntN(2) == 0 {
				h.do(c.id, anna, chat.End{})
				h.restart()
			}
			h.rest(time.Hour)
			pushed := h.device.indexes(c.id)
			events, err := h.engine.Read(t.Context(), c.id, 1, 10000)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range events {
				_, typed := e.Fact.(chat.Typed)
				if e.VisibleToVisitor() && !typed && e.Index > 1 && !c.heard[e.Index] && !slices.Contains(pushed, e.Index) {
					t.Errorf("seed %d: event %d (%T) has not reached the visitor", seed, e.Index, e.Fact)
				}
			}
			if !slices.IsSorted(pushed) {
				t.Errorf("seed %d: out of order: %v", seed, pushed)
			}
		})
	}
}
