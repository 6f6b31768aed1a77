package client

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

var allTransports = []string{WebSocket, LongPolling}

// accept answers a handshake with a session and the transports the server has.
func (r *request) accept(clientID string, transports ...string) {
	r.reply(object{"clientId": clientID, "supportedConnectionTypes": transports})
}

func TestFallsBackAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		p.intercept = func(w http.ResponseWriter, r *http.Request) bool {
			if r.Header.Get("Upgrade") == "" {
				return false
			}
			w.WriteHeader(http.StatusBadRequest)
			return true
		}
		c := p.client(Options{})
		at := time.Now()
		c.Start()
		r := p.next("/meta/handshake")
		if r.transport != LongPolling || time.Since(at) != 0 {
			t.Errorf("handshake over %s after %v, want long-polling at once", r.transport, time.Since(at))
		}
		r.accept("c1", allTransports...)
		if got := p.probe("c1"); got.transport != LongPolling {
			t.Errorf("connect over %s, want the transport that works", got.transport)
		}
	})
}

func TestRefusedDialIsNotTheTransportsFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		p.net.refuse = true
		asked := 0
		c := p.client(Options{GiveUp: func(attempt int, err error) bool {
			asked++
			if attempt != asked || !errors.Is(err, errRefused) {
				t.Errorf("GiveUp(%d, %v) at call %d", attempt, err, asked)
			}
			if attempt == 5 {
				p.net.refuse = false
			}
			return false
		}})
		c.Start()
		if r := p.next("/meta/handshake"); r.transport != WebSocket {
			t.Errorf("handshake over %s, want websocket still", r.transport)
		}
		if asked != 5 {
			t.Errorf("GiveUp was asked %d times, want 5", asked)
		}
	})
}

func TestGiveUp(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		p := newPeer(t)
		p.intercept = func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(http.StatusUnauthorized)
			return true
		}
		c := p.client(Options{Transports: []string{transport}, GiveUp: func(attempt int, _ error) bool { return attempt == 3 }})
		_, err := c.Handshake(t.Context())
		var status *StatusError
		if !errors.Is(err, ErrClosed) || !errors.As(err, &status) || status.Status != 401 {
			t.Errorf("Handshake: %v, want status 401", err)
		}
		if !errors.As(c.Run(t.Context()), &status) {
			t.Errorf("Run: %v, want status 401", c.Err())
		}
	})
}

func TestRefusedHandshake(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		p := newPeer(t)
		c := p.client(Options{Transports: []string{transport}})
		c.Start()
		p.next("/meta/handshake").fail("403::not_yet", object{"reconnect": "handshake", "interval": 5000})
		p.quiet(5*time.Second - 1)
		p.next("/meta/handshake").fail("403::handshake_denied", object{"reconnect": "none"})
		<-c.Done()
		var refused *Error
		if err := c.Err(); !errors.As(err, &refused) || refused.Text != "handshake_denied" || refused.Channel != "/meta/handshake" {
			t.Errorf("Err: %v", err)
		}
	})
}

func TestNegotiation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		c := p.client(Options{})
		c.Start()
		p.next("/meta/handshake").accept("c1", "callback-polling", LongPolling)
		r := p.probe("c1")
		if r.transport != LongPolling || r.messages[0]["connectionType"] != LongPolling || c.Transport() != LongPolling {
			t.Errorf("connect over %s, which is all that the server allows", r.transport)
		}
	})
}

func TestNoCommonTransport(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		p := newPeer(t)
		c := p.client(Options{Transports: []string{transport}})
		c.Start()
		p.next("/meta/handshake").accept("c1", "callback-polling")
		<-c.Done()
		if err := c.Err(); !errors.Is(err, ErrTransport) {
			t.Errorf("Err: %v, want ErrTransport", err)
		}
	})
}

func TestUselessSessionsAreNotAskedForInALoop(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		p := newPeer(t)
		c := p.client(Options{Transports: []string{transport}})
		c.Start()
		at := time.Now()
		for range 6 {
			p.shake("c")
			p.probe("c").fail("402::Unknown client", object{"reconnect": "handshake", "interval": 0})
		}
		p.next("/meta/handshake")
		if d := time.Since(at); d < 15*time.Second {
			t.Errorf("six useless sessions within %v", d)
		}
	})
}

func TestUnknownClientWithoutAdvice(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		p := newPeer(t)
		p.client(Options{Transports: []string{transport}}).Start()
		p.establish("c1").fail("402::session_unknown", nil)
		p.establish("c2")
	})
}

func TestRefusedConnectIsTriedAgain(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		p := newPeer(t)
		p.client(Options{Transports: []string{transport}}).Start()
		p.establish("c1").fail("503::busy", object{"reconnect": "retry", "interval": 3000, "timeout": 20000})
		p.quiet(3*time.Second - 1)
		p.probe("c1")
	})
}

func TestExpiredSession(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		p := newPeer(t)
		p.client(Options{Transports: []string{transport}, MaxBackoff: 4 * time.Second}).Start()
		held := p.establish("c1")
		held.reply(object{"advice": object{"reconnect": "retry", "interval": 0, "timeout": 20000, "maxInterval": 10000}})
		at := time.Now()
		held = p.hold("c1")
		for {
			held.drop()
			held = <-p.requests
			if held.messages[0]["channel"] == "/meta/handshake" {
				break
			}
		}
		if d := time.Since(at); d < 30*time.Second || d > 40*time.Second {
			t.Errorf("the session was given up after %v, want soon after 30 s", d)
		}
	})
}

func TestSilentServer(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		p := newPeer(t)
		c := p.client(Options{Transports: []string{transport}, MaxNetworkDelay: 5 * time.Second})
		c.Start()
		p.next("/meta/handshake") // is never answered
		at := time.Now()
		p.shake("c1")
		if d := time.Since(at); d < 5*time.Second || d > 6*time.Second {
			t.Errorf("the next handshake came after %v", d)
		}
		p.probe("c1").reply(nil)
		p.hold("c1") // is never answered
		at = time.Now()
		p.probe("c1").reply(nil)
		if d := time.Since(at); d < 25*time.Second || d > 26*time.Second {
			t.Errorf("the next connect came after %v, want the advised 20 s and the delay of 5 s", d)
		}
		p.hold("c1")
		done := publish(c, "/service/talk", 1)
		p.next("/service/talk") // is never answered
		at = time.Now()
		if got := <-done; !errors.Is(got.err, ErrLost) || time.Since(at) != 5*time.Second {
			t.Errorf("Publish returned %v after %v", got.err, time.Since(at))
		}
		if transport == WebSocket { // the connection is not trusted any more
			p.probe("c1")
		}
	})
}

func TestHandshakeGivesUpWaiting(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		p := newPeer(t)
		c := p.client(Options{Transports: []string{transport}})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.Handshake(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Handshake: %v", err)
		}
		p.shake("c1")
		p.probe("c1").reply(nil) // it goes on all the same
		if m, err := c.Handshake(t.Context()); err != nil || m.ClientID != "c1" {
			t.Errorf("Handshake: %v, %v", m, err)
		}
	})
}
