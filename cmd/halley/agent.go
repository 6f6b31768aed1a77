package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"golang.org/x/term"

	"github.com/halley-chat/halley/internal/app"
	"github.com/halley-chat/halley/internal/audit"
	"github.com/halley-chat/halley/internal/config"
	"github.com/halley-chat/halley/internal/staff"
)

type agentCommands struct {
	Add     agentAdd     `cmd:"" help:"Add an account."`
	List    agentList    `cmd:"" help:"List the accounts."`
	Set     agentSet     `cmd:"" help:"Change an account's name, role or capacity."`
	Passwd  agentPasswd  `cmd:"" help:"Give an account a new password; it is signed out everywhere."`
	Disable agentDisable `cmd:"" help:"Shut an account out, at once and everywhere."`
	Enable  agentEnable  `cmd:"" help:"Let an account that was disabled sign in again."`
}

// place is where the accounts are.
type place struct {
	Data   string `help:"Directory in which everything is kept; ./data if neither this nor the configuration says." placeholder:"DIR"`
	Config string `help:"Configuration file (TOML), whose data directory is used." placeholder:"FILE" type:"existingfile"`
}

// existing is the data directory, which has to be there: looking at nothing
// makes none.
func (p place) existing() (string, error) {
	dir, err := p.dir()
	if err != nil {
		return "", err
	}
	if there, err := app.HasData(dir); err != nil || there {
		return dir, err
	}
	return "", fmt.Errorf("there is no data in %s; --data or --config says where it is", dir)
}

// directory hands the accounts of a data directory that is there to do.
func (p place) directory(ctx context.Context, do func(*staff.Directory, func(audit.Event) error) error) error {
	dir, err := p.existing()
	if err != nil {
		return err
	}
	return app.WithDirectory(ctx, dir, do)
}

// dir is the data directory.
func (p place) dir() (string, error) {
	dir := config.Default().Data
	if p.Config != "" {
		c, err := config.Load(p.Config)
		if err != nil {
			return "", err
		}
		dir = c.Data
	}
	if p.Data != "" {
		dir = p.Data
	}
	return dir, nil
}

type agentAdd struct {
	place
	Login    string `arg:"" help:"Name to sign in with."`
	Name     string `help:"Name that visitors see; the login if it is left out."`
	Role     string `help:"What the account may do: ${enum}." enum:"agent,supervisor,bot" default:"agent"`
	Capacity int    `help:"Chats at once." default:"4"`
}

func (c agentAdd) Run(ctx context.Context) error {
	password, err := askPassword(true)
	if err != nil {
		return err
	}
	name := c.Name
	if name == "" {
		name = c.Login
	}
	dir, err := c.dir()
	if err != nil {
		return err
	}
	return app.WithDirectory(ctx, dir, func(d *staff.Directory, record func(audit.Event) error) error {
		a, err := d.Create(ctx, staff.Account{Login: c.Login, Name: name, Role: staff.Role(c.Role), Capacity: c.Capacity}, password)
		if err != nil {
			return err
		}
		if err := record(audit.Event{Kind: audit.AccountAdded, Account: a.ID, Detail: fmt.Sprintf("%s, capacity %d", a.Role, a.Capacity)}); err != nil {
			return err
		}
		_, err = fmt.Printf("%s %s was added as number %d\n", a.Role, a.Login, a.ID)
		return err
	})
}

type agentList struct{ place }

func (c agentList) Run(ctx context.Context) error {
	return c.directory(ctx, func(d *staff.Directory, _ func(audit.Event) error) error {
		w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "NUMBER\tLOGIN\tNAME\tROLE\tCHATS\tSTATE")
		for _, a := range d.Accounts() {
			state := "enabled"
			if a.Disabled {
				state = "disabled"
			}
			fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%d\t%s\n", a.ID, a.Login, a.Name, a.Role, a.Capacity, state)
		}
		return w.Flush()
	})
}

type agentPasswd struct {
	place
	Login string `arg:""`
}

