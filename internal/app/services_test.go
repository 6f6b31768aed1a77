package app

import (
	"context"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/config"
	"github.com/halley-chat/halley/internal/gms"
)

// The configuration and the edge know the same languages and fields.
func TestSettingsAndEdgeAgree(t *testing.T) {
	if diff := cmp.Diff(gms.Languages(), config.Languages()); diff != "" {
		t.Errorf("languages (-edge +configuration):\n%s", diff)
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(requiredFields)), slices.Sorted(slices.Values(config.RequiredFields()))); diff != "" {
		t.Errorf("fields (-edge +configuration):\n%s", diff)
	}
}

// Everything that is said about a service reaches the edge.
func TestService(t *testing.T) {
	c, err := config.Parse([]byte(`
[services.shop]
origins = ["null"]
required_fields = ["name", "email"]
check_email = true
max_message_length = 4000
new_chats_per_minute = 30
operations_per_second = 20
languages = ["de"]
typing_preview = false
callback_polling = true
one_chat_per_browser = true
endpoints = { vip = "shop" }
hours = { time_zone = "Europe/Berlin", weekly = ["mon 08:00-18:00"], closed = ["12-25"] }
[services.plain]
queue = "shop"
[queues.shop]
members = ["*"]
`))
	if err != nil {
		t.Fatal(err)
	}
	got, err := services(c)
	if err != nil {
		t.Fatal(err)
	}
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]gms.Service{
		"shop": {
			Queue: "shop", Origins: []string{"null"}, Endpoints: map[string]string{"vip": "shop"},
			Required: []gms.Field{gms.AnyName, gms.EmailAddress}, CheckEmail: true,
			Hours: chat.Hours{
				Zone: berlin, Week: []chat.Span{{From: 480, To: 1080}}, Closed: []chat.Date{{Month: time.December, Day: 25}},
			},
			Languages: []string{"de"}, MaxMessage: 4000, NewChatsPerMinute: 30, OperationsPerSecond: 20,
			HideTyping: true, CallbackPolling: true, OneChatPerBrowser: true,
		},
		"plain": {Queue: "shop", Hours: chat.Hours{Zone: time.UTC}, Languages: gms.Languages(), MaxMessage: chat.MaxText, NewChatsPerMinute: 20, OperationsPerSecond: 20},
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b *time.Location) bool { return a.String() == b.String() })); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The address behind a trusted proxy is the one that is held to the rate.
func TestRatesBehindAProxy(t *testing.T) {
	c := config.Default()
	c.Listen, c.Data, c.TrustedProxies = "127.0.0.1:0", t.TempDir(), []string{"127.0.0.0/8"}
	s := c.Services["customer-support"]
	s.NewChats = 1
	c.Services["customer-support"] = s
	ctx, stop := context.WithCancel(context.Background())
	a, err := New(ctx, Options{Config: c, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		stop()
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	defer func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	defer http.DefaultClient.CloseIdleConnections()
	for i, call := range []struct {
		address string
		status  int
	}{{"198.51.100.1", 0}, {"198.51.100.2", 0}, {"198.51.100.1", 2}, {"", 0}, {"", 2}} {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, a.address()+"/genesys/2/chat/customer-support", strings.NewReader("nickname=Vera"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if call.address != "" {
			r.Header.Set("X-Forwarded-For", call.address)
		}
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		var answer struct {
			StatusCode int `json:"statusCode"`
		}
		body, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		read(t, body, &answer)
		if err != nil || answer.StatusCode != call.status {
			t.Errorf("call %d: %+v, %v, want %d", i+1, answer, err, call.status)
		}
	}
}
