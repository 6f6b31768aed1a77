package conversations

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"sync"
	"time"

	bayeux "github.com/halley-chat/halley/bayeux/client"
)

const deskChannel = "/service/desk"

// seat is an agent at the desk, who keeps everything that the desk was shown.
type seat struct {
	login string
	jar   http.CookieJar
	line  *bayeux.Client
	n     int // commands so far, with those of desks that are gone: an id is used once

	mu sync.Mutex
	// Guarded by mu.
	shown   []any         // pushes, and the events in them
	changed chan struct{} // closed and replaced when something is shown
}

// sit signs an agent in and resumes its desk, after n commands of earlier ones.
func sit(ctx context.Context, base, login string, n int) (*seat, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(map[string]string{"login": login, "password": password})
	if err != nil {
		return nil, err
	}
	web := http.Client{Jar: jar, Timeout: within, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := web.Post(base+"/api/v1/session", "application/json", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s cannot sign in: status %d", login, resp.StatusCode)
	}
	s := &seat{login: login, jar: jar, n: n, changed: make(chan struct{})}
	s.line, err = bayeux.New(bayeux.Options{URL: base + "/desk/cometd", Transports: []string{bayeux.WebSocket}, Jar: jar})
	if err != nil {
		return nil, err
	}
	s.line.Listen(deskChannel, func(m *bayeux.Message) { s.show(m.Data) })
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	if _, err := s.line.Handshake(ctx); err != nil {
		return nil, err
	}
	return s, s.tell(ctx, map[string]any{"op": "resume"}, "")
}

// leave ends the desk.
func (s *seat) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = s.line.Close(ctx) // the server may be gone
}

func (s *seat) show(data []byte) {
	list, err := parseValues(string(data))
	if err != nil {
		list = []any{map[string]any{"type": "unreadable", "text": string(data)}}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range list {
		s.shown = append(s.shown, v)
		m, _ := v.(map[string]any)
		s.flatten(m)
		chats, _ := m["chats"].([]any)
		for _, c := range chats {
			inner, _ := c.(map[string]any)
			s.flatten(inner)
		}
	}
	close(s.changed)
	s.changed = make(chan struct{})
}

// flatten adds the events of a push, each with the id of its chat.
func (s *seat) flatten(m map[string]any) {
	events, _ := m["events"].([]any)
	info, _ := m["chat"].(map[string]any)
	for _, e := range events {
		if e, ok := e.(map[string]any); ok {
			if info != nil {
				e["chat"] = info["id"]
			}
			s.shown = append(s.shown, e)
		}
	}
}

// sees waits until something was shown that fits the pattern, whenever it was.
func (s *seat) sees(ctx context.Context, pattern any) (kept map[string]string, err error) {
	deadline := time.After(within)
	for seen := 0; ; {
		s.mu.Lock()
		list, changed := s.shown, s.changed
		s.mu.Unlock()
		for ; seen < len(list); seen++ {
			if kept, diffs := match(pattern, list[seen], true); len(diffs) == 0 {
				return kept, nil
			}
		}
		select {
		case <-changed:
		case <-deadline:
			return nil, fmt.Errorf("%s was not shown %s, but:\n%s", s.login, show(pattern), s.all())
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// saw says whether something that fits was shown so far.
func (s *seat) saw(pattern any) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range s.shown {
		if _, diffs := match(pattern, v, true); len(diffs) == 0 {
			return true
		}
	}
	return false
}

func (s *seat) all() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b bytes.Buffer
	for _, v := range s.shown {
		fmt.Fprintf(&b, "    %s\n", show(v))
	}
	return b.String()
}

// tell gives the desk a command and waits for its answer. refused is the code
// with which it should be refused; empty if it should be carried out.
func (s *seat) tell(ctx context.Context, command map[string]any, refused string) error {
	s.n++
	id := fmt.Sprint("c", s.n)
	command["id"] = id
	body, err := json.Marshal(command) // numbers stay as they are written
	if err != nil {
		return err
	}
	if _, err := s.line.Publish(ctx, deskChannel, json.RawMessage(body)); err != nil {
		return fmt.Errorf("%s: %s: %w", s.login, show(command), err)
	}
	kept, err := s.sees(ctx, map[string]any{"id": id, "type": "</^(reply|resumed|transcript)$/ answer>"})
	if err != nil || refused == "" && kept["answer"] != "reply" {
		return err
	}
	want := map[string]any{"id": id, "type": "reply", "ok": refused == ""}
	if refused != "" {
		want["error"] = map[string]any{"code": refused}
	}
	if !s.saw(want) {
		return fmt.Errorf("%s: %s was not answered with %s, but:\n%s", s.login, show(command), show(want), s.all())
	}
	return nil
}

// offered waits until the chat is on offer to the agent, which it may have been
// before.
func (s *seat) offered(ctx context.Context, chat string) error {
	deadline := time.After(within)
	for {
		s.mu.Lock()
		list, changed := s.shown, s.changed
		s.mu.Unlock()
		open := 0
		for _, v := range list {
			if m, _ := v.(map[string]any); m["chat"] == chat && m["type"] == "offer-made" {
				open++
			} else if m["chat"] == chat && m["type"] == "offer-closed" {
				open--
			}
		}
		if open > 0 {
			return nil
		}
		select {
		case <-changed:
		case <-deadline:
			return fmt.Errorf("%s was not offered the chat, but shown:\n%s", s.login, s.all())
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// take makes the agent ready and accepts the chat when it is on offer.
func (s *seat) take(ctx context.Context, chat string) error {
	if err := s.tell(ctx, map[string]any{"op": "ready"}, ""); err != nil {
		return err
	}
	if err := s.offered(ctx, chat); err != nil {
		return err
	}
	if err := s.tell(ctx, map[string]any{"op": "accept", "chat": chat}, ""); err != nil {
		return err
	}
	_, err := s.sees(ctx, map[string]any{"type": "chat", "chat": map[string]any{"id": chat}})
	return err
}
