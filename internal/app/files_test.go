package app

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/halley-chat/halley/internal/config"
	"github.com/halley-chat/halley/internal/media"
)

// What the configuration calls a type of files is one.
func TestFileTypesAreKnown(t *testing.T) {
	if got, want := config.FileTypes(), media.Kinds(); !slices.Equal(got, want) {
		t.Errorf("the configuration knows %v, there are %v", got, want)
	}
}

// serve runs an app until the test says stop.
func serve(t *testing.T, c config.Config) (a *App, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	a, err := New(ctx, Options{Config: c, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	return a, func() {
		t.Helper()
		http.DefaultClient.CloseIdleConnections()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// Files go to the disk over real HTTP, past a program that looks at them, and
// are there after a restart.
func TestFilesAreServed(t *testing.T) {
	scan := filepath.Join(t.TempDir(), "scan")
	if err := os.WriteFile(scan, []byte("#!/bin/sh\n! grep -q HARMFUL\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	c, err := config.Parse([]byte(`
[services.customer-support]
origins = ["https://shop.example"]
[services.customer-support.files.scan]
command = ["` + scan + `"]
[queues.customer-support]
members = ["*"]`))
	if err != nil {
		t.Fatal(err)
	}
	c.Listen, c.Data = "127.0.0.1:0", t.TempDir()
	a, stop := serve(t, c)
	post := func(path, kind string, body io.Reader) (*http.Response, []byte) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.address()+path, body)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", kind)
		r.Header.Set("Origin", "https://shop.example")
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil || res.Header.Get("Access-Control-Allow-Origin") != "https://shop.example" {
			t.Fatalf("%s: got status %d, headers %v, error %v, want the origin https://shop.example allowed", path, res.StatusCode, res.Header, err)
		}
		return res, b
	}
	var chat struct {
		ChatID    string            `json:"chatId"`
		SecureKey string            `json:"secureKey"`
		UserData  map[string]string `json:"userData"`
		Errors    []struct{ Code int }
	}
	form := "application/x-www-form-urlencoded"
	_, b := post("/genesys/2/chat/customer-support/", form, strings.NewReader("nickname=Vera"))
	read(t, b, &chat)
	upload := func(path, text string) int {
		t.Helper()
		var body bytes.Buffer
		w := multipart.NewWriter(&body)
		part, _ := w.CreateFormFile("file", "note.txt")
		_, _ = io.WriteString(part, text)
		_ = w.WriteField("secureKey", chat.SecureKey)
		_ = w.Close()
		res, b := post(path, w.FormDataContentType(), &body)
		read(t, b, &chat)
		return res.StatusCode
	}
	rest, opened := "/genesys/2/chat/customer-support/"+chat.ChatID+"/file", chat
	if status := upload("/genesys/2/chat-ntf", "HARMFUL"); status != 400 || len(chat.Errors) != 1 || chat.Errors[0].Code != 203 {
		t.Errorf("a harmful file: %d %+v", status, chat)
	}
	if status := upload("/genesys/2/chat-ntf/", "one"); status != 200 {
		t.Errorf("at chat-ntf: %d %+v", status, chat)
	}
	big := strings.Repeat("two ", 100_000)
	if status := upload(rest, big); status != 200 {
		t.Errorf("over REST: %d %+v", status, chat)
	}
	id := chat.UserData["file-id"]
	if status := upload(rest, strings.Repeat("x", 6<<20)); status != 400 || chat.Errors[0].Code != 202 {
		t.Errorf("too much: %d %+v", status, chat)
	}
	if kept, err := filepath.Glob(filepath.Join(c.Data, "files", "*", opened.ChatID, "*")); err != nil || len(kept) != 2 {
		t.Errorf("on the disk are %v, %v", kept, err)
	}
	stop()
	a, stop = serve(t, c)
	defer stop()
	res, b := post(rest+"/"+id+"/download", form, strings.NewReader("secureKey="+url.QueryEscape(opened.SecureKey)))
	if res.StatusCode != 200 || string(b) != big || res.Header.Get("Content-Disposition") != `attachment; filename="note.txt"` {
		t.Errorf("download: %d, %d bytes, %v", res.StatusCode, len(b), res.Header)
	}
}
