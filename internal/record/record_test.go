package record

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/halley-chat/halley/internal/tape"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recording is a recorder in front of a handler.
type recording struct {
	t      *testing.T
	url    string
	file   string
	stop   context.CancelFunc
	ended  chan error
	closed bool
}

// says finds out where a recorder listens.
type says chan string

func (s says) Write(p []byte) (int, error) {
	s <- strings.Fields(string(p))[3]
	return len(p), nil
}

func start(t *testing.T, upstream string, change func(*Options)) *recording {
	t.Helper()
	u, err := url.Parse(upstream)
	if err != nil {
		t.Fatal(err)
	}
	r := &recording{t: t, file: filepath.Join(t.TempDir(), "tape"), ended: make(chan error, 1)}
	say := make(says, 1)
	o := Options{Upstream: u, Listen: "127.0.0.1:0", File: r.file, Logger: slog.New(slog.DiscardHandler), Say: say}
	if change != nil {
		change(&o)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r.stop = cancel
	go func() { r.ended <- Run(ctx, o) }()
	select {
	case r.url = <-say:
	case err := <-r.ended:
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if !r.closed {
			r.lines()
		}
	})
	return r
}

func front(t *testing.T, h http.HandlerFunc) *recording {
	t.Helper()
	up := httptest.NewServer(h)
	t.Cleanup(up.Close)
	return start(t, up.URL, nil)
}

// lines ends the recording and reads it.
func (r *recording) lines() []tape.Line {
	r.t.Helper()
	r.closed = true
	r.stop()
	if err := <-r.ended; err != nil {
		r.t.Error(err)
	}
	f, err := os.Open(r.file)
	if err != nil {
		r.t.Fatal(err)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || info.Mode().Perm() != 0o600 {
		r.t.Errorf("mode %v %v", info.Mode(), err)
	}
	_, lines, err := tape.Read(f)
	if err != nil {
		r.t.Fatal(err)
	}
	return lines
}

func do(t *testing.T, r *http.Request, err error) (*http.Response, []byte) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableCompression: true, DisableKeepAlives: true}}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, b
}

func text(t *testing.T, lines []tape.Line) string {
	t.Helper()
	b, err := json.Marshal(lines)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// What passes is not altered: method, address, headers, bodies, status.
func TestPassesUnchanged(t *testing.T) {
	var got *http.Request
	var body []byte
	r := front(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		w.Header().Set("Set-Cookie", "BAYEUX_BROWSER=secret1; Path=/; HttpOnly")
		w.Header().Set("X-Other", "kept")
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprint(w, `{"statusCode":2,"secureKey":"secret2","errors":[{"code":249,"advice":"secret words"}]}`)
	})
	q, err := http.NewRequest("POST", r.url+"/genesys/2/chat/support/c%2Fd/send?a=1;b&secureKey=secret3", strings.NewReader("message=secret4&secureKey=secret2"))
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	q.Header.Set("X-Forwarded-For", "192.0.2.1")
	q.Header.Set("Authorization", "Basic secret5")
	q.Host = "chat.example"
	resp, answer := do(t, q, err)
	if got.Method != "POST" || got.RequestURI != "/genesys/2/chat/support/c%2Fd/send?a=1;b&secureKey=secret3" || got.Host != "chat.example" ||
		got.Header.Get("X-Forwarded-For") != "192.0.2.1" || got.Header.Get("Authorization") != "Basic secret5" || string(body) != "message=secret4&secureKey=secret2" {
		t.Errorf("the server got %s %s %s %v %s", got.Method, got.RequestURI, got.Host, got.Header, body)
	}
	if resp.StatusCode != http.StatusTeapot || resp.Header.Get("X-Other") != "kept" || resp.Header.Get("Set-Cookie") == "" || !strings.Contains(string(answer), "secret2") {
		t.Errorf("the client got %d %v %s", resp.StatusCode, resp.Header, answer)
	}
	lines := r.lines()
	if len(lines) != 2 || lines[0].Kind != tape.KindRequest || lines[1].Status != http.StatusTeapot || lines[1].Body["secureKey"] != "key-1" || lines[0].Conn != lines[1].Conn {
		t.Errorf("got the lines %+v, want a request and a response of one connection with status 418 and a masked key", lines)
	}
	if s := text(t, lines); strings.Contains(s, "secret") {
		t.Error(s)
	}
}

