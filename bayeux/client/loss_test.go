package client

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestForgottenSession(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		p := newPeer(t)
		shaken := make(chan string, 4)
		c := p.client(Options{
			Transports: []string{transport},
			OnHandshake: func(c *Client, reply *Message) {
				shaken <- reply.ClientID
				if reply.ClientID == "c2" {
					if _, err := c.Publish(t.Context(), "/service/restore", "please"); err != nil {
						t.Error(err)
					}
				}
			},
		})
		var got record
		subscribed := make(chan error, 1)
		go func() {
			_, err := c.Subscribe(t.Context(), "/news/**", got.add)
			subscribed <- err
		}()
		c.Start()
		p.shake("c1")
		probe, subscribe := p.nextOf("/meta/connect", "/meta/subscribe")
		if subscribe.messages[0]["subscription"] != "/news/**" {
			t.Errorf("the client sent %v", subscribe.messages[0])
		}
		subscribe.reply(object{"subscription": "/news/**"})
		if err := <-subscribed; err != nil {
			t.Fatal(err)
		}
		probe.reply(nil)
		held := p.hold("c1")
		held.fail("402::Unknown client", object{"reconnect": "handshake", "interval": 0})

		p.shake("c2")
		renewed := p.next("/meta/subscribe")
		if m := renewed.messages[0]; m["subscription"] != "/news/**" || m["clientId"] != "c2" {
			t.Errorf("the client sent %v, want the subscription renewed", m)
		}
		renewed.reply(nil)
		restore, probe := p.nextOf("/service/restore", "/meta/connect")
		restore.reply(nil, delivery("/news/today", "rain"))
		probe.reply(nil)
		p.hold("c2")
		if a, b := <-shaken, <-shaken; a != "c1" || b != "c2" {
			t.Errorf("OnHandshake was called for %s, %s", a, b)
		}
		got.want(t, `"rain"`)
	})
}

func TestForgottenOnPublish(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		p := newPeer(t)
		c := p.client(Options{Transports: []string{transport}})
		c.Start()
		p.establish("c1")
		done := publish(c, "/service/talk", 1)
		p.next("/service/talk").fail("402::Unknown client", nil)
		var refused *Error
		if got := <-done; !errors.As(got.err, &refused) || refused.Code != 402 || refused.Text != "Unknown client" {
			t.Errorf("Publish returned %v, want error 402", got.err)
		}
		p.establish("c2")
		done = publish(c, "/service/talk", 2)
		r := p.next("/service/talk")
		r.fail("403:denied_by_security_policy:publish_denied", nil)
		got := <-done
		want := &Error{
			Channel: "/service/talk", Code: 403, Args: []string{"denied_by_security_policy"}, Text: "publish_denied",
			Raw: "403:denied_by_security_policy:publish_denied",
		}
		if !errors.As(got.err, &refused) || cmp.Diff(want, refused) != "" {
			t.Errorf("Publish returned %#v, want %#v", got.err, want)
		}
	})
}

func TestLostConnection(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		p := newPeer(t)
		back := 0
		c := p.client(Options{Transports: []string{transport}, OnReconnect: func(*Client) { back++ }})
		c.Start()
		held := p.establish("c1")
		done := publish(c, "/service/talk", 1)
		lost := p.next("/service/talk")
		at := time.Now()
		held.drop()
		if transport == LongPolling {
			synctest.Wait()
			lost.drop()
		}
		if got := <-done; !errors.Is(got.err, ErrLost) {
			t.Errorf("Publish returned %v, want ErrLost", got.err)
		}
		waiting := publish(c, "/service/talk", 2) // waits for the connection
		p.probe("c1").reply(nil)
		if d := time.Since(at); d >= time.Second {
			t.Errorf("the first attempt came after %v", d)
		}
		r, _ := p.nextOf("/service/talk", "/meta/connect")
		r.reply(nil)
		if got := <-waiting; got.err != nil {
			t.Error(got.err)
		}
		synctest.Wait()
		if back != 1 {
			t.Errorf("OnReconnect was called %d times, want once", back)
		}
	})
}

func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		c := p.client(Options{Transports: []string{LongPolling}, Backoff: time.Second, MaxBackoff: 10 * time.Second})
		c.Start()
		held := p.establish("c1")
		bounds := []struct{ low, high time.Duration }{
			{0, time.Second},
			{500 * time.Millisecond, time.Second},
			{time.Second, 2 * time.Second},
			{2 * time.Second, 4 * time.Second},
			{4 * time.Second, 8 * time.Second},
			{5 * time.Second, 10 * time.Second},
			{5 * time.Second, 10 * time.Second},
		}
		for i, b := range bounds {
			at := time.Now()
			held.drop()
			held = p.probe("c1")
			if d := time.Since(at); d < b.low || d > b.high {
				t.Errorf("attempt %d came after %v, want between %v and %v", i+1, d, b.low, b.high)
			}
		}
	})
}
