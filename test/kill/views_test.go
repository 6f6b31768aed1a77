package kill

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"testing"
	"time"

	"github.com/halley-chat/halley/bayeux/client"
	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
	"github.com/halley-chat/halley/internal/sqlite"
	"github.com/halley-chat/halley/test/visitor"
)

// A view is a chat as somebody sees it, reduced to one line for each event
// that the visitor may see and that stays, so that views can be compared.
type view []string

func line(index int64, kind string, no int, name, text, id string) string {
	return fmt.Sprintf("%d %s by %d %q: %q %s", index, kind, no, name, text, id)
}

var kinds = map[string]string{visitor.Joined: "joined", visitor.Left: "left", visitor.Message: "said"}

func visitorView(events []visitor.Event) (v view) {
	for _, e := range visitor.Lasting(events) {
		v = append(v, line(e.Index, kinds[e.Type], e.From.No, e.From.Nickname, e.Text, e.ID()))
	}
	return v
}

// deskEvent is an event as the desk API shows it.
type deskEvent struct {
	Index int64  `json:"index"`
	Type  string `json:"type"`
	From  struct {
		No   int    `json:"no"`
		Name string `json:"name"`
	} `json:"from"`
	Text       string          `json:"text"`
	Audience   string          `json:"audience"`
	Attributes json.RawMessage `json:"attributes"`
}

func agentView(events []deskEvent) (v view) {
	for _, e := range events {
		if e.Type == "joined" || e.Type == "left" || e.Type == "said" && e.Audience == "" {
			id := visitor.Event{Attributes: e.Attributes}.ID()
			v = append(v, line(e.Index, e.Type, e.From.No, e.From.Name, e.Text, id))
		}
	}
	return v
}

func logView(events []chat.Event) (v view) {
	names := map[int]string{}
	for _, e := range events {
		if !e.VisibleToVisitor() {
			continue
		}
		switch f := e.Fact.(type) {
		case chat.Joined:
			names[f.No] = f.Name
			v = append(v, line(e.Index, "joined", f.No, f.Name, "", ""))
		case chat.Left:
			v = append(v, line(e.Index, "left", f.No, names[f.No], "", ""))
		case chat.Said:
			v = append(v, line(e.Index, "said", f.No, names[f.No], f.Text, visitor.Event{Attributes: f.Attributes}.ID()))
		}
	}
	return v
}

// agentViews signs in at a desk and opens the chats.
func agentViews(ctx context.Context, t *testing.T, base, login, password string, chats []string) (map[string]view, error) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(map[string]string{"login": login, "password": password})
	if err != nil {
		return nil, err
	}
	web := http.Client{Jar: jar, Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := web.Post(base+"/api/v1/session", "application/json", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("sign-in: status %d", resp.StatusCode)
	}
	c, err := client.New(client.Options{URL: base + "/desk/cometd", Transports: []string{client.WebSocket}, Jar: jar, MaxMessageSize: 64 << 20})
	if err != nil {
		return nil, err
	}
	defer c.Close(ctx)
	type push struct {
		Type   string      `json:"type"`
		ID     string      `json:"id"`
		Events []deskEvent `json:"events"`
		Error  *struct {
			Code string `json:"code"`
		} `json:"error"`
		Chat struct {
			ID string `json:"id"`
		} `json:"chat"`
	}
	pushes := make(chan push, 1024)
	c.Listen("/service/desk", func(m *client.Message) {
		var p push
		if err := json.Unmarshal(m.Data, &p); err != nil {
			t.Errorf("the desk was sent %s: %v", m.Data, err)
		}
		select {
		case pushes <- p:
		case <-ctx.Done():
		}
	})
	if _, err := c.Handshake(ctx); err != nil {
		return nil, err
	}
	// command returns when everything that the command led to has been taken.
	command := func(data map[string]any, take func(push)) error {
		if _, err := c.Publish(ctx, "/service/desk", data); err != nil {
			return err
		}
		// A command that is no command is refused after all that came before.
		if _, err := c.Publish(ctx, "/service/desk", map[string]any{"op": "nothing", "id": "end"}); err != nil {
			return err
		}
		for {
			select {
			case p := <-pushes:
				switch {
				case p.Type == "reply" && p.ID == "end":
					return nil
				case p.Error != nil:
					return fmt.Errorf("%s: refused with %s", data["op"], p.Error.Code)
				}
				take(p)
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	if err := command(map[string]any{"op": "resume", "id": "resume"}, func(push) {}); err != nil {
		return nil, err
	}
	views := map[string]view{}
	for _, id := range chats {
		var events []deskEvent
		err := command(map[string]any{"op": "open", "id": "open-" + id, "chat": id}, func(p push) {
			if p.Type == "transcript" && p.Chat.ID == id {
				events = append(events, p.Events...)
			}
		})
		if err != nil {
			return nil, fmt.Errorf("chat %s: %w", id, err)
		}
		views[id] = agentView(events)
	}
	return views, nil
}

// storedChats reads the logs of chats from a data directory that nobody uses.
func storedChats(ctx context.Context, dir string, chats []string) (_ map[string][]chat.Event, err error) {
	store, err := sqlite.Open(ctx, dir, sqlite.Options{})
	if err != nil {
		return nil, err
	}
	defer func() {
		if e := store.Close(); err == nil {
			err = e
		}
	}()
	const page = 500
	logs := map[string][]chat.Event{}
	for _, name := range chats {
		id, err := chat.ParseID(name)
		if err != nil {
			return nil, err
		}
		for from := int64(1); ; {
			records, err := store.Read(ctx, engine.ChatLog(id), from, page)
			if err != nil {
				return nil, err
			}
			for _, r := range records {
				e, err := chat.DecodeEvent(r.Body)
				if err != nil {
					return nil, err
				}
				e.Index, e.At = r.Index, r.At
				logs[name] = append(logs[name], e)
				from = r.Index + 1
			}
			if len(records) < page {
				break
			}
		}
	}
	return logs, nil
}
