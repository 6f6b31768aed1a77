package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/halley-chat/halley/internal/backup"
	"github.com/halley-chat/halley/internal/sqlite"
)

type backupCommand struct {
	place
	To string `help:"Directory to make; it must not exist." required:"" placeholder:"DIR"`
}

func (c backupCommand) Run(ctx context.Context) error {
	dir, err := c.existing()
	if err != nil {
		return err
	}
	l, err := backup.Make(ctx, dir, c.To, version)
	if err != nil {
		return err
	}
	_, err = fmt.Printf("%d files with %d bytes of %s are in %s\n", len(l.Files), l.Bytes(), dir, c.To)
	return err
}

type restoreCommand struct {
	From string `help:"The backup's directory." required:"" type:"existingdir" placeholder:"DIR"`
	Data string `help:"Directory to make the data in; it must not exist or be empty." required:"" placeholder:"DIR"`
}

func (c restoreCommand) Run(ctx context.Context) error {
	l, r, err := backup.Restore(ctx, c.From, c.Data, printProblem)
	if err != nil {
		return err
	}
	fmt.Printf("%d files of the backup of %s are in %s\n", len(l.Files), l.Made.Format("2006-01-02 15:04:05 MST"), c.Data)
	return conclude(r)
}

type checkCommand struct{ place }

func (c checkCommand) Run(ctx context.Context) error {
	dir, err := c.existing()
	if err != nil {
		return err
	}
	r, err := sqlite.Check(ctx, dir, printProblem)
	if err != nil {
		return err
	}
	return conclude(r)
}

func printProblem(p sqlite.Problem) { fmt.Printf("%s: %v\n", p.What, p.Err) }

// conclude prints what was checked. An error means that something is wrong.
func conclude(r sqlite.Report) error {
	for _, n := range []struct {
		what  string
		count int64
	}{
		{"chats", r.Chats},
		{"  that have not ended", r.Live},
		{"logs", r.Logs},
		{"records", r.Records},
		{"  packed", r.Packed},
		{"  of a newer version", r.Unknown},
		{"rows and chunks without a checksum", r.Unsummed},
		{"checkpoints", r.Checkpoints},
		{"accounts", r.Accounts},
		{"chats held by agents", r.Claims},
		{"dead letters", r.DeadLetters},
		{"audit entries", r.AuditEntries},
	} {
		fmt.Printf("%-36s%12d\n", n.what, n.count)
	}
	switch r.Problems {
	case 0:
		_, err := fmt.Println("everything is in order")
		return err
	case 1:
		return errors.New("there is a problem")
	}
	return fmt.Errorf("there are %d problems", r.Problems)
}
