package bayeux_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/halley-chat/halley/bayeux"
	"github.com/halley-chat/halley/bayeux/bayeuxtest"
)

// A policy says whether a client that it refuses may try again.
//
// spec:2.6
func TestARefusedHandshakeMayTryAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refusal := &bayeux.Error{Code: 403, Args: "sign_in_first", Text: "handshake_denied"}
		w := newWorld(t, bayeux.Options{Policy: bayeux.Policy{
			Handshake: func(_ context.Context, _ *bayeux.Session, m *bayeux.Message) error {
				switch string(m.ExtField("user")) {
				case `"known"`:
					return nil
				case `"unknown"`:
					return fmt.Errorf("checked: %w", bayeux.Again(refusal))
				case `"broken"`:
					return bayeux.Again(errors.New("the directory is down"))
				default:
					return refusal
				}
			},
		}})
		for user, want := range map[string]string{
			"unknown": "403:sign_in_first:handshake_denied handshake",
			"broken":  "403::handshake_denied handshake",
			"banned":  "403:sign_in_first:handshake_denied none",
			"known":   "<nil> retry",
		} {
			_, _, f := w.post(t.Context(), "", `{"channel":"/meta/handshake","ext":{"user":"`+user+`"}}`)
			if got := fmt.Sprint(f[0]["error"], " ", f[0].At("advice", "reconnect")); got != want {
				t.Errorf("%s: %s instead of %s", user, got, want)
			}
		}
	})
}

// The cookie says what the options want of it, over both transports.
//
// spec:8.1
func TestCookieOptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{
			CookieName: "WHO", CookiePath: "/chat", CookieSecure: true,
			CookieDomain: "shop.example", CookieSameSite: http.SameSiteNoneMode,
		})
		resp, err := w.web.Post("http://memory/cometd", "application/json", strings.NewReader(`{"channel":"/meta/handshake"}`))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		for transport, header := range map[string]http.Header{"poll": resp.Header, "socket": w.dial(nil).Header} {
			c, err := http.ParseSetCookie(header.Get("Set-Cookie"))
			if err != nil {
				t.Fatal(err)
			}
			if c.Name != "WHO" || c.Path != "/chat" || !c.Secure || !c.HttpOnly || c.Domain != "shop.example" || c.SameSite != http.SameSiteNoneMode {
				t.Errorf(`%s: got %v, want c.Name == "WHO", c.Path == "/chat", c.Secure, c.HttpOnly, c.Domain == "shop.example", c.SameSite == http.SameSiteNoneMode`, transport, c)
			}
		}
	})
}

// A cookie that the application has not made counts for nothing and is replaced,
// over both transports; one that it has made is kept.
//
// spec:8.1
func TestUnknownCookiesAreReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const made = "made-by-the-application"
		w := newWorld(t, bayeux.Options{
			NewBrowser:   func() string { return made },
			KnownBrowser: func(value string) bool { return value == made },
		})
		for value, kept := range map[string]bool{made: true, "": false, "made-by-somebody-else": false} {
			header := http.Header{"Cookie": {bayeuxtest.Cookie + "=" + value}}
			_, polled, f := w.post(t.Context(), value, `{"channel":"/meta/handshake"}`)
			s := w.srv.Session(f[0]["clientId"].(string))
			if s.Browser() != made || s.BrowserKnown() != kept {
				t.Errorf("cookie %q: got the browser %q, known %v; want %q, %v", value, s.Browser(), s.BrowserKnown(), made, kept)
			}
			socket, want := "", made
			if c, err := http.ParseSetCookie(w.dial(header).Header.Get("Set-Cookie")); err == nil {
				socket = c.Value
			}
			if kept {
				want = ""
			}
			if polled != made || socket != want {
				t.Errorf("cookie %q: got %q over a poll and %q over a WebSocket, want %q and %q", value, polled, socket, made, want)
			}
		}
	})
}

// Extensions see the message that ends a session from the server's side.
//
// spec:6.11 spec:11.7
func TestExtensionsSeeTheServersDisconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, bayeux.Options{Extensions: []bayeux.Extension{{
			Outgoing: func(s *bayeux.Session, d *bayeux.Delivery) bool {
				if d.Channel == "/meta/disconnect" && s != nil {
					d.Set("ext", []byte(`{"why":"maintenance"}`))
				}
				return true
			},
		}}})
		s := w.socket()
		w.srv.Session(s.ID).Disconnect()
		if f := s.Read(); f[0]["channel"] != "/meta/disconnect" || f[0]["successful"] != true || f[0].At("ext", "why") != "maintenance" {
			t.Errorf(`got %v, want f[0]["channel"] == "/meta/disconnect", f[0]["successful"] == true, f[0].At("ext", "why") == "maintenance"`, f)
		}
	})
}
