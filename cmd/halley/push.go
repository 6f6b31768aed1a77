package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	"github.com/halley-chat/halley/internal/app"
	"github.com/halley-chat/halley/internal/push"
)

type pushCommands struct {
	Dead pushDead `cmd:"" help:"List the events that could not be brought to visitors' devices, the latest first."`
	Bury pushBury `cmd:"" help:"Delete such dead letters."`
}

type pushDead struct {
	place
	Limit int `help:"How many to list." default:"100"`
}

func (c pushDead) Run(ctx context.Context) error {
	return c.pushes(ctx, func(s push.Store) error {
		list, err := s.DeadLetters(ctx, c.Limit)
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "NUMBER\tGIVEN UP\tCHAT\tINDEX\tTYPE\tCARRIER\tATTEMPTS\tREASON")
		for _, d := range list {
			fmt.Fprintf(w, "%d\t%s\t%s\t%d\t%s\t%s\t%d\t%s\n", d.ID, d.At.Format(time.DateTime), d.Chat, d.Index, d.Type, d.Carrier, d.Attempts, d.Reason)
		}
		return w.Flush()
	})
}

type pushBury struct {
	place
	Numbers []int64 `arg:"" optional:"" help:"Numbers from the list."`
	All     bool    `help:"Delete all of them."`
}

func (c pushBury) Run(ctx context.Context) error {
	if c.All == (len(c.Numbers) > 0) {
		return errors.New("either numbers or --all are needed")
	}
	return c.pushes(ctx, func(s push.Store) error {
		n, err := s.Bury(ctx, c.Numbers...)
		if err != nil {
			return err
		}
		_, err = fmt.Println(buried(n))
		return err
	})
}

// buried says how many dead letters were deleted.
func buried(n int) string {
	if n == 1 {
		return "1 dead letter was deleted"
	}
	return fmt.Sprintf("%d dead letters were deleted", n)
}

func (p place) pushes(ctx context.Context, do func(push.Store) error) error {
	dir, err := p.existing()
	if err != nil {
		return err
	}
	return app.WithPushes(ctx, dir, do)
}
