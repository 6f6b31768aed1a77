package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/pprof"
	"strconv"
	"strings"
	"time"

	"github.com/halley-chat/halley/internal/app"
	"github.com/halley-chat/halley/internal/config"
)

// beServer serves until it is told to end. Standard input brings commands:
// "profile FILE" begins a CPU profile, "stop" ends it, "end" ends everything.
func beServer(ctx context.Context, data string) error {
	c := config.Default()
	c.Listen, c.Data, c.UnlimitedNetworks = "127.0.0.1:0", data, []string{"127.0.0.0/8"}
	support := c.Services["customer-support"]
	support.Operations = config.NoLimit
	c.Services["customer-support"] = support
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	a, err := app.New(ctx, app.Options{
		Config: c, Version: "bench", Say: os.Stdout,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	var profile *os.File
	commands := bufio.NewScanner(os.Stdin)
	for commands.Scan() {
		command, path, _ := strings.Cut(commands.Text(), " ")
		var err error
		switch command {
		case "profile":
			if profile, err = os.Create(path); err == nil {
				err = pprof.StartCPUProfile(profile)
			}
		case "stop":
			pprof.StopCPUProfile()
			err = profile.Close()
		}
		answer := commands.Text()
		if err != nil {
			answer = err.Error()
		}
		fmt.Println("done", answer)
		if command == "end" {
			break
		}
	}
	stop()
	return errors.Join(commands.Err(), <-done)
}

// cpu is how much CPU time a process has used.
func cpu(pid int) (time.Duration, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	b, err := io.ReadAll(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return 0, err
	}
	// The name, in parentheses, may hold spaces; user and system time are the
	// 12th and 13th field after it, in hundredths of a second.
	_, rest, _ := strings.Cut(string(b), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat is not as expected", pid)
	}
	var sum time.Duration
	for _, s := range fields[11:13] {
		ticks, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return 0, err
		}
		sum += time.Duration(ticks) * 10 * time.Millisecond
	}
	return sum, nil
}
