package echo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/halley-chat/halley/bayeux"
	"github.com/halley-chat/halley/bayeux/bayeuxtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type object = map[string]any

// fakeDesk is a small server of the desk API with one agent. What it holds
// survives its restarts.
type fakeDesk struct {
	t   *testing.T
	net *bayeuxtest.Network

	mu       sync.Mutex
	bayeux   *bayeux.Server
	web      *http.Server
	conns    map[net.Conn]bool
	cookies  map[string]bool
	signIns  int
	presence string
	own      int
	offers   []object
	chats    map[string][]object
	repeats  int
	longest  int                        // of a line
	refuse   func(op, id string) string // the code of a refusal, or "cut" for a broken connection after the deed
	cursors  []int                      // how many chats each resume named
	logged   bytes.Buffer               // by the agent
	desk     *bayeux.Session            // whom to push to
	spoken   map[string]map[string]bool // command ids by chat
}

const agentID = 7

func newFakeDesk(t *testing.T) *fakeDesk {
	h := &fakeDesk{
		t: t, net: bayeuxtest.NewNetwork(), conns: map[net.Conn]bool{}, cookies: map[string]bool{},
		presence: "offline", chats: map[string][]object{}, spoken: map[string]map[string]bool{}, longest: 100,
	}
	h.open()
	h.web = &http.Server{
		Handler: http.HandlerFunc(h.serve),
		ConnState: func(c net.Conn, s http.ConnState) {
			h.mu.Lock()
			defer h.mu.Unlock()
			if s == http.StateClosed {
				delete(h.conns, c)
			} else {
				h.conns[c] = true
			}
		},
	}
	go h.web.Serve(h.net)
	t.Cleanup(func() {
		h.web.Close()
		h.restart()
		h.bayeux.Close(context.Background())
	})
	return h
}

func (h *fakeDesk) open() {
	h.bayeux = bayeux.New(bayeux.Options{
		Logger: slog.New(slog.DiscardHandler), MaxMessageSize: 1 << 20, Redeliver: true, HoldsPerBrowser: -1,
		Authenticate: func(r *http.Request) (any, error) {
			c, err := r.Cookie("HALLEY_DESK")
			if err != nil {
				return nil, err
			}
			h.mu.Lock()
			defer h.mu.Unlock()
			if !h.cookies[c.Value] {
				return nil, fmt.Errorf("not signed in")
			}
			return agentID, nil
		},
	})
	h.bayeux.Handle(channel, h.command)
}

// restart breaks all connections and forgets all Bayeux sessions.
func (h *fakeDesk) restart() {
	h.mu.Lock()
	old, conns := h.bayeux, h.conns
	h.conns, h.desk = map[net.Conn]bool{}, nil
	h.open()
	h.mu.Unlock()
	for c := range conns {
		c.Close()
	}
	old.Close(context.Background())
}

// cut breaks all connections; sessions stay.
func (h *fakeDesk) cut() {
	h.mu.Lock()
	conns := h.conns
	h.conns = map[net.Conn]bool{}
	h.mu.Unlock()
	for c := range conns {
		c.Close()
	}
}

func (h *fakeDesk) serve(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/api/v1/session" {
		h.session(w, r)
		return
	}
	h.mu.Lock()
	srv := h.bayeux
	h.mu.Unlock()
	srv.ServeHTTP(w, r)
}

func (h *fakeDesk) session(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if r.Method == http.MethodDelete {
		clear(h.cookies)
		h.presence = "offline"
		w.WriteHeader(http.StatusNoContent)
		return
	}
	var who struct{ Login, Password string }
	if err := json.NewDecoder(r.Body).Decode(&who); err != nil || who.Login != "bot" || who.Password != "secret" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	h.signIns++
	cookie := fmt.Sprint("c", h.signIns)
	h.cookies[cookie] = true
	http.SetCookie(w, &http.Cookie{Name: "HALLEY_DESK", Value: cookie, Path: "/"})
	fmt.Fprintf(w, `{"agent":{"id":%d,"login":"bot"}}`, agentID)
}

func (h *fakeDesk) deliver(data object) {
	if h.desk == nil {
		return
	}
	body, err := json.Marshal(data)
	if err != nil {
		h.t.Error(err)
	}
	h.desk.Deliver(channel, body)
}

func (h *fakeDesk) agent() object {
	return object{"id": agentID, "presence": h.presence, "offers": h.offers, "last": h.own}
}

func (h *fakeDesk) tellOwn(events ...object) {
	h.own++
	h.deliver(object{"type": "own", "agent": h.agent(), "events": events})
}

// add puts an event into a chat and shows it to the agent who is in it.
func (h *fakeDesk) add(chat string, e object) {
	e["index"] = len(h.chats[chat]) + 1
	h.chats[chat] = append(h.chats[chat], e)
	if h.has(chat) {
		h.deliver(object{"type": "chat", "chat": object{"id": chat, "phase": "active"}, "events": []object{e}})
	}
}

// has says whether the agent is in a chat.
func (h *fakeDesk) has(chat string) bool {
	in := false
	for _, e := range h.chats[chat] {
		from := e["from"].(object)
		in = from["staff"] == agentID && e["type"] == "joined" || in && !(from["staff"] == agentID && e["type"] == "left")
	}
	return in
}

