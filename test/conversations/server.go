package conversations

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"time"

	"github.com/halley-chat/halley/internal/app"
	"github.com/halley-chat/halley/internal/audit"
	"github.com/halley-chat/halley/internal/config"
	"github.com/halley-chat/halley/internal/staff"
)

// password is that of every agent.
const password = "a long password"

var people = []staff.Account{
	{Login: "anna", Name: "Anna", Role: staff.RoleAgent, Capacity: 4},
	{Login: "ben", Name: "Ben", Role: staff.RoleAgent, Capacity: 4},
	{Login: "sam", Name: "Sam", Role: staff.RoleSupervisor, Capacity: 4},
}

// accounts makes a data directory in which the agents have their accounts.
func accounts(ctx context.Context, dir string) error {
	return app.WithDirectory(ctx, dir, func(d *staff.Directory, _ func(audit.Event) error) error {
		for _, a := range people {
			if _, err := d.Create(ctx, a, password); err != nil {
				return err
			}
		}
		return nil
	})
}

// copyDir copies the files of a directory that has no others.
func copyDir(from, to string) error {
	list, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, f := range list {
		b, err := os.ReadFile(filepath.Join(from, f.Name()))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, f.Name()), b, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// output collects what a server says while others read it.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// server is a whole Halley in this process, on a loopback address.
type server struct {
	config config.Config
	url    string
	log    output

	stopServing context.CancelFunc
	done        chan error
}

// serve starts a server with a configuration and a data directory.
func serve(toml, dir string) (*server, error) {
	c, err := config.Parse([]byte(toml))
	if err != nil {
		return nil, fmt.Errorf("halley.toml:%w", err)
	}
	c.Listen, c.Data = "127.0.0.1:0", dir
	s := &server{config: c}
	return s, s.start()
}

var servesAt = regexp.MustCompile(`(?m)^Halley .* serves at http://(\S+)$`)

func (s *server) start() error {
	ctx, stop := context.WithCancel(context.Background())
	said := &output{}
	a, err := app.New(ctx, app.Options{
		Config: s.config, Version: "test", Say: said,
		Logger: slog.New(slog.NewTextHandler(&s.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		stop()
		return err
	}
	s.stopServing, s.done = stop, make(chan error, 1)
	done := s.done
	go func() { done <- a.Run(ctx) }()
	// It listens already; only its address has to be said.
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(within); ; {
		if m := servesAt.FindStringSubmatch(said.String()); m != nil {
			s.config.Listen, s.url = m[1], "http://"+m[1]
			return nil
		}
		select {
		case <-tick.C:
		case <-deadline:
			stop()
			return fmt.Errorf("the server does not say where it serves: %s", said)
		}
	}
}

func (s *server) stop() error {
	s.stopServing()
	return <-s.done
}

// restart stops the server and starts another at the same address, over the
// same data.
func (s *server) restart() error {
	if err := s.stop(); err != nil {
		return err
	}
	return s.start()
}
