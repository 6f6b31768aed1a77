package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"time"

	"github.com/halley-chat/halley/internal/record"
	"github.com/halley-chat/halley/internal/replay"
)

type recordCommand struct {
	Upstream *url.URL `help:"Address of the server to stand in front of; a path is put before those of the requests." required:"" placeholder:"URL"`
	Listen   string   `help:"Address to listen at, as host:port; on loopback, port 8090, if it is left out." default:"127.0.0.1:8090" placeholder:"ADDR"`
	Out      string   `help:"File to record into; it must not be there yet." required:"" placeholder:"FILE"`
	Host     string   `help:"Name to tell the server in the Host header; what the client says if it is left out." placeholder:"NAME"`
	MaxSize  int64    `help:"Bytes after which recording stops, while traffic goes on." default:"1073741824" placeholder:"BYTES"`
}

func (c recordCommand) Run(ctx context.Context, log *slog.Logger) error {
	return record.Run(ctx, record.Options{
		Upstream: c.Upstream, Listen: c.Listen, File: c.Out, Host: c.Host, MaxSize: c.MaxSize, Version: version, Logger: log, Say: os.Stdout,
	})
}

type replayCommand struct {
	File    string        `arg:"" help:"Recording to play."`
	URL     *url.URL      `help:"Address of the server to play to; without a path, /genesys is meant." required:"" placeholder:"URL"`
	Wait    time.Duration `help:"How long to wait for what the recorded server had sent at that point." default:"5s"`
	AtOnce  int           `help:"Conversations to play at the same time." default:"8"`
	Origin  string        `help:"Origin to send where the recorded page sent one; the origin of the server itself if it is left out." placeholder:"ORIGIN"`
	Header  []string      `help:"Header to send with every request, as 'Name: value'; may be repeated." placeholder:"HEADER" sep:"none"`
	Service []string      `help:"Play a recorded service to another one, as 'recorded=other'; may be repeated." placeholder:"NAMES"`
}

// Run ends with status 1 if something differs, and with 2 if the recording
// could not be played.
func (c replayCommand) Run(ctx context.Context) error {
	same, err := replay.Run(ctx, replay.Options{
		File: c.File, URL: c.URL, Wait: c.Wait, AtOnce: c.AtOnce, Origin: c.Origin, Header: c.Header, Services: c.Service, Out: os.Stdout,
	})
	switch {
	case err != nil:
		return exit{2, fmt.Errorf("replay: %w", err)}
	case !same:
		return exit{1, nil}
	}
	return nil
}

// exit is an end with a status of its own; without an error nothing more is
// said.
type exit struct {
	code int
	err  error
}

func (e exit) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}
