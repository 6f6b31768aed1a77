// Package blackbox looks at the real binary from outside.
package blackbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/halley-chat/halley/test/process"
	"github.com/halley-chat/halley/test/schema"
)

// visitor is a long-polling client of the chat API that shows every byte.
type visitor struct {
	t         testing.TB
	url       string
	id        string
	key, chat string
	web       *http.Client
}

// answer is a Bayeux message as far as these tests look.
type answer struct {
	Channel    string `json:"channel"`
	ID         any    `json:"id"`
	ClientID   string `json:"clientId"`
	Successful *bool  `json:"successful"`
	Error      string `json:"error"`
	Advice     *struct {
		Reconnect string  `json:"reconnect"`
		Interval  float64 `json:"interval"`
	} `json:"advice"`
	Data *note `json:"data"`
}

// UnmarshalJSON refuses what has not the shape of a response object.
func (n *note) UnmarshalJSON(b []byte) error {
	type plain note
	return errors.Join(schema.Response(b), json.Unmarshal(b, (*plain)(n)))
}

type note struct {
	StatusCode   int    `json:"statusCode"`
	ChatEnded    bool   `json:"chatEnded"`
	ChatID       string `json:"chatId"`
	SecureKey    string `json:"secureKey"`
	NextPosition int64  `json:"nextPosition"`
	Messages     []struct {
		Index int64  `json:"index"`
		Type  string `json:"type"`
		Text  string `json:"text"`
	} `json:"messages"`
	Errors []struct {
		Code   int    `json:"code"`
		Advice string `json:"advice"`
	} `json:"errors"`
}

func (v *visitor) post(body string) (int, []answer) {
	v.t.Helper()
	req, err := http.NewRequestWithContext(v.t.Context(), http.MethodPost, v.url+"/genesys/cometd", strings.NewReader(body))
	if err != nil {
		v.t.Fatal(err)
	}
	resp, err := v.web.Do(req)
	if err != nil {
		v.t.Error(err)
		return 0, nil
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		v.t.Error(err)
		return 0, nil
	}
	if resp.StatusCode != http.StatusOK {
		return resp.StatusCode, nil
	}
	var list []answer
	if err := json.Unmarshal(b, &list); err != nil {
		v.t.Fatalf("got the answer %s, want a list of messages: %v", b, err)
	}
	return resp.StatusCode, list
}

// meet makes a visitor with a chat in a service.
func meet(t testing.TB, url, service string) *visitor {
	t.Helper()
	v := &visitor{t: t, url: url, web: &http.Client{Timeout: 2 * time.Minute}}
	_, list := v.post(`[{"channel":"/meta/handshake","version":"1.0","id":"1"}]`)
	if len(list) != 1 {
		t.Fatal("no handshake")
	}
	v.id = list[0].ClientID
	v.post(v.fill(`[{"channel":"/meta/connect","clientId":"$ID","connectionType":"long-polling","advice":{"timeout":0}}]`))
	n := v.do(service, `{"operation":"requestChat","nickname":"Vera"}`)
	if n == nil || n.StatusCode != 0 {
		t.Fatalf("requestChat: %+v", n)
	}
	v.key, v.chat = n.SecureKey, n.ChatID
	return v
}

func (v *visitor) fill(s string) string {
	return strings.NewReplacer("$ID", v.id, "$KEY", v.key, "$CHAT", v.chat).Replace(s)
}

// do publishes an operation and returns the last notification in the answer.
func (v *visitor) do(service, data string) *note {
	v.t.Helper()
	_, list := v.post(v.fill(fmt.Sprintf(`[{"channel":"/service/chatV2/%s","clientId":"$ID","id":"9","data":%s}]`, service, data)))
	var last *note
	for _, a := range list {
		if a.Data != nil {
			last = a.Data
		}
	}
	return last
}

// transcript is everything the visitor may see.
func (v *visitor) transcript(service string) *note {
	v.t.Helper()
	n := v.do(service, `{"operation":"requestNotifications","secureKey":"$KEY","transcriptPosition":1}`)
	if n == nil {
		v.t.Fatal("no transcript")
	}
	return n
}

