package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/halley-chat/halley/internal/app"
	"github.com/halley-chat/halley/internal/config"
)

type serveCommand struct {
	Listen     string        `help:"Address to serve at, as host:port; 127.0.0.1:8080 if neither this nor the configuration says." placeholder:"ADDR"`
	Data       string        `help:"Directory in which everything is kept; ./data if neither this nor the configuration says, ./data/demo for the demo." placeholder:"DIR"`
	Config     string        `help:"Configuration file (TOML)." placeholder:"FILE" type:"existingfile"`
	Demo       bool          `help:"Serve the demo: two services, three people and a scripted agent."`
	DemoOffer  time.Duration `help:"How long an agent of the demo has to answer an offer." default:"20s"`
	NewSecret  bool          `help:"Make a new secret if the one of existing chats is missing; the keys that their visitors hold are void then."`
	DemoPublic bool          `help:"Let the demo, whose passwords are public, listen on other than loopback addresses."`
}

func (c serveCommand) Run(ctx context.Context) error {
	settings := config.Default()
	var err error
	switch {
	case c.Config != "":
		if settings, err = config.Load(c.Config); err != nil {
			return err
		}
	case c.Demo:
		settings = config.Demo(c.DemoOffer)
	}
	if c.Listen != "" {
		settings.Listen = c.Listen
	}
	if c.Data != "" {
		settings.Data = c.Data
	}
	log, err := logger(os.Stderr, settings.Log)
	if err != nil {
		return err
	}
	a, err := app.New(ctx, app.Options{
		Config: settings, Demo: c.Demo, DemoPublic: c.DemoPublic, NewSecret: c.NewSecret, Version: version, Logger: log, Say: os.Stdout,
	})
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil // told to stop before it had begun
	}
	if err != nil {
		return err
	}
	return a.Run(ctx)
}

// logger logs as the settings say.
func logger(to io.Writer, settings config.Log) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(settings.Level)); err != nil {
		return nil, err
	}
	o := &slog.HandlerOptions{Level: level}
	if settings.Format == config.LogJSON {
		return slog.New(slog.NewJSONHandler(to, o)), nil
	}
	return slog.New(slog.NewTextHandler(to, o)), nil
}
