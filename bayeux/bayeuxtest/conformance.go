package bayeuxtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/halley-chat/halley/bayeux"
)

// Endpoint is a running server as its clients see it.
type Endpoint struct {
	// URL is where the server is served, for example "http://host/cometd".
	URL string
	// Web sends the requests of polling clients. It must neither keep cookies
	// nor give up on slow answers.
	Web *http.Client
	// Dial opens the connections of WebSockets.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Start starts a server that [Furnish] has made, or another one that does the
// same, and stops it when the test ends.
type Start func(t *testing.T, o bayeux.Options) *Endpoint

// Conformance runs raw conversations over long-polling, callback-polling and
// WebSocket with servers that start makes, one for each conversation, and
// checks the answers against SPEC.md. It leaves out the conversations that
// wait for the clock.
func Conformance(t *testing.T, start Start) { conform(t, start, false) }

// ConformanceInBubble is [Conformance] with every conversation in a synctest
// bubble of its own, and with those that wait for the clock. The server must
// be reachable without the operating system, as on a [Network].
func ConformanceInBubble(t *testing.T, start Start) { conform(t, start, true) }

// The transports of the protocol, by name.
const (
	LongPolling     = "long-polling"
	CallbackPolling = "callback-polling"
	WebSocket       = "websocket"
)

// conversation is one case of the suite over one transport.
type conversation struct {
	*testing.T
	e      *Endpoint
	kind   string
	bubble bool
}

// conformanceCase says what to run, over which transports, and with what
// options. A nil list means all transports.
type conformanceCase struct {
	name    string
	over    []string
	timed   bool // only in a bubble
	options bayeux.Options
	run     func(c *conversation)
}

var (
	polls   = []string{LongPolling, CallbackPolling}
	sockets = []string{WebSocket}
)

func conform(t *testing.T, start Start, bubble bool) {
	cases := [][]conformanceCase{
		envelopeCases, channelCases, metaCases, connectCases, deliveryCases, lifeCases, transportCases, extensionCases,
	}
	for _, list := range cases {
		for _, c := range list {
			if c.timed && !bubble {
				continue
			}
			over := c.over
			if over == nil {
				over = []string{LongPolling, CallbackPolling, WebSocket}
			}
			for _, kind := range over {
				t.Run(strings.ReplaceAll(c.name, " ", "-")+"/"+kind, func(t *testing.T) {
					run := func(t *testing.T) {
						c.run(&conversation{T: t, e: start(t, c.options), kind: kind, bubble: bubble})
					}
					if bubble {
						synctest.Test(t, run)
					} else {
						run(t)
					}
				})
			}
		}
	}
}

// polling says whether the case runs over one of the polling transports.
func (c *conversation) polling() bool { return c.kind != WebSocket }

// settle waits until the server has done all it can, where that is possible.
// Outside of a bubble a conversation must come to the same end without.
func (c *conversation) settle() {
	if c.bubble {
		synctest.Wait()
	}
}

// took checks how long something lasted, where clocks are exact.
func (c *conversation) took(since time.Time, want time.Duration, what string) {
	c.Helper()
	if d := time.Since(since); c.bubble && d != want {
		c.Errorf("%s took %v, want %v", what, d, want)
	}
}

// Furnish makes a server that the suite can talk to. It serves every transport
// and the extensions ack and timesync, and has, like the echo example:
//
//   - /service/echo, which answers a remote call with the data it came with;
//   - /service/kick, which disconnects whoever calls it;
//   - /service/flood with {channel, count}, which delivers {n: 0} to
//     {n: count-1} on a channel to the caller;
//   - /service/push with {channel, data}, which publishes from the server;
//   - /lazy, which is lazy, and /denied/**, where nobody may subscribe or
//     publish; a handshake with ext.deny: true is refused.
func Furnish(o bayeux.Options) *bayeux.Server {
	o.CallbackPolling, o.Ack = true, true
	o.Extensions = append(o.Extensions, bayeux.Timesync())
	o.Logger = slog.New(slog.DiscardHandler)
	o.Policy.Handshake = func(_ context.Context, _ *bayeux.Session, m *bayeux.Message) error {
		if string(m.ExtField("deny")) == "true" {
			return errDenied
		}
		return nil
	}
	deny := func(_ context.Context, _ *bayeux.Session, channel string) error {
		if strings.HasPrefix(channel, "/denied/") {
			return errDenied
		}
		return nil
	}
	o.Policy.Subscribe, o.Policy.Publish = deny, deny
	srv := bayeux.New(o)
	srv.Configure("/lazy", bayeux.ChannelOptions{Lazy: true})
	srv.Handle("/service/echo", echo)
	srv.Handle("/service/kick", func(_ context.Context, s *bayeux.Session, _ *bayeux.Message) error {
		s.Disconnect()
		return nil
	})
	srv.Handle("/service/flood", flood)
	srv.Handle("/service/push", func(_ context.Context, _ *bayeux.Session, m *bayeux.Message) error {
		var to struct {
			Channel string
			Data    json.RawMessage
		}
		if err := json.Unmarshal(m.Data, &to); err != nil {
			return err
		}
		return srv.Publish(to.Channel, to.Data)
	})
	return srv
}

var errDenied = errors.New("bayeuxtest: this is denied")

func echo(_ context.Context, s *bayeux.Session, m *bayeux.Message) error {
	d := bayeux.NewDelivery(m.Channel, bytes.Clone(m.Data))
	if m.ID != nil {
		d.Set("id", m.ID.Clone())
	}
	d.Set("successful", []byte("true"))
	return s.Send(d)
}

func flood(_ context.Context, s *bayeux.Session, m *bayeux.Message) error {
	var want struct {
		Channel string
		Count   int
	}
	if err := json.Unmarshal(m.Data, &want); err != nil {
		return err
	}
	for n := range want.Count {
		data, err := json.Marshal(map[string]int{"n": n})
		if err != nil {
			return err
		}
		if err := s.Deliver(want.Channel, data); err != nil {
			return err
		}
	}
	return nil
}
