package client

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Client is one client of a Bayeux server. See the package documentation for
// its life. Make one with [New].
type Client struct {
	opts      settings
	listeners listeners
	queue     chan event
	pending   pending

	ctx       context.Context // ends when Close has disconnected
	stop      context.CancelFunc
	closing   chan struct{} // closed when Close begins
	loopDone  chan struct{} // closed when no session is kept any more
	done      chan struct{} // closed when the last goroutine is about to end
	startOnce sync.Once
	closeOnce sync.Once

	mu      sync.Mutex
	state   state           // guarded by mu
	changed chan struct{}   // guarded by mu; closed and replaced whenever state changes
	subs    []*Subscription // guarded by mu; to be part of every new session
}

// state is what requests need to know of the client's life.
type state struct {
	session *session // nil before the first handshake
	link    link     // the session's connection
	up      bool     // requests may be sent
	ended   bool
	err     error    // why it ended; nil after Close
	reply   *Message // to the latest handshake
}

// session is what one successful handshake began.
type session struct {
	id     string
	ctx    context.Context // ends with errReplaced or ErrDisconnected, or with the client
	cancel context.CancelCauseFunc
	advice Advice
	alive  time.Time // when the server was last heard of
	proven bool      // a connect has succeeded
}

// New makes a client. Nothing is sent before [Client.Start], [Client.Run] or
// [Client.Handshake]. The error says what is wrong with the options.
func New(opts Options) (*Client, error) {
	s, err := opts.settings()
	if err != nil {
		return nil, err
	}
	c := &Client{
		opts: s, queue: make(chan event, s.Queue), pending: pending{waiting: map[string]chan *wireMessage{}},
		closing: make(chan struct{}), loopDone: make(chan struct{}), done: make(chan struct{}), changed: make(chan struct{}),
	}
	c.ctx, c.stop = context.WithCancel(context.Background())
	return c, nil
}

// Start begins the client's life and returns at once. Calling it again, or
// after Close, does nothing.
func (c *Client) Start() {
	c.startOnce.Do(func() {
		go c.loop()
		go c.dispatch()
	})
}

// Handshake starts the client and waits until it has a session. It returns the
// server's reply to the latest handshake. An error is ctx's, in which case the
// client goes on trying until it is closed, or wraps [ErrClosed].
func (c *Client) Handshake(ctx context.Context) (*Message, error) {
	c.Start()
	for {
		now, changed := c.now()
		switch {
		case now.ended:
			return nil, closedError(now.err)
		case now.reply != nil:
			return now.reply, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Run lives the client's whole life: it starts the client and returns when it
// has ended and its last callback has returned. When ctx ends, Run closes the
// client, gives it MaxNetworkDelay to say so to the server, and returns ctx's
// error; otherwise it returns what [Client.Err] returns.
func (c *Client) Run(ctx context.Context) error {
	c.Start()
	select {
	case <-c.done:
		return c.Err()
	case <-ctx.Done():
	}
	bye, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.opts.MaxNetworkDelay)
	defer cancel()
	if err := c.Close(bye); err != nil {
		c.opts.Logger.Debug("bayeux client: the server was not told of the end", "error", err)
	}
	<-c.done
	return ctx.Err()
}

// Close tells the server that the session is over, if there is one and a
// connection to say it on, and ends the client. It waits for the server's
// reply until ctx ends or MaxNetworkDelay has passed, and closes in any case;
// the error says why the server may not know. Deliveries that still wait are
// dropped. Close may be called from a callback; one that is running goes on, and
// none begins after Close has returned. Closing again waits for the end.
func (c *Client) Close(ctx context.Context) error {
	var err error
	c.closeOnce.Do(func() {
		close(c.closing)
		if now, _ := c.now(); now.usable() {
			ctx, cancel := context.WithTimeout(ctx, c.opts.MaxNetworkDelay)
			defer cancel()
			_, err = c.exchange(ctx, now.link, c.opts.MaxNetworkDelay,
				&wireMessage{Channel: "/meta/disconnect", ClientID: now.session.id})
			if errors.As(err, new(*Error)) {
				err = nil // the session is gone, which is what was wanted
			}
		}
		c.stop()
		c.startOnce.Do(func() { // it never began
			c.end(nil)
			close(c.loopDone)
			close(c.done)
		})
	})
	<-c.loopDone
	return err
}

// Done is closed when the client has ended and its last callback has returned.
func (c *Client) Done() <-chan struct{} { return c.done }

// Err says why the client has ended: nil while it has not, and after Close.
// Otherwise it is [ErrDisconnected], [ErrTransport], an [*Error] for a refused
// handshake, or the error for which [Options.GiveUp] gave up.
func (c *Client) Err() error {
	now, _ := c.now()
	return now.err
}

// Transport is the name of the transport in use; empty before the first
// handshake.
func (c *Client) Transport() string {
	now, _ := c.now()
	if now.link == nil {
		return ""
	}
	return now.link.name()
}

// Listen calls fn with every delivery on a channel, or on the channels that a
// pattern ending in "/*" or "/**" names. It sends nothing to the server. The
// returned function takes the listener away again; a delivery that is being
// handed out may still reach it.
func (c *Client) Listen(channel string, fn func(*Message)) (remove func()) {
	return c.listeners.add(channel, fn)
}

// Publish sends data, encoded as JSON, to a channel and returns the server's
// reply. It waits for a session and a connection if there is none at present.
// The message is sent at most once. Publishes from one goroutine reach the
// server in their order.
//
// A refusal is an [*Error]. [ErrLost] means that nobody knows whether the
// message arrived; so does the end of ctx. After [ErrClosed] it did not.
func (c *Client) Publish(ctx context.Context, channel string, data any) (*Message, error) {
	body, err := json.Marshal(data)
	if err != nil {
		return nil, fmt.Errorf("bayeux client: encode data: %w", err)
	}
	reply, _, err := c.request(ctx, wireMessage{Channel: channel, Data: jsontext.Value(body)})
	return reply, err
}

// request sends a message of the session as soon as there is one, and says
// which session that was.
func (c *Client) request(ctx context.Context, m wireMessage) (*Message, *session, error) {
	for {
		now, changed := c.now()
		if now.ended {
			return nil, nil, closedError(now.err)
		}
		if now.usable() {
			m.ClientID = now.session.id
			replies, err := c.exchange(ctx, now.link, c.opts.MaxNetworkDelay, &m)
			if isUnknownClient(err) {
				now.session.cancel(errReplaced)
			}
			if err != nil {
				return nil, now.session, err
			}
			return replies[0].message(), now.session, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
	}
}

// usable says whether a request can be sent now.
func (s *state) usable() bool {
	return s.up && s.session.ctx.Err() == nil && !isClosed(s.link.lost())
}

func (c *Client) now() (state, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state, c.changed
}

// change lets fn alter the state and wakes everybody who waits for it.
func (c *Client) change(fn func(*state)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fn(&c.state)
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *Client) end(err error) {
	c.change(func(s *state) { s.ended, s.up, s.err = true, false, err })
}

func closedError(reason error) error {
	if reason == nil {
		return ErrClosed
	}
	return fmt.Errorf("%w: %w", ErrClosed, reason)
}

// isUnknownClient says whether the server has forgotten the session.
func isUnknownClient(err error) bool {
	var refused *Error
	return errors.As(err, &refused) && refused.Code == 402
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
