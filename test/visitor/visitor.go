package visitor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/halley-chat/halley/bayeux/client"
	"github.com/halley-chat/halley/test/schema"
)

// Options say who the visitor is and what it wants.
type Options struct {
	// URL is the address of the chat API, such as
	// http://127.0.0.1:8080/genesys/cometd, and Service the service to ask for.
	URL, Service string
	// Nickname is the visitor's name.
	Nickname string
	// Transport is the Bayeux transport to use; empty means the client's
	// defaults.
	Transport string
	// Patience is how long an operation may stay without its outcome before it
	// is repeated; 0 means 5 s.
	Patience time.Duration
	// Impatient makes the visitor repeat what got no answer on a new connection
	// at once, before it knows what it missed.
	Impatient bool
	// Backoff and MaxBackoff are the client's; 0 means its defaults.
	Backoff, MaxBackoff time.Duration
	// Dial opens connections; nil means a [net.Dialer].
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Logger is the client's; nil means nobody is told anything.
	Logger *slog.Logger
}

// Stats count what a visitor did.
type Stats struct {
	Sent         int // messages, each counted once
	Acknowledged int // messages of which the visitor saw its own echo
	Repeats      int // messages that were sent again
	Restores     int // times that the chat was bound to a connection anew
}

const maxFaults = 5

// ErrEnded: the chat is over.
var ErrEnded = errors.New("visitor: the chat has ended")

// Visitor is one visitor with one chat. All methods may be called from any
// goroutine.
type Visitor struct {
	opts    Options
	channel string
	client  *client.Client
	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	tasks   sync.WaitGroup
	wake    chan struct{} // has room for one: the chat may have to be bound

	mu      sync.Mutex
	changed chan struct{} // guarded by mu, as everything below; closed and replaced at every change
	key     string
	chat    string
	bound   bool  // the present connection gets the chat's events
	conns   int   // connections so far
	answers int   // notifications with status 0
	refused error // the latest final refusal
	ended   bool
	// Nothing is missing up to safe. It lags behind: on long-polling one
	// response can overtake another that is lost then, so that the last index
	// seen proves nothing until the restore after the next.
	safe, mark int64
	last       int64
	events     map[int64]Event
	acks       map[string]int64 // indexes by message id
	faults     []string
	stats      Stats
}

// New makes a visitor, who does nothing before [Visitor.Start].
func New(opts Options) (*Visitor, error) {
	if opts.Patience == 0 {
		opts.Patience = 5 * time.Second
	}
	v := &Visitor{
		opts: opts, channel: "/service/chatV2/" + opts.Service, wake: make(chan struct{}, 1), changed: make(chan struct{}),
		events: map[int64]Event{}, acks: map[string]int64{},
	}
	o := client.Options{
		URL: opts.URL, Dial: opts.Dial, Backoff: opts.Backoff, MaxBackoff: opts.MaxBackoff, Logger: opts.Logger,
		OnHandshake: func(*client.Client, *client.Message) { v.unbound() },
		OnReconnect: func(*client.Client) { v.unbound() },
	}
	if opts.Transport != "" {
		o.Transports = []string{opts.Transport}
	}
	var err error
	if v.client, err = client.New(o); err != nil {
		return nil, err
	}
	v.client.Listen(v.channel, v.receive)
	v.ctx, v.cancel = context.WithCancel(context.Background())
	return v, nil
}

// Start connects, asks for a chat and returns when the visitor has joined it.
// A chat that was asked for and never answered for is asked for again, so
// that a server that breaks down meanwhile may be left with one too many.
func (v *Visitor) Start(ctx context.Context) error {
	v.tasks.Go(v.keep)
	if _, err := v.client.Handshake(ctx); err != nil {
		return err
	}
	request := map[string]any{
		"operation": "requestChat", "nickname": v.opts.Nickname, "subject": "test", "text": "",
		"userData": map[string]string{"harness": "yes"},
	}
	for {
		if err := v.publish(ctx, request); err != nil && !retryable(err) {
			return err
		}
		err := v.within(ctx, v.opts.Patience, func() bool { return v.key != "" || v.refused != nil })
		v.mu.Lock()
		key, refused := v.key, v.refused
		v.mu.Unlock()
		switch {
		case key != "":
			return nil
		case refused != nil:
			return refused
		case err != nil && ctx.Err() != nil:
			return ctx.Err()
		}
	}
}

// Close ends the connection, not the chat, and waits until nothing of the
// visitor runs any more.
func (v *Visitor) Close(ctx context.Context) error {
	v.cancel()
	err := v.client.Close(ctx)
	<-v.client.Done()
	v.tasks.Wait()
	return err
}

// unbound says that the connection is a new one.
func (v *Visitor) unbound() {
	v.change(func() {
		v.bound = false
		v.conns++
	})
	select {
	case v.wake <- struct{}{}:
	default:
	}
}

// keep binds the chat to each new connection.
func (v *Visitor) keep() {
	for {
		select {
		case <-v.wake:
		case <-v.ctx.Done():
			return
		}
		for v.ctx.Err() == nil && v.bind() {
		}
	}
}

