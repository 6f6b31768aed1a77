package config_test

import (
	"strings"
	"testing"
	"time"

	"github.com/halley-chat/halley/internal/config"
)

func TestDesk(t *testing.T) {
	const rest = "[services.s]\n[queues.s]\nmembers = [\"*\"]\n[desk]\n"
	c, err := config.Parse([]byte(rest + `away_after = "5s"`))
	if err != nil {
		t.Fatal(err)
	}
	if want := (config.Desk{AwayAfter: config.Duration(5 * time.Second), ReleaseAfter: config.DefaultReleaseAfter}); c.Desk != want {
		t.Errorf("got %+v, want %+v", c.Desk, want)
	}
	for line, want := range map[string]string{
		`away_after = "2h"`:     "desk.away_after: ",
		`release_after = "-1s"`: "desk.release_after: ",
	} {
		t.Run(line, func(t *testing.T) {
			if _, err := config.Parse([]byte(rest + line)); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want an error with %q", err, want)
			}
		})
	}
}
