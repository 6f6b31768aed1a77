package app

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/config"
)

const lively = `
data = "x"
[services.shop]
queue = "q"
welcome = "Welcome!"
house = "Shop"
survey_url = "https://shop.example/s"
cancel_url = "https://shop.example/n"
[services.shop.idle]
enabled = true
timeout_alert = "4m"
timeout_alert2 = "30s"
include_notices = "all"
message_alert = "still there?"
message_close = "good bye"
[services.shop.async]
enabled = true
idle_close = "2h"
[services.shop.masking]
cards = true
patterns = ["(?i)geheim"]
replacement = "#"
[services.plain]
queue = "q"
[queues.q]
members = ["*"]
`

func TestRulesOfServices(t *testing.T) {
	c, err := config.Parse([]byte(lively))
	if err != nil {
		t.Fatal(err)
	}
	of, err := rules(c)
	if err != nil {
		t.Fatal(err)
	}
	got := of("shop")
	want := chat.DefaultRules()
	want.Life = chat.Life{
		Idle: chat.Idle{
			Alert: 4 * time.Minute, Alert2: 30 * time.Second, Close: 45 * time.Second, Minor: true,
			AlertText: "still there?", Alert2Text: "still there?", CloseText: "good bye",
		},
		AsyncIdle: chat.Idle{Alert: 24 * time.Hour, Close: 2 * time.Hour},
		House:     "Shop", Welcome: "Welcome!", Survey: chat.Survey{URL: "https://shop.example/s", Cancel: "https://shop.example/n"},
	}
	opts := cmp.Options{cmpopts.IgnoreFields(chat.Life{}, "Mask", "AsyncIdle.AlertText", "AsyncIdle.CloseText")}
	if diff := cmp.Diff(want, got, opts); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got.AsyncIdle.AlertText == "" || got.AsyncIdle.CloseText == "" {
		t.Error("asynchronous chats are warned without a word")
	}
	if s := got.Mask.Text("geheim 4111 1111 1111 1111"); s != "###### #### #### #### ####" {
		t.Errorf("the mask made %q", s)
	}
	for word, want := range map[string]chat.Abandon{
		"": chat.AbandonEnds, "always": chat.AbandonEnds, "never": chat.AbandonStays,
		"noagents": chat.AbandonUnjoined, "noanswer": chat.AbandonUnanswered,
	} {
		if l, err := life(config.Lifecycle{StopAbandoned: word}); err != nil || l.Abandon != want {
			t.Errorf("stop_abandoned %q became %q, %v", word, l.Abandon, err)
		}
	}
	for _, other := range []string{"plain", "nowhere"} {
		got := of(other)
		if got.Idle != (chat.Idle{}) || got.Welcome != "" || got.Survey != (chat.Survey{}) || got.Mask != nil || got.GoneAfter != chat.DefaultRules().GoneAfter {
			t.Errorf("the rules of %s are %+v", other, got)
		}
	}
	if _, err := rules(config.Config{Services: map[string]config.Service{"a": {Lifecycle: config.Lifecycle{Masking: config.Masking{Patterns: []string{"("}}}}}}); err == nil {
		t.Error("a pattern that is none was taken")
	}
	if s, err := services(c); err != nil || !s["shop"].Async || s["plain"].Async {
		t.Errorf("asynchronous are %+v, %v", s, err)
	}
}

// What is configured is what a client meets, over real HTTP.
func TestConfiguredLifeIsServed(t *testing.T) {
	c, err := config.Parse([]byte(lively))
	if err != nil {
		t.Fatal(err)
	}
	c.Listen, c.Data = "127.0.0.1:0", t.TempDir()
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
	form := url.Values{"nickname": {"Vera"}, "text": {"my card is 4111 1111 1111 1111"}}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, a.address()+"/genesys/2/chat/shop", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	var answer struct {
		Messages []struct{ Text string }
	}
	read(t, body, &answer)
	if err != nil || len(answer.Messages) != 3 ||
		answer.Messages[1].Text != "my card is #### #### #### ####" || answer.Messages[2].Text != "Welcome!" {
		t.Errorf("got %s, %v, want three messages, with a masked card and the welcome", body, err)
	}
}
