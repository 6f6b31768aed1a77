package app

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/halley-chat/halley/internal/config"
)

// The demo's password, which everybody knows, signs in at the demo only, also
// when its data directory is served without it later.
func TestTheDemosPasswordIsForTheDemo(t *testing.T) {
	c := config.Demo(time.Minute)
	c.Listen, c.Data = "127.0.0.1:0", t.TempDir()
	for _, step := range []struct {
		name   string
		demo   bool
		status int
	}{{"demo", true, http.StatusOK}, {"afterwards", false, http.StatusUnauthorized}} {
		t.Run(step.name, func(t *testing.T) {
			ctx, stop := context.WithCancel(context.Background())
			a, err := New(ctx, Options{Config: c, Demo: step.demo, Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				stop()
				t.Fatal(err)
			}
			done := make(chan error, 1)
			go func() { done <- a.Run(ctx) }()
			res, err := http.Post(a.address()+"/api/v1/session", "application/json", strings.NewReader(`{"login":"sam","password":"`+demoPassword+`"}`))
			if err != nil {
				t.Error(err)
			} else {
				_ = res.Body.Close()
				if res.StatusCode != step.status {
					t.Errorf("sign-in: got %d, want %d", res.StatusCode, step.status)
				}
			}
			http.DefaultClient.CloseIdleConnections()
			stop()
			if err := <-done; err != nil {
				t.Errorf("Run: got %v, want nil", err)
			}
		})
	}
}
