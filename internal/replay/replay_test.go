package replay

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/halley-chat/halley/internal/record"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type object = map[string]any

// fake is a server that talks like a chat server: over REST and, without holding
// anything, over callback-polling. It insists on the values that it gave.
type fake struct {
	t     *testing.T
	seed  int
	agent bool                        // somebody greets, and later ends the chat
	alter func(path string, o object) // changes what is said
	fail  string                      // the operation that is answered with 500

	mu     sync.Mutex
	chats  map[string]*fakeChat // by key
	texts  []string             // what visitors said
	cookie string
	files  []int64
}

type fakeChat struct {
	id, key string
	events  []any
	ended   bool
}

func (c *fakeChat) event(kind, from, text string) {
	c.events = append(c.events, object{
		"index": len(c.events) + 1, "type": kind, "text": text, "utcTime": 1432845088000 + len(c.events),
		"from": object{"nickname": "Jo", "participantId": 1, "type": from},
	})
}

func (c *fakeChat) object(from int) object {
	list := []any{}
	if from > 0 && from <= len(c.events) {
		list = c.events[from-1:]
	}
	o := object{
		"statusCode": 0, "chatEnded": c.ended, "chatId": c.id, "userId": "u" + c.id, "alias": "117", "secureKey": c.key,
		"messages": list, "nextPosition": len(c.events) + 1,
	}
	return o
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail != "" && strings.HasSuffix(r.URL.Path, f.fail) {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if strings.Contains(r.URL.Path, "/cometd") {
		f.bayeux(w, r)
		return
	}
	_ = r.ParseMultipartForm(1 << 20)
	o := f.call(r)
	if f.alter != nil {
		f.alter(r.URL.Path, o)
	}
	_ = json.NewEncoder(w).Encode(o)
}

func (f *fake) open() *fakeChat {
	n := f.seed + len(f.chats)
	c := &fakeChat{id: fmt.Sprintf("00048aAPEQJ8%04d", n), key: fmt.Sprintf("key%dfor%d", n*7919, n)}
	f.chats[c.key] = c
	c.event("ParticipantJoined", "Client", "")
	return c
}

func (f *fake) call(r *http.Request) object {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if len(parts) == 4 {
		c := f.open()
		if f.agent {
			c.event("ParticipantJoined", "Agent", "")
			c.event("Message", "Agent", "what may I do for you?")
		}
		return c.object(1)
	}
	c := f.chats[r.FormValue("secureKey")]
	if c == nil || len(parts) > 4 && parts[3] == "chat" && parts[4] != c.id {
		return object{"statusCode": 2, "chatEnded": true, "messages": []any{}, "errors": []any{object{"code": 249, "advice": "no such chat"}}}
	}
	from := 0
	_, _ = fmt.Sscan(r.FormValue("transcriptPosition"), &from)
	switch last(r.URL.Path) {
	case "send":
		c.event("TypingStopped", "Client", "")
		c.event("Message", "Client", r.FormValue("message"))
		f.texts = append(f.texts, r.FormValue("message"))
		if f.agent {
			c.event("Message", "Agent", "I see")
		}
	case "chat-ntf":
		if file, head, err := r.FormFile("file"); err == nil {
			f.files = append(f.files, head.Size)
			_ = file.Close()
		}
		o := c.object(0)
		o["userData"] = object{"file-id": fmt.Sprintf("f%d", f.seed)}
		return o
	case "customNotice": // the other side goes
		if f.agent {
			c.event("ParticipantLeft", "Agent", "")
			c.ended = true
		}
	case "disconnect":
		c.event("ParticipantLeft", "Client", "")
		c.ended = true
	}
	return c.object(from)
}

func (f *fake) bayeux(w http.ResponseWriter, r *http.Request) {
	var list []object
	_ = json.Unmarshal([]byte(r.URL.Query().Get("message")), &list)
	client := fmt.Sprintf("bayeux%d", f.seed)
	var out []object
	for _, m := range list {
		reply := object{"channel": m["channel"], "id": m["id"], "successful": m["clientId"] == client}
		switch m["channel"] {
		case "/meta/handshake":
			f.cookie = fmt.Sprintf("browser%d", f.seed)
			http.SetCookie(w, &http.Cookie{Name: "BAYEUX_BROWSER", Value: f.cookie})
			reply["successful"], reply["clientId"] = true, client
		case "/service/chatV2/support":
			if c, err := r.Cookie("BAYEUX_BROWSER"); err != nil || c.Value != f.cookie {
				reply["successful"] = false
			}
			out = append(out, object{"channel": m["channel"], "data": f.open().object(1)})
		}
		if f.alter != nil {
			f.alter(r.URL.Path, reply)
		}
		out = append(out, reply)
	}
	b, _ := json.Marshal(out)
	fmt.Fprintf(w, "/**/%s(%s);", r.URL.Query().Get("jsonp"), b)
}

func serve(t *testing.T, f *fake) string {
	t.Helper()
	f.t, f.chats = t, make(map[string]*fakeChat)
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	return s.URL
}

// page is a client of the fake.
type page struct {
	t       *testing.T
	url     string
	key, id string
}

func (p *page) post(path string, fields ...string) object {
	p.t.Helper()
	form := url.Values{"secureKey": {p.key}}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	resp, err := http.PostForm(p.url+strings.ReplaceAll(path, "ID", p.id), form)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	var o object
	if err := json.NewDecoder(resp.Body).Decode(&o); err != nil {
		p.t.Fatal(err)
	}
	return o
}

// visit is a chat over REST from its beginning to its end.
func visit(t *testing.T, url string) {
	t.Helper()
	p := &page{t: t, url: url}
	o := p.post("/genesys/2/chat/support/", "nickname", "Jo", "userData[colour]", "red")
	p.key, p.id = o["secureKey"].(string), o["chatId"].(string)
	p.post("/genesys/2/chat/support/ID/send", "message", "the first line", "transcriptPosition", fmt.Sprint(o["nextPosition"]))
	p.post("/genesys/2/chat/support/ID/refresh", "transcriptPosition", "1")
	p.post("/genesys/2/chat/support/ID/send", "message", "the first line", "secureKey", "a wrong key")
	p.post("/genesys/2/chat/support/ID/customNotice")
	p.post("/genesys/2/chat/support/ID/disconnect", "transcriptPosition", "1")
}

// onTape records what a client does in front of a fake.
func onTape(t *testing.T, f *fake, client func(*testing.T, string)) string {
	t.Helper()
	up, err := url.Parse(serve(t, f))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "tape")
	ctx, stop := context.WithCancel(t.Context())
	say, ended := make(says, 1), make(chan error, 1)
	go func() {
		ended <- record.Run(ctx, record.Options{Upstream: up, Listen: "127.0.0.1:0", File: file, Logger: slog.New(slog.DiscardHandler), Say: say})
	}()
	client(t, <-say)
	http.DefaultClient.CloseIdleConnections()
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	return file
}

