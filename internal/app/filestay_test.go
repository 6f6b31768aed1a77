package app

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/config"
)

func parsed(t *testing.T, data, text string) config.Config {
	t.Helper()
	c, err := config.Parse([]byte(text + "\n[queues.customer-support]\nmembers = [\"*\"]"))
	if err != nil {
		t.Fatal(err)
	}
	c.Listen, c.Data = "127.0.0.1:0", data
	return c
}

// Files that were shared while a service took some can be loaded when none does
// any more: the chats still show them.
func TestFilesOutliveTheirService(t *testing.T) {
	data := t.TempDir()
	open := func(text string) *App {
		t.Helper()
		a, err := New(context.Background(), Options{Config: parsed(t, data, text), Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	shut := func(a *App) {
		t.Helper()
		if err := a.close(context.Background()); err != nil {
			t.Error(err)
		}
		_ = a.listener.Close()
	}
	a := open("[services.customer-support]")
	if a.files != nil {
		t.Error("there is a directory of files although there never was a file")
	}
	shut(a)
	a = open("[services.customer-support.files]")
	d, err := a.files.Receive(t.Context(), "a.txt", strings.NewReader("hello"), 5)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := d.Keep(t.Context(), chat.ID(7))
	if err != nil {
		t.Fatal(err)
	}
	_ = d.Discard()
	shut(a)
	a = open("[services.customer-support]")
	defer shut(a)
	if a.files == nil {
		t.Fatal("the files are out of reach")
	}
	f, err := a.files.Open(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if b, err := io.ReadAll(f); err != nil || string(b) != "hello" {
		t.Errorf("the file: got %q, %v, want \"hello\"", b, err)
	}
}

// A server that is told to stop does not wait for a scanner, and what was under
// way leaves nothing behind.
func TestDrainWhileAFileIsLookedAt(t *testing.T) {
	dir := t.TempDir()
	begun, scan := filepath.Join(dir, "begun"), filepath.Join(dir, "scan")
	if err := syscall.Mkfifo(begun, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(scan, []byte("#!/bin/sh\necho > "+begun+"\nexec sleep 60\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	c := parsed(t, t.TempDir(), `
[services.customer-support.files.scan]
command = ["`+scan+`"]
within = "1m"`)
	a, stop := serve(t, c)
	res, err := http.Post(a.address()+"/genesys/2/chat/customer-support/", "application/x-www-form-urlencoded", strings.NewReader("nickname=Vera"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	_, key, found := strings.Cut(string(b), `"secureKey":"`)
	if err != nil || !found {
		t.Fatalf("opening a chat: got %s, %v, want an answer with a key", b, err)
	}
	key, _, _ = strings.Cut(key, `"`)
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	_ = w.WriteField("secureKey", key)
	part, _ := w.CreateFormFile("file", "note.txt")
	_, _ = io.WriteString(part, "hello")
	_ = w.Close()
	answered := make(chan error, 1)
	go func() {
		res, err := http.Post(a.address()+"/genesys/2/chat-ntf", w.FormDataContentType(), &body)
		if err == nil {
			_ = res.Body.Close()
		}
		answered <- err
	}()
	if _, err := os.ReadFile(begun); err != nil { // waits for the scanner
		t.Fatal(err)
	}
	stop()
	if err := <-answered; err == nil {
		t.Error("the upload was answered although nobody had looked at the file")
	}
	_, stop = serve(t, c)
	defer stop()
	if left, err := filepath.Glob(filepath.Join(c.Data, "files", "*", "*")); err != nil || len(left) != 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}

// However many files visitors are sending, agents can send theirs.
func TestVisitorsDoNotKeepAgentsOut(t *testing.T) {
	defer http.DefaultClient.CloseIdleConnections()
	r := run(t, parsed(t, t.TempDir(), "[services.customer-support.files]"), io.Discard)
	r.hire()
	res, err := http.Post(r.address()+"/genesys/2/chat/customer-support/", "application/x-www-form-urlencoded", strings.NewReader("nickname=Vera"))
	if err != nil {
		t.Fatal(err)
	}
	var opened struct{ ChatID string }
	err = json.NewDecoder(res.Body).Decode(&opened)
	_ = res.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	id, err := chat.ParseID(opened.ChatID)
	if err != nil {
		t.Fatal(err)
	}
	r.offered(id)
	r.do(id, anna, chat.Accept{})
	for {
		d, err := r.files.Receive(t.Context(), "a.txt", strings.NewReader("x"), 1)
		if err != nil {
			break // no more fit
		}
		defer func() { _ = d.Discard() }()
	}
	res, err = http.Post(r.address()+"/api/v1/session", "application/json", strings.NewReader(`{"login":"anna","password":"correct horse"}`))
	if err != nil || len(res.Cookies()) != 2 {
		t.Fatalf("signing in: got %+v, %v, want two cookies", res, err)
	}
	_ = res.Body.Close()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	part, _ := w.CreateFormFile("file", "note.txt")
	_, _ = io.WriteString(part, "hello")
	_ = w.Close()
	q, err := http.NewRequest(http.MethodPost, r.address()+"/api/v1/chats/"+id.String()+"/files", &body)
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Content-Type", w.FormDataContentType())
	q.AddCookie(res.Cookies()[0])
	if res, err = http.DefaultClient.Do(q); err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("the agent's file: %d", res.StatusCode)
	}
}
