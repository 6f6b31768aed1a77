package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a server under test.
type process struct {
	name string
	addr string
	cmd  *exec.Cmd
}

// start runs a server and waits until it says where it listens.
func start(ctx context.Context, name, dir string, argv ...string) (*process, error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if addr, ok := strings.CutPrefix(lines.Text(), "listening "); ok {
			go func() {
				for lines.Scan() {
					fmt.Fprintln(os.Stderr, name+":", lines.Text())
				}
			}()
			return &process{name, addr, cmd}, nil
		}
	}
	return nil, fmt.Errorf("%s ended before it listened: %w", name, cmd.Wait())
}

// stop ends the server; one that does not go within 5 s is killed.
func (p *process) stop() {
	// The errors say that it has gone already, which is what is wanted.
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	kill := time.AfterFunc(5*time.Second, func() { _ = p.cmd.Process.Kill() })
	defer kill.Stop()
	_ = p.cmd.Wait()
}

// usage is what a process has used up to now.
type usage struct {
	cpu    time.Duration // user and system
	rss    int64         // bytes, now
	writes int64         // calls of write and its kin
	reads  int64
}

func (p *process) usage() (u usage, err error) {
	proc := "/proc/" + strconv.Itoa(p.cmd.Process.Pid)
	stat, err := os.ReadFile(proc + "/stat")
	if err != nil {
		return u, err
	}
	// The fields behind the name, which may hold blanks: the 14th and 15th of
	// the whole line are user and system time in ticks of 10 ms, the 24th the
	// resident pages.
	_, after, _ := strings.Cut(string(stat), ") ")
	f := strings.Fields(after)
	number := func(i int) int64 {
		n, e := strconv.ParseInt(f[i-3], 10, 64)
		if e != nil {
			err = e
		}
		return n
	}
	u.cpu = time.Duration(number(14)+number(15)) * 10 * time.Millisecond
	u.rss = number(24) * int64(os.Getpagesize())
	// Where it may not be read the columns made of it stay empty.
	if io, e := os.ReadFile(proc + "/io"); e == nil {
		for line := range strings.Lines(string(io)) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
			n, _ := strconv.ParseInt(value, 10, 64)
			switch key {
			case "syscw":
				u.writes = n
			case "syscr":
				u.reads = n
			}
		}
	}
	return u, err
}

// collect makes the server collect its garbage and give memory back.
func (p *process) collect(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.addr+"/bench/gc", nil)
	if err != nil {
		return err
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// ownCPU is what the load generator itself has used.
func ownCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
