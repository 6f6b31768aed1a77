package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/halley-chat/halley/internal/config"
	"github.com/halley-chat/halley/internal/httpx"
)

// Whatever address half a body is sent to, and whether or not anybody there
// reads bodies, the connection is closed in the end.
func TestHalfABodyEndsItsConnection(t *testing.T) {
	c := config.Default()
	c.Listen, c.Data = "127.0.0.1:0", t.TempDir()
	ctx, stop := context.WithCancel(context.Background())
	a, err := New(ctx, Options{
		Config: c, Logger: slog.New(slog.DiscardHandler),
		Progress: httpx.Progress{Read: httpx.Pace{Stall: 100 * time.Millisecond}, WriteStall: time.Minute}, // what a test can wait for
	})
	if err != nil {
		stop()
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	defer func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	for _, path := range []string{
		"/genesys/cometd", "/genesys/cometd/handshake", "/genesys/2/chat/customer-support", "/genesys/2/chat-ntf",
		"/api/v1/session", "/desk/cometd", "/desk/", "/sample/", "/healthz", "/", "/nowhere",
	} {
		t.Run(path, func(t *testing.T) {
			conn, err := net.Dial("tcp", a.listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := conn.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n[", path)
			if b, err := io.ReadAll(conn); err != nil {
				t.Errorf("half a body to %s: got %q, then %v; want the server to close the connection", path, b, err)
			}
		})
	}
}