// Another address: the upstream's path goes ahead, and its name can be told.
func TestBehindAPrefix(t *testing.T) {
	seen := make(chan string, 1)
	up := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen <- r.Host + r.URL.Path }))
	defer up.Close()
	r := start(t, up.URL+"/inner", func(o *Options) { o.Host = "gms.example" })
	q, err := http.NewRequest("POST", r.url+"/genesys/cometd/handshake", strings.NewReader(`[]`))
	do(t, q, err)
	if got := <-seen; got != "gms.example/inner/genesys/cometd/handshake" {
		t.Error(got)
	}
	if l := r.lines()[0]; l.Path != "cometd/handshake" {
		t.Errorf("got %+v, want the path cometd/handshake", l)
	}
}

// Pieces of an answer arrive while the answer is still being written.
func TestStreams(t *testing.T) {
	more := make(chan struct{})
	r := front(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `[{"channel":"/meta/connect",`)
		w.(http.Flusher).Flush()
		<-more
		fmt.Fprint(w, `"successful":true}]`)
	})
	resp, err := http.Post(r.url+"/genesys/cometd/connect", "application/json", strings.NewReader(`[{"channel":"/meta/connect"}]`))
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 100)
	if n, err := resp.Body.Read(b); err != nil || !strings.HasPrefix(string(b[:n]), "[{") {
		t.Errorf("first read: got %q, %v, want the start of the answer while it is held open", b[:n], err)
	}
	close(more)
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Error(err)
	}
	_ = resp.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	if lines := r.lines(); len(lines) != 2 || lines[1].Messages[0]["successful"] != true {
		t.Errorf("got %+v, want a request and a response that was successful", lines)
	}
}

