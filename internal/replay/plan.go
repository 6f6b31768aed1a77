package replay

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/halley-chat/halley/internal/tape"
)

// action is a line of the tape with what replaying it needs.
type action struct {
	tape.Line
	n       int // line of the file, from 2
	session *session
	answer  *action // of a request: its response, if the tape has one
	request *action // of a response
	connect bool    // it is a /meta/connect and nothing else

	live *answer // what the server said when it was played
}

// conversation is a part of the tape that has nothing to do with the rest.
type conversation struct {
	actions  []*action
	sessions []*session
}

// session is a client as the server knows it.
type session struct {
	name        string
	recorded    *history // grows while the tape is played
	live        *history
	connects    []*action // in order
	excused     map[string]int
	refresh     *action         // the last one played
	line        int             // of the tape, where it first appears
	endLine     int             // of the tape, where the other side ended the chat; 0 if it did not
	endResolved bool            // it is known whether it has ended the chat now as well
	open        bool            // it has not
	unconfirmed int             // operations whose outcome it was not told
	abandoned   map[string]bool // keys of replies that the client did not wait for
	asked       int             // operations over Bayeux that asked for the events from a position on
}

// plan takes a tape apart.
func plan(lines []tape.Line) ([]*conversation, []*action) {
	p := &planner{
		sessions: make(map[string]*session), groups: make(map[string]string), chats: make(map[string]string),
		requests: make(map[string]*action), sockets: make(map[string]string),
		handshakes: make(map[string][]handshake),
	}
	actions := make([]*action, len(lines))
	for i, l := range lines {
		actions[i] = &action{Line: l, n: i + 2}
		p.pair(actions[i])
	}
	for _, a := range actions {
		p.join(a)
	}
	list := p.conversations(actions)
	for _, c := range list {
		c.actions = closedLast(c.actions)
	}
	return list, actions
}

// closedLast puts a client's closing of a WebSocket behind what the server still
// said there. That was on its way when the client went; whoever plays the client
// would close before it comes, and miss it.
func closedLast(actions []*action) []*action {
	last := make(map[string]*action) // by connection, the server's last line
	for _, a := range actions {
		if a.From == tape.Server {
			last[a.Conn] = a
		}
	}
	ordered := make([]*action, 0, len(actions))
	waiting := make(map[*action]*action) // the closing that belongs behind a line
	for _, a := range actions {
		if l := last[a.Conn]; a.Kind == tape.KindClose && a.From == tape.Client && l != nil && l.n > a.n {
			waiting[l] = a
			continue
		}
		ordered = append(ordered, a)
		if c := waiting[a]; c != nil {
			ordered = append(ordered, c)
		}
	}
	return ordered
}

type planner struct {
	sessions   map[string]*session
	groups     map[string]string  // a union of tokens and connections
	chats      map[string]string  // key to chat
	requests   map[string]*action // by connection
	sockets    map[string]string  // the client at the end of a WebSocket
	handshakes map[string][]handshake
}

// handshake is a successful handshake over a WebSocket.
type handshake struct {
	n      int
	client string
}

// handshakeClient is the client that a handshake over a WebSocket makes.
func (p *planner) handshakeClient(a *action) string {
	for _, h := range p.handshakes[a.Conn] {
		if h.n > a.n {
			return h.client
		}
	}
	return ""
}

// pair ties an answer to its request, and learns whose key is whose.
func (p *planner) pair(a *action) {
	switch a.Kind {
	case tape.KindRequest:
		p.requests[a.Conn] = a
	case tape.KindResponse:
		if r := p.requests[a.Conn]; r != nil {
			r.answer, a.request = a, r
		}
	}
	learn := func(o map[string]any) {
		key, id := str(o["secureKey"]), str(o["chatId"])
		if key != "" && id != "" && a.From == tape.Server {
			p.chats[key] = id
		}
	}
	learn(a.Body)
	for _, m := range a.Messages {
		if data, ok := m["data"].(map[string]any); ok {
			learn(data)
		}
		if id := str(m["clientId"]); id != "" && a.From == tape.Server && str(m["channel"]) == "/meta/handshake" {
			p.handshakes[a.Conn] = append(p.handshakes[a.Conn], handshake{a.n, id})
		}
	}
}

// find is the representative of what a name belongs to.
func (p *planner) find(name string) string {
	root := name
	for up, ok := p.groups[root]; ok; up, ok = p.groups[root] {
		root = up
	}
	if name != root {
		p.groups[name] = root // a short way the next time
	}
	return root
}

func (p *planner) unite(a, b string) {
	if a, b = p.find(a), p.find(b); a != b {
		p.groups[a] = b
	}
}

