package conversations

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/halley-chat/halley/test/schema"
)

// visitor is the client of the steps that name none.
const visitor = "visitor"

// player plays one conversation over one transport. It is used by one
// goroutine.
type player struct {
	ctx       context.Context
	transport string
	url       func() string // of the server, which may have been started anew
	restart   func() error  // nil if it cannot be

	vars    map[string]string
	clients map[string]*client
	seats   map[string]*seat
	used    int // commands of desks that are gone
	web     http.Client
	answer  *answer
	hook    *hook // nil if the server has none to call
}

func newPlayer(ctx context.Context, transport string, url func() string) *player {
	return &player{
		ctx: ctx, transport: transport, url: url,
		vars:    map[string]string{"transport": transport, "service": "customer-support"},
		clients: make(map[string]*client), seats: make(map[string]*seat),
		web: http.Client{Timeout: within, Transport: &http.Transport{DisableKeepAlives: true}},
	}
}

// play plays steps until one fails; the error says where.
func (p *player) play(steps []step) error {
	for _, s := range steps {
		if err := p.step(s); err != nil {
			return fmt.Errorf("%s: %s: %w", s.at, s.verb, err)
		}
	}
	for name, c := range p.clients {
		if rest := c.rest(); len(rest) > 0 {
			return fmt.Errorf("at the end: @%s got what nobody wanted:\n%s", name, prettyAll(rest))
		}
	}
	if p.hook != nil {
		if rest := p.hook.rest(); rest != "" {
			return fmt.Errorf("at the end: the hook was called without being wanted:\n%s", rest)
		}
	}
	return nil
}

// close ends clients and agents.
func (p *player) close() {
	for _, s := range p.seats {
		s.leave()
	}
	for _, c := range p.clients {
		c.close()
	}
}

func (p *player) client(name string) *client {
	if name == "" {
		name = visitor
	}
	c := p.clients[name]
	if c == nil {
		c = newClient(name, p.transport, p.url()+"/genesys/cometd")
		p.clients[name] = c
	}
	return c
}

// value is what a name stands for: a client's own value, that of the client
// whose name stands before the dot, or the visitor's. $browser is the cookie.
func (p *player) value(c *client) func(string) (string, bool) {
	return func(name string) (string, bool) {
		if name == "browser" {
			return c.browser()
		}
		if who, of, dotted := strings.Cut(name, "."); dotted {
			if other := p.clients[who]; other != nil {
				if of == "browser" {
					return other.browser()
				}
				v, ok := other.vars[of]
				return v, ok
			}
			return "", false
		}
		for _, vars := range []map[string]string{c.vars, p.vars, p.client(visitor).vars} {
			if v, ok := vars[name]; ok {
				return v, true
			}
		}
		return "", false
	}
}

func keep(vars, kept map[string]string) {
	for k, v := range kept {
		vars[k] = v
	}
}

// step carries out one directive.
func (p *player) step(s step) error {
	c := p.client(s.client)
	body, err := fill(s.body, p.value(c))
	if err != nil {
		return err
	}
	args := make([]string, len(s.args))
	for i, a := range s.args {
		if args[i], err = fill(a, p.value(c)); err != nil {
			return err
		}
	}
	switch s.verb {
	case "client":
		return p.dress(c, args, body)
	case "send":
		return c.send(body)
	case "want":
		return p.want(c, body)
	case "told":
		return p.told(c, args, body)
	case "quiet":
		return p.quiet(c)
	case "close":
		c.hangUp()
		return nil
	case "let":
		name, value, ok := strings.Cut(strings.Join(args, " "), "=")
		if !ok {
			return errors.New("name=value is needed")
		}
		p.vars[name] = value
		return nil
	case "restart":
		return p.again()
	case "hook":
		return p.answers(args)
	case "pushed":
		return p.pushed(c, body)
	case "get", "post", "form", "multipart", "delete":
		return p.call(c, s.verb, args, body)
	case "answer", "answered", "header":
		return p.look(c, s.verb, args, body)
	default:
		return p.desk(c, s.verb, args, body)
	}
}

// dress gives a client headers, one a line.
func (p *player) dress(c *client, args []string, body string) error {
	for _, a := range args {
		if path, ok := strings.CutPrefix(a, "path="); ok {
			c.url = p.url() + path
		} else {
			return fmt.Errorf("there is no flag %q", a)
		}
	}
	for l := range strings.Lines(body) {
		name, value, ok := strings.Cut(strings.TrimSpace(l), ": ")
		if !ok {
			return fmt.Errorf("%q is no header", l)
		}
		c.header.Set(name, value)
	}
	return nil
}

func (p *player) again() error {
	if p.restart == nil {
		return errors.New("this server cannot be started anew")
	}
	for _, s := range p.seats {
		s.leave()
	}
	clear(p.seats)
	for _, c := range p.clients {
		c.hangUp()
	}
	err := p.restart()
	for _, c := range p.clients {
		c.hangUp() // what came while the server stopped
	}
	return err
}