type says chan string

func (s says) Write(p []byte) (int, error) {
	s <- strings.Fields(string(p))[3]
	return len(p), nil
}

// play plays a tape to a server that has all that is on it.
func play(t *testing.T, file, to string) (string, bool) {
	t.Helper()
	return playFor(t, time.Minute, file, to)
}

// lacking plays a tape to a server that lacks something, for which it is waited
// in vain.
func lacking(t *testing.T, file, to string) (string, bool) {
	t.Helper()
	return playFor(t, 2*time.Second, file, to)
}

func playFor(t *testing.T, wait time.Duration, file, to string) (string, bool) {
	t.Helper()
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	same, err := Run(t.Context(), Options{File: file, URL: u, Wait: wait, AtOnce: 2, Out: &out})
	if err != nil {
		t.Fatal(err)
	}
	return out.String(), same
}

// The values of the server take the place of those on the tape, and texts have
// stand-ins: the same for the same.
func TestSameServer(t *testing.T) {
	tape := onTape(t, &fake{agent: true}, visit)
	f := &fake{agent: true, seed: 50}
	out, same := play(t, tape, serve(t, f))
	if !same || !strings.Contains(out, "No difference.") || strings.Contains(out, "Not compared") {
		t.Error(out)
	}
	if len(f.texts) != 1 || len(f.texts[0]) != len("the first line")+2 || strings.Contains(f.texts[0], "first") {
		t.Errorf("%q was said", f.texts)
	}
}

func TestDifferences(t *testing.T) {
	tape := onTape(t, &fake{}, visit)
	for name, c := range map[string]struct {
		f    *fake
		want []string // of one row
	}{
		"a field is missing": {&fake{alter: func(_ string, o object) { delete(o, "alias") }}, []string{"alias", "string", "missing"}},
		"a field is new":     {&fake{alter: func(_ string, o object) { o["added"] = 1 }}, []string{"added", "missing", "number"}},
		"another type": {&fake{alter: func(_ string, o object) {
			if o["chatEnded"] == true {
				o["chatEnded"] = "true"
			}
		}}, []string{"chatEnded", "boolean", "string"}},
		"another code": {&fake{alter: func(_ string, o object) {
			if o["errors"] != nil {
				o["errors"] = []any{object{"code": 404, "advice": ""}}
			}
		}}, []string{"errors[].code", "249", "404"}},
		"another status": {&fake{fail: "refresh"}, []string{"POST 2/chat/support/chat-1/refresh", "HTTP 200", "HTTP 500"}},
		"an event is missing": {&fake{alter: func(_ string, o object) {
			list, _ := o["messages"].([]any)
			var kept []any
			for _, e := range list {
				if e.(object)["type"] != "Message" {
					kept = append(kept, e)
				}
			}
			o["messages"] = append([]any{}, kept...)
		}}, []string{"order of events, 2", "Message from Client", "ParticipantLeft from Client"}},
		"another kind of event": {&fake{alter: func(_ string, o object) {
			if list, _ := o["messages"].([]any); len(list) > 0 {
				list[0].(object)["type"] = "Notice"
			}
		}}, []string{"order of events, 1", "ParticipantJoined from Client", "Notice from Client"}},
	} {
		t.Run(name, func(t *testing.T) {
			c.f.seed = 7
			out, same := lacking(t, tape, serve(t, c.f))
			found := false
			for line := range strings.Lines(out) {
				all := true
				for _, w := range c.want {
					all = all && strings.Contains(line, w)
				}
				found = found || all
			}
			if same || !found {
				t.Errorf("no row has %q:\n%s", c.want, out)
			}
		})
	}
}

