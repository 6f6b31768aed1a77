package media

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"time"
)

// Scanner looks at a file before it is taken. A scanner may be used by any
// number of goroutines at once.
type Scanner interface {
	// Scan returns nil for a file that may be taken, [ErrInfected] for one
	// that may not, and any other error if it could not find out.
	Scan(ctx context.Context, file Staged, size int64) error
}

// ErrInfected says that a scanner refuses a file.
var ErrInfected = errors.New("media: the scanner refuses the file")

// pathMark stands for the file's path among a command's arguments.
const pathMark = "{file}"

// Command is a [Scanner] that runs a program for each file. The file is its
// standard input; an argument "{file}" becomes the file's path. An exit status
// of 0 means that the file may be taken and 1 that it may not; with any other
// the program could not find out. Its output is thrown away.
type Command struct{ Args []string }

// waitDelay is how long a program that was ended may hold its pipes open.
const waitDelay = time.Second

// Scan is [Scanner].
func (c Command) Scan(ctx context.Context, file Staged, _ int64) error {
	if len(c.Args) == 0 {
		return errors.New("media: no program is named")
	}
	args := make([]string, len(c.Args))
	for i, a := range c.Args {
		args[i] = strings.ReplaceAll(a, pathMark, file.Path())
	}
	in, err := file.Reader()
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // it was only read
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdin, cmd.WaitDelay = in, waitDelay
	// The server's own environment may hold what is no business of it.
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("media: the scanner: %w", ctx.Err())
	case errors.As(err, &exit) && exit.ExitCode() == 1:
		return ErrInfected
	case err != nil:
		return fmt.Errorf("media: the scanner: %w", err)
	}
	return nil
}

// Hook is a [Scanner] that posts each file, as application/octet-stream, to an
// address. A status of 2xx means that the file may be taken, 403 and 422 that
// it may not; with any other it could not be found out. Redirects are not
// followed.
type Hook struct {
	url    string
	client *http.Client
}

// NewHook makes a [Hook].
func NewHook(url string) *Hook {
	return &Hook{url, &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Scan is [Scanner].
func (h *Hook) Scan(ctx context.Context, file Staged, size int64) error {
	in, err := file.Reader()
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, in)
	if err != nil {
		return errors.Join(err, in.Close())
	}
	r.ContentLength = size
	r.Header.Set("Content-Type", "application/octet-stream")
	res, err := h.client.Do(r)
	if err != nil {
		// It is logged, and the address may hold a key.
		if outer := (*url.Error)(nil); errors.As(err, &outer) {
			err = outer.Err
		}
		return fmt.Errorf("media: the scanner: %w", err)
	}
	_, _ = io.CopyN(io.Discard, res.Body, 4<<10) // so that the connection can be used again
	_ = res.Body.Close()
	switch {
	case res.StatusCode >= 200 && res.StatusCode < 300:
		return nil
	case res.StatusCode == http.StatusForbidden || res.StatusCode == http.StatusUnprocessableEntity:
		return ErrInfected
	}
	return fmt.Errorf("media: the scanner answered %d", res.StatusCode)
}

// Close lets go of connections that are not in use.
func (h *Hook) Close() { h.client.CloseIdleConnections() }
