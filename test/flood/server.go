package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"

	"github.com/halley-chat/halley/internal/app"
	"github.com/halley-chat/halley/internal/config"
)

// beServer serves the demo. For every line on standard input it prints how many
// goroutines it has; when standard input ends, so does the server.
func beServer(ctx context.Context, data string) error {
	c := config.Demo(0)
	c.Listen, c.Data = "127.0.0.1:0", data
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	a, err := app.New(ctx, app.Options{
		Config: c, Demo: true, Version: "flood", Say: os.Stdout,
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		fmt.Println("goroutines", runtime.NumGoroutine())
	}
	stop()
	return <-done
}

// usage is what a server uses.
type usage struct {
	memory     int64 // resident, in bytes
	goroutines int
}

// server is one that runs in a process of its own.
type server struct {
	address string // host:port
	dir     string
	cmd     *exec.Cmd
	in      io.WriteCloser

	mu  sync.Mutex // held while it is asked
	out *bufio.Reader
}

func startServer(ctx context.Context) (_ *server, err error) {
	dir, err := os.MkdirTemp("", "flood")
	if err != nil {
		return nil, err
	}
	s := &server{dir: dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s.cmd = exec.CommandContext(ctx, self, "-serve", dir)
	s.cmd.Stderr = os.Stderr
	if s.in, err = s.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	s.out = bufio.NewReader(out)
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	for {
		line, err := s.out.ReadString('\n')
		if err != nil {
			return nil, fmt.Errorf("the server: %w", errors.Join(err, s.cmd.Wait()))
		}
		if _, address, ok := strings.Cut(strings.TrimSpace(line), " serves at http://"); ok {
			s.address = address
			return s, nil
		}
	}
}

func (s *server) url(path string) string {
	return (&url.URL{Scheme: "http", Host: s.address, Path: path}).String()
}

// usage asks what the server uses now.
func (s *server) usage() (u usage, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := io.WriteString(s.in, "\n"); err != nil {
		return u, err
	}
	for {
		line, err := s.out.ReadString('\n')
		if err != nil {
			return u, err
		}
		if n, ok := strings.CutPrefix(strings.TrimSpace(line), "goroutines "); ok {
			if u.goroutines, err = strconv.Atoi(n); err != nil {
				return u, err
			}
			break
		}
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return u, err
	}
	for line := range strings.Lines(string(status)) {
		if kib, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, err := strconv.ParseInt(strings.Fields(kib)[0], 10, 64)
			u.memory = n << 10
			return u, err
		}
	}
	return u, errors.New("the system does not say how much memory the server has")
}

func (s *server) stop() error {
	return errors.Join(s.in.Close(), s.cmd.Wait(), os.RemoveAll(s.dir))
}
