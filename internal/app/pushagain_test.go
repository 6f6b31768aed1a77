package app

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/config"
	"github.com/halley-chat/halley/internal/push"
)

// watchedLog tells when something is logged for the first time.
type watchedLog struct {
	text string
	once sync.Once
	said chan struct{}
}

func (l *watchedLog) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte(l.text)) {
		l.once.Do(func() { close(l.said) })
	}
	return len(b), nil
}

// TestPushAgain: somebody beside a running server asks for a dead letter, and
// the server sends it.
func TestPushAgain(t *testing.T) {
	defer http.DefaultClient.CloseIdleConnections()
	answers := make(chan int, 3)
	got := make(chan int64, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var m struct{ Index int64 }
		if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
			t.Error(err)
		}
		w.WriteHeader(<-answers)
		got <- m.Index
	}))
	defer server.Close()
	c := config.Default()
	c.Listen, c.Data = "127.0.0.1:0", filepath.Join(t.TempDir(), "data")
	c.Push.CustomHTTP = &config.PushHTTP{URL: server.URL}
	log := &watchedLog{text: "push: dead letter sent again", said: make(chan struct{})}
	halley := run(t, c, log)
	halley.hire()
	answers <- http.StatusUnprocessableEntity
	answers <- http.StatusOK
	id := halley.background("customhttp", "s3cret-program")
	dead := <-got
	second := halley.do(id, anna, chat.Say{Text: "secret text"})[0].Index
	if index := <-got; index != second { // the dead letter is noted before it is tried
		t.Errorf("%d was sent after %d, want %d", index, dead, second)
	}
	err := WithPushes(t.Context(), c.Data, func(s push.Store) error {
		n, err := s.RequestRetry(t.Context(), time.Now())
		if n != 1 {
			t.Errorf("%d dead letters", n)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	answers <- http.StatusOK
	if index := <-got; index != dead {
		t.Errorf("%d was sent again, want %d", index, dead)
	}
	<-log.said // the server has the answer, and notes it even if it ends now
	halley.stop()
	err = WithPushes(t.Context(), c.Data, func(s push.Store) error {
		list, err := s.DeadLetters(t.Context(), 10)
		if len(list) != 0 {
			err = errors.Join(err, errors.New("there is still a dead letter"))
		}
		return err
	})
	if err != nil || len(got) != 0 {
		t.Errorf("%v; %d more", err, len(got))
	}
}
