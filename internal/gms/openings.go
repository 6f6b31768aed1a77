package gms

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/ratelimit"
)

// A requestChat whose answer is lost is sent again, and the visitor then waits in
// two chats. A client that gives its request an id, under [openingID] in userData, is
// answered with the chat that the first one opened. Whoever is answered is told the
// key of that chat, so the id must be long enough not to be guessed, and the request
// must be the same in all it says and come from the same network.

// openingID is the name of the id in userData; it does not become data of the chat.
const openingID = "halley-id"

const (
	minOpeningID = 16 // bytes; the longest is maxIdentifier
	// openingsKept is how long an opening is remembered, and maxOpenings how many
	// are: the oldest is forgotten first.
	openingsKept = 10 * time.Minute
	maxOpenings  = 10_000
)

// openings are the latest requests that had an id. It is safe for concurrent use.
type openings struct {
	mu sync.Mutex
	// Guarded by mu.
	byKey map[[sha256.Size]byte]*opening
	order []*opening // the oldest first, those that came to nothing included
}

// opening is a request that opens a chat.
type opening struct {
	key   [sha256.Size]byte
	begun time.Time
	done  chan struct{} // closed when it has come to its end
	chat  chat.ID       // set before done is closed; 0 if no chat was opened
}

func newOpenings() *openings {
	return &openings{byKey: make(map[[sha256.Size]byte]*opening)}
}

// begin finds the opening of a key, or notes a new one, for which end is then called.
func (o *openings) begin(key [sha256.Size]byte, now time.Time) (op *opening, first bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	old := 0
	for old < len(o.order) && (len(o.order)-old >= maxOpenings || now.Sub(o.order[old].begun) >= openingsKept) {
		o.remove(o.order[old])
		old++
	}
	o.order = slices.Delete(o.order, 0, old)
	if op := o.byKey[key]; op != nil {
		return op, false
	}
	op = &opening{key: key, begun: now, done: make(chan struct{})}
	o.byKey[key] = op
	o.order = append(o.order, op)
	return op, true
}

// remove is called with mu held.
func (o *openings) remove(op *opening) {
	if o.byKey[op.key] == op {
		delete(o.byKey, op.key)
	}
}

func (o *openings) forget(op *opening) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.remove(op)
}

// end notes which chat was opened. One that was not opened is forgotten.
func (o *openings) end(op *opening, id chat.ID) {
	if op.chat = id; id == 0 {
		o.forget(op)
	}
	close(op.done)
}

// takeOpeningID takes the id of an opening out of userData.
func takeOpeningID(data map[string]string) (string, error) {
	id, given := data[openingID]
	delete(data, openingID)
	if given && (len(id) < minOpeningID || len(id) > maxIdentifier) {
		return "", chat.Refuse(chat.Invalid, "the id of an opening has 16 to 64 bytes")
	}
	return id, nil
}

// openOnce opens a chat, or answers with the one that an earlier request of the same
// id has opened, if that has not ended.
func (c *call) openOnce(ctx context.Context, s Service, id string, open chat.Open) error {
	if id == "" {
		return c.openRateLimited(ctx, s, open)
	}
	key, err := c.openingKey(id, open)
	if err != nil {
		return err
	}
	for {
		op, first := c.edge.openings.begin(key, time.Now())
		if first {
			defer func() { c.edge.openings.end(op, c.chat) }()
			return c.openRateLimited(ctx, s, open)
		}
		select {
		case <-op.done:
		case <-ctx.Done():
			return errSlow
		}
		if done, err := c.readOpened(ctx, op.chat); done || err != nil {
			return err
		}
		c.edge.openings.forget(op)
	}
}

// openingKey is what two requests have in common of which the later one repeats the
// other.
func (c *call) openingKey(id string, open chat.Open) ([sha256.Size]byte, error) {
	said, err := json.Marshal([]any{
		id, c.transport.service(), ratelimit.Network(c.transport.address()), open.Name, open.Text, open.Opening,
	})
	return sha256.Sum256(said), err
}

// readOpened answers with a chat from its beginning; done is false if there is none, or
// it has ended.
func (c *call) readOpened(ctx context.Context, id chat.ID) (done bool, err error) {
	if id == 0 {
		return false, nil
	}
	sum, ok, err := c.edge.o.Engine.Summary(ctx, id)
	if err != nil || !ok || !sum.Open() {
		return false, err
	}
	c.chat = id
	if err := c.authorize(sum); err != nil {
		return true, err
	}
	return true, c.transport.read(ctx, c, sum, 1)
}
