package client

import (
	"net/http"
	"testing"
	"testing/synctest"
)

func TestCookies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		p.intercept = func(w http.ResponseWriter, r *http.Request) bool {
			if r.Header.Get("Upgrade") == "" {
				http.SetCookie(w, &http.Cookie{Name: "BROWSER", Value: "b1", Path: "/", HttpOnly: true})
			}
			return false
		}
		c := p.client(Options{Transports: []string{LongPolling}, Header: http.Header{"X-Key": {"k"}}})
		c.Start()
		first := p.shake("c1")
		if got := first.header["Cookie"]; got != nil {
			t.Errorf("the first request has cookies: %q", got)
		}
		probe := p.probe("c1")
		if got := probe.header.Get("Cookie"); got != "BROWSER=b1" || probe.header.Get("X-Key") != "k" {
			t.Errorf("the second request has the header %v", probe.header)
		}
		again := p.client(Options{Transports: []string{WebSocket}, Jar: c.opts.Jar, Header: http.Header{"X-Key": {"k"}}})
		again.Start()
		r := p.next("/meta/handshake")
		if got := r.header.Get("Cookie"); got != "BROWSER=b1" || r.header.Get("X-Key") != "k" {
			t.Errorf("the upgrade has the header %v", r.header)
		}
	})
}

func TestCookieFromUpgrade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		p.intercept = func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Set-Cookie", "BROWSER=b2; Path=/; HttpOnly")
			return false
		}
		c := p.client(Options{Transports: []string{WebSocket}})
		c.Start()
		p.shake("c1").drop()
		if got := p.probe("c1").header.Get("Cookie"); got != "" {
			t.Logf("the first probe came over the first socket: %q", got)
		}
		cookies := c.opts.Jar.Cookies(c.opts.poll)
		if len(cookies) != 1 || cookies[0].Value != "b2" {
			t.Errorf("the jar has %v", cookies)
		}
	})
}
