package replay

import (
	"context"
	"maps"
	"time"

	"github.com/halley-chat/halley/internal/tape"
)

// pump keeps a /meta/connect with the server, as a client does: the messages
// are those of the tape, the moments are its own. The stage's mu guards it.
type pump struct {
	on   bool
	conn string // the connection of the tape through which it began
	sent int    // connects of the session that it has used
	last *act
	stop context.CancelFunc // of the request that is held; nil over WebSocket
}

// keep begins to keep the connect, unless that is done already.
func (st *stage) keep(a *act) {
	st.mu.Lock()
	p := st.pumps[a.session]
	if p == nil {
		p = &pump{}
		st.pumps[a.session] = p
	}
	if p.on && (a.Via != tape.WebSocket || p.conn == a.Conn) {
		st.mu.Unlock()
		return
	}
	p.on, p.conn, p.last = true, a.Conn, a
	for i, one := range a.session.connects {
		if one == a {
			p.sent = i + 1
		}
	}
	st.mu.Unlock()
	st.connect(a, a.Messages)
}

// connect sends one connect.
func (st *stage) connect(a *act, messages []map[string]any) {
	if a.Via == tape.WebSocket {
		if s := st.socket(a.Conn); s != nil {
			s.write(a, messages)
		}
		return
	}
	ctx, cancel := context.WithCancel(st.ctx)
	st.mu.Lock()
	if p := st.pumps[a.session]; p.on {
		p.stop = cancel
	}
	st.mu.Unlock()
	st.running.Go(func() {
		defer cancel()
		got := st.exchange(ctx, a, messages)
		st.mu.Lock()
		defer st.mu.Unlock()
		if a.live == nil {
			a.live = got
		}
	})
}

// connected goes on after the reply to a connect.
func (st *stage) connected(s *session, reply map[string]any) {
	if ok, _ := reply["successful"].(bool); !ok {
		st.silence(s)
		return
	}
	var pause time.Duration
	if advice, ok := reply["advice"].(map[string]any); ok {
		if n, ok := integer(advice["interval"]); ok && n > 0 {
			pause = min(time.Duration(n)*time.Millisecond, time.Second)
		}
		if r := str(advice["reconnect"]); r == "none" || r == "handshake" {
			st.silence(s)
			return
		}
	}
	st.running.Go(func() {
		select {
		case <-time.After(pause):
		case <-st.ctx.Done():
			return
		}
		st.mu.Lock()
		p := st.pumps[s]
		if p == nil || !p.on {
			st.mu.Unlock()
			return
		}
		a, messages := p.next(s)
		st.mu.Unlock()
		st.connect(a, messages)
	})
}

// next is the connect to send now: the tape's next one over this connection,
// or the last one once more, without what it asked of the server.
func (p *pump) next(s *session) (*act, []map[string]any) {
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

// silence ends the pump of a session: nothing more is sent.
func (st *stage) silence(s *session) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if p := st.pumps[s]; p != nil {
		p.on = false
	}
}

// leaving silences the pump if a line ends the session.
func (st *stage) leaving(a *act) {
	for _, m := range a.Messages {
		if str(m["channel"]) == "/meta/disconnect" {
			st.silence(a.session)
		}
	}
}

// abort does what the recorded client did: it let go of a request.
func (st *stage) abort(a *act) {
	st.mu.Lock()
	defer st.mu.Unlock()
	p := st.pumps[a.session]
	if p == nil || a.request == nil || !a.request.connect {
		return
	}
	p.on = false
	if p.stop != nil {
		p.stop()
	}
}
