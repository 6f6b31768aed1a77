package record

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Options is what a recording needs.
type Options struct {
	Upstream *url.URL // the server in front of which it stands; its path is put before each request's
	Listen   string   // host:port
	File     string   // the tape; must not be there yet
	Host     string   // what to tell the server as its name; what the client said if empty
	MaxSize  int64    // bytes after which recording stops, while traffic goes on; 0 is DefaultMaxSize
	Version  string   // of this program, for the tape's header
	Logger   *slog.Logger
	Say      io.Writer // told in one line where it listens
}

// DefaultMaxSize is how long a tape becomes if nothing else is said, in bytes.
const DefaultMaxSize = 1 << 30

// stopWithin is how long requests may take to end when it is told to stop;
// those that are held end then.
const stopWithin = time.Second

// Run records until ctx ends. What can be told from the options alone is
// refused before the file is made.
func Run(ctx context.Context, o Options) error {
	if o.MaxSize <= 0 {
		o.MaxSize = DefaultMaxSize
	}
	if (o.Upstream.Scheme != "http" && o.Upstream.Scheme != "https") || o.Upstream.Host == "" {
		return fmt.Errorf("the address of the server must begin with http:// or https:// and name a host")
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.Listen)
	if err != nil {
		return err
	}
	writer, err := newTapeWriter(o)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	// Requests outlive ctx by a moment, so that those under way may end.
	requests, abandon := context.WithCancel(context.WithoutCancel(ctx))
	defer abandon()
	p := newProxy(o, writer)
	defer p.close()
	server := &http.Server{
		Handler: p, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		BaseContext: func(net.Listener) context.Context { return requests },
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	if _, err := fmt.Fprintf(o.Say, "Halley records at http://%s what passes to %s into %s\n", listener.Addr(), o.Upstream.Redacted(), o.File); err != nil {
		o.Logger.Warn("record: cannot say where it listens", "error", err)
	}
	select {
	case err = <-served:
	case <-ctx.Done():
		short, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
		_ = server.Shutdown(short) // what is still held is cut off next
		cancel()
		abandon()
		err = server.Close()
		if e := <-served; !errors.Is(e, http.ErrServerClosed) {
			err = errors.Join(err, e)
		}
	}
	p.running.Wait()
	return errors.Join(err, writer.close())
}
