package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// The test binary is the server too, when this says so.
const asServer = "ECHO_TEST_SERVES"

func TestMain(m *testing.M) {
	if os.Getenv(asServer) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// process is a running server.
type process struct {
	t   *testing.T
	cmd *exec.Cmd
	url string
	out *bufio.Reader
}

func start(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(os.Args[0], append([]string{"-listen", "127.0.0.1:0"}, args...)...)}
	p.cmd.Env = append(os.Environ(), asServer+"=1")
	p.cmd.Stderr = os.Stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if p.cmd.ProcessState == nil {
			_ = p.cmd.Process.Kill()
			_ = p.cmd.Wait()
		}
	})
	p.out = bufio.NewReader(out)
	line, err := p.out.ReadString('\n')
	if err != nil {
		t.Fatalf("it printed no line: %v", err)
	}
	i := strings.Index(line, "http://")
	if i < 0 {
		t.Fatalf("no address in %q", line)
	}
	p.url = strings.TrimSpace(line[i:])
	return p
}

// stop ends the server with SIGTERM; it must obey, say nothing more and not
// call it a failure.
func (p *process) stop() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	began := time.Now()
	rest, err := io.ReadAll(p.out)
	if err != nil || len(rest) > 0 {
		p.t.Errorf("it printed more than one line: %q, %v", rest, err)
	}
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("it ended with %v", err)
	}
	if took := time.Since(began); took > 15*time.Second { // at most 5 s by its own clock; a held connect would last 20 s
		p.t.Errorf("it took %v to stop", took)
	}
}

type message = map[string]any

// carrier sends a body and returns what comes back with it.
type carrier interface {
	ask(body string) []message
}

// polling carries bodies over HTTP, with cookies.
type polling struct {
	t   *testing.T
	url string
	web *http.Client
}

func (p *process) polling() *polling {
	jar, err := cookiejar.New(nil)
	if err != nil {
		p.t.Fatal(err)
	}
	return &polling{p.t, p.url, &http.Client{Jar: jar}}
}

func (c *polling) ask(body string) []message {
	c.t.Helper()
	r, err := c.web.Post(c.url, "application/json", strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		c.t.Fatalf("status %d, %v: %s", r.StatusCode, err, b)
	}
	return parseMessages(c.t, b)
}

func parseMessages(t *testing.T, b []byte) (list []message) {
	t.Helper()
	if err := json.Unmarshal(b, &list); err != nil {
		t.Fatalf("no array of messages: %v: %s", err, b)
	}
	for _, m := range list {
		kicked := m["channel"] == "/meta/disconnect" && m["id"] == nil // the server's own, past the extensions
		if _, err := time.Parse(http.TimeFormat, fmt.Sprint(m["timestamp"])); err != nil && !kicked {
			t.Errorf("a message without a timestamp: %v", m)
		}
		delete(m, "timestamp")
	}
	return list
}

// websocket carries bodies over a WebSocket.
type websocket struct {
	t    *testing.T
	conn net.Conn
}

func (p *process) websocket() *websocket {
	conn, _, _, err := ws.Dial(p.t.Context(), strings.Replace(p.url, "http", "ws", 1))
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = conn.Close() })
	return &websocket{p.t, conn}
}

// ask reads until the reply to the last message of the body has come, which
// must have the id "last".
func (c *websocket) ask(body string) (list []message) {
	c.t.Helper()
	if err := wsutil.WriteClientText(c.conn, []byte(body)); err != nil {
		c.t.Fatal(err)
	}
	for {
		b, err := wsutil.ReadServerText(c.conn)
		if err != nil {
			c.t.Fatal(err)
		}
		list = append(list, parseMessages(c.t, b)...)
		if m := list[len(list)-1]; m["id"] == "last" && m["data"] == nil {
			return list
		}
	}
}

// session shakes hands over a carrier; in what it asks, $ is the clientId.
type session struct {
	carrier
	t  *testing.T
	id string
}

func shake(t *testing.T, c carrier) *session {
	t.Helper()
	f := c.ask(`[{"channel":"/meta/handshake","version":"1.0","id":"last","supportedConnectionTypes":["websocket","long-polling"],"ext":{"ack":true,"timesync":{"tc":1,"l":0,"o":0}}}]`)
	if len(f) != 1 || f[0]["successful"] != true {
		t.Fatalf("handshake: %v", f)
	}
	ext := f[0]["ext"].(message)
	if ext["ack"] != true || ext["timesync"] == nil {
		t.Errorf("the handshake's ext is %v", ext)
	}
	return &session{c, t, f[0]["clientId"].(string)}
}

// send sends one message of the session, and expects success or the error
// given.
func (s *session) send(channel, fields, want string) []message {
	s.t.Helper()
	f := s.ask(fmt.Sprintf(`{"channel":%q,"clientId":%q,"id":"last",%s}`, channel, s.id, fields))
	if reply := f[len(f)-1]; want == "" && reply["successful"] != true || want != "" && reply["error"] != want {
		s.t.Errorf("%s %s: %v, want %q", channel, fields, reply, want)
	}
	return f
}

// connect sends a connect that acknowledges a batch and is not held, and
// returns what came with it.
func (s *session) connect(batch int) []message {
	s.t.Helper()
	return s.send("/meta/connect", fmt.Sprintf(`"advice":{"timeout":0},"ext":{"ack":%d}`, batch), "")
}
