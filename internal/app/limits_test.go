package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/halley-chat/halley/internal/config"
)

// A server that nobody has set up holds an address to rates; -1 lifts them, as
// does unlimited_networks, for limits by address.
func TestLimitsByAddress(t *testing.T) {
	demo := config.Demo(0)
	const without = "[services.customer-support]\n[queues.customer-support]\nmembers = [\"*\"]\n"
	parse := func(doc string) config.Config {
		c, err := config.Parse([]byte(doc))
		if err != nil {
			t.Fatalf("got the error %v, want none:\n%s", err, doc)
		}
		return c
	}
	const many = 301
	for name, c := range map[string]struct {
		settings        config.Config
		chats, sessions int // how many are had of 21 and of many
	}{
		"nothing said": {config.Default(), config.DefaultNewChats, config.DefaultMaxSessions},
		"zero": {
			parse("sessions_per_address = 0\n" + strings.Replace(without, "]\n", "]\nnew_chats_per_minute = 0\n", 1)),
			config.DefaultNewChats, config.DefaultMaxSessions,
		},
		"own numbers": {
			parse("sessions_per_address = 5\n" + strings.Replace(without, "]\n", "]\nnew_chats_per_minute = 2\n", 1)), 2, 5,
		},
		"no limit": {
			parse("sessions_per_address = -1\n" + strings.Replace(without, "]\n", "]\nnew_chats_per_minute = -1\n", 1)), 21, many,
		},
		"unlimited network": {parse("unlimited_networks = [\"127.0.0.0/8\"]\n" + without), 21, many},
		"another network":   {parse("unlimited_networks = [\"10.0.0.0/8\"]\n" + without), config.DefaultNewChats, config.DefaultMaxSessions},
		"demo":              {demo, 21, many},
	} {
		t.Run(name, func(t *testing.T) {
			c.settings.Listen, c.settings.Data = "127.0.0.1:0", t.TempDir()
			at := serving(t, Options{Config: c.settings, Logger: slog.New(slog.DiscardHandler)})
			had := func(n int, path, kind, body, good string) (count int) {
				for range n {
					if strings.Contains(posted(t, at+path, kind, body), good) {
						count++
					}
				}
				return count
			}
			begun := time.Now()
			got := had(21, "/genesys/2/chat/customer-support", "application/x-www-form-urlencoded", "nickname=Vera", `"statusCode":0`)
			// A slow machine gives the bucket time to fill again.
			more := int(time.Since(begun) * time.Duration(c.chats) / time.Minute)
			if got < c.chats || got > c.chats+more {
				t.Errorf("got %d chats of 21, want %d and at most %d more", got, c.chats, more)
			}
			const handshake = `[{"channel":"/meta/handshake","version":"1.0","supportedConnectionTypes":["long-polling"]}]`
			if got := had(many, "/genesys/cometd", "application/json", handshake, `"successful":true`); got != c.sessions {
				t.Errorf("got %d sessions of %d, want %d", got, many, c.sessions)
			}
		})
	}
}

// serving runs a server for the time of a test and returns its address.
func serving(t *testing.T, o Options) string {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	a, err := New(ctx, o)
	if err != nil {
		stop()
		t.Fatalf("got the error %v, want a server", err)
	}
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		stop()
		if err := <-done; err != nil {
			t.Errorf("got the error %v when the server stopped, want none", err)
		}
	})
	return a.address()
}

// posted is the answer to a request.
func posted(t *testing.T, to, kind, body string) string {
	t.Helper()
	res, err := http.Post(to, kind, strings.NewReader(body))
	if err != nil {
		t.Fatalf("got the error %v, want an answer of %s", err, to)
	}
	text, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil {
		t.Fatalf("got the error %v, want the answer of %s", err, to)
	}
	return fmt.Sprint(res.StatusCode, " ", string(text))
}
