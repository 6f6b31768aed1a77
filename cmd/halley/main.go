// Command halley is the chat server and the tools that belong to it.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

// version is set by the linker.
var version = "dev"

// commands is the list of what halley does; each is in a file of its own.
type commands struct {
	Serve         serveCommand         `cmd:"" help:"Serve chats, the desk and the sample page."`
	Agent         agentCommands        `cmd:"" help:"Manage the accounts of agents; works beside a running server."`
	Backup        backupCommand        `cmd:"" help:"Copy the data directory while its server runs."`
	Restore       restoreCommand       `cmd:"" help:"Make a data directory out of a backup."`
	Check         checkCommand         `cmd:"" help:"Read everything in the database and say what is damaged; works beside a running server."`
	Chat          chatCommands         `cmd:"" help:"Act on a chat from outside; works beside a running server."`
	Audit         auditCommands        `cmd:"" help:"Read and verify the audit log; works beside a running server."`
	EchoAgent     echoAgentCommand     `cmd:"" name:"echo-agent" help:"Be an agent who takes every chat and echoes what visitors write."`
	CheckConfig   checkConfigCommand   `cmd:"" name:"check-config" help:"Read a configuration file and say everything that is wrong with it."`
	DefaultConfig defaultConfigCommand `cmd:"" name:"default-config" help:"Print a configuration file with every setting, its default and its meaning."`
	Push          pushCommands         `cmd:"" help:"See what could not be pushed to visitors' devices, or have it sent again; works beside a running server."`
	Record        recordCommand        `cmd:"" help:"Stand in front of a chat server and record what passes, masked."`
	Replay        replayCommand        `cmd:"" help:"Play the clients of a recording to a server and report what differs."`
	Version       versionCommand       `cmd:"" help:"Print the version."`
}

type versionCommand struct{}

func (versionCommand) Run() error {
	_, err := fmt.Println("halley", version)
	return err
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	parser := kong.Must(&commands{},
		kong.Name("halley"),
		kong.Description("A customer-chat server that speaks the Genesys Chat API Version 2."),
		kong.UsageOnError(),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(log),
	)
	command, err := parser.Parse(os.Args[1:])
	parser.FatalIfErrorf(err)
	if err := command.Run(); err != nil {
		code := 1
		if e := (exit{}); errors.As(err, &e) {
			code = e.code
		}
		if err.Error() != "" {
			fmt.Fprintln(os.Stderr, "halley:", err)
		}
		stop()
		os.Exit(code)
	}
}
