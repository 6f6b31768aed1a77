package app

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/config"
	"github.com/halley-chat/halley/internal/push"
	"github.com/halley-chat/halley/internal/staff"
	"github.com/halley-chat/halley/test/schema"
)

// journal is a log that can be read while it is written.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer // guarded by mu
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}

// running is an App at work.
type running struct {
	*App
	t    *testing.T
	stop func()
}

func run(t *testing.T, c config.Config, log io.Writer) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	a, err := New(ctx, Options{Config: c, Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return &running{a, t, stop}
}

// bayeux posts messages and returns what came back.
func (r *running) bayeux(body string) []map[string]any {
	r.t.Helper()
	res, err := http.Post(r.address()+"/genesys/cometd", "application/json", strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	var list []map[string]any
	if err := json.NewDecoder(res.Body).Decode(&list); err != nil {
		r.t.Fatal(err)
	}
	return list
}

func (r *running) do(id chat.ID, by chat.Actor, a chat.Action) []chat.Event {
	r.t.Helper()
	res, err := r.engine.Do(context.Background(), id, chat.Command{By: by, Do: a})
	if err != nil {
		r.t.Fatalf("doing %T: got %v, want no error", a, err)
	}
	return res.Events
}

// anna is the first account that is made.
var anna = chat.Staff(1)

// hire makes the account and lets it take chats.
func (r *running) hire() {
	r.t.Helper()
	id, err := r.directory.Create(context.Background(), staff.Account{Login: "anna", Name: "Anna", Role: staff.RoleAgent, Capacity: 9}, "correct horse")
	if err != nil || id.ID != anna.Staff {
		r.t.Fatalf("creating the account: got %v, %v, want the id %d", id, err, anna.Staff)
	}
	if _, err := r.engine.DoAgent(context.Background(), anna.Staff, chat.AgentCommand{To: chat.Ready}); err != nil {
		r.t.Fatal(err)
	}
}

// offered waits until the chat is on offer.
func (r *running) offered(id chat.ID) {
	r.t.Helper()
	news := make(chan struct{}, 1)
	stop := r.engine.Board().Watch(func(chat.Summary) {
		select {
		case news <- struct{}{}:
		default:
		}
	})
	defer stop.Close()
	for {
		if s, _ := r.engine.Board().Get(id); s.Offer != nil {
			return
		}
		<-news
	}
}

// background opens a chat with an agent in it, whose visitor's app goes to the
// background.
func (r *running) background(kind, token string) chat.ID {
	r.t.Helper()
	client, _ := r.bayeux(`[{"channel":"/meta/handshake","version":"1.0","supportedConnectionTypes":["long-polling"]}]`)[0]["clientId"].(string)
	data := fmt.Sprintf(`{"operation":"requestChat","nickname":"Vera","userData":{"push_notification_deviceid":%q,"push_notification_type":%q}}`, token, kind)
	got := r.bayeux(fmt.Sprintf(`[{"channel":"/service/chatV2/customer-support","clientId":%q,"id":"1","data":%s},{"channel":"/meta/connect","clientId":%q,"connectionType":"long-polling","advice":{"timeout":0}}]`, client, data, client))
	var id chat.ID
	for _, m := range got {
		if note, ok := m["data"].(map[string]any); ok {
			if err := schema.Value(note); err != nil {
				r.t.Error(err)
			}
			id, _ = chat.ParseID(note["chatId"].(string))
		}
	}
	if id == 0 {
		r.t.Fatalf("no chat: %v", got)
	}
	r.offered(id)
	r.do(id, anna, chat.Accept{})
	seen := r.do(id, anna, chat.Say{Text: "secret text, unseen"})[0].Index
	r.bayeux(fmt.Sprintf(`[{"channel":"/meta/disconnect","clientId":%q,"ext":{"transcriptPosition":"%d"}}]`, client, seen))
	return id
}

// TestPushAcrossARestart: an app goes to the background while its carrier is
// down, the server stops and another one starts, and everything from the
// position on that the app gave is brought to the device, in order.
func TestPushAcrossARestart(t *testing.T) {
	defer http.DefaultClient.CloseIdleConnections()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	var up atomic.Bool
	tried := make(chan struct{}, 1000)
	took := make(chan string, 1000)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"access_token":"s3cret-access","expires_in":3600}`)
	})
	mux.HandleFunc("POST /", func(w http.ResponseWriter, r *http.Request) {
		var m struct {
			// What a hook is sent, and what FCM is.
			Device  string `json:"device"`
			Index   int64  `json:"index"`
			Event   json.RawMessage
			Message struct {
				Token string            `json:"token"`
				Data  map[string]string `json:"data"`
			} `json:"message"`
		}
		if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
			t.Error(err)
		}
		auth := r.Header.Get("Authorization")
		if !up.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			tried <- struct{}{}
			return
		}
		switch {
		case m.Message.Token != "":
			took <- fmt.Sprintf("%s %s %s", m.Message.Token, m.Message.Data["index"], auth)
		case m.Event != nil:
			var e struct{ Text string }
			if err := errors.Join(schema.Event(m.Event), json.Unmarshal(m.Event, &e)); err != nil {
				t.Error(err)
			}
			took <- fmt.Sprintf("%s %d %s %s", m.Device, m.Index, auth, e.Text)
		}
	})
	server := httptest.NewServer(mux)
	defer server.Close()

	dir := t.TempDir()
	account, err := json.Marshal(map[string]string{
		"project_id": "p", "client_email": "e@example.org", "token_uri": server.URL + "/token",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"fcm.json": string(account), "hook.secret": "Bearer s3cret-hook\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := config.Default()
	c.Listen, c.Data = "127.0.0.1:0", filepath.Join(dir, "data")
	c.Push.IncludePayload = true
	c.Push.FCM = &config.PushFCM{ServiceAccount: filepath.Join(dir, "fcm.json"), Endpoint: server.URL}
	c.Push.CustomHTTP = &config.PushHTTP{URL: server.URL + "/hook", AuthorizationFile: filepath.Join(dir, "hook.secret")}
	var log journal

	first := run(t, c, &log)
	first.hire()
	phone, program := first.background("fcm", "s3cret-phone"), first.background("customhttp", "s3cret-program")
	for range 4 { // nobody is told, however often it is tried
		<-tried
	}
	for _, id := range []chat.ID{phone, program} {
		first.do(id, anna, chat.Say{Text: "secret text, before"})
	}
	first.stop()

	second := run(t, c, &log)
	for _, id := range []chat.ID{phone, program} {
		second.do(id, anna, chat.Say{Text: "secret text, after"})
		second.do(id, anna, chat.End{})
	}
	up.Store(true)
	got := map[string][]string{}
	for range 8 {
		line := <-took
		token, rest, _ := strings.Cut(line, " ")
		got[token] = append(got[token], rest)
	}
	second.stop()
	for token, want := range map[string][]string{
		"s3cret-phone": {"7 Bearer s3cret-access", "10 Bearer s3cret-access", "12 Bearer s3cret-access", "13 Bearer s3cret-access"},
		"s3cret-program": {
			"7 Bearer s3cret-hook secret text, unseen", "10 Bearer s3cret-hook secret text, before",
			"12 Bearer s3cret-hook secret text, after", "13 Bearer s3cret-hook ",
		},
	} {
		if strings.Join(got[token], "\n") != strings.Join(want, "\n") {
			t.Errorf("%s was told\n%s\nwant\n%s", token, strings.Join(got[token], "\n"), strings.Join(want, "\n"))
		}
	}
	for _, secret := range []string{"s3cret", "secret text", "PRIVATE", "Vera", "Anna"} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("%q was logged:\n%s", secret, log.String())
		}
	}
	err = WithPushes(t.Context(), c.Data, func(s push.Store) error {
		cursors, err := s.Cursors(t.Context())
		dead, err2 := s.DeadLetters(t.Context(), 10)
		for id, done := range cursors {
			if done < 12 { // the server may have stopped before it let the chat go
				t.Errorf("chat %v is done up to %d", id, done)
			}
		}
		if len(dead) != 0 {
			t.Errorf("dead letters: %v", dead)
		}
		return errors.Join(err, err2)
	})
	if err != nil {
		t.Error(err)
	}
}

// Credentials that cannot be read are told of at the start, which then leaves
// nothing open.
func TestPushCredentials(t *testing.T) {
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad")
	if err := os.WriteFile(bad, []byte("s3cret"), 0o600); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(dir, "missing")
	for name, p := range map[string]config.PushProvider{
		missing: {FCM: &config.PushFCM{ServiceAccount: missing}},
		bad:     {FCM: &config.PushFCM{ServiceAccount: bad}},
		"apns":  {APNs: &config.PushAPNs{Key: missing}},
		"key":   {APNs: &config.PushAPNs{Key: bad, KeyID: "k", TeamID: "t", Topic: "o"}},
		"http":  {CustomHTTP: &config.PushHTTP{URL: "https://example.org", AuthorizationFile: missing}},
	} {
		c := config.Default()
		c.Listen, c.Data = "127.0.0.1:0", filepath.Join(dir, "data")
		c.Push.Providers = map[string]config.PushProvider{"x": p}
		_, err := New(t.Context(), Options{Config: c, Logger: slog.New(slog.DiscardHandler)})
		if err == nil || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: got %v, want an error that names it and shows no secret", name, err)
		}
	}
}
