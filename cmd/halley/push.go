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
	Dead  pushDead  `cmd:"" help:"List the events that could not be brought to visitors' devices, the latest first."`
	Again pushAgain `cmd:"" help:"Have the server send such dead letters again, at once or when it runs next."`
	Purge pushBury  `cmd:"" help:"Delete such dead letters."`
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
		fmt.Fprintln(w, "NUMBER\tGIVEN UP\tCHAT\tINDEX\tTYPE\tCARRIER\tATTEMPTS\tSTATE\tREASON")
		for _, d := range list {
			fmt.Fprintf(w, "%d\t%s\t%s\t%d\t%s\t%s\t%d\t%s\t%s\n", d.ID, d.At.Format(time.DateTime), d.Chat, d.Index, d.Type, d.Carrier, d.Attempts, state(d), d.Reason)
		}
		return w.Flush()
	})
}

// state says in a word whether a dead letter is to be sent again.
func state(d push.DeadLetter) string {
	if d.Asked.IsZero() {
		return "dead"
	}
	return "asked"
}

type pushAgain struct {
	place
	Numbers []int64 `arg:"" optional:"" help:"Numbers from the list."`
	All     bool    `help:"Send all of them again."`
}

func (c pushAgain) Run(ctx context.Context) error {
	if c.All == (len(c.Numbers) > 0) {
		return errors.New("either numbers or --all are needed")
	}
	return c.pushes(ctx, func(s push.Store) error {
		n, err := s.RequestRetry(ctx, time.Now(), c.Numbers...)
		if err != nil {
			return err
		}
		_, err = fmt.Println(askedFor(n))
		return err
	})
}

// askedFor says how many dead letters are to be sent again.
func askedFor(n int) string {
	if n == 1 {
		return "1 dead letter is to be sent again"
	}
	return fmt.Sprintf("%d dead letters are to be sent again", n)
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
		n, err := s.Purge(ctx, c.Numbers...)
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
