// Package record runs halley record in front of a demo, with the official CometD
// clients, a browser, a client of the REST side and two that share files, over REST and
// over callback-polling, and plays what was recorded to another demo.
package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/halley-chat/halley/test/process"
	"github.com/halley-chat/halley/test/schema"
)

// clients are the official CometD clients. Without their packages the test does
// not run, unless HALLEY_RECORD says that it must.
const clients = "../cometd"

// browser is where a browser is that opens the sample page.
const browser = "../../web/e2e"

func demo(t *testing.T) *process.Server {
	t.Helper()
	return process.Serve(t, "--demo", "--listen", "127.0.0.1:0", "--data", filepath.Join(t.TempDir(), "data"))
}

// recorder is a running halley record.
type recorder struct {
	t    *testing.T
	url  string
	file string
	cmd  *exec.Cmd
	out  *bytes.Buffer
}

var recordsAt = regexp.MustCompile(`^Halley records at (\S+) `)

func record(t *testing.T, upstream string) *recorder {
	t.Helper()
	r := &recorder{t: t, file: filepath.Join(t.TempDir(), "tape.jsonl"), out: &bytes.Buffer{}}
	r.cmd = exec.Command(process.Binary(t), "record", "--upstream", upstream, "--listen", "127.0.0.1:0", "--out", r.file)
	r.cmd.Stderr = r.out
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = r.cmd.Process.Kill() // it has ended, unless the test failed
		if t.Failed() {
			t.Logf("the recorder said:\n%s", r.out)
		}
	})
	line := make([]byte, 4096)
	n, err := out.Read(line)
	m := recordsAt.FindSubmatch(line[:n])
	if m == nil {
		t.Fatalf("the recorder said %q: %v", line[:n], err)
	}
	r.url = string(m[1])
	return r
}

// stop ends it as systemd would.
func (r *recorder) stop() {
	r.t.Helper()
	start := time.Now()
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		r.t.Fatal(err)
	}
	if err := r.cmd.Wait(); err != nil {
		r.t.Errorf("the recorder ended with %v", err)
	}
	if took := time.Since(start); took > 20*time.Second { // it does not wait for its clients, who stay for as long as they are held
		r.t.Errorf("it took %v to end", took)
	}
}

// replay plays a recording to a fresh demo and returns the exit code.
func replay(t *testing.T, file, to string, more ...string) (string, int) {
	t.Helper()
	out, err := process.Run(t, "", append([]string{"replay", file, "--url", to}, more...)...)
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return out, exit.ExitCode()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out, 0
}

// node runs a program of the Node clients against a server.
func node(t *testing.T, server, dir string, program ...string) {
	cmd := exec.Command(program[0], program[1:]...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "HALLEY_URL="+server, "HALLEY_PROXIED=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("running %v: got %v, want success:\n%s", program, err, out)
	}
}

func TestRecordAndReplay(t *testing.T) {
	for _, dir := range []string{clients, browser} {
		if _, err := os.Stat(filepath.Join(dir, "node_modules")); err != nil {
			if os.Getenv("HALLEY_RECORD") != "" {
				t.Fatal(err)
			}
			t.Skip("the Node clients are not installed; make record installs them")
		}
	}
	r := record(t, demo(t).URL)
	var poller *caller
	var all sync.WaitGroup
	all.Go(func() { poller = poll(t, r.url) })
	all.Go(func() { shareOverREST(t, r.url) })
	all.Go(func() { shareOverScripts(t, r.url) })
	all.Go(func() { node(t, r.url, clients, "npm", "test", "--silent") })
	all.Go(func() { node(t, r.url, browser, "node", "record-page.mjs") })
	all.Wait()
	r.stop()
	if t.Failed() {
		t.FailNow()
	}

	b, err := os.ReadFile(r.file)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(r.file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the tape: got %v, %v, want the mode 0600", info, err)
	}
	for _, word := range []string{poller.key, poller.chat, "Vera", "Petra", "first line", "只", "Grüße", "only once", "echo agent", "during the outage", "parcel", "A second line", "pages.example", "petra@"} {
		if bytes.Contains(b, []byte(word)) {
			t.Errorf("%q is in the recording", word)
		}
	}
	for _, via := range []string{"websocket", "long-polling", "callback-polling", "rest"} {
		if n := bytes.Count(b, []byte(`"via":"`+via+`"`)); n < 20 {
			t.Errorf("%d lines of %s", n, via)
		}
	}
	if n := bytes.Count(b, []byte(`"via":"chat-ntf"`)); n != 12 {
		t.Errorf("%d lines of chat-ntf", n)
	}

	masked(t, b)

	fresh := demo(t)
	if out, code := replay(t, r.file, fresh.URL); code != 0 || !strings.Contains(out, "No difference.") {
		t.Errorf("exit code %d:\n%s", code, out)
	} else {
		t.Log(out)
	}
	if strings.Contains(fresh.Output(), "panic") || !fresh.Healthy() {
		t.Errorf("the server suffered:\n%s", fresh.Output())
	}
	altered(t, r.file, b, fresh.URL)
	nobody(t, r.file)
	if out, code := replay(t, r.file, "http://127.0.0.1:1"); code != 2 || !strings.Contains(out, "cannot be reached") {
		t.Errorf("exit code %d:\n%s", code, out)
	}
	if out, code := replay(t, r.file+"x", fresh.URL); code != 2 {
		t.Errorf("exit code %d:\n%s", code, out)
	}
}