func (c agentPasswd) Run(ctx context.Context) error {
	password, err := askPassword(true)
	if err != nil {
		return err
	}
	return c.change(ctx, c.Login, audit.Event{Kind: audit.PasswordChanged}, "%s has a new password and is signed out everywhere\n",
		func(d *staff.Directory) error { return d.SetPassword(ctx, c.Login, password) })
}

type agentDisable struct {
	place
	Login string `arg:""`
}

func (c agentDisable) Run(ctx context.Context) error {
	return c.change(ctx, c.Login, audit.Event{Kind: audit.AccountDisabled}, "%s is disabled and signed out everywhere\n",
		func(d *staff.Directory) error { return d.Disable(ctx, c.Login) })
}

type agentEnable struct {
	place
	Login string `arg:""`
}

func (c agentEnable) Run(ctx context.Context) error {
	return c.change(ctx, c.Login, audit.Event{Kind: audit.AccountEnabled}, "%s may sign in again\n",
		func(d *staff.Directory) error { return d.Enable(ctx, c.Login) })
}

type agentSet struct {
	place
	Login    string  `arg:""`
	Name     *string `help:"Name that visitors see."`
	Role     *string `help:"What the account may do: ${enum}." enum:"agent,supervisor,bot"`
	Capacity *int    `help:"Chats at once."`
}

func (c agentSet) Run(ctx context.Context) error {
	change := staff.Change{Name: c.Name, Capacity: c.Capacity}
	var fields []string // what the audit log says; a name is not in it
	if c.Name != nil {
		fields = append(fields, "name")
	}
	if c.Role != nil {
		role := staff.Role(*c.Role)
		change.Role = &role
		fields = append(fields, "role "+*c.Role)
	}
	if c.Capacity != nil {
		fields = append(fields, fmt.Sprintf("capacity %d", *c.Capacity))
	}
	if fields == nil {
		return errors.New("at least one of --name, --role and --capacity is needed")
	}
	return c.directory(ctx, func(d *staff.Directory, record func(audit.Event) error) error {
		a, err := d.Update(ctx, c.Login, change)
		if err != nil {
			return err
		}
		if err := record(audit.Event{Kind: audit.AccountChanged, Account: a.ID, Detail: strings.Join(fields, ", ")}); err != nil {
			return err
		}
		_, err = fmt.Printf("%s is %s, %s, with %d chats at once\n", a.Login, a.Name, a.Role, a.Capacity)
		return err
	})
}

// change does something to an account, records it and says so.
func (p place) change(ctx context.Context, login string, e audit.Event, done string, do func(*staff.Directory) error) error {
	return p.directory(ctx, func(d *staff.Directory, record func(audit.Event) error) error {
		if err := do(d); err != nil {
			return err
		}
		login = staff.FoldLogin(login)
		for _, a := range d.Accounts() {
			if a.Login == login {
				e.Account = a.ID
			}
		}
		if err := record(e); err != nil {
			return err
		}
		_, err := fmt.Printf(done, login)
		return err
	})
}

// passwordVariable may hold the password instead of a prompt.
const passwordVariable = "HALLEY_PASSWORD"

// askPassword takes the password from the environment, from a prompt, or from
// standard input if that is no terminal; never from the command line, where
// everybody could read it.
func askPassword(twice bool) (string, error) {
	if p, ok := os.LookupEnv(passwordVariable); ok {
		return p, nil
	}
	in := int(os.Stdin.Fd())
	if !term.IsTerminal(in) {
		line, err := bufio.NewReader(os.Stdin).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", err
		}
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			return "", fmt.Errorf("no password on standard input; %s can hold it as well", passwordVariable)
		}
		return line, nil
	}
	first, err := prompt(in, "Password: ")
	if err != nil || !twice {
		return first, err
	}
	second, err := prompt(in, "Once more: ")
	if err != nil {
		return "", err
	}
	if first != second {
		return "", errors.New("the two passwords differ")
	}
	return first, nil
}

func prompt(in int, text string) (string, error) {
	fmt.Fprint(os.Stderr, text)
	b, err := term.ReadPassword(in)
	fmt.Fprintln(os.Stderr)
	return string(b), err
}
