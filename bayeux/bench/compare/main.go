// Command compare measures the Bayeux server of this module against those of
// npm, all in one run: they take turns, under the same load from the same
// generator, each in a process of its own. It writes a table in Markdown.
// What is measured and how is told in the README next to it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"time"
)

// plan says how much is measured.
type plan struct {
	rounds   int
	length   time.Duration // of one measurement
	rates    []int
	shapes   []bool // together or not
	sockets  int    // idle sessions on WebSocket
	holds    int    // held long-polls
	rest     time.Duration
	warm     time.Duration
	parts    []string
	servers  []string // which servers; empty means all
	dir      string   // where the rivals are
	server   string   // our server's program
	other    string   // another build of it, to compare with
	progress func(format string, args ...any)
}

func main() {
	full := flag.Bool("full", false, "measure for about 20 minutes instead of 2")
	out := flag.String("o", "", "file for the table; empty means standard output")
	server := flag.String("server", "", "the program of bayeux/bench/server")
	other := flag.String("other", "", "another build of that program, which takes turns with it")
	rivals := flag.String("rivals", "bayeux/bench/rivals", "directory of the servers for Node")
	parts := flag.String("parts", "websocket,long-polling,echo,memory", "what to measure")
	servers := flag.String("servers", "", "which servers, by the names in the report; empty means all")
	length := flag.Duration("length", 0, "how long one measurement takes; 0 means 1.2s, or 6s with -full")
	rates := flag.String("rates", "12500,50000,0", "offered deliveries per second; 0 is saturation")
	rounds := flag.Int("rounds", 0, "how often everything is measured; 0 means 1, or 3 with -full")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	p := plan{
		rounds: 1, length: 1200 * time.Millisecond, shapes: []bool{false, true},
		sockets: 3_000, holds: 2_000, rest: 3 * time.Second, warm: 600 * time.Millisecond,
		parts: strings.Split(*parts, ","), dir: *rivals, server: *server, other: *other,
		progress: log.New(os.Stderr, "", log.Ltime).Printf,
	}
	if *full {
		p.rounds, p.length, p.warm = 3, 6*time.Second, 3*time.Second
		p.sockets, p.holds, p.rest = 18_000, 9_000, 15*time.Second
	}
	if *rounds > 0 {
		p.rounds = *rounds
	}
	if *length > 0 {
		p.length = *length
	}
	if *servers != "" {
		p.servers = strings.Split(*servers, ",")
	}
	for _, text := range strings.Split(*rates, ",") {
		rate, err := strconv.Atoi(text)
		if err != nil || rate < 0 {
			log.Fatalf("no such rate: %q", text)
		}
		p.rates = append(p.rates, rate)
	}
	if err := run(ctx, p, *out); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, p plan, out string) error {
	if p.server == "" {
		return errors.New("-server is missing: build bayeux/bench/server first")
	}
	r := newReport(p)
	for round := range p.rounds {
		p.progress("round %d of %d", round+1, p.rounds)
		for _, part := range p.parts {
			if err := measurePart(ctx, p, part, round, r); err != nil {
				return err
			}
		}
	}
	text := r.markdown()
	if out == "" {
		_, err := fmt.Print(text)
		return err
	}
	return os.WriteFile(out, []byte(text), 0o644)
}

// The servers' names in the report.
const (
	ours   = "bayeux"
	build  = "other build"
	faye   = "faye"
	cometd = "cometd-nodejs-server"
	echo   = "bare echo"
	held   = "bare held request"
)

func (p plan) start(ctx context.Context, name string, timeout time.Duration) (*process, error) {
	seconds := fmt.Sprint(int(timeout.Seconds()))
	switch name {
	case ours:
		return start(ctx, name, "", p.server, "-mode", "bayeux", "-timeout", timeout.String())
	case build:
		return start(ctx, name, "", p.other, "-mode", "bayeux", "-timeout", timeout.String())
	case echo:
		return start(ctx, name, "", p.server, "-mode", "echo")
	case held:
		return start(ctx, name, "", p.server, "-mode", "hold")
	case faye:
		return start(ctx, name, p.dir, "node", "--expose-gc", "faye.js", seconds)
	default:
		return start(ctx, name, p.dir, "node", "--expose-gc", "cometd.js", seconds)
	}
}

func measurePart(ctx context.Context, p plan, part string, round int, r *report) error {
	turns := func(names ...string) []string {
		if round%2 == 1 {
			slices.Reverse(names)
		}
		return slices.DeleteFunc(names, func(name string) bool {
			return name == build && p.other == "" || len(p.servers) > 0 && !slices.Contains(p.servers, name)
		})
	}
	switch part {
	case "websocket":
		for _, name := range turns(ours, build, faye) {
			if err := measureLoad(ctx, p, name, part, openWebSocket, r); err != nil {
				return err
			}
		}
	case "long-polling":
		for _, name := range turns(ours, build, faye, cometd) {
			if err := measureLoad(ctx, p, name, part, openPoll, r); err != nil {
				return err
			}
		}
	case "echo":
		return measureLoad(ctx, p, echo, "websocket", openEcho, r)
	case "memory":
		for _, name := range turns(ours, build, faye) {
			if err := measureIdle(ctx, p, name, "WebSocket session", openWebSocket, p.sockets, r); err != nil {
				return err
			}
		}
		for _, name := range turns(ours, build, held) {
			open := openPoll
			if name == held {
				open = openHeld
			}
			if err := measureIdle(ctx, p, name, "held long-poll", open, p.holds, r); err != nil {
				return err
			}
		}
	default:
		return fmt.Errorf("no such part: %q", part)
	}
	return nil
}

// measureLoad measures one server at every rate, and in every shape.
func measureLoad(ctx context.Context, p plan, name, transport string, open open, r *report) error {
	proc, err := p.start(ctx, name, 20*time.Second)
	if err != nil {
		return err
	}
	defer proc.stop()
	c, err := gather(ctx, proc.addr, open, seatings())
	if err != nil {
		return fmt.Errorf("%s, %s: %w", name, transport, err)
	}
	defer c.close()
	shapes := p.shapes
	if name == echo {
		shapes = shapes[:1]
	}
	for i, together := range shapes {
		load := publishing(c, together)
		if name == echo {
			load = echoing(c)
		}
		if i == 0 {
			if _, err := measure(ctx, proc, c, load, p.rates[0], p.warm); err != nil {
				return err
			}
		}
		for _, rate := range p.rates {
			s, err := measure(ctx, proc, c, load, rate, p.length)
			if err != nil {
				return err
			}
			k := key{name, transport, rate, together}
			p.progress("%s: %.0f/s, %.2f µs, p99 %v, %.1f a write", k, s.rate, s.cpu, s.p99.Round(time.Microsecond), s.perWrite)
			r.load[k] = append(r.load[k], s)
		}
	}
	return nil
}

func measureIdle(ctx context.Context, p plan, name, what string, open open, n int, r *report) error {
	proc, err := p.start(ctx, name, 300*time.Second)
	if err != nil {
		return err
	}
	defer proc.stop()
	f, err := idle(ctx, proc, open, n, p.rest)
	if err != nil {
		return fmt.Errorf("%s, %s: %w", name, what, err)
	}
	k := idleKey{name, what, n}
	p.progress("%s, %s: %.1f KB each, %.1f KB collected", name, what, f.each/1000, f.collected/1000)
	r.idle[k] = append(r.idle[k], f)
	return nil
}