// want takes messages that fit the patterns, in their order.
func (p *player) want(c *client, body string) error {
	patterns, err := parseValues(body)
	if err != nil {
		return fmt.Errorf("the pattern: %w", err)
	}
	for _, pattern := range patterns {
		m, _ := pattern.(map[string]any)
		err := take(c, m["channel"] == "/meta/connect", pretty(pattern), func(v any) (map[string]string, []string) {
			return match(pattern, v, false)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// take takes the next message if it fits, and checks the response object in
// it. compare says what differs, or which values are to be kept.
func take(c *client, connects bool, want string, compare func(any) (map[string]string, []string)) error {
	var came any
	heads, ok := c.next(connects, func(v any) bool {
		came = v
		_, diffs := compare(v)
		return len(diffs) == 0
	})
	if !ok {
		return different(want, compare, heads)
	}
	kept, _ := compare(came)
	keep(c.vars, kept)
	return validate(came)
}

// different is the error for messages that do not fit.
func different(want string, compare func(any) (map[string]string, []string), heads []any) error {
	if len(heads) == 0 {
		return fmt.Errorf("nothing came within %v, wanted:\n%s", within, want)
	}
	text := "what came does not fit; wanted:\n" + want
	for _, h := range heads {
		_, diffs := compare(h)
		text += fmt.Sprintf("\n  got:\n%s\n  in which:\n  %s", pretty(h), strings.Join(diffs, "\n  "))
	}
	return errors.New(text)
}

func prettyAll(list []any) string {
	var out []string
	for _, v := range list {
		out = append(out, pretty(v))
	}
	return strings.Join(out, "\n")
}

// validate checks the response object in a notification.
func validate(v any) error {
	m, _ := v.(map[string]any)
	channel, _ := m["channel"].(string)
	if m["data"] == nil || !strings.HasPrefix(channel, "/service/chatV2/") {
		return nil
	}
	return schema.Value(m["data"])
}

// told takes a notification that says what it must, in short.
func (p *player) told(c *client, args []string, body string) error {
	t, err := parseTold(args, body)
	if err != nil {
		return err
	}
	channel := "/service/chatV2/" + p.vars["service"]
	return take(c, false, "    "+strings.Join(append(args, t.lines...), "\n    "), func(v any) (map[string]string, []string) {
		m, _ := v.(map[string]any)
		switch {
		case m["channel"] != channel || m["data"] == nil:
			return nil, []string{"it is no notification on " + channel}
		case m["id"] != nil || m["successful"] != nil:
			return nil, []string{"it has what only a reply has"}
		}
		return t.compare(m["data"])
	})
}

// quiet says that nothing has come which was not wanted, without waiting: a
// connect that the server answers at once comes after all that it has for the
// client.
func (p *player) quiet(c *client) error {
	text := fmt.Sprintf(`[{"channel":"/meta/connect","clientId":%q,"connectionType":%q,"id":"quiet","advice":{"timeout":0}}]`, c.vars["clientId"], c.transport)
	if err := c.send(text); err != nil {
		return err
	}
	heads, ok := c.next(true, func(v any) bool {
		m, _ := v.(map[string]any)
		return m["id"] == "quiet"
	})
	for !ok && len(heads) == 1 && confirms(heads[0]) {
		// The answer to a connect that was held until now.
		if _, ok = c.next(true, confirms); ok {
			heads, ok = c.next(true, func(v any) bool { m, _ := v.(map[string]any); return m["id"] == "quiet" })
		}
	}
	if rest := c.rest(); !ok || len(rest) > 0 {
		return fmt.Errorf("it is not quiet:\n%s", prettyAll(rest))
	}
	return nil
}

// seat is an agent's place at the desk, who is signed in if it is not.
func (p *player) seat(login string) (*seat, error) {
	s := p.seats[login]
	if s == nil {
		var err error
		if s, err = sit(p.ctx, p.url(), login, p.used); err != nil {
			return nil, err
		}
		p.seats[login] = s
	}
	return s, nil
}

// desk plays the agents' side.
func (p *player) desk(c *client, verb string, args []string, body string) error {
	if len(args) == 0 {
		return errors.New("an agent's login is needed")
	}
	s, err := p.seat(args[0])
	if err != nil {
		return err
	}
	if verb == "goes" {
		s.leave()
		p.used = max(p.used, s.n)
		delete(p.seats, args[0])
		return nil
	}
	if verb == "take" {
		chat, ok := p.value(c)("chat")
		if !ok {
			return errors.New("there is no chat yet")
		}
		return s.take(p.ctx, chat)
	}
	list, err := parseValues(body)
	if err != nil {
		return err
	}
	for _, v := range list {
		switch verb {
		case "agent":
			m, ok := v.(map[string]any)
			if !ok {
				return fmt.Errorf("%s is no command", show(v))
			}
			refused := ""
			if len(args) > 1 {
				refused, _ = strings.CutPrefix(args[1], "refused=")
			}
			err = s.tell(p.ctx, m, refused)
		case "sees":
			var kept map[string]string
			kept, err = s.sees(p.ctx, v)
			keep(c.vars, kept)
		case "unseen":
			if s.saw(v) {
				err = fmt.Errorf("%s was shown %s:\n%s", s.login, show(v), s.all())
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// secrets are the values that no log may show.
func (p *player) secrets() (list []string) {
	for _, c := range p.clients {
		for _, name := range []string{"key", "clientId"} {
			if v := c.vars[name]; len(v) > 8 {
				list = append(list, v)
			}
		}
		c.mu.Lock()
		for _, v := range c.cookies {
			list = append(list, v)
		}
		c.mu.Unlock()
	}
	return list
}
