package main

import (
	"context"
	"fmt"
	"time"

	"github.com/halley-chat/halley/internal/app"
	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/sqlite"
)

type chatCommands struct {
	End chatEnd `cmd:"" help:"End a chat for everybody in it."`
}

type chatEnd struct {
	place
	ID     string        `arg:"" help:"The chat's id, as the desk and the server's log show it."`
	Reason string        `help:"Why, for the audit log." required:""`
	Wait   time.Duration `help:"How long to wait for the server." default:"10s"`
}

func (c chatEnd) Run(ctx context.Context) error {
	dir, err := c.existing()
	if err != nil {
		return err
	}
	id, err := chat.ParseID(c.ID)
	if err != nil {
		return fmt.Errorf("%q is no chat's id: it has 16 hexadecimal digits", c.ID)
	}
	outcome, err := app.RequestEnd(ctx, dir, sqlite.End{Chat: id, Reason: c.Reason, Operator: app.Operator()}, c.Wait)
	switch {
	case err != nil:
		return err
	case outcome == app.Ended:
		_, err = fmt.Printf("chat %v was ended\n", id)
	case outcome == "":
		_, err = fmt.Printf("no server has done it yet; chat %v is ended when one runs\n", id)
	default:
		err = fmt.Errorf("chat %v was not ended: %s", id, outcome)
	}
	return err
}