// Of files only names, sizes and types are looked at, however large they are.
func TestFiles(t *testing.T) {
	var got int64
	r := front(t, func(w http.ResponseWriter, r *http.Request) {
		got, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Disposition", `attachment; filename="secret"`)
		_, _ = io.CopyN(w, zeros{}, 3<<20)
	})
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	_ = w.WriteField("operation", "fileUpload")
	part, _ := w.CreateFormFile("file", "secret.png")
	_, _ = io.CopyN(part, zeros{}, 5<<20)
	_ = w.WriteField("secureKey", "secret")
	_ = w.Close()
	size := int64(body.Len())
	q, err := http.NewRequest("POST", r.url+"/genesys/2/chat-ntf", &body)
	q.Header.Set("Content-Type", w.FormDataContentType())
	if _, answer := do(t, q, err); got != size || len(answer) != 3<<20 {
		t.Errorf("%d of %d bytes went up, %d down", got, size, len(answer))
	}
	lines := r.lines()
	l := lines[0]
	if len(l.Fields) != 3 || l.Fields[1].File == nil || l.Fields[1].File.Size != 5<<20 || l.Fields[1].File.Ext != "png" || l.Fields[2].Value != "key-1" || l.Size < size*9/10 {
		t.Errorf("upload: got %+v, want three fields, a png of %d bytes and key-1", l, 5<<20)
	}
	if l := lines[1]; l.Size < 3<<19 || l.Hidden == "" || l.Headers["Content-Disposition"] != "attachment" {
		t.Errorf("download: got %+v, want a hidden body of at least %d bytes and an attachment", l, 3<<19)
	}
	if s := text(t, lines); strings.Contains(s, "secret") {
		t.Error(s)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestPackedAnswers(t *testing.T) {
	var asked string
	r := front(t, func(w http.ResponseWriter, r *http.Request) {
		asked = r.Header.Get("Accept-Encoding")
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		fmt.Fprint(z, `{"statusCode":0}`)
		_ = z.Close()
	})
	q, err := http.NewRequest("POST", r.url+"/genesys/2/chat/support/", nil)
	q.Header.Set("Accept-Encoding", "br, gzip")
	resp, _ := do(t, q, err)
	if asked != "gzip" || resp.Header.Get("Content-Encoding") != "gzip" {
		t.Errorf("got Accept-Encoding %q upstream and headers %v, want gzip in both", asked, resp.Header)
	}
	if lines := r.lines(); fmt.Sprint(lines[1].Body["statusCode"]) != "0" {
		t.Errorf("got %+v, want the status code 0 out of the compressed body", lines[1])
	}
}

// A server that is not there is told as such, and the next request is tried.
func TestServerIsDown(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	r := start(t, "http://"+l.Addr().String(), nil)
	for range 2 {
		q, err := http.NewRequest("POST", r.url+"/genesys/cometd", strings.NewReader("[]"))
		if resp, _ := do(t, q, err); resp.StatusCode != http.StatusBadGateway {
			t.Error(resp.Status)
		}
	}
	lines := r.lines()
	if len(lines) != 4 || lines[1].Status != http.StatusBadGateway || lines[1].Failed != "upstream" {
		t.Errorf("got %+v, want four lines, the second with status 502 and a failure upstream", lines)
	}
}

// A client that lets go of a request is told as such, and a held request does
// not keep the recorder from ending.
func TestClientGoes(t *testing.T) {
	held := make(chan struct{}, 2)
	r := front(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		held <- struct{}{}
		<-r.Context().Done()
	})
	ask := func(ctx context.Context) <-chan error {
		q, err := http.NewRequestWithContext(ctx, "POST", r.url+"/genesys/cometd/connect", strings.NewReader("[]"))
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() {
			resp, err := http.DefaultClient.Do(q)
			if err == nil {
				_ = resp.Body.Close()
			}
			ended <- err
		}()
		<-held
		return ended
	}
	ctx, cancel := context.WithCancel(t.Context())
	first := ask(ctx)
	cancel()
	<-first
	ask(t.Context())
	lines := r.lines()
	http.DefaultClient.CloseIdleConnections()
	if len(lines) != 4 {
		t.Fatalf("got %d lines: %+v, want 4", len(lines), lines)
	}
	failed := 0
	for _, l := range lines {
		if l.Kind == tape.KindResponse && l.Failed == "client" {
			failed++
		}
	}
	if failed != 2 {
		t.Errorf("got %d responses that the client did not wait for, want 2: %+v", failed, lines)
	}
}

func TestNeverOverwrites(t *testing.T) {
	r := front(t, func(http.ResponseWriter, *http.Request) {})
	u, _ := url.Parse("http://127.0.0.1:1")
	err := Run(t.Context(), Options{Upstream: u, Listen: "127.0.0.1:0", File: r.file, Logger: slog.New(slog.DiscardHandler), Say: io.Discard})
	if err == nil || !strings.Contains(err.Error(), "never overwritten") {
		t.Error(err)
	}
}

// A full recording ends; the traffic does not.
func TestFull(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer up.Close()
	r := start(t, up.URL, func(o *Options) { o.MaxSize = 1 })
	for range 3 {
		q, err := http.NewRequest("POST", r.url+"/genesys/cometd", strings.NewReader("[]"))
		if resp, _ := do(t, q, err); resp.StatusCode != http.StatusOK {
			t.Error(resp.Status)
		}
	}
	if lines := r.lines(); len(lines) != 2 || lines[1].Kind != tape.KindFull {
		t.Errorf("got %+v, want two lines, the second of kind %q", lines, tape.KindFull)
	}
}

// What the writer cannot keep up with is dropped and counted.
func TestGap(t *testing.T) {
	s, err := newTapeWriter(Options{File: filepath.Join(t.TempDir(), "tape"), MaxSize: 1 << 20, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	busy, wait := make(chan struct{}), make(chan struct{})
	line := func(*tape.Masker) tape.Line { return tape.Line{Kind: tape.KindFrame} }
	s.put(0, func(m *tape.Masker) tape.Line { close(busy); <-wait; return line(m) })
	<-busy
	moved := make(chan struct{}) // there is room for one more
	s.put(1, func(m *tape.Masker) tape.Line { close(moved); return line(m) })
	for range queueLines + 4 {
		s.put(1, line)
	}
	s.put(queueBytes, line)
	close(wait)
	<-moved
	s.put(0, line)
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(s.file.Name())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, lines, err := tape.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	lost := int64(0)
	for _, l := range lines {
		lost += l.Lost
	}
	if lost != 6 {
		t.Errorf("%d lines were lost", lost)
	}
}

// Bytes of a WebSocket pass as they are, and messages are found in them
// wherever the bytes are cut.
func TestFrames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var wire bytes.Buffer
		var want, got []string
		for i := range rapid.IntRange(1, 5).Draw(t, "messages") {
			body := strings.Repeat(string(rune('a'+i)), rapid.SampledFrom([]int{0, 1, 125, 126, 300, 70000}).Draw(t, "length"))
			want = append(want, body)
			pieces := rapid.IntRange(1, 3).Draw(t, "pieces")
			for p := range pieces {
				op, from, to := ws.OpText, len(body)*p/pieces, len(body)*(p+1)/pieces
				if p > 0 {
					op = ws.OpContinuation
				}
				f := ws.NewFrame(op, p == pieces-1, []byte(body[from:to]))
				if rapid.Bool().Draw(t, "masked") {
					f = ws.MaskFrame(f)
				}
				if err := ws.WriteFrame(&wire, f); err != nil {
					t.Fatal(err)
				}
				if rapid.Bool().Draw(t, "ping") {
					_ = ws.WriteFrame(&wire, ws.MaskFrame(ws.NewPingFrame([]byte("ping"))))
				}
			}
		}
		_ = ws.WriteFrame(&wire, ws.MaskFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(1001, "bye"))))
		closed := 0
		f := frames{
			message: func(b []byte, size int64, cut bool) {
				if cut || size != int64(len(b)) {
					t.Fatalf("%d bytes, cut %v", size, cut)
				}
				got = append(got, string(b))
			},
			close: func(code int) { closed = code },
		}
		for b := wire.Bytes(); len(b) > 0; {
			n := min(len(b), rapid.IntRange(1, 40000).Draw(t, "chunk"))
			f.feed(b[:n])
			b = b[n:]
		}
		if fmt.Sprint(got) != fmt.Sprint(want) || closed != 1001 {
			t.Fatalf("%d messages, want %d; closed with %d", len(got), len(want), closed)
		}
	})
}