// join puts a line into a session, and everything that it names into one group.
func (p *planner) join(a *action) {
	if a.Conn == "" || a.Via == tape.Other {
		return
	}
	conn := "conn " + a.Conn
	tie := func(sort, s string) {
		if t, ok := tape.ParseToken(s); ok && (t.Sort == tape.Key || t.Sort == tape.Session || t.Sort == tape.Chat || t.Sort == sort) {
			p.unite(conn, s)
		}
	}
	for name, v := range a.Cookies {
		if name == "BAYEUX_BROWSER" {
			tie(tape.Cookie, v)
		}
	}
	for s := range strings.SplitSeq(a.Path, "/") {
		tie("", s)
	}
	each := func(s string) { tie("", s) }
	walk(a.Body, each)
	for _, m := range a.Messages {
		walk(m, each)
	}
	for _, f := range slices.Concat(a.Fields, a.Query) {
		walk(f.Value, each)
	}
	name := p.whose(a)
	if name == "" {
		name = conn
	}
	s := p.sessions[name]
	if s == nil {
		s = &session{name: strings.TrimPrefix(name, "conn "), recorded: newHistory(), live: newHistory(), excused: make(map[string]int), abandoned: make(map[string]bool)}
		p.sessions[name] = s
	}
	p.unite(conn, name)
	a.session = s
	if s.line == 0 {
		s.line = a.n
	}
	a.connect = a.From == tape.Client && len(a.Messages) == 1 && str(a.Messages[0]["channel"]) == "/meta/connect"
	if a.connect {
		s.connects = append(s.connects, a)
	}
}

// whose is the name of the session that a line belongs to; "" if it tells none.
func (p *planner) whose(a *action) string {
	switch a.Via {
	case tape.REST, tape.Files:
		request := p.requests[a.Conn]
		if request == nil {
			return ""
		}
		if parts := strings.Split(request.Path, "/"); a.Via == tape.REST && len(parts) > 3 && parts[3] != "" {
			return parts[3]
		}
		if request.answer != nil && str(request.answer.Body["chatId"]) != "" {
			return str(request.answer.Body["chatId"])
		}
		for _, f := range slices.Concat(request.Fields, request.Query) {
			if f.Name == "secureKey" {
				return p.chats[str(f.Value)]
			}
		}
		return p.chats[str(request.Body["secureKey"])]
	case tape.WebSocket:
		for _, m := range a.Messages {
			if id := str(m["clientId"]); id != "" {
				p.sockets[a.Conn] = id
				break
			}
			if a.From == tape.Client && str(m["channel"]) == "/meta/handshake" {
				p.sockets[a.Conn] = p.handshakeClient(a)
			}
		}
		return p.sockets[a.Conn]
	}
	request := p.requests[a.Conn]
	for _, one := range []*action{request, a} {
		if one == nil {
			continue
		}
		for _, m := range one.Messages {
			if id := str(m["clientId"]); id != "" {
				return id
			}
		}
	}
	if request != nil && request.answer != nil {
		for _, m := range request.answer.Messages {
			if id := str(m["clientId"]); id != "" {
				return id
			}
		}
	}
	return ""
}

// conversations puts the lines together that belong together, in the order in
// which they begin.
func (p *planner) conversations(actions []*action) []*conversation {
	var list []*conversation
	byGroup := make(map[string]*conversation)
	for _, a := range actions {
		if a.session == nil {
			continue
		}
		group := p.find("conn " + a.Conn)
		c := byGroup[group]
		if c == nil {
			c = &conversation{}
			byGroup[group] = c
			list = append(list, c)
		}
		c.actions = append(c.actions, a)
		if !slices.Contains(c.sessions, a.session) {
			c.sessions = append(c.sessions, a.session)
		}
	}
	return list
}

// walk calls a function with every string within a value.
func walk(v any, do func(string)) {
	switch v := v.(type) {
	case string:
		do(v)
	case map[string]any:
		for _, e := range v {
			walk(e, do)
		}
	case []any:
		for _, e := range v {
			walk(e, do)
		}
	}
}

// skipped says why a line of the client is not played; "" if it is.
func (a *action) skipped(origin string) string {
	switch {
	case a.Via == tape.Other:
		return "requests that are not part of the chat API"
	case a.Hidden != "" && a.Kind == tape.KindFrame:
		return "frames that were " + a.Hidden
	case a.Hidden != "":
		return fmt.Sprintf("requests that were %s", a.Hidden)
	case a.Method == http.MethodOptions && origin == "":
		return "preflight requests, which need --origin"
	}
	return ""
}
