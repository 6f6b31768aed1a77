package desk

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/halley-chat/halley/bayeux"
	"github.com/halley-chat/halley/bayeux/bayeuxtest"
)

// line is a Bayeux server with the desks on it, and a client that polls.
type line struct {
	h       *fixture
	web     *http.Client
	cookies []*http.Cookie
	client  string
}

// onLine mounts the fixture's desks on a real Bayeux server.
func (h *fixture) onLine(test func(l *line)) {
	srv := bayeux.New(bayeux.Options{Authenticate: h.desk.Authenticate, Logger: slog.New(slog.DiscardHandler)})
	h.desk.Mount(srv)
	mux := http.NewServeMux()
	h.desk.Register(mux)
	mux.Handle("/desk/cometd", srv)
	network := bayeuxtest.NewNetwork()
	stop := network.Serve(mux)
	l := &line{h: h, web: network.Client()}
	defer func() {
		if err := srv.Close(context.Background()); err != nil {
			h.t.Error(err)
		}
		stop()
		l.web.CloseIdleConnections()
	}()
	test(l)
}

func (l *line) request(method, path, body string) (int, []byte) {
	l.h.t.Helper()
	r, err := http.NewRequestWithContext(l.h.t.Context(), method, "http://desk.example"+path, bytes.NewReader([]byte(body)))
	if err != nil {
		l.h.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for _, c := range l.cookies {
		r.AddCookie(c)
	}
	res, err := l.web.Do(r)
	if err != nil {
		l.h.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	l.cookies = append(l.cookies, res.Cookies()...)
	var b bytes.Buffer
	if _, err := b.ReadFrom(res.Body); err != nil {
		l.h.t.Fatal(err)
	}
	return res.StatusCode, b.Bytes()
}

// send sends one Bayeux message and returns the messages of the answer.
func (l *line) send(m object) []object {
	l.h.t.Helper()
	if l.client != "" {
		m["clientId"] = l.client
	}
	body, err := json.Marshal(m)
	if err != nil {
		l.h.t.Fatal(err)
	}
	status, b := l.request("POST", "/desk/cometd", string(body))
	var got []object
	if err := json.Unmarshal(b, &got); err != nil || status != 200 {
		l.h.t.Fatalf("%v was answered with %d %s", m, status, b)
	}
	return got
}

func (l *line) publish(data object) []object {
	l.h.t.Helper()
	return l.send(object{"channel": "/service/desk", "id": "p", "data": data})
}

func (l *line) handshake() {
	l.h.t.Helper()
	l.client = ""
	got := l.send(object{"channel": "/meta/handshake", "version": "1.0", "supportedConnectionTypes": []string{"long-polling"}})
	l.client, _ = got[0]["clientId"].(string)
	if l.client == "" {
		l.h.t.Fatalf("the handshake was answered with %v", got)
	}
	l.send(object{"channel": "/meta/connect", "connectionType": "long-polling", "advice": object{"timeout": 0}})
}

func data(m object, key string) any {
	d, _ := m["data"].(object)
	return d[key]
}

func TestOnTheWire(t *testing.T) {
	inBubble(t, func(h *fixture) {
		h.onLine(func(l *line) {
			if status, _ := l.request("POST", "/desk/cometd", `{"channel":"/meta/handshake","version":"1.0","supportedConnectionTypes":["long-polling"]}`); status != 401 {
				t.Errorf("a handshake without a sign-in says %d", status)
			}
			if status, body := l.request("POST", "/api/v1/session", goodSignIn); status != 200 {
				t.Fatalf("signing in says %d %s", status, body)
			}
			l.handshake()
			// What a command caused comes ahead of its answer, and that ahead of
			// the acknowledgement of the publish.
			got := l.publish(object{"op": "resume", "id": "r"})
			if len(got) != 2 || data(got[0], "type") != "resumed" || got[1]["successful"] != true {
				t.Fatalf("resume was answered with %v", got)
			}
			got = l.publish(object{"op": "ready", "id": "a"})
			if len(got) != 3 || data(got[0], "type") != "own" || data(got[1], "type") != "reply" || data(got[1], "ok") != true || got[2]["successful"] != true {
				t.Fatalf("ready was answered with %v", got)
			}
			got = l.publish(object{"op": "dance", "id": "b"})
			if len(got) != 2 || data(got[0], "ok") != false || got[1]["successful"] != true {
				t.Errorf("an unknown operation was answered with %v", got)
			}
			// What happens ends a poll that is held.
			held := make(chan []object)
			go func() {
				held <- l.send(object{"channel": "/meta/connect", "connectionType": "long-polling"})
			}()
			synctest.Wait()
			h.offer(h.open(), anna)
			got = <-held
			if len(got) < 2 || data(got[0], "type") != "own" && data(got[0], "type") != "waiting" {
				t.Errorf("the held poll was answered with %v", got)
			}
		})
	})
}

// The session is over with the sign-in, and the browser is told to shake hands
// again, which is refused.
func TestSignOutOnTheWire(t *testing.T) {
	inBubble(t, func(h *fixture) {
		h.onLine(func(l *line) {
			l.request("POST", "/api/v1/session", goodSignIn)
			l.handshake()
			l.publish(object{"op": "resume", "id": "r"})
			cookies := l.cookies
			if status, _ := l.request("DELETE", "/api/v1/session", ""); status != 204 {
				t.Fatalf("signing out says %d", status)
			}
			l.cookies = cookies
			if status, _ := l.request("POST", "/desk/cometd", `{"channel":"/meta/connect","clientId":"`+l.client+`","connectionType":"long-polling"}`); status != 401 {
				t.Errorf("the next poll says %d", status)
			}
			if n := len(h.desk.all()); n != 0 {
				t.Errorf("%d desks are left", n)
			}
		})
	})
}

// A session that ends takes its desk with it.
func TestExpiryOnTheWire(t *testing.T) {
	inBubble(t, func(h *fixture) {
		h.onLine(func(l *line) {
			l.request("POST", "/api/v1/session", goodSignIn)
			l.handshake()
			l.publish(object{"op": "resume", "id": "r"})
			if n := len(h.desk.all()); n != 1 {
				t.Fatalf("%d desks", n)
			}
			time.Sleep(time.Minute)
			synctest.Wait()
			if n := len(h.desk.all()); n != 0 {
				t.Errorf("%d desks are left", n)
			}
		})
	})
}
