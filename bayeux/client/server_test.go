package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/halley-chat/halley/bayeux"
	"github.com/halley-chat/halley/bayeux/client"
)

// These tests let the client and the server of this module talk over real
// sockets; what they say to each other is pinned by the tests of each.

func eachTransport(t *testing.T, test func(t *testing.T, transport string)) {
	for _, transport := range []string{client.WebSocket, client.LongPolling} {
		t.Run(transport, func(t *testing.T) { test(t, transport) })
	}
}

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func start(t *testing.T, opts client.Options) *client.Client {
	t.Helper()
	opts.Backoff = 10 * time.Millisecond
	c, err := client.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close(context.Background())
		<-c.Done()
	})
	if _, err := c.Handshake(within(t, time.Minute)); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestManyTalkThroughTheServer(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		srv := bayeux.New(bayeux.Options{})
		web := httptest.NewServer(srv)
		defer web.Close()
		defer srv.Close(within(t, time.Minute))
		srv.Handle("/service/echo", func(_ context.Context, s *bayeux.Session, m *bayeux.Message) error {
			return s.Deliver("/service/echo", append([]byte(nil), m.Data...))
		})

		const clients, each = 8, 20
		var wg sync.WaitGroup
		for n := range clients {
			heard := make(chan string, clients*each)
			echoed := make(chan string, each)
			c := start(t, client.Options{URL: web.URL, Transports: []string{transport}})
			c.Listen("/service/echo", func(m *client.Message) { echoed <- string(m.Data) })
			if _, err := c.Subscribe(within(t, time.Minute), "/room", func(m *client.Message) { heard <- string(m.Data) }); err != nil {
				t.Fatal(err)
			}
			wg.Go(func() {
				ctx := within(t, 2*time.Minute)
				for i := range each {
					text := fmt.Sprintf("%d-%d", n, i)
					for _, channel := range []string{"/service/echo", "/room"} {
						if _, err := c.Publish(ctx, channel, text); err != nil {
							t.Error(err)
							return
						}
					}
					select {
					case got := <-echoed:
						if got != fmt.Sprintf("%q", text) {
							t.Errorf("echo %s, want %q", got, text)
						}
					case <-ctx.Done():
						t.Error("there was no echo")
						return
					}
				}
				for i := 0; i < each; {
					select {
					case got := <-heard:
						if got == fmt.Sprintf(`"%d-%d"`, n, i) {
							i++
						}
					case <-ctx.Done():
						t.Errorf("client %d heard only %d of its own lines", n, i)
						return
					}
				}
			})
		}
		wg.Wait()
	})
}

func TestServerRestarts(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		var now sync.Map
		var web *httptest.Server
		replace := func() {
			if old, ok := now.Load("server"); ok {
				web.CloseClientConnections()
				defer old.(*bayeux.Server).Close(within(t, time.Minute))
			}
			srv := bayeux.New(bayeux.Options{})
			srv.Handle("/service/x", func(context.Context, *bayeux.Session, *bayeux.Message) error { return nil })
			now.Store("server", srv)
		}
		replace()
		web = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			srv, _ := now.Load("server")
			srv.(http.Handler).ServeHTTP(w, r)
		}))
		defer web.Close()
		defer func() {
			srv, _ := now.Load("server")
			srv.(*bayeux.Server).Close(within(t, time.Minute))
		}()

		shaken := make(chan string, 10)
		c := start(t, client.Options{
			URL: web.URL, Transports: []string{transport},
			OnHandshake: func(_ *client.Client, reply *client.Message) { shaken <- reply.ClientID },
		})
		ctx := within(t, 2*time.Minute)
		heard := make(chan string, 10)
		if _, err := c.Subscribe(ctx, "/room/*", func(m *client.Message) { heard <- string(m.Data) }); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			old := <-shaken
			replace()
			select {
			case fresh := <-shaken:
				if fresh == old {
					t.Error("the new session has the old one's id")
				}
				shaken <- fresh
			case <-ctx.Done():
				t.Fatal("the client did not come back")
			}
			if _, err := c.Publish(ctx, "/room/1", "hello"); err != nil {
				t.Fatal(err)
			}
			if got := <-heard; got != `"hello"` {
				t.Errorf("heard %s", got)
			}
		}
	})
}

func TestServerKicks(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		srv := bayeux.New(bayeux.Options{})
		web := httptest.NewServer(srv)
		defer web.Close()
		defer srv.Close(within(t, time.Minute))
		srv.Handle("/service/kick", func(_ context.Context, s *bayeux.Session, _ *bayeux.Message) error {
			s.Disconnect()
			return nil
		})
		c := start(t, client.Options{URL: web.URL, Transports: []string{transport}})
		// On long-polling the server's last word only reaches a client whose
		// connect is held; otherwise the client shakes hands again and is
		// kicked once more.
		ctx, cancel := context.WithCancel(t.Context())
		kicked := make(chan struct{})
		defer func() { cancel(); <-kicked }()
		go func() {
			defer close(kicked)
			for ctx.Err() == nil && !errors.Is(c.Err(), client.ErrDisconnected) {
				c.Publish(ctx, "/service/kick", 1)
			}
		}()
		select {
		case <-c.Done():
		case <-time.After(time.Minute):
			t.Fatal("the client lives on")
		}
		if err := c.Err(); !errors.Is(err, client.ErrDisconnected) {
			t.Errorf("Err: %v", err)
		}
		if n := srv.Sessions(); n != 0 {
			t.Errorf("%d sessions are left", n)
		}
	})
}

func TestUnauthorised(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		srv := bayeux.New(bayeux.Options{Authenticate: func(*http.Request) (any, error) { return nil, errors.New("who are you") }})
		web := httptest.NewServer(srv)
		defer web.Close()
		defer srv.Close(within(t, time.Minute))
		c, err := client.New(client.Options{
			URL: web.URL, Transports: []string{transport}, GiveUp: func(int, error) bool { return true },
		})
		if err != nil {
			t.Fatal(err)
		}
		var status *client.StatusError
		if err := c.Run(within(t, time.Minute)); !errors.As(err, &status) || status.Status != 401 {
			t.Errorf("Run: %v, want status 401", err)
		}
	})
}
