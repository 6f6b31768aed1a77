package client

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// onBoth runs a test over each transport, in a bubble with a fake clock.
func onBoth(t *testing.T, test func(t *testing.T, transport string)) {
	for _, transport := range []string{WebSocket, LongPolling} {
		t.Run(transport, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, transport) })
		})
	}
}

// result is what a call in the background returned.
type result struct {
	reply *Message
	err   error
}

func publish(c *Client, channel string, data any) <-chan result {
	done := make(chan result, 1)
	go func() {
		m, err := c.Publish(context.Background(), channel, data)
		done <- result{m, err}
	}()
	return done
}

// record collects the data of deliveries.
type record struct {
	mu   sync.Mutex
	data []string
}

func (r *record) add(m *Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.data = append(r.data, string(m.Data))
}

func (r *record) want(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	if diff := cmp.Diff(want, r.data); diff != "" {
		t.Errorf("deliveries (-want +got):\n%s", diff)
	}
}

func TestConversation(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		p := newPeer(t)
		c := p.client(Options{Transports: []string{transport}})
		var got record
		c.Listen("/service/talk", got.add)
		c.Start()

		shook := p.shake("c1")
		if shook.transport != transport {
			t.Errorf("handshake over %s, want %s", shook.transport, transport)
		}
		want := object{
			"channel": "/meta/handshake", "id": shook.messages[0]["id"], "version": "1.0", "minimumVersion": "1.0",
			"supportedConnectionTypes": []any{transport},
		}
		if diff := cmp.Diff(want, shook.messages[0]); diff != "" {
			t.Errorf("handshake (-want +got):\n%s", diff)
		}
		if _, err := c.Handshake(t.Context()); err != nil {
			t.Fatal(err)
		}
		p.probe("c1").reply(nil)
		held := p.hold("c1")
		if got := held.messages[0]["connectionType"]; got != transport {
			t.Errorf("connectionType %v, want %s", got, transport)
		}

		done := publish(c, "/service/talk", object{"n": 1})
		r := p.next("/service/talk")
		if diff := cmp.Diff(object{"n": 1.0}, r.messages[0]["data"]); diff != "" || r.messages[0]["clientId"] != "c1" {
			t.Errorf("the client published %v", r.messages[0])
		}
		r.reply(object{"extra": "yes"}, delivery("/service/talk", 1), delivery("/service/other", 2))
		if reply := <-done; reply.err != nil || !reply.reply.Successful || string(reply.reply.Fields["extra"]) != `"yes"` {
			t.Errorf("Publish returned %+v, %v", reply.reply, reply.err)
		}
		held.reply(nil, delivery("/service/talk", nil), delivery("/service/talk", object{"a": []int{1}}))
		p.hold("c1")
		got.want(t, "1", "null", `{"a":[1]}`)

		closed := make(chan error, 1)
		go func() { closed <- c.Close(t.Context()) }()
		bye := p.next("/meta/disconnect")
		if bye.messages[0]["clientId"] != "c1" {
			t.Errorf("the client sent %v", bye.messages[0])
		}
		bye.reply(nil)
		if err := <-closed; err != nil {
			t.Error(err)
		}
		<-c.Done()
		if err := c.Err(); err != nil {
			t.Errorf("Err after Close: %v", err)
		}
		if _, err := c.Publish(t.Context(), "/service/talk", 1); !errors.Is(err, ErrClosed) {
			t.Errorf("Publish after Close: %v, want ErrClosed", err)
		}
	})
}

func TestHeldConnectsGoOn(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		p := newPeer(t)
		p.client(Options{Transports: []string{transport}}).Start()
		held := p.establish("c1")
		for range 5 {
			time.Sleep(20 * time.Second) // the server holds the connect for the advised time
			held.reply(nil)
			held = p.hold("c1")
		}
	})
}

func TestIntervalIsKept(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		p := newPeer(t)
		p.client(Options{Transports: []string{transport}}).Start()
		p.establish("c1").reply(object{"advice": object{"reconnect": "retry", "interval": 7000, "timeout": 20000}})
		p.quiet(6999 * time.Millisecond)
		p.hold("c1")
	})
}

func TestOutOfOrderReplies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		c := p.client(Options{Transports: []string{WebSocket}})
		c.Start()
		p.establish("c1")
		one := publish(c, "/service/one", 1)
		two := publish(c, "/service/two", 2)
		a, b := p.nextOf("/service/one", "/service/two")
		b.reply(object{"which": "two"})
		if got := <-two; got.err != nil || string(got.reply.Fields["which"]) != `"two"` {
			t.Errorf("the second publish returned %v, %v", got.reply, got.err)
		}
		a.reply(object{"which": "one"})
		if got := <-one; got.err != nil || string(got.reply.Fields["which"]) != `"one"` {
			t.Errorf("the first publish returned %v, %v", got.reply, got.err)
		}
	})
}

func TestPollingSendsOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		c := p.client(Options{Transports: []string{LongPolling}})
		c.Start()
		p.establish("c1")
		first := publish(c, "/service/one", 1)
		r := p.next("/service/one")
		second := publish(c, "/service/two", 2)
		p.quiet(5 * time.Second)
		r.reply(nil)
		p.next("/service/two").reply(nil)
		for _, done := range []<-chan result{first, second} {
			if got := <-done; got.err != nil {
				t.Error(got.err)
			}
		}
	})
}

func TestSlowCallbacksHoldUpTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		c := p.client(Options{Transports: []string{WebSocket}, Queue: 2})
		step := make(chan struct{})
		var got record
		c.Listen("/service/talk", func(m *Message) { <-step; got.add(m) })
		c.Start()
		held := p.establish("c1")
		sent := 0
		go func() {
			for ; sent < 10; sent++ {
				held.send(delivery("/service/talk", sent))
			}
		}()
		synctest.Wait()
		// One is with the callback, two wait, one has been read and finds no
		// room; those further ones that fit into the reader's buffer are sent.
		if len(c.queue) != 2 {
			t.Errorf("%d deliveries wait, want 2", len(c.queue))
		}
		for range 10 {
			step <- struct{}{}
		}
		got.want(t, "0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
	})
}

func TestPublishGivenUpLosesNoDelivery(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		p := newPeer(t)
		c := p.client(Options{Transports: []string{transport}})
		var got record
		c.Listen("/service/talk", got.add)
		c.Start()
		p.establish("c1")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.Publish(ctx, "/service/talk", 1); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Publish returned %v", err)
		}
		p.next("/service/talk").reply(nil, delivery("/service/talk", "kept"))
		got.want(t, `"kept"`)
	})
}