func TestWebSocket(t *testing.T) {
	offered := make(chan string, 1)
	r := front(t, func(w http.ResponseWriter, r *http.Request) {
		offered <- r.Header.Get("Sec-WebSocket-Extensions")
		conn, _, _, err := ws.UpgradeHTTP(r, w)
		if err != nil {
			return
		}
		defer conn.Close()
		for {
			b, err := wsutil.ReadClientText(conn)
			if err != nil || wsutil.WriteServerText(conn, b) != nil {
				return
			}
		}
	})
	dialer := ws.Dialer{Header: ws.HandshakeHeaderHTTP{"Sec-WebSocket-Extensions": {"permessage-deflate"}}}
	conn, _, _, err := dialer.Dial(t.Context(), "ws"+strings.TrimPrefix(r.url, "http")+"/genesys/cometd")
	if err != nil {
		t.Fatal(err)
	}
	if e := <-offered; e != "" {
		t.Errorf("compression was offered: %s", e)
	}
	for _, body := range []string{`{"channel":"/meta/handshake","id":"1"}`, `[{"channel":"/secret"}]`, strings.Repeat("x", maxBody+1)} {
		if err := wsutil.WriteClientText(conn, []byte(body)); err != nil {
			t.Fatal(err)
		}
		if got, err := wsutil.ReadServerText(conn); err != nil || string(got) != body {
			t.Fatalf("%d bytes came back: %v", len(got), err)
		}
	}
	_ = wsutil.WriteClientMessage(conn, ws.OpClose, ws.NewCloseFrameBody(1000, ""))
	_, _ = io.Copy(io.Discard, conn)
	_ = conn.Close()
	lines := r.lines()
	var kinds []string
	for _, l := range lines {
		kinds = append(kinds, l.From+" "+l.Kind)
	}
	want := "[client request server response client frame server frame client frame server frame client frame server frame client close]"
	if fmt.Sprint(kinds) != want {
		t.Errorf("got the lines\n%v, want\n%s", kinds, want)
	}
	if !lines[2].Bare || lines[4].Messages[0]["channel"] != "channel-1" || lines[6].Hidden == "" || lines[6].Size < maxBody*9/10 || lines[8].Code != 1000 {
		t.Errorf("got %+v, want a bare object, a masked channel, a hidden frame and code 1000", lines)
	}
}

// What the recorder adds to a request; compare with and without.
func BenchmarkRequest(b *testing.B) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, `{"statusCode":0,"messages":[],"chatEnded":false,"secureKey":"abc","chatId":"def","nextPosition":3}`)
	}))
	defer up.Close()
	u, err := url.Parse(up.URL)
	if err != nil {
		b.Fatal(err)
	}
	say, ended := make(says, 1), make(chan error, 1)
	ctx, stop := context.WithCancel(b.Context())
	go func() {
		ended <- Run(ctx, Options{Upstream: u, Listen: "127.0.0.1:0", File: filepath.Join(b.TempDir(), "tape"), Logger: slog.New(slog.DiscardHandler), Say: say})
	}()
	for name, address := range map[string]string{"direct": up.URL, "recorded": <-say} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				resp, err := http.Post(address+"/genesys/2/chat/x/chat/refresh", "application/x-www-form-urlencoded", strings.NewReader("secureKey=abc&transcriptPosition=3"))
				if err != nil {
					b.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
			}
		})
	}
	http.DefaultClient.CloseIdleConnections()
	stop()
	if err := <-ended; err != nil {
		b.Fatal(err)
	}
}