// nobody plays the recording to a server whose service has another name, and
// where nobody answers: what the agent did is told and is no difference.
func nobody(t *testing.T, file string) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "halley.toml")
	config := "listen = \"127.0.0.1:0\"\ndata = \"" + filepath.Join(dir, "data") + "\"\nunlimited_networks = [\"127.0.0.0/8\"]\n[services.help]\noperations_per_second = -1\ncallback_polling = true\n[services.help.files]\n[queues.help]\nmembers = [\"*\"]\n"
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	out, code := replay(t, file, process.Serve(t, "--config", path).URL, "--service", "echo=help", "--wait", "2s", "--at-once", "20")
	if code != 0 || !regexp.MustCompile(`\d+ +Message from Agent`).MatchString(out) {
		t.Errorf("exit code %d:\n%s", code, out)
	}
}

// altered changes the recording, as if another server had been recorded, and
// looks for the difference.
func altered(t *testing.T, file string, b []byte, to string) {
	t.Helper()
	for name, c := range map[string]struct{ old, replaced, row string }{
		"a field":  {`"alias":"alias-1",`, ``, `alias +missing +string`},
		"a code":   {`"code":249`, `"code":201`, `errors\[\]\.code +201 +249`},
		"an event": {`"type":"ParticipantLeft"`, `"type":"Notice"`, `order of events, \d+ +Notice from Client +ParticipantLeft from Client`},
	} {
		if !bytes.Contains(b, []byte(c.old)) {
			t.Errorf("%s: the recording has no %s", name, c.old)
			continue
		}
		path := file + "." + strings.Fields(name)[1]
		if err := os.WriteFile(path, bytes.ReplaceAll(b, []byte(c.old), []byte(c.replaced)), 0o600); err != nil {
			t.Fatal(err)
		}
		out, code := replay(t, path, to)
		if code != 1 || !regexp.MustCompile(c.row).MatchString(out) {
			t.Errorf("%s: exit code %d:\n%s", name, code, out)
		}
	}
}

// caller is a visitor over REST.
type caller struct {
	t         *testing.T
	base      string
	key, chat string
	next      int64
}

// reply is what a call gets.
type reply struct {
	StatusCode   int    `json:"statusCode"`
	ChatEnded    bool   `json:"chatEnded"`
	ChatID       string `json:"chatId"`
	UserID       string `json:"userId"`
	Alias        string `json:"alias"`
	SecureKey    string `json:"secureKey"`
	NextPosition int64  `json:"nextPosition"`
	Messages     []struct {
		Text string `json:"text"`
		Type string `json:"type"`
		From struct {
			Type string `json:"type"`
		} `json:"from"`
	} `json:"messages"`
}

func (c *caller) call(operation string, fields ...string) reply {
	c.t.Helper()
	form := url.Values{"alias": {"1"}, "userId": {"0"}, "secureKey": {c.key}}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	path := c.base + "/"
	if c.chat != "" {
		path += c.chat + "/" + operation
	}
	resp, err := http.PostForm(path, form)
	if err != nil {
		c.t.Error(err)
		return reply{}
	}
	defer resp.Body.Close()
	var r reply
	b, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, schema.Response(b), json.Unmarshal(b, &r)); err != nil {
		c.t.Errorf("%s: got %v, want an answer of the schema:\n%s", operation, err, b)
	}
	if r.NextPosition > 0 {
		c.next = r.NextPosition
	}
	return r
}

// until polls until the agent has said a text.
func (c *caller) until(text string) {
	c.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); <-tick.C {
		for _, m := range c.call("refresh", "transcriptPosition", strconv.FormatInt(c.next, 10), "message", "").Messages {
			if m.From.Type == "Agent" && strings.Contains(m.Text, text) {
				return
			}
		}
	}
	c.t.Errorf("the agent did not say %q", text)
}

// poll is a chat over REST.
func poll(t *testing.T, server string) *caller {
	c := &caller{t: t, base: server + "/genesys/2/chat/echo"}
	r := c.call("", "nickname", "Petra", "subject", "a first line", "emailAddress", "petra@mail.example", "userData[GCTI_LanguageCode]", "en", "userData[shoe]", "42")
	if r.StatusCode != 0 || r.SecureKey == "" {
		t.Errorf("requestChat: got %+v, want status 0 and a key", r)
	}
	c.key, c.chat = r.SecureKey, r.ChatID
	c.until("echo agent")
	c.call("send", "message", "a first line", "messageType", "text", "transcriptPosition", strconv.FormatInt(c.next, 10))
	c.until("echo: a first line")
	c.call("startTyping", "message", "he", "transcriptPosition", strconv.FormatInt(c.next, 10))
	c.call("stopTyping", "message", "")
	c.call("updateNickname", "nickname", "Petra the second", "transcriptPosition", strconv.FormatInt(c.next, 10))
	c.call("pushUrl", "pushUrl", "https://pages.example/a/b?c=d", "transcriptPosition", strconv.FormatInt(c.next, 10))
	c.call("pushUrl", "pushUrl", "javascript:alert(1)")
	c.call("updateData", "userData[hat]", "blue")
	c.call("customNotice", "message", "n1", "eventAttributes", `{"purpose":"cancel-idle-timer","mine":{"a":[1,"b"]}}`)
	c.call("readReceipt", "transcriptPosition", "2")
	c.call("send", "message", strings.Repeat("long ", 5000))
	c.call("send", "message", "x", "secureKey", "4ee15d7e1c343c8e")
	c.call("dance")
	c.call("refresh", "transcriptPosition", "1")
	if end := c.call("disconnect", "transcriptPosition", "1"); !end.ChatEnded {
		t.Errorf("disconnect: got %+v, want the chat ended", end)
	}
	c.call("send", "message", "too late")
	c.call("refresh", "transcriptPosition", "-1")
	return c
}