// alone starts a server at which no agent is, not even the demo's, who takes
// what nobody else has taken for 5 s.
func alone(t testing.TB) *process.Server {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "halley.toml")
	if err := os.WriteFile(path, []byte("[services.customer-support]\n[queues.customer-support]\nmembers = [\"*\"]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return process.Serve(t, "--config", path, "--listen", "127.0.0.1:0", "--data", filepath.Join(dir, "data"))
}

// Bad input gets the contract's answer each time; the process and the log stay
// as they were.
func TestBadInput(t *testing.T) {
	s := alone(t)
	mine, other := meet(t, s.URL, "customer-support"), meet(t, s.URL, "customer-support")
	mine.do("customer-support", `{"operation":"sendMessage","secureKey":"$KEY","message":"hello"}`)
	// What cannot be text spoils itself alone.
	for _, text := range []string{"a\xc3\x28", `a\ud800`} {
		mine.do("customer-support", `{"operation":"sendMessage","secureKey":"$KEY","message":"`+text+`"}`)
	}
	before, otherBefore := mine.transcript("customer-support"), other.transcript("customer-support")
	var texts []string
	for _, m := range before.Messages {
		texts = append(texts, m.Text)
	}
	if diff := cmp.Diff([]string{"", "hello", "a\uFFFD(", "a\uFFFD"}, texts); diff != "" {
		t.Fatalf("texts of the transcript (-want +got):\n%s", diff)
	}

	publish := func(data string) string {
		return `[{"channel":"/service/chatV2/customer-support","clientId":"$ID","id":"9","data":` + data + `}]`
	}
	for name, c := range map[string]struct {
		body   string
		status int    // of HTTP
		error  string // of the reply
		code   int    // in errors of the notification
	}{
		"truncated JSON":      {body: `[{"channel":"/meta/connect","clientId":"$ID`, status: 400},
		"no JSON":             {body: `\x00\x01`, status: 400},
		"deeply nested":       {body: publish(strings.Repeat(`[`, 50000) + strings.Repeat(`]`, 50000)), status: 400},
		"nested beyond depth": {body: publish(strings.Repeat(`{"a":`, 100) + `1` + strings.Repeat(`}`, 100)), status: 200, error: "400::nested_too_deeply"},
		"10 MB":               {body: publish(`{"operation":"sendMessage","secureKey":"$KEY","message":"` + strings.Repeat("x", 10<<20) + `"}`), status: 413},
		"the key twice":       {body: publish(`{"operation":"sendMessage","secureKey":"$KEY","secureKey":"$KEY","message":"x"}`), status: 200, error: "400::duplicate_key"},
		"the channel twice":   {body: `[{"channel":"/service/chatV2/customer-support","channel":"/x","clientId":"$ID","id":"9","data":{}}]`, status: 200, error: "400::duplicate_key"},
		"another key case":    {body: publish(`{"operation":"sendMessage","SecureKey":"x","SECUREKEY":"$KEY","secureKey":"y","message":"x"}`), status: 200, code: 249},
		"data is no object":   {body: publish(`[1]`), status: 200, error: "400::data_invalid"},
		"unknown operation":   {body: publish(`{"operation":"promote","secureKey":"$KEY"}`), status: 200, code: 249},
		"no operation":        {body: publish(`{}`), status: 200, code: 249},
		"a chat id as key":    {body: publish(`{"operation":"sendMessage","secureKey":"$CHAT","message":"x"}`), status: 200, code: 249},
		"a foreign key":       {body: publish(`{"operation":"disconnect","secureKey":"` + strings.Repeat("A", 59) + `"}`), status: 200, code: 249},
		"an unknown client":   {body: `[{"channel":"/service/chatV2/customer-support","clientId":"nobody","id":"9","data":{}}]`, status: 200, error: "402::Unknown client"},
		"a broadcast":         {body: `[{"channel":"/everybody","clientId":"$ID","id":"9","data":{}}]`, status: 200, error: "403:denied_by_security_policy:denied"},
		"a bad channel":       {body: `[{"channel":"/service/chatV2//x","clientId":"$ID","id":"9","data":{}}]`, status: 200, error: "405::channel_invalid"},
		"unknown service":     {body: `[{"channel":"/service/chatV2/what","clientId":"$ID","id":"9","data":{"operation":"requestChat","nickname":"x"}}]`, status: 200, code: 306},
		"too long":            {body: publish(`{"operation":"sendMessage","secureKey":"$KEY","message":"` + strings.Repeat("x", 20000) + `"}`), status: 200, code: 204},
		"an array of numbers": {body: `[1,2,3]`, status: 200, error: "400::channel_missing"},
		"proto":               {body: publish(`{"operation":"x","__proto__":{"operation":"disconnect"},"constructor":{}}`), status: 200, code: 249},
	} {
		t.Run(name, func(t *testing.T) {
			status, list := mine.post(mine.fill(c.body))
			if status != c.status {
				t.Errorf("%s: status %d, want %d", name, status, c.status)
				return
			}
			if status != 200 {
				return
			}
			var failed string
			code := 0
			for _, a := range list {
				if a.Error != "" {
					failed = a.Error
				}
				if a.Data != nil && len(a.Data.Errors) > 0 {
					if code = a.Data.Errors[0].Code; a.Data.StatusCode != 2 || a.Data.Errors[0].Advice == "" {
						t.Errorf("%s: got %+v, want status 2 and an advice", name, a.Data)
					}
				}
			}
			if failed != c.error || code != c.code {
				t.Errorf("%s: error %q and code %d, want %q and %d: %+v", name, failed, code, c.error, c.code, list)
			}
		})
	}

	if after := mine.transcript("customer-support"); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("the log changed:\n%+v\n%+v", before, after)
	}
	if after := other.transcript("customer-support"); fmt.Sprint(after) != fmt.Sprint(otherBefore) {
		t.Errorf("another chat's log changed:\n%+v\n%+v", otherBefore, after)
	}
	mine.do("customer-support", `{"operation":"disconnect","secureKey":"$KEY"}`)
	if n := mine.do("customer-support", `{"operation":"sendMessage","secureKey":"$KEY","message":"x"}`); n == nil || n.StatusCode != 2 || !n.ChatEnded {
		t.Errorf("after the end: %+v", n)
	}
	if !s.Healthy() || strings.Contains(s.Output(), "panic") {
		t.Error("the server suffered")
	}
	for _, secret := range []string{mine.key, mine.id, "hello", "Vera"} {
		if strings.Contains(s.Output(), secret) {
			t.Errorf("the log shows %q", secret)
		}
	}
}

