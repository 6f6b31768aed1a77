package replay

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/halley-chat/halley/internal/tape"
)

// stage is where a conversation is played. Its goroutine plays the lines; those
// of sockets and pumps add to the ledgers.
type stage struct {
	p       *player
	c       *conversation
	running sync.WaitGroup
	left    bool            // the visitor has ended a chat
	vain    int             // gates in a row that waited in vain
	ctx     context.Context // ends with the play

	mu      sync.Mutex // guards what follows, the ledgers and the pumps' fields; nobody calls out while holding it
	sockets map[string]*socket
	pumps   map[*session]*pump
	changed chan struct{} // closed and made anew whenever a ledger has grown
	cookies map[string]string
	alone   bool // nobody is there on the other side of the chat
}

func newStage(p *player, c *conversation) *stage {
	return &stage{
		p: p, c: c, sockets: make(map[string]*socket), pumps: make(map[*session]*pump),
		changed: make(chan struct{}), cookies: make(map[string]string),
	}
}

// play plays the conversation to its end.
func (st *stage) play(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	st.ctx = ctx
	for _, a := range st.c.acts {
		if ctx.Err() != nil {
			break
		}
		if a.From == tape.Server {
			st.expect(a)
			continue
		}
		if a.Kind != tape.KindClose && a.skipped(st.p.o.Origin) != "" {
			continue
		}
		st.gate()
		st.settle()
		st.act(a)
	}
	st.gate()
	st.settle()
	cancel()
	st.mu.Lock()
	open := slices.Collect(maps.Values(st.sockets))
	st.mu.Unlock()
	for _, s := range open {
		s.end()
	}
	st.running.Wait()
}

// socket is the WebSocket that stands for one of the tape; nil if there is none.
func (st *stage) socket(conn string) *socket {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.sockets[conn]
}

// expect adds what the recorded server said.
func (st *stage) expect(a *act) {
	if a.Kind == tape.KindResponse && a.Failed == "client" {
		st.abort(a)
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	for _, m := range a.Messages {
		a.session.recorded.message(a.n, m)
		a.session.unheard = max(a.session.unheard-outcomes(m), 0)
	}
	if a.Body != nil {
		a.session.recorded.body(a.n, a.Body)
	}
	if s := a.session; s.cut == 0 && s.recorded.closed && !st.left {
		s.cut = a.n
	}
}

// outcomes is of how many operations a message tells the outcome, at most.
func outcomes(m map[string]any) int {
	data, ok := m["data"].(map[string]any)
	if _, reply := m["successful"]; !ok || reply {
		return 0
	}
	list, _ := data["messages"].([]any)
	if len(list) == 0 {
		return 1
	}
	n := 0
	for _, v := range list {
		o, _ := v.(map[string]any)
		if from, _ := o["from"].(map[string]any); str(from["type"]) == "Client" {
			n++
		}
	}
	return n
}

// heard adds what the server says now.
func (st *stage) heard(s *session, messages []map[string]any, body map[string]any) {
	st.mu.Lock()
	for _, m := range messages {
		s.live.message(0, m)
	}
	if body != nil {
		s.live.body(0, body)
	}
	close(st.changed)
	st.changed = make(chan struct{})
	st.mu.Unlock()
	for _, m := range messages {
		if str(m["channel"]) == "/meta/connect" {
			st.connected(s, m)
		}
	}
}

// act plays one line of the client.
func (st *stage) act(a *act) {
	for _, m := range a.Messages {
		if data, ok := m["data"].(map[string]any); ok {
			a.session.unheard++
			if _, asks := data["transcriptPosition"]; asks {
				a.session.asked++
			}
			st.left = st.left || str(data["operation"]) == "disconnect"
		}
	}
	st.left = st.left || a.Via == tape.REST && last(a.Path) == "disconnect"
	switch {
	case a.Kind == tape.KindClose:
		if s := st.socket(a.Conn); s != nil {
			s.end()
		}
	case a.Kind == tape.KindFrame && a.connect:
		st.keep(a)
	case a.Kind == tape.KindFrame:
		if s := st.socket(a.Conn); s != nil {
			st.leaving(a)
			s.write(a, a.Messages)
		}
	case a.Via == tape.WebSocket:
		st.open(a)
	case a.connect:
		st.keep(a)
	default:
		st.leaving(a)
		if last(a.Path) == "refresh" {
			a.session.refresh = a
		}
		a.live = st.exchange(st.ctx, a, a.Messages)
	}
}

// pollEvery is how often refresh is repeated while something is missing.
const pollEvery = 100 * time.Millisecond

// patience is how many gates in a row may wait in vain before the waits become
// short: the server then has nothing to say in this conversation.
const patience = 3

// gate waits until everything is there that the tape has had so far, or the
// wait is over; what is missing then is not waited for again.
func (st *stage) gate() {
	wait := st.p.o.Wait
	if st.vain >= patience {
		wait /= 10
	}
	deadline := time.NewTimer(wait)
	defer deadline.Stop()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for waited := false; ; waited = true {
		st.mu.Lock()
		missing, changed := st.missing(), st.changed
		st.mu.Unlock()
		if len(missing) == 0 {
			if waited {
				st.vain = 0
			}
			return
		}
		select {
		case <-changed:
		case <-tick.C:
			for s := range missing {
				if s.refresh != nil {
					st.exchange(st.ctx, s.refresh, nil)
				}
			}
		case <-deadline.C:
			st.vain++
			st.forgive()
			return
		case <-st.ctx.Done():
			return
		}
	}
}

// missing is what is waited for. The caller holds mu.
func (st *stage) missing() map[*session]bool {
	list := make(map[*session]bool)
	for _, s := range st.c.sessions {
		for what, n := range s.recorded.deficits(s.live) {
			if n > s.forgiven[what] && !(what == others && st.alone) {
				list[s] = true
			}
		}
	}
	return list
}

func (st *stage) forgive() {
	st.mu.Lock()
	defer st.mu.Unlock()
	for _, s := range st.c.sessions {
		for what, n := range s.recorded.deficits(s.live) {
			s.forgiven[what] = max(n, s.forgiven[what])
			if what == others {
				st.alone = true
			}
		}
	}
}

// settle finds out, where the other side has ended a chat on the tape, whether
// it has done so now.
func (st *stage) settle() {
	st.mu.Lock()
	defer st.mu.Unlock()
	for _, s := range st.c.sessions {
		if s.cut > 0 && !s.settled {
			s.settled, s.open = true, !s.live.closed
		}
	}
}

// learn takes the cookies of an answer: those of the names that the recorded
// answer had set.
func (st *stage) learn(a *act, live []*http.Cookie) {
	if a.answer == nil {
		return
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	for _, c := range live {
		if token := a.answer.Cookies[c.Name]; token != "" {
			st.cookies[token] = c.Value
		}
	}
}
