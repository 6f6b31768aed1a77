package blackbox

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"
	"time"

	cometd "github.com/halley-chat/halley/test/visitor"
)

// pausedFor is longer than any silence that ends a chat: 35 s without a call,
// and then the rest of 45 s to come back.
const pausedFor = 60 * time.Second

// pollEvery is how often clients of the REST API call.
const pollEvery = 3 * time.Second

// restReply is a response of the REST API as far as this test looks.
type restReply struct {
	StatusCode int    `json:"statusCode"`
	ChatEnded  bool   `json:"chatEnded"`
	ChatID     string `json:"chatId"`
	SecureKey  string `json:"secureKey"`
	UserID     string `json:"userId"`
	Alias      string `json:"alias"`
}

// rest makes a call and says whether it was answered.
func rest(t *testing.T, address string, form url.Values) (r restReply, answered bool) {
	t.Helper()
	resp, err := http.PostForm(address, form)
	if err != nil {
		return r, false
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&r); err != nil {
		t.Errorf("%s: got status %d and %v, want JSON", address, resp.StatusCode, err)
	}
	return r, true
}

// A process that stood still could not be called: chats over REST and CometD
// survive a pause of the whole machine if their clients go on afterwards.
func TestChatsSurviveAPauseOfTheProcess(t *testing.T) {
	t.Parallel()
	s := alone(t)
	api := s.URL + "/genesys/2/chat/customer-support"
	opened, ok := rest(t, api, url.Values{"nickname": {"Rita"}})
	if !ok || opened.StatusCode != 0 || opened.ChatID == "" {
		t.Fatalf("opening over REST: got %+v, answered %v, want a chat", opened, ok)
	}
	poller := func(more ...string) url.Values {
		form := url.Values{"secureKey": {opened.SecureKey}, "userId": {opened.UserID}, "alias": {opened.Alias}}
		for i := 0; i < len(more); i += 2 {
			form.Set(more[i], more[i+1])
		}
		return form
	}
	chat := api + "/" + opened.ChatID
	listener, err := cometd.New(cometd.Options{URL: s.URL + "/genesys/cometd", Service: "customer-support", Nickname: "Vera"})
	if err != nil {
		t.Fatal(err)
	}
	if err := listener.Start(t.Context()); err != nil {
		t.Fatalf("opening over CometD: got %v, want a chat", err)
	}
	defer func() {
		if err := listener.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}()

	if err := s.Pause(); err != nil {
		t.Fatal(err)
	}
	<-time.After(pausedFor)
	if err := s.Resume(); err != nil {
		t.Fatal(err)
	}
	<-time.After(pollEvery) // a poller's next call does not come at once

	for _, c := range []struct{ path, message string }{{"/refresh", ""}, {"/send", "still here"}, {"/refresh", ""}} {
		if r, ok := rest(t, chat+c.path, poller("message", c.message, "transcriptPosition", "1")); !ok || r.StatusCode != 0 || r.ChatEnded {
			t.Errorf("REST, %s after the pause: got %+v, answered %v, want status 0 and a chat that goes on", c.path, r, ok)
		}
	}
	if _, _, err := listener.Say(t.Context(), "still here"); err != nil || listener.Ended() {
		t.Errorf("CometD, a line after the pause: got %v, ended %v, want it taken", err, listener.Ended())
	}
}
