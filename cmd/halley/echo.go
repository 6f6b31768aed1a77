package main

import (
	"context"
	"log/slog"

	"github.com/halley-chat/halley/internal/echo"
)

type echoAgentCommand struct {
	URL       string `help:"The server's address, such as http://127.0.0.1:8080." required:""`
	Login     string `help:"Account to work as; its password comes from a prompt, standard input or HALLEY_PASSWORD." required:""`
	Transport string `help:"Bayeux transport to use: websocket or long-polling; the first that works if it is left out." placeholder:"NAME"`
}

func (c echoAgentCommand) Run(ctx context.Context, log *slog.Logger) error {
	password, err := askPassword(false)
	if err != nil {
		return err
	}
	return echo.Run(ctx, echo.Options{URL: c.URL, Login: c.Login, Password: password, Transport: c.Transport, Logger: log})
}
