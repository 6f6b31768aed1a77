package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

func main() {
	serve := flag.Bool("serve", false, "be the server; the measuring process starts it")
	chats := flag.Int("chats", 10000, "how many chats are live")
	during := flag.Duration("for", 10*time.Second, "how long each measurement takes")
	out := flag.String("out", ".", "directory for CPU profiles")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	run := func() error { return measure(ctx, *chats, *during, *out) }
	if *serve {
		run = func() error { return beServer(ctx, flag.Arg(0)) }
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

// mostWorkers is how many visitors do something at the same time at most.
const mostWorkers = 512

// child is the server's process.
type child struct {
	url string
	cmd *exec.Cmd
	in  *bufio.Writer
	out *bufio.Scanner
}

func startChild(ctx context.Context, data string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{cmd: exec.CommandContext(ctx, self, "-serve", data)}
	c.cmd.Stderr = os.Stderr
	c.cmd.Cancel = func() error { return c.cmd.Process.Signal(syscall.SIGTERM) }
	in, err := c.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.in, c.out = bufio.NewWriter(in), bufio.NewScanner(out)
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	for c.out.Scan() {
		if _, url, ok := strings.Cut(c.out.Text(), "serves at "); ok {
			c.url = url
			return c, nil
		}
	}
	return nil, errors.New("the server does not say where it serves")
}

// tell gives the server a command and waits until it is done.
func (c *child) tell(command string) error {
	if _, err := c.in.WriteString(command + "\n"); err != nil {
		return err
	}
	if err := c.in.Flush(); err != nil {
		return err
	}
	for c.out.Scan() {
		if answer, ok := strings.CutPrefix(c.out.Text(), "done "); ok {
			if answer != command {
				return fmt.Errorf("%s: %s", command, answer)
			}
			return nil
		}
	}
	return errors.New("the server has gone")
}

// result is what one measurement found.
type result struct {
	name  string
	took  time.Duration
	spent time.Duration // CPU time of the server
	each  []time.Duration
	fails int64
}

func (r *result) String() string {
	slices.Sort(r.each)
	n := len(r.each)
	if n == 0 {
		return r.name + ": nothing was done"
	}
	at := func(q float64) time.Duration {
		return r.each[min(n-1, int(q*float64(n)))].Round(10 * time.Microsecond)
	}
	return fmt.Sprintf("| %s | %.0f | %v | %v | %v | %v | %d |", r.name, float64(n)/r.took.Seconds(), at(0.5), at(0.99),
		r.each[n-1].Round(100*time.Microsecond), (r.spent / time.Duration(n)).Round(time.Microsecond), r.fails)
}

// load lets workers do something over and over. do is given the number of its
// worker and of its round.
func load(ctx context.Context, c *child, name, profile string, workers int, during time.Duration, do func(worker, round int) error) (*result, error) {
	if err := c.tell("profile " + profile); err != nil {
		return nil, err
	}
	before, err := cpu(c.cmd.Process.Pid)
	if err != nil {
		return nil, err
	}
	r := &result{name: name}
	var fails atomic.Int64
	var mu sync.Mutex
	var work sync.WaitGroup
	began := time.Now()
	for w := range workers {
		work.Go(func() {
			var took []time.Duration
			for round := 0; time.Since(began) < during && ctx.Err() == nil; round++ {
				start := time.Now()
				if err := do(w, round); err != nil {
					fails.Add(1)
					continue
				}
				took = append(took, time.Since(start))
			}
			mu.Lock()
			r.each = append(r.each, took...)
			mu.Unlock()
		})
	}
	work.Wait()
	r.took, r.fails = time.Since(began), fails.Load()
	after, err := cpu(c.cmd.Process.Pid)
	r.spent = after - before
	return r, errors.Join(err, c.tell("stop"))
}

// own is the visitor that a worker uses in a round; no other worker does.
func own(list []*visitor, w, workers, round int) *visitor {
	return list[w+workers*(round%(len(list)/workers))]
}

func measure(ctx context.Context, chats int, during time.Duration, out string) error {
	data, err := os.MkdirTemp("", "halley-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(data) }() // what stays behind is temporary
	if chats < mostWorkers {
		return fmt.Errorf("at least %d chats are needed", mostWorkers)
	}
	c, err := startChild(ctx, data)
	if err != nil {
		return err
	}
	list, took, err := openChats(ctx, c.url, chats)
	defer func() {
		for _, v := range list {
			v.close()
		}
	}()
	if err != nil {
		return err
	}
	fmt.Printf("%d chats were opened in %v\n\n", len(list), took.Round(time.Millisecond))
	fmt.Println("| operation, at the same time | per second | p50 | p99 | longest | CPU each | failed |")
	fmt.Println("|---|---|---|---|---|---|---|")
	for _, workers := range []int{1, 64, mostWorkers} {
		r, err := load(ctx, c, fmt.Sprintf("sendMessage, %d", workers), filepath.Join(out, "send.pprof"), workers, during, func(w, round int) error {
			return own(list, w, workers, round).say(ctx)
		})
		if err != nil {
			return err
		}
		fmt.Println(r)
	}
	for _, workers := range []int{1, 64} {
		polls := newPolls(c.url, workers)
		r, err := load(ctx, c, fmt.Sprintf("refresh, %d", workers), filepath.Join(out, "refresh.pprof"), workers, during, func(w, round int) error {
			return polls.refresh(ctx, own(list, w, workers, round))
		})
		if err != nil {
			return err
		}
		fmt.Println(r)
	}
	return errors.Join(c.tell("end"), c.cmd.Wait())
}
