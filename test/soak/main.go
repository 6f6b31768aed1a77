// Command soak runs the suites of make test again and again, to find what fails
// once in many runs.
//
//	go run ./test/soak [-n 30] [-out bin/soak] [-list] [suite ...]
//
// Every third run of a suite has two busy loops beside it, because what depends
// on the speed of the machine shows on a busy one. A suite prints one line when
// its runs are over; the output of a run that failed is kept, with the seeds
// that it was given. The exit code is 1 if any run failed.
//
// It is run from the top of the repository, and it needs what make soak-test
// prepares: the binaries, the packages of the Node suites, and Chromium.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// busyEvery says which runs have busy loops beside them: the third, the sixth, ...
const busyEvery = 3

// busyLoops is how many there are: one for each core of the machine that make
// test is meant for.
const busyLoops = 2

func main() {
	n := flag.Int("n", 30, "runs of each suite")
	out := flag.String("out", filepath.Join("bin", "soak"), "directory for test binaries and for the output of what failed")
	list := flag.Bool("list", false, "print the names of the suites and exit")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	failed, err := run(ctx, *n, *out, *list, flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(2)
	}
	if failed {
		os.Exit(1)
	}
}

// run runs the named suites, or all of them, and says whether any run failed.
// After ctx has ended it tells of the runs so far.
func run(ctx context.Context, n int, out string, list bool, names []string) (failed bool, err error) {
	all, err := suites(ctx)
	if err != nil {
		return false, err
	}
	if list {
		for _, s := range all {
			fmt.Println(s.name)
		}
		return false, nil
	}
	chosen, err := choose(all, names)
	if err != nil {
		return false, err
	}
	if out, err = filepath.Abs(out); err != nil {
		return false, err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return false, err
	}
	for _, s := range chosen {
		if ctx.Err() != nil {
			break
		}
		r := soak(ctx, s, n, out)
		fmt.Println(r)
		failed = failed || r.broken()
	}
	if err := ctx.Err(); err != nil {
		return failed, errors.New("interrupted")
	}
	return failed, nil
}

// choose takes the suites with the given names, all if there are none.
func choose(all []suite, names []string) ([]suite, error) {
	if len(names) == 0 {
		return all, nil
	}
	var chosen []suite
	for _, name := range names {
		i := slices.IndexFunc(all, func(s suite) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no suite %q; -list prints the names", name)
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

// soak prepares a suite and runs it n times.
func soak(ctx context.Context, s suite, n int, out string) result {
	r := result{suite: s.name}
	command, err := s.prepare(ctx, out)
	if err != nil {
		r.unprepared = err
		return r
	}
	for i := 1; i <= n && ctx.Err() == nil; i++ {
		busy := i%busyEvery == 0
		log := filepath.Join(out, fmt.Sprintf("%s-%03d.log", fileName(s.name), i))
		took, err := once(ctx, command, log, busy)
		if ctx.Err() != nil {
			break // it was told to end
		}
		r.add(took, busy)
		if err != nil {
			r.kept = append(r.kept, log)
			continue
		}
		if err := os.Remove(log); err != nil {
			r.unprepared = err
			return r
		}
	}
	return r
}

// once runs a command with its output in a file, beside busy loops if wanted.
func once(ctx context.Context, c command, log string, busy bool) (time.Duration, error) {
	f, err := os.Create(log)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	if busy {
		defer spin(busyLoops)()
	}
	cmd := c.cmd(ctx)
	cmd.Stdout, cmd.Stderr = f, f
	start := time.Now()
	err = cmd.Run()
	if err != nil {
		fmt.Fprintf(f, "soak: %v: %v\n", cmd.Args, err)
	}
	return time.Since(start), err
}
