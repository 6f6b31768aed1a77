// Package process starts the real binary for black-box tests.
package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
	"testing"
	"time"
)

// startWithin is how long a server may take before it serves.
const startWithin = 2 * time.Minute

var build = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("HALLEY_BIN"); path != "" {
		return path, nil
	}
	dir, err := os.MkdirTemp("", "halley-test-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "halley")
	out, err := exec.Command("go", "build", "-o", path, "github.com/halley-chat/halley/cmd/halley").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build halley: %w\n%s", err, out)
	}
	return path, nil
})

// Binary is the path of the binary: HALLEY_BIN, or one built for this run.
func Binary(t testing.TB) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// Server is a running halley.
type Server struct {
	// URL is where it serves, without a path.
	URL string

	t    testing.TB
	cmd  *exec.Cmd
	out  buffer
	done chan struct{} // closed when it has exited
	err  error         // valid once done
}

// buffer collects output while others read it.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

var servesAt = regexp.MustCompile(`(?m)^Halley .* serves at (\S+)$`)

// Serve starts "halley serve" with arguments and waits until it serves. It is
// killed when the test ends.
func Serve(t testing.TB, args ...string) *Server {
	t.Helper()
	s := &Server{t: t, done: make(chan struct{})}
	s.cmd = exec.Command(Binary(t), append([]string{"serve"}, args...)...)
	s.cmd.Stdout, s.cmd.Stderr = &s.out, &s.out
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		s.err = s.cmd.Wait()
		close(s.done)
	}()
	t.Cleanup(func() {
		s.Kill()
		if t.Failed() {
			t.Logf("the server said:\n%s", s.out.String())
		}
	})
	deadline := time.After(startWithin)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-s.done:
			t.Fatalf("the server ended: %v\n%s", s.err, s.out.String())
		case <-deadline:
			t.Fatalf("the server does not serve after %v:\n%s", startWithin, s.out.String())
		case <-tick.C:
		}
		if m := servesAt.FindStringSubmatch(s.out.String()); m != nil {
			s.URL = m[1]
			if s.Healthy() {
				return s
			}
		}
	}
}

// Healthy says whether /healthz answers 200.
func (s *Server) Healthy() bool {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/healthz", nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// Output is what it has printed so far.
func (s *Server) Output() string { return s.out.String() }

// Pause stops the process where it is, as a hypervisor does with a machine. It
// goes on with [Server.Resume].
func (s *Server) Pause() error { return s.cmd.Process.Signal(syscall.SIGSTOP) }

// Resume lets a paused process go on.
func (s *Server) Resume() error { return s.cmd.Process.Signal(syscall.SIGCONT) }

// Kill ends it with SIGKILL and waits for that.
func (s *Server) Kill() {
	_ = s.cmd.Process.Kill() // it may have ended already
	<-s.done
}

// Terminate sends SIGTERM and waits until it has ended, at most for a time.
// The error is its exit status.
func (s *Server) Terminate(within time.Duration) error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-s.done:
		return s.err
	case <-time.After(within):
		return errors.New("it still runs after " + within.String())
	}
}

// Run runs another command of the binary with something on standard input and
// returns what it printed on both outputs.
func Run(t testing.TB, stdin string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command(Binary(t), args...)
	cmd.Stdin = bytes.NewReader([]byte(stdin))
	out, err := cmd.CombinedOutput()
	return string(out), err
}
