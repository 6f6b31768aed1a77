package echo

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"syscall"
	"testing"
)

// A server that has gone before the agent is the usual end of the demo, and
// nothing that anybody has to be told of. What else goes wrong is told.
func TestSignOutWhenTheServerHasGone(t *testing.T) {
	for _, c := range []struct {
		err  error
		told bool
	}{
		{syscall.ECONNREFUSED, false},
		{syscall.ECONNRESET, false},
		{io.EOF, false},
		{errors.New("no route"), true},
	} {
		t.Run(c.err.Error(), func(t *testing.T) {
			var log bytes.Buffer
			w, err := newWorker(Options{
				URL: "http://server.test", Login: "echo", Logger: slog.New(slog.NewTextHandler(&log, nil)),
				Dial: func(context.Context, string, string) (net.Conn, error) {
					return nil, &net.OpError{Op: "dial", Err: c.err}
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			w.signOut(t.Context())
			if told := log.Len() > 0; told != c.told {
				t.Errorf("%v: told is %v: %s", c.err, told, log.String())
			}
		})
	}
}
