package kill

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// server is the real binary, in one process after the other, always at the
// same address and with the same data.
type server struct {
	t    *testing.T
	bin  string
	dir  string
	addr string
	log  *os.File
	args []string // how it is started

	cmd  *exec.Cmd
	exit chan error // yields the process's end once
}

// newServer builds the binary, unless HALLEY_BIN names one, and finds a port.
func newServer(t *testing.T, args ...string) *server {
	t.Helper()
	dir := t.TempDir()
	bin := os.Getenv("HALLEY_BIN")
	if bin == "" {
		bin = filepath.Join(dir, "halley")
		build := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "github.com/halley-chat/halley/cmd/halley")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("go build: %v\n%s", err, out)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "server.log"))
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, bin: bin, dir: filepath.Join(dir, "data"), addr: addr, log: log, args: args}
	t.Cleanup(func() {
		s.kill()
		log.Close()
		if t.Failed() {
			s.showLog()
		}
	})
	return s
}

// showLog prints the end of what the server wrote.
func (s *server) showLog() {
	body, err := os.ReadFile(s.log.Name())
	if err != nil {
		s.t.Log(err)
		return
	}
	s.t.Logf("the end of the server's log:\n%s", body[max(0, len(body)-8000):])
}

func (s *server) url(path string) string { return "http://" + s.addr + path }

// start starts a process and does not wait until it serves.
func (s *server) start() {
	s.t.Helper()
	args := append([]string{"serve", "--listen", s.addr, "--data", s.dir}, s.args...)
	s.cmd = exec.Command(s.bin, args...)
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.exit = make(chan error, 1)
	go func(cmd *exec.Cmd, exit chan<- error) { exit <- cmd.Wait() }(s.cmd, s.exit)
}

// serving waits until the server answers.
func (s *server) serving(ctx context.Context) error {
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	web := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		resp, err := web.Get(s.url("/healthz"))
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ticker.C:
		case err := <-s.exit:
			s.exit <- err
			return fmt.Errorf("the server ended by itself: %v", err)
		case <-ctx.Done():
			return fmt.Errorf("the server does not serve: %w", errors.Join(err, ctx.Err()))
		}
	}
}

// kill ends the process without warning. It fails the test if the process had
// ended by itself before.
func (s *server) kill() {
	if s.cmd == nil {
		return
	}
	err := s.cmd.Process.Kill()
	how := <-s.exit
	s.cmd = nil
	if errors.Is(err, os.ErrProcessDone) || !killed(how) {
		s.t.Errorf("the server had ended before it was killed: %v", how)
	}
}

func killed(how error) bool {
	var status *exec.ExitError
	if !errors.As(how, &status) {
		return false
	}
	wait, ok := status.Sys().(syscall.WaitStatus)
	return ok && wait.Signaled() && wait.Signal() == syscall.SIGKILL
}

// stop asks the process to end and wants it to do so in time and in order.
func (s *server) stop() {
	s.t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Error(err)
	}
	select {
	case how := <-s.exit:
		s.cmd = nil
		if how != nil {
			s.t.Errorf("the server ended with %v after SIGTERM", how)
		}
	case <-time.After(12 * time.Second):
		s.t.Error("the server did not end within 12 s after SIGTERM")
		s.kill()
	}
}

// run runs another command of the binary beside the server.
func (s *server) run(env string, args ...string) {
	s.t.Helper()
	cmd := exec.Command(s.bin, args...)
	cmd.Env = append(os.Environ(), env)
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("halley %v: %v\n%s", args, err, out)
	}
}