var (
	visitor = object{"no": 1, "role": "visitor"}
	echoer  = object{"no": 2, "role": "agent", "staff": agentID}
	anna    = object{"no": 3, "role": "agent", "staff": 3}
)

func (h *fakeDesk) command(_ context.Context, s *bayeux.Session, m *bayeux.Message) error {
	var c struct {
		Op, ID, Chat, Text string
		Cursor             struct{ Chats map[string]int }
	}
	if err := json.Unmarshal(m.Data, &c); err != nil {
		h.t.Error(err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if c.Op == "resume" {
		h.cursors = append(h.cursors, len(c.Cursor.Chats))
	}
	refusal := ""
	if h.refuse != nil {
		refusal = h.refuse(c.Op, c.ID)
	}
	if refusal != "" && refusal != "cut" {
		h.answer(s, c.ID, refusal)
		return nil
	}
	if c.Op != "resume" && h.desk != s {
		h.answer(s, c.ID, "not-resumed")
		return nil
	}
	switch c.Op {
	case "resume":
		h.desk = s
		var chats []object
		for id, events := range h.chats {
			if h.has(id) {
				chats = append(chats, object{"chat": object{"id": id, "phase": "active"}, "events": events[min(c.Cursor.Chats[id], len(events)):]})
			}
		}
		var left []string
		for id := range c.Cursor.Chats {
			if !h.has(id) {
				left = append(left, id)
			}
		}
		h.deliver(object{"type": "resumed", "id": c.ID, "agent": h.agent(), "chats": chats, "left": left})
		return nil
	case "ready":
		h.presence = "ready"
		h.tellOwn()
	case "accept":
		at := slices.IndexFunc(h.offers, func(o object) bool { return o["chat"] == c.Chat })
		if at < 0 {
			h.answer(s, c.ID, "not-offered")
			return nil
		}
		h.offers = slices.Delete(h.offers, at, at+1)
		e := object{"index": len(h.chats[c.Chat]) + 1, "type": "joined", "from": echoer}
		h.chats[c.Chat] = append(h.chats[c.Chat], e)
		h.tellOwn(object{"type": "assigned", "chat": c.Chat})
		h.deliver(object{"type": "chat", "chat": object{"id": c.Chat, "phase": "active"}, "events": h.chats[c.Chat]})
	case "typing":
		h.add(c.Chat, object{"type": "typed", "from": echoer})
	case "say":
		if !h.has(c.Chat) {
			h.answer(s, c.ID, "forbidden")
			return nil
		}
		if len(c.Text) > h.longest {
			h.answer(s, c.ID, "too-long")
			return nil
		}
		if h.spoken[c.Chat] == nil {
			h.spoken[c.Chat] = map[string]bool{}
		}
		if h.spoken[c.Chat][c.ID] {
			h.repeats++
		} else {
			h.spoken[c.Chat][c.ID] = true
			h.add(c.Chat, object{"type": "said", "from": echoer, "text": c.Text, "id": c.ID})
		}
	default:
		h.t.Errorf("the agent sent %s", m.Data)
	}
	if refusal == "cut" {
		for conn := range h.conns {
			go conn.Close()
		}
		return nil
	}
	h.answer(s, c.ID, "")
	return nil
}

func (h *fakeDesk) answer(s *bayeux.Session, id, code string) {
	data := object{"type": "reply", "id": id, "ok": code == ""}
	if code != "" {
		data["error"] = object{"code": code}
	}
	body, _ := json.Marshal(data)
	s.Deliver(channel, body)
}

// offer offers a chat, which it opens with the given lines of the visitor.
func (h *fakeDesk) offer(chat string, lines ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.chats[chat] == nil {
		h.chats[chat] = []object{{"index": 1, "type": "joined", "from": visitor}}
	}
	for _, line := range lines {
		h.add(chat, object{"type": "said", "from": visitor, "text": line})
	}
	offer := object{"chat": chat, "until": time.Now().Add(20 * time.Second).UnixMilli()}
	h.offers = append(h.offers, offer)
	h.tellOwn(object{"type": "offer-made", "chat": chat})
}

func (h *fakeDesk) happens(chat, kind string, from object, text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.add(chat, object{"type": kind, "from": from, "text": text})
}

func (h *fakeDesk) say(chat, text string) { h.happens(chat, "said", visitor, text) }

// spokenIn is what the agent said in a chat.
func (h *fakeDesk) spokenIn(chat string) (lines []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.chats[chat] {
		if from := e["from"].(object); e["type"] == "said" && from["staff"] == agentID {
			lines = append(lines, e["text"].(string))
		}
	}
	return lines
}

// employ runs the agent until the test, or the returned function, ends it.
func (h *fakeDesk) employ(transport string) (dismiss func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- Run(ctx, Options{
			URL: "http://halley.example", Login: "bot", Password: "secret", Transport: transport, Dial: h.net.Dial,
			Logger: slog.New(slog.NewTextHandler(&h.logged, nil)),
		})
	}()
	dismiss = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			h.t.Errorf("Run: %v", err)
		}
	})
	h.t.Cleanup(dismiss)
	return dismiss
}