func TestASecondServerOnTheSameData(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s := process.Serve(t, "--demo", "--listen", "127.0.0.1:0", "--data", dir)
	out, err := process.Run(t, "", "serve", "--demo", "--listen", "127.0.0.1:0", "--data", dir)
	if err == nil || !strings.Contains(out, dir) || !strings.Contains(out, "another halley") {
		t.Errorf("a second server on %s: got %v, want a refusal that names it and another halley:\n%s", dir, err, out)
	}
	if !s.Healthy() {
		t.Error("the first one suffered")
	}
	// A crash leaves no lock behind.
	s.Kill()
	process.Serve(t, "--demo", "--listen", "127.0.0.1:0", "--data", dir)
}

func TestDrain(t *testing.T) {
	s := alone(t)
	v := meet(t, s.URL, "customer-support")
	// A newer connect ends the one that is held with status 500: once one of
	// the two has been told so, the other is the one that the server holds.
	type result struct {
		status int
		list   []answer
	}
	results := make(chan result, 2)
	for _, id := range []string{"a", "b"} {
		go func() {
			status, list := v.post(v.fill(`[{"channel":"/meta/connect","clientId":"$ID","id":"` + id + `","connectionType":"long-polling"}]`))
			results <- result{status, list}
		}()
	}
	if r := <-results; r.status != http.StatusInternalServerError {
		t.Fatalf("the older connect: %+v", r)
	}
	start := time.Now()
	if err := s.Terminate(10 * time.Second); err != nil {
		t.Errorf("the server did not end well: %v", err)
	}
	t.Logf("drained in %v", time.Since(start).Round(time.Millisecond))
	r := <-results
	if len(r.list) != 1 {
		t.Fatalf("the held connect: %+v", r)
	}
	if a := r.list[0]; a.Channel != "/meta/connect" || a.Successful == nil || !*a.Successful || a.Advice == nil ||
		a.Advice.Reconnect != "retry" || a.Advice.Interval <= 0 || a.Advice.Interval > 5000 {
		t.Errorf("got %+v, want a successful connect and the advice to retry after at most 5000 ms", a)
	}
}

