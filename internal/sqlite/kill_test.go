package sqlite

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
	"github.com/halley-chat/halley/internal/staff"
)

// childEnv tells a copy of the test binary what to do in place of the tests.
const childEnv = "HALLEY_SQLITE_CHILD"

// child does what the environment asks for and ends the process, or returns
// if it asks for nothing.
func child() {
	job, dir, ok := strings.Cut(os.Getenv(childEnv), " ")
	if !ok {
		return
	}
	var err error
	switch job {
	case "append":
		err = childAppends(dir)
	case "open":
		_, err = Open(context.Background(), dir, Options{})
	default:
		err = childAddsAccount(job, dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func command(job, dir string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	// The race detector would otherwise linger for a second at the end.
	cmd.Env = append(os.Environ(), childEnv+"="+job+" "+dir, "GORACE=atexit_sleep_ms=0")
	return cmd
}

const killWorkers, killLength = 12, 60

// childAppends appends until the process is killed, and prints each log and
// its length when it has been acknowledged.
func childAppends(dir string) error {
	s, err := Open(context.Background(), dir, Options{RotateRows: 200, PackRows: 8, manifestRows: 50})
	if err != nil {
		return err
	}
	var print sync.Mutex
	errs := make(chan error)
	for w := range killWorkers {
		go func() { errs <- childWorker(s, w, &print) }()
	}
	return <-errs
}

func childWorker(s *Store, w int, print *sync.Mutex) error {
	for id := w + 1; ; id += killWorkers {
		log := engine.ChatLog(chat.ID(id))
		n, err := s.Last(context.Background(), log)
		for ; err == nil && n < killLength; n += 3 {
			phase := chat.PhaseActive
			if n+3 >= killLength {
				phase = chat.PhaseEnded
			}
			if _, err = s.Append(context.Background(), growth(log, n, 3, phase)); err == nil {
				print.Lock()
				_, err = fmt.Println(id, n+3)
				print.Unlock()
			}
		}
		if err != nil {
			return err
		}
	}
}

// TestKilled kills a process that appends, again and again, and checks that
// all it has acknowledged is there, packed or not, and nothing by half.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	acked := make(map[engine.LogID]int64)
	for round := range 6 {
		cmd := command("append", dir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := 0
		for in := bufio.NewScanner(out); in.Scan(); lines++ {
			var id chat.ID
			var n int64
			if _, err := fmt.Sscan(in.Text(), (*uint64)(&id), &n); err != nil {
				continue // the line that the kill has cut
			}
			acked[engine.ChatLog(id)] = max(acked[engine.ChatLog(id)], n)
			if lines == 150+70*round {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := cmd.Wait(); err == nil {
			t.Fatal("the child ended by itself")
		}
		if t.Failed() || lines < 150 {
			t.Fatalf("the child acknowledged %d appends", lines)
		}
		check := func(s *Store) {
			for log, n := range acked {
				if got := whole(t, s, log, n); got%3 != 0 {
					t.Errorf("log %v has %d records after appends of three", log, got)
				}
			}
		}
		s := opened(t, dir, Options{})
		check(s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// childAddsAccount adds an account beside whoever has the directory open.
func childAddsAccount(login, dir string) error {
	a, err := OpenShared(context.Background(), dir)
	if err != nil {
		return err
	}
	defer a.Close()
	_, err = a.CreateAccount(context.Background(), staff.Account{Login: login, Name: login, Role: staff.RoleAgent, Capacity: 2})
	return err
}
