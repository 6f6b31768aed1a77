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

// playback plays one conversation. Its goroutine plays the lines; those
// of sockets and connect loops add to the histories.
type playback struct {
	p        *player
	c        *conversation
	running  sync.WaitGroup
	left     bool            // the visitor has ended a chat
	timeouts int             // waits in a row that ended without what they waited for
	ctx      context.Context // ends with the play

	mu           sync.Mutex // guards what follows, the histories and the connect loops' fields; nobody calls out while holding it
	sockets      map[string]*socket
	connectLoops map[*session]*connectLoop
	changed      chan struct{} // closed and made anew whenever a history has grown
	cookies      map[string]string
	unattended   bool // nobody is there on the other side of the chat
}

func newPlayback(p *player, c *conversation) *playback {
	return &playback{
		p: p, c: c, sockets: make(map[string]*socket), connectLoops: make(map[*session]*connectLoop),
		changed: make(chan struct{}), cookies: make(map[string]string),
	}
}

// play plays the conversation to its end.
func (pb *playback) play(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	pb.ctx = ctx
	for _, a := range pb.c.actions {
		if ctx.Err() != nil {
			break
		}
		if a.From == tape.Server {
			pb.expect(a)
			continue
		}
		if a.Kind != tape.KindClose && a.skipped(pb.p.o.Origin) != "" {
			continue
		}
		pb.awaitRecorded()
		pb.resolveEnds()
		pb.perform(a)
	}
	pb.awaitRecorded()
	pb.resolveEnds()
	cancel()
	pb.mu.Lock()
	open := slices.Collect(maps.Values(pb.sockets))
	pb.mu.Unlock()
	for _, s := range open {
		s.end()
	}
	pb.running.Wait()
}

// socket is the WebSocket that stands for one of the tape; nil if there is none.
func (pb *playback) socket(conn string) *socket {
	pb.mu.Lock()
	defer pb.mu.Unlock()
	return pb.sockets[conn]
}

// expect adds what the recorded server said.
func (pb *playback) expect(a *action) {
	if a.Kind == tape.KindResponse && a.Failed == "client" {
		pb.abort(a)
	}
	pb.mu.Lock()
	defer pb.mu.Unlock()
	if a.Failed == "client" && a.request != nil {
		for _, m := range a.request.Messages {
			a.session.abandoned[replyKey(m)] = true
		}
	}
	for _, m := range a.Messages {
		a.session.recorded.message(a.n, m)
		a.session.unconfirmed = max(a.session.unconfirmed-outcomes(m), 0)
	}
	if a.Body != nil {
		a.session.recorded.body(a.n, a.Body)
	}
	if s := a.session; s.endLine == 0 && s.recorded.closed && !pb.left {
		s.endLine = a.n
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

// receive adds what the server says now.
func (pb *playback) receive(s *session, messages []map[string]any, body map[string]any) {
	pb.mu.Lock()
	for _, m := range messages {
		s.live.message(0, m)
	}
	if body != nil {
		s.live.body(0, body)
	}
	close(pb.changed)
	pb.changed = make(chan struct{})
	pb.mu.Unlock()
	for _, m := range messages {
		if str(m["channel"]) == "/meta/connect" {
			pb.afterConnect(s, m)
		}
	}
}

// perform plays one line of the client.
func (pb *playback) perform(a *action) {
	for _, m := range a.Messages {
		if data, ok := m["data"].(map[string]any); ok {
			a.session.unconfirmed++
			if _, asks := data["transcriptPosition"]; asks {
				a.session.asked++
			}
			pb.left = pb.left || str(data["operation"]) == "disconnect"
		}
	}
	pb.left = pb.left || a.Via == tape.REST && last(a.Path) == "disconnect"
	switch {
	case a.Kind == tape.KindClose:
		if s := pb.socket(a.Conn); s != nil {
			s.end()
		}
	case a.Kind == tape.KindFrame && a.connect:
		pb.startConnects(a)
	case a.Kind == tape.KindFrame:
		if s := pb.socket(a.Conn); s != nil {
			pb.beforeSend(a)
			s.write(a, a.Messages)
		}
	case a.Via == tape.WebSocket:
		pb.open(a)
	case a.connect:
		pb.startConnects(a)
	default:
		pb.beforeSend(a)
		if last(a.Path) == "refresh" {
			a.session.refresh = a
		}
		a.live = pb.exchange(pb.ctx, a, a.Messages)
	}
}

// pollEvery is how often refresh is repeated while something is missing.
const pollEvery = 100 * time.Millisecond

// maxTimeouts is how many waits in a row may time out before the waits become
// short: the server then has nothing to say in this conversation.
const maxTimeouts = 3

// awaitRecorded waits until everything is there that the tape has had so far, or the
// wait is over; what is missing then is not waited for again.
func (pb *playback) awaitRecorded() {
	wait := pb.p.o.Wait
	if pb.timeouts >= maxTimeouts {
		wait /= 10
	}
	deadline := time.NewTimer(wait)
	defer deadline.Stop()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for waited := false; ; waited = true {
		pb.mu.Lock()
		missing, changed := pb.missing(), pb.changed
		pb.mu.Unlock()
		if len(missing) == 0 {
			if waited {
				pb.timeouts = 0
			}
			return
		}
		select {
		case <-changed:
		case <-tick.C:
			for s := range missing {
				if s.refresh != nil {
					pb.exchange(pb.ctx, s.refresh, nil)
				}
			}
		case <-deadline.C:
			pb.timeouts++
			pb.excuseMissing()
			return
		case <-pb.ctx.Done():
			return
		}
	}
}

// missing is what is waited for. The caller holds mu.
func (pb *playback) missing() map[*session]bool {
	list := make(map[*session]bool)
	for _, s := range pb.c.sessions {
		for what, n := range s.recorded.deficits(s.live) {
			if n > s.excused[what] && !(what == others && pb.unattended) {
				list[s] = true
			}
		}
	}
	return list
}

func (pb *playback) excuseMissing() {
	pb.mu.Lock()
	defer pb.mu.Unlock()
	for _, s := range pb.c.sessions {
		for what, n := range s.recorded.deficits(s.live) {
			s.excused[what] = max(n, s.excused[what])
			if what == others {
				pb.unattended = true
			}
		}
	}
}

// resolveEnds finds out, where the other side has ended a chat on the tape, whether
// it has done so now.
func (pb *playback) resolveEnds() {
	pb.mu.Lock()
	defer pb.mu.Unlock()
	for _, s := range pb.c.sessions {
		if s.endLine > 0 && !s.endResolved {
			s.endResolved, s.open = true, !s.live.closed
		}
	}
}

// storeCookies takes the cookies of an answer: those of the names that the recorded
// answer had set.
func (pb *playback) storeCookies(a *action, live []*http.Cookie) {
	if a.answer == nil {
		return
	}
	pb.mu.Lock()
	defer pb.mu.Unlock()
	for _, c := range live {
		if token := a.answer.Cookies[c.Name]; token != "" {
			pb.cookies[token] = c.Value
		}
	}
}