func TestTheDemoStaysOnLoopback(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:80"} {
		out, err := process.Run(t, "", "serve", "--demo", "--listen", address, "--data", filepath.Join(t.TempDir(), "data"))
		if err == nil || !strings.Contains(out, "--demo-public") {
			t.Errorf("the demo at %s: got %v, want a refusal that names --demo-public:\n%s", address, err, out)
		}
	}
}

func TestConfig(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "halley.toml")
	write := func(body string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("listen = \"127.0.0.1:0\"\n[services.help]\nqeue = \"help\"\n")
	out, err := process.Run(t, "", "serve", "--config", path)
	if err == nil || !strings.Contains(out, "halley.toml:3:1") || !strings.Contains(out, "qeue") {
		t.Errorf("got %v, want a refusal of qeue at halley.toml:3:1:\n%s", err, out)
	}
	write("listen = \"127.0.0.1:0\"\ndata = \"" + filepath.Join(dir, "data") + "\"\n[services.help]\n[queues.help]\nmembers = [\"*\"]\n")
	s := process.Serve(t, "--config", path)
	meet(t, s.URL, "help")
	if n := meet(t, s.URL, "help").do("customer-support", `{"operation":"requestChat","nickname":"x"}`); n.StatusCode != 2 {
		t.Errorf("a service of the demo: %+v", n)
	}
}

// Accounts are managed beside a running server.
func TestAgentCommands(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s := process.Serve(t, "--demo", "--listen", "127.0.0.1:0", "--data", dir)
	signIn := func(login, password string) (int, []*http.Cookie) {
		t.Helper()
		body, err := json.Marshal(map[string]string{"login": login, "password": password})
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.Post(s.URL+"/api/v1/session", "application/json", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode, resp.Cookies()
	}
	agent := func(stdin string, args ...string) string {
		t.Helper()
		out, err := process.Run(t, stdin, append(append([]string{"agent"}, args...), "--data", dir)...)
		if err != nil {
			t.Fatalf("agent %v: %v\n%s", args, err, out)
		}
		return out
	}
	agent("a long password\n", "add", "Cleo", "--name", "Cleo C.", "--capacity", "2")
	// The server hears of it within a second or so.
	eventually(t, "cleo can sign in", func() bool { status, _ := signIn("cleo", "a long password"); return status == 200 })
	if out := agent("", "list"); !strings.Contains(out, "cleo") || !strings.Contains(out, "anna") || strings.Contains(out, "$argon2") {
		t.Errorf("list:\n%s", out)
	}
	_, cookies := signIn("cleo", "a long password")
	agent("another password\n", "passwd", "cleo")
	eventually(t, "the new password holds", func() bool { status, _ := signIn("cleo", "another password"); return status == 200 })
	if status, _ := signIn("cleo", "a long password"); status != http.StatusUnauthorized {
		t.Errorf("the old password: %d", status)
	}
	agent("", "disable", "cleo")
	eventually(t, "cleo is out", func() bool {
		req, err := http.NewRequest(http.MethodGet, s.URL+"/api/v1/session", nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range cookies {
			req.AddCookie(c)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusUnauthorized
	})
	if out, err := process.Run(t, "short\n", "agent", "add", "dora", "--data", dir); err == nil {
		t.Errorf("a short password was taken: %s", out)
	}
	if out, err := process.Run(t, "a long password\n", "agent", "add", "anna", "--data", dir); err == nil {
		t.Errorf("a login was given twice: %s", out)
	}
}

// eventually waits for something that another process has to notice first.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}
