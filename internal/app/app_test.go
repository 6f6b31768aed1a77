package app

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/halley-chat/halley/internal/config"
)

// The REST side is served where clients look for it, to pages of the origins
// that the services name, over real HTTP.
func TestRESTIsServed(t *testing.T) {
	c := config.Default()
	c.Listen, c.Data = "127.0.0.1:0", t.TempDir()
	c.Services = map[string]config.Service{"customer-support": {Queue: "customer-support", Origins: []string{"https://shop.example"}}}
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
	for _, call := range []struct {
		method, path, origin string
		status               int
		allowed              bool
	}{
		{"POST", "/genesys/2/chat/customer-support", "https://shop.example", 200, true},
		{"POST", "/genesys/2/chat/customer-support/", "", 200, false},
		{"OPTIONS", "/genesys/2/chat/customer-support/0000000000000001/send", "https://shop.example", 200, true},
		{"POST", "/genesys/2/chat/customer-support/", "https://evil.example", 403, false},
		{"GET", "/genesys/2/chat/customer-support/", "", 405, false},
		{"POST", "/genesys/2/chat/nowhere/", "https://shop.example", 404, true},
	} {
		r, err := http.NewRequestWithContext(ctx, call.method, a.address()+call.path, strings.NewReader("nickname=Vera"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if call.origin != "" {
			r.Header.Set("Origin", call.origin)
		}
		r.Header.Set("X-Requested-With", "XMLHttpRequest")
		r.Header.Set("Access-Control-Request-Headers", "apikey")
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		var answer struct {
			StatusCode int    `json:"statusCode"`
			SecureKey  string `json:"secureKey"`
		}
		if call.method != "OPTIONS" {
			body, err := io.ReadAll(res.Body)
			if err != nil {
				t.Errorf("%+v: reading the answer: got %v, want no error", call, err)
			}
			read(t, body, &answer)
			if (answer.SecureKey != "") != (call.status == 200) {
				t.Errorf("%+v: got %+v, want a key: %v", call, answer, call.status == 200)
			}
		}
		_ = res.Body.Close()
		h := res.Header
		allowed := h.Get("Access-Control-Allow-Origin") == call.origin && h.Get("Access-Control-Allow-Credentials") == "true"
		if res.StatusCode != call.status || allowed != call.allowed {
			t.Errorf("%+v: got status %d and headers %v, want %d and the origin allowed: %v", call, res.StatusCode, h, call.status, call.allowed)
		}
		if call.method == "OPTIONS" && h.Get("Access-Control-Allow-Headers") != "apikey" {
			t.Errorf("%+v: got the headers %v, want apikey allowed", call, h)
		}
	}
}