// What an agent did on the tape cannot be expected of a server without one.
func TestNobodyThere(t *testing.T) {
	tape := onTape(t, &fake{agent: true}, visit)
	out, same := lacking(t, tape, serve(t, &fake{seed: 3}))
	if !same || !strings.Contains(out, "No difference.") {
		t.Error(out)
	}
	for _, want := range []string{"2      Message from Agent", "1      ParticipantJoined from Agent", "1      ParticipantLeft from Agent"} {
		if !strings.Contains(out, want) {
			t.Errorf("no row says %q:\n%s", want, out)
		}
	}
}

func TestCallbackPolling(t *testing.T) {
	client := func(t *testing.T, base string) {
		cookie, id := "", ""
		get := func(message string) {
			t.Helper()
			r, err := http.NewRequest("GET", base+"/x/cometd?jsonp=call&message="+url.QueryEscape(message), nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Cookie", cookie)
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range resp.Cookies() {
				cookie = c.Name + "=" + c.Value
			}
			_, _ = io.Copy(io.Discard, resp.Body) // as every client does before it goes on
			_ = resp.Body.Close()
		}
		get(`[{"channel":"/meta/handshake","id":"1"}]`)
		id = "bayeux0"
		get(`[{"channel":"/service/chatV2/support","id":2,"clientId":"` + id + `","data":{"operation":"requestChat"}}]`)
	}
	tape := onTape(t, &fake{}, client)
	if out, same := play(t, tape, serve(t, &fake{seed: 20})); !same {
		t.Error(out)
	}
	refuse := func(_ string, o object) {
		if o["channel"] != "/meta/handshake" {
			o["successful"], o["error"] = false, "402::Unknown client"
		}
	}
	out, same := lacking(t, tape, serve(t, &fake{seed: 20, alter: refuse}))
	if same || !strings.Contains(out, "successful  true") || !strings.Contains(out, "error") {
		t.Error(out)
	}
}

// A file's stand-in has its size, and its content was never on the tape.
func TestUpload(t *testing.T) {
	upload := func(t *testing.T, base string) {
		p := &page{t: t, url: base}
		p.key = p.post("/genesys/2/chat/support/")["secureKey"].(string)
		body := "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.png\"\r\n\r\n" + strings.Repeat("z", 5000) +
			"\r\n--b\r\nContent-Disposition: form-data; name=\"secureKey\"\r\n\r\n" + p.key + "\r\n--b--\r\n"
		resp, err := http.Post(base+"/genesys/2/chat-ntf", "multipart/form-data; boundary=b", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
	}
	tape := onTape(t, &fake{}, upload)
	f := &fake{seed: 9}
	if out, same := play(t, tape, serve(t, f)); !same || fmt.Sprint(f.files) != "[5000]" {
		t.Errorf("got the same outcome %v and files of %v bytes, want true and [5000]:\n%s", same, f.files, out)
	}
}

func TestCannotRun(t *testing.T) {
	tape := onTape(t, &fake{}, visit)
	gone := httptest.NewServer(nil)
	gone.Close()
	u, _ := url.Parse(gone.URL)
	there, _ := url.Parse(serve(t, &fake{}))
	for name, o := range map[string]Options{
		"no server":   {File: tape, URL: u, Wait: time.Second, AtOnce: 1},
		"no file":     {File: tape + "x", URL: there, Wait: time.Second, AtOnce: 1},
		"no address":  {File: tape, URL: &url.URL{Path: "x"}, Wait: time.Second, AtOnce: 1},
		"no wait":     {File: tape, URL: there, AtOnce: 1},
		"a header":    {File: tape, URL: there, Wait: time.Second, AtOnce: 1, Header: []string{"x"}},
		"no services": {File: tape, URL: there, Wait: time.Second, AtOnce: 1, Services: []string{"x"}},
	} {
		t.Run(name, func(t *testing.T) {
			o.Out = &strings.Builder{}
			if _, err := Run(t.Context(), o); err == nil {
				t.Errorf("%s: no error", name)
			}
		})
	}
}
