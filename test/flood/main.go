// Command flood plays floods against a server of its own, one after the other
// and each for some seconds, beside a chat that goes on, and prints what the
// server needed for them and how long the chat waited: before, meanwhile, after.
//
// Everything stays on this machine: the server listens at 127.0.0.1, and the
// floods come from other addresses of 127.0.0.0/8, so that limits by address hit
// them and not the chat. What a flood does is bounded in number and time.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"text/tabwriter"
	"time"
)

var (
	lasting = flag.Duration("for", 5*time.Second, "how long each flood lasts")
	scale   = flag.Int("scale", 100, "how large the floods are, in percent")
	only    = flag.String("only", "", "a regular expression for the floods to play")
	serve   = flag.String("serve", "", "be the server, with its data in this directory; for the program itself")
)

func main() {
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	run := play
	if *serve != "" {
		run = func(ctx context.Context) error { return beServer(ctx, *serve) }
	}
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "flood:", err)
		os.Exit(1)
	}
}

// scaled is a number of connections or the like, as large as the flags want it.
func scaled(n int) int { return max(n**scale/100, 1) }

// row is what is measured of one flood.
type row struct {
	name                 string
	did                  string
	before, while, after measure
	peak                 usage // of the flood's time
}

// measure is a probe's and the server's state over some time.
type measure struct {
	usage
	p95 time.Duration
}

func play(ctx context.Context) error {
	choose, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	var rows []row
	for _, f := range floods {
		if !choose.MatchString(f.name) {
			continue
		}
		fmt.Fprintln(os.Stderr, f.name)
		r, err := playOne(ctx, f)
		if err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		rows = append(rows, r)
	}
	return print(rows)
}

// playOne plays one flood against a fresh server.
func playOne(ctx context.Context, f flood) (r row, err error) {
	s, err := startServer(ctx)
	if err != nil {
		return r, err
	}
	defer func() {
		if serr := s.stop(); err == nil {
			err = serr
		}
	}()
	p, err := startProbe(ctx, s)
	if err != nil {
		return r, err
	}
	defer p.close()
	r.name = f.name
	if r.before, err = p.measure(ctx, 2*time.Second, nil); err != nil {
		return r, fmt.Errorf("before: %w", err)
	}
	// The flood ends with its time, and its connections with it.
	lasting := max(*lasting, f.least)
	flooding, end := context.WithTimeout(ctx, lasting)
	defer end()
	done := make(chan string, 1)
	var tell string
	go func() { done <- f.play(flooding, s) }()
	if r.while, err = p.measure(ctx, lasting, &r.peak); err != nil {
		return r, fmt.Errorf("meanwhile: %w", err)
	}
	select {
	case tell = <-done:
	case <-time.After(20 * time.Second):
		return r, fmt.Errorf("it does not end")
	}
	r.did = tell
	select {
	case <-ctx.Done():
		return r, ctx.Err()
	case <-time.After(2 * time.Second):
	}
	r.after, err = p.measure(ctx, 2*time.Second, nil)
	return r, err
}

func print(rows []row) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 1, ' ', 0)
	cells := func(c ...string) { fmt.Fprintln(w, "| "+strings.Join(c, "\t| ")+"\t|") }
	cells("flood", "memory in MiB: before", "most", "after", "goroutines: before", "most", "at the end", "after", "a line's p95: before", "meanwhile", "after", "what it did")
	cells("---", "---", "---", "---", "---", "---", "---", "---", "---", "---", "---", "---")
	for _, r := range rows {
		mib := func(u usage) string { return fmt.Sprint(u.memory >> 20) }
		ms := func(m measure) string { return fmt.Sprintf("%.1f ms", m.p95.Seconds()*1000) }
		cells(r.name, mib(r.before.usage), mib(r.peak), mib(r.after.usage),
			fmt.Sprint(r.before.goroutines), fmt.Sprint(r.peak.goroutines), fmt.Sprint(r.while.goroutines), fmt.Sprint(r.after.goroutines),
			ms(r.before), ms(r.while), ms(r.after), r.did)
	}
	return w.Flush()
}