// bind asks for everything missed, and says whether that has to be tried
// again.
func (v *Visitor) bind() (again bool) {
	v.mu.Lock()
	if v.bound || v.key == "" || v.ended {
		v.mu.Unlock()
		return false
	}
	request := map[string]any{
		"operation": "requestNotifications", "secureKey": v.key, "transcriptPosition": v.safe + 1, "message": "",
	}
	before := v.answers
	v.mu.Unlock()
	if err := v.publish(v.ctx, request); err != nil {
		return retryable(err)
	}
	err := v.within(v.ctx, v.opts.Patience, func() bool { return v.answers > before || v.ended })
	if err != nil {
		return true
	}
	v.change(func() {
		v.bound = true
		v.safe, v.mark = v.mark, v.last
		v.stats.Restores++
	})
	return false
}

// retryable says whether an operation that failed with this error may succeed
// when it is repeated: its connection was lost, or the server has forgotten
// the session, which the client is about to notice.
func retryable(err error) bool {
	var refused *client.Error
	return errors.Is(err, client.ErrLost) || errors.As(err, &refused) && refused.Code == 402
}

func (v *Visitor) publish(ctx context.Context, data any) error {
	_, err := v.client.Publish(ctx, v.channel, data)
	return err
}

// receive takes one notification.
func (v *Visitor) receive(m *client.Message) {
	var n notification
	if err := errors.Join(schema.Response(m.Data), json.Unmarshal(m.Data, &n)); err != nil {
		v.change(func() { v.fault("a notification makes no sense: %v", err) })
		return
	}
	v.change(func() {
		switch n.StatusCode {
		case 0:
			v.answers++
		case 2:
			v.refused = n.refusal()
		}
		if n.StatusCode != 1 && n.ChatEnded {
			v.ended = true
		}
		if n.StatusCode != 0 {
			return
		}
		if v.chat == "" {
			v.chat, v.bound = n.ChatID, true
		}
		if n.ChatID != v.chat {
			// A repeated requestChat has been answered twice; the other chat
			// is left alone.
			return
		}
		if n.SecureKey != "" {
			v.key = n.SecureKey
		}
		for _, e := range n.Messages {
			v.see(e)
		}
	})
}

// see enters an event into the book. The caller holds mu.
func (v *Visitor) see(e Event) {
	if e.Index < 1 {
		v.fault("an event has the index %d", e.Index)
	}
	if old, seen := v.events[e.Index]; seen {
		if old.Content() != e.Content() || old.Time != e.Time {
			v.fault("index %d has been used twice: %s; %s", e.Index, old.Content(), e.Content())
		}
		return
	}
	v.events[e.Index] = e
	v.last = max(v.last, e.Index)
	if id := e.ID(); e.Type == Message && e.From.Type == "Client" && id != "" {
		if first, twice := v.acks[id]; twice {
			v.fault("message %s has been said twice, at %d and %d", id, first, e.Index)
			return
		}
		v.acks[id] = e.Index
		v.stats.Acknowledged++
	}
}

// fault enters a broken promise; a few are enough.
func (v *Visitor) fault(format string, args ...any) {
	if len(v.faults) == maxFaults {
		return
	}
	v.faults = append(v.faults, fmt.Sprintf("chat %s: ", v.chat)+fmt.Sprintf(format, args...))
}

// change does something to the guarded fields and wakes whoever waits.
func (v *Visitor) change(do func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	do()
	close(v.changed)
	v.changed = make(chan struct{})
}

// await waits until cond, which is called with mu held, is true.
func (v *Visitor) await(ctx context.Context, cond func() bool) error {
	for {
		v.mu.Lock()
		ok, changed := cond(), v.changed
		v.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		case <-v.ctx.Done():
			return client.ErrClosed
		}
	}
}

func (v *Visitor) within(ctx context.Context, d time.Duration, cond func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	return v.await(ctx, cond)
}

// Until waits until the events seen so far satisfy cond, or ctx ends.
func (v *Visitor) Until(ctx context.Context, cond func([]Event) bool) error {
	return v.await(ctx, func() bool { return cond(v.seen()) })
}

// Events are all events seen so far, by index.
func (v *Visitor) Events() []Event {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.seen()
}

func (v *Visitor) seen() []Event {
	events := make([]Event, 0, len(v.events))
	for _, e := range v.events {
		events = append(events, e)
	}
	slices.SortFunc(events, func(a, b Event) int { return int(a.Index - b.Index) })
	return events
}

// Chat is the chat's id, and Key what opens it to the visitor.
func (v *Visitor) Chat() string { v.mu.Lock(); defer v.mu.Unlock(); return v.chat }

// Key is the credential of the chat.
func (v *Visitor) Key() string { v.mu.Lock(); defer v.mu.Unlock(); return v.key }

// Faults are the promises that were broken in front of this visitor, in words.
func (v *Visitor) Faults() []string { v.mu.Lock(); defer v.mu.Unlock(); return slices.Clone(v.faults) }

// Stats are the counters so far.
func (v *Visitor) Stats() Stats { v.mu.Lock(); defer v.mu.Unlock(); return v.stats }

// Ended says whether the visitor has been told that the chat is over.
func (v *Visitor) Ended() bool { v.mu.Lock(); defer v.mu.Unlock(); return v.ended }
