package echo

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/halley-chat/halley/bayeux/client"
)

const channel = "/service/desk"

// Bounds: how many chats are written to at the same moment, how long the
// answer to a command may take, how long to wait before a refused command is
// retried (doubled each time, up to the maximum), and after how long the loss of a response would certainly have
// been noticed.
const (
	writersAtOnce = 64
	replyTimeout  = 10 * time.Second
	retryDelay    = time.Second
	maxRetryDelay = time.Minute
	tickEvery     = time.Minute
)

// desk is the agent's place at the desk: the chats it is in, and how far it
// has followed them. It outlives connections and sign-ins.
type desk struct {
	log     *slog.Logger
	writers chan struct{} // holds a token for every chat that is being written to
	wake    chan struct{} // has room for one: something changed that keepReady looks after

	mu      sync.Mutex
	me      int64                 // guarded by mu, as everything below
	own     int64                 // index of the last entry of the agent's own log
	chats   map[string]*chatState // by chat
	sending map[string]bool       // chats with a goroutine that sends their pending lines
	replies map[string]chan reply // by command id, to those who wait
	synced  bool                  // a resume has been answered in this session
	changed chan struct{}         // closed and replaced when synced becomes true
	ready   bool
	offers  map[string]offer // by chat; to be accepted
}

type offer struct {
	Chat  string `json:"chat"`
	Until int64  `json:"until"`
}

type agent struct {
	Presence string  `json:"presence"`
	Offers   []offer `json:"offers"`
	Last     int64   `json:"last"`
}

type chatLog struct {
	Chat struct {
		ID string `json:"id"`
	} `json:"chat"`
	Events []event `json:"events"`
}

type reply struct {
	ok   bool
	code string
}

// push is anything that the server delivers.
type push struct {
	Type  string `json:"type"`
	ID    string `json:"id"`
	OK    bool   `json:"ok"`
	Error struct {
		Code string `json:"code"`
	} `json:"error"`
	Agent *agent    `json:"agent"`
	Chats []chatLog `json:"chats"`
	Left  []string  `json:"left"`
	chatLog
}

func newDesk(log *slog.Logger) *desk {
	return &desk{
		log: log, writers: make(chan struct{}, writersAtOnce), wake: make(chan struct{}, 1),
		chats: map[string]*chatState{}, sending: map[string]bool{}, replies: map[string]chan reply{},
		changed: make(chan struct{}), offers: map[string]offer{},
	}
}

// identify says who the agent is. Somebody else's chats are forgotten.
func (d *desk) identify(staff int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.me != staff {
		d.me, d.own = staff, 0
		clear(d.chats)
	}
	d.synced, d.ready = false, false
	clear(d.offers)
}

// forget drops what is known of the chats, so that the next resume asks for all
// of it. What was said already is found in the logs then.
func (d *desk) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.own = 0
	clear(d.chats)
}

// markUnsynced says that events may have been missed.
func (d *desk) markUnsynced() {
	d.mu.Lock()
	d.synced = false
	d.mu.Unlock()
	d.notify()
}

func (d *desk) notify() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// run works with one client until ctx or the client ends, and leaves nothing
// running.
func (d *desk) run(ctx context.Context, c *client.Client) error {
	ctx, cancel := context.WithCancel(ctx)
	s := &session{desk: d, c: c, ctx: ctx}
	c.Listen(channel, s.receive)
	s.tasks.Go(s.keepReady)
	err := c.Run(ctx)
	cancel()
	s.tasks.Wait()
	return err
}
