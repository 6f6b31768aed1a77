package replay

import (
	"context"
	"maps"
	"time"

	"github.com/halley-chat/halley/internal/tape"
)

// connectLoop repeats /meta/connect, as a client does: the messages
// are those of the tape, the moments are its own. The playback's mu guards it.
type connectLoop struct {
	on   bool
	conn string // the connection of the tape through which it began
	sent int    // connects of the session that it has used
	last *action
	stop context.CancelFunc // of the request that is held; nil over WebSocket
}

// startConnects starts the connect loop of the session, unless it runs already.
func (pb *playback) startConnects(a *action) {
	pb.mu.Lock()
	p := pb.connectLoops[a.session]
	if p == nil {
		p = &connectLoop{}
		pb.connectLoops[a.session] = p
	}
	if p.on && (a.Via != tape.WebSocket || p.conn == a.Conn) {
		pb.mu.Unlock()
		return
	}
	p.on, p.conn, p.last = true, a.Conn, a
	for i, one := range a.session.connects {
		if one == a {
			p.sent = i + 1
		}
	}
	pb.mu.Unlock()
	pb.connect(a, a.Messages)
}

// connect sends one connect.
func (pb *playback) connect(a *action, messages []map[string]any) {
	if a.Via == tape.WebSocket {
		if s := pb.socket(a.Conn); s != nil {
			s.write(a, messages)
		}
		return
	}
	ctx, cancel := context.WithCancel(pb.ctx)
	pb.mu.Lock()
	if p := pb.connectLoops[a.session]; p.on {
		p.stop = cancel
	}
	pb.mu.Unlock()
	pb.running.Go(func() {
		defer cancel()
		got := pb.exchange(ctx, a, messages)
		pb.mu.Lock()
		defer pb.mu.Unlock()
		if a.live == nil {
			a.live = got
		}
	})
}

// afterConnect goes on after the reply to a connect.
func (pb *playback) afterConnect(s *session, reply map[string]any) {
	if ok, _ := reply["successful"].(bool); !ok {
		pb.stopConnects(s)
		return
	}
	var pause time.Duration
	if advice, ok := reply["advice"].(map[string]any); ok {
		if n, ok := integer(advice["interval"]); ok && n > 0 {
			pause = min(time.Duration(n)*time.Millisecond, time.Second)
		}
		if r := str(advice["reconnect"]); r == "none" || r == "handshake" {
			pb.stopConnects(s)
			return
		}
	}
	pb.running.Go(func() {
		select {
		case <-time.After(pause):
		case <-pb.ctx.Done():
			return
		}
		pb.mu.Lock()
		p := pb.connectLoops[s]
		if p == nil || !p.on {
			pb.mu.Unlock()
			return
		}
		a, messages := p.next(s)
		pb.mu.Unlock()
		pb.connect(a, messages)
	})
}

// next is the connect to send now: the tape's next one over this connection,
// or the last one once more, without what it asked of the server.
func (p *connectLoop) next(s *session) (*action, []map[string]any) {
	if p.sent < len(s.connects) {
		if a := s.connects[p.sent]; a.Via == p.last.Via && (a.Via != tape.WebSocket || a.Conn == p.conn) {
			p.sent++
			p.last = a
			return a, a.Messages
		}
	}
	again := maps.Clone(p.last.Messages[0])
	delete(again, "advice")
	return p.last, []map[string]any{again}
}

// stopConnects ends the connect loop of a session: nothing more is sent.
func (pb *playback) stopConnects(s *session) {
	pb.mu.Lock()
	defer pb.mu.Unlock()
	if p := pb.connectLoops[s]; p != nil {
		p.on = false
	}
}

// beforeSend ends the connect loop if a line ends the session.
func (pb *playback) beforeSend(a *action) {
	for _, m := range a.Messages {
		if str(m["channel"]) == "/meta/disconnect" {
			pb.stopConnects(a.session)
		}
	}
}

// abort does what the recorded client did: it let go of a request.
func (pb *playback) abort(a *action) {
	pb.mu.Lock()
	defer pb.mu.Unlock()
	p := pb.connectLoops[a.session]
	if p == nil || a.request == nil || !a.request.connect {
		return
	}
	p.on = false
	if p.stop != nil {
		p.stop()
	}
}
