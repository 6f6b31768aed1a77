package client

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestServerEndsTheSession(t *testing.T) {
	type end func(p *peer, held *request)
	for name, end := range map[string]end{
		"advice none": func(_ *peer, held *request) {
			held.reply(object{"advice": object{"reconnect": "none"}}, delivery("/service/talk", "last"))
		},
		"refused with advice none": func(_ *peer, held *request) {
			held.fail("402::Unknown client", object{"reconnect": "none"}, delivery("/service/talk", "last"))
		},
		"kick": func(_ *peer, held *request) {
			held.send(delivery("/service/talk", "last"), object{"channel": "/meta/disconnect", "successful": true})
		},
	} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, transport string) {
				p := newPeer(t)
				c := p.client(Options{Transports: []string{transport}})
				var got record
				c.Listen("/service/talk", got.add)
				c.Start()
				end(p, p.establish("c1"))
				<-c.Done()
				if err := c.Err(); !errors.Is(err, ErrDisconnected) {
					t.Errorf("Err: %v, want ErrDisconnected", err)
				}
				got.want(t, `"last"`)
				if _, err := c.Handshake(t.Context()); !errors.Is(err, ErrDisconnected) || !errors.Is(err, ErrClosed) {
					t.Errorf("Handshake: %v", err)
				}
				p.quiet(time.Hour)
			})
		})
	}
}

func TestCloseTellsAServerThatHoldsAConnect(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		p := newPeer(t)
		c := p.client(Options{Transports: []string{transport}})
		c.Start()
		held := p.establish("c1")
		closed := make(chan error, 1)
		go func() { closed <- c.Close(t.Context()) }()
		bye := p.next("/meta/disconnect")
		held.reply(object{"advice": object{"reconnect": "none"}})
		synctest.Wait() // the client is in no hurry to leave before the answer
		bye.reply(nil)
		if err := <-closed; err != nil {
			t.Error(err)
		}
		<-c.Done()
		if err := c.Err(); err != nil {
			t.Errorf("Err after Close: %v", err)
		}
	})
}

func TestRunEndsWithItsContext(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		p := newPeer(t)
		c := p.client(Options{Transports: []string{transport}})
		ctx, cancel := context.WithCancel(t.Context())
		ran := make(chan error, 1)
		go func() { ran <- c.Run(ctx) }()
		p.establish("c1")
		cancel()
		p.next("/meta/disconnect") // is never answered
		at := time.Now()
		if err := <-ran; !errors.Is(err, context.Canceled) {
			t.Errorf("Run returned %v", err)
		}
		if d := time.Since(at); d > 11*time.Second {
			t.Errorf("Run took %v to end", d)
		}
	})
}

func TestCloseFromACallback(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		p := newPeer(t)
		c := p.client(Options{Transports: []string{transport}, Queue: 1})
		var calls int
		c.Listen("/service/talk", func(m *Message) {
			calls++
			if err := c.Close(t.Context()); err != nil {
				t.Error(err)
			}
		})
		c.Start()
		p.establish("c1").send(delivery("/service/talk", 1), delivery("/service/talk", 2), delivery("/service/talk", 3), delivery("/service/talk", 4))
		for {
			r := <-p.requests
			if r.messages[0]["channel"] == "/meta/disconnect" {
				r.reply(nil)
				break
			}
		}
		<-c.Done()
		if calls != 1 {
			t.Errorf("%d callbacks, want one", calls)
		}
	})
}

func TestCloseWhoseAnswerIsLost(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		p := newPeer(t)
		c := p.client(Options{Transports: []string{transport}})
		c.Start()
		p.establish("c1")
		closed := make(chan error, 1)
		go func() { closed <- c.Close(t.Context()) }()
		p.next("/meta/disconnect").drop()
		if err := <-closed; !errors.Is(err, ErrLost) {
			t.Errorf("Close: %v, want ErrLost", err)
		}
		<-c.Done()
		if err := c.Err(); err != nil {
			t.Errorf("Err after Close: %v", err)
		}
	})
}
