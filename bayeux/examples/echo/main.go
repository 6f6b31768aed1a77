// Command echo is a Bayeux server to point clients, test suites and load
// generators at. It serves /cometd and everything below to pages of every
// origin, over WebSocket and long-polling, with the extensions ack, timesync,
// timestamp and binary:
//
//	go run ./bayeux/examples/echo -listen 127.0.0.1:8080
//
// It prints one line as soon as it listens, and stops within 5 s of SIGTERM or
// an interrupt.
//
// Every broadcast channel is there to be used. Two are special: messages on
// /lazy are lazy, and nobody may subscribe or publish to /denied/**. A
// handshake whose ext has deny: true is refused. The services are
//
//   - /service/echo, which answers a remote call with the data it came with;
//   - /service/kick, which disconnects whoever calls it;
//   - /service/flood with {channel, count}, which delivers {n: 0} to
//     {n: count-1} on a channel to the caller, in order;
//   - /service/push with {channel, data}, which publishes from the server.
//
// What is published to any other service is acknowledged and goes nowhere.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/halley-chat/halley/bayeux"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// The second signal ends the process at once.
	context.AfterFunc(ctx, stop)
	switch err := run(ctx, os.Args[1:], os.Stdout); {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		slog.Error("echo: the server failed", "error", err)
		os.Exit(1)
	}
}

// patience is how long the server waits, when it stops, for answers that are
// being written, and then again for WebSockets.
const patience = 2 * time.Second

// run serves until ctx ends.
func run(ctx context.Context, args []string, stdout io.Writer) error {
	listen, options, err := parse(args)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	srv := newServer(options)
	mux := http.NewServeMux()
	mux.Handle("/cometd", anyOrigin(srv))
	mux.Handle("/cometd/", anyOrigin(srv))
	web := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	failed := make(chan error, 1)
	go func() { failed <- web.Serve(l) }()
	fmt.Fprintf(stdout, "listening on http://%s/cometd\n", l.Addr())
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}

	// Held connects are answered, so that there is little left to wait for.
	srv.Drain(time.Second)
	polls, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := web.Shutdown(polls); err != nil {
		_ = web.Close() // which cuts them, whatever it says
	}
	sockets, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return srv.Close(sockets)
}

func parse(args []string) (listen string, o bayeux.Options, err error) {
	o = bayeux.Options{
		Ack:        true,
		Extensions: []bayeux.Extension{bayeux.Timesync(), bayeux.Timestamp()},
		Policy:     bayeux.Policy{Handshake: mayHandshake},
		// Clients of every kind come here, Faye's among them.
		NoSocketCookie: true,
		// A flood is queued whole before it leaves.
		OutboxMessages: maxFlood + 1000,
		OutboxBytes:    64 << 20,
	}
	f := flag.NewFlagSet("echo", flag.ContinueOnError)
	f.StringVar(&listen, "listen", "127.0.0.1:8080", "`address` to listen on")
	f.DurationVar(&o.Timeout, "timeout", 20*time.Second, "how long a connect is held")
	f.DurationVar(&o.Interval, "interval", 0, "how long clients wait between two connects")
	f.DurationVar(&o.MaxInterval, "max-interval", 10*time.Second, "how long a session lives without a connect, beyond the interval")
	f.DurationVar(&o.MultiSessionInterval, "multi-session-interval", 2*time.Second, "the interval for sessions beyond -max-sessions-per-browser; 0 refuses their connects")
	f.DurationVar(&o.LazyTimeout, "lazy-timeout", 5*time.Second, "how long a lazy message waits at most")
	f.IntVar(&o.HoldsPerBrowser, "max-sessions-per-browser", 1, "how many connects of one browser are held at once over HTTP/1.1; negative for no limit")
	f.BoolVar(&o.CallbackPolling, "callback-polling", false, "serve callback-polling (JSONP) too")
	f.BoolVar(&o.Deflate, "deflate", false, "offer permessage-deflate on WebSockets")
	f.IntVar(&o.MaxMessageSize, "max-message-size", 64<<10, "the largest message or body, in `bytes`")
	if err := f.Parse(args); err != nil {
		return "", o, err
	}
	if f.NArg() > 0 {
		return "", o, fmt.Errorf("unknown argument: %s", f.Arg(0))
	}
	// For these the options take 0 for "the default", which is not what
	// whoever writes a 0 means.
	if o.Timeout <= 0 || o.Interval < 0 || o.MaxInterval <= 0 || o.LazyTimeout <= 0 || o.HoldsPerBrowser == 0 || o.MaxMessageSize <= 0 {
		return "", o, errors.New("only the intervals -interval and -multi-session-interval may be 0")
	}
	if o.MultiSessionInterval == 0 {
		o.MultiSessionInterval = -1
	}
	return listen, o, nil
}

// anyOrigin lets pages of every origin use a handler, with their cookies; for
// that the origin has to be echoed.
func anyOrigin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Add("Vary", "Origin")
		if origin := r.Header.Get("Origin"); origin != "" {
			h.Set("Access-Control-Allow-Origin", origin)
			h.Set("Access-Control-Allow-Credentials", "true")
		}
		if r.Method != http.MethodOptions {
			next.ServeHTTP(w, r)
			return
		}
		h.Set("Access-Control-Allow-Methods", "GET, POST")
		h.Set("Access-Control-Max-Age", "1800")
		if asked := r.Header.Get("Access-Control-Request-Headers"); asked != "" {
			h.Set("Access-Control-Allow-Headers", asked)
		}
	})
}
