package record

import (
	"bytes"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/halley-chat/halley/internal/tape"
)

// upload is a file that a client of the test shares.
type upload struct {
	name, kind, content string
	ext                 string // that may be on the tape
}

// What is in the files, and what they are called, is nowhere on the tape. The
// first is text that has the form, and the names, of an answer of the API.
var (
	invoice  = upload{"Wilhelmina's invoice.txt", "text/plain", `{"statusCode":7,"nickname":"Wilhelmina","text":"iban of the mill"}`, "txt"}
	photo    = upload{"schnitzel.PNG", "image/png", "\x89PNG\r\n\x1a\n" + strings.Repeat("not a picture of schnitzel ", 40), "png"}
	letter   = upload{"liebesbrief.txt", "text/plain", "dearest grandmother", "txt"}
	program  = upload{"solitaire.exe", "application/x-solitaire", "MZ solitaire", "other"}
	uploads  = []upload{invoice, photo, letter, program}
	ofUpload = []string{"Wilhelmina", "invoice", "iban", "the mill", "schnitzel", "picture", "liebesbrief", "grandmother", "solitaire", "papers", "exe\""}
)

// answerOf sends a form, with a file if there is one, and returns the answer.
func answerOf(t *testing.T, client *http.Client, address string, file *upload, fields ...string) (*http.Response, string) {
	t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	var err error
	for i := 0; i < len(fields); i += 2 {
		err = orErr(err, w.WriteField(fields[i], fields[i+1]))
	}
	if file != nil {
		part, e := w.CreatePart(map[string][]string{
			"Content-Disposition": {multipart.FileContentDisposition("file", file.name)}, "Content-Type": {file.kind},
		})
		if err = orErr(err, e); e == nil {
			_, e = io.WriteString(part, file.content)
		}
		err = orErr(err, e)
	}
	if err = orErr(err, w.Close()); err != nil {
		t.Error(err)
	}
	resp, err := client.Post(address, w.FormDataContentType(), &body)
	if err != nil {
		t.Error(err)
		return &http.Response{}, ""
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	return resp, string(b)
}

func orErr(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// fileID is that of an upload's answer; "" if it was refused.
func fileID(t *testing.T, resp *http.Response, body string, want int) string {
	t.Helper()
	var o struct {
		UserData struct {
			ID string `json:"file-id"`
		} `json:"userData"`
	}
	if err := json.Unmarshal([]byte(body), &o); err != nil || resp.StatusCode != want || (want == http.StatusOK) != (o.UserData.ID != "") {
		t.Errorf("an upload got %d %s", resp.StatusCode, body)
	}
	return o.UserData.ID
}

// loads checks that a file comes as it was sent.
func loads(t *testing.T, resp *http.Response, body string, file upload) {
	t.Helper()
	if resp.StatusCode != http.StatusOK || body != file.content || !strings.HasPrefix(resp.Header.Get("Content-Disposition"), "attachment;") {
		t.Errorf("%s came as %d %v %q", file.name, resp.StatusCode, resp.Header, body)
	}
}

// shareOverREST is a chat over REST with files in it.
func shareOverREST(t *testing.T, server string) {
	c := &caller{t: t, base: server + "/genesys/2/chat/echo"}
	r := c.call("", "nickname", "Frida", "subject", "papers")
	c.key, c.chat = r.SecureKey, r.ChatID
	c.until("echo agent")
	file := func(operation string, f *upload, more ...string) (*http.Response, string) {
		return answerOf(t, http.DefaultClient, c.base+"/"+c.chat+"/file"+operation, f, append([]string{"secureKey", c.key, "alias", r.Alias, "userId", r.UserID}, more...)...)
	}
	limits := func(used string) {
		if resp, body := file("/limits", nil); resp.StatusCode != http.StatusOK || !strings.Contains(body, `"used-upload-max-files":"`+used+`"`) {
			t.Errorf("the limits are %d %s", resp.StatusCode, body)
		}
	}
	limits("0")
	resp, body := file("", &invoice, "userData[file-description]", "my papers")
	first := fileID(t, resp, body, http.StatusOK)
	resp, body = file("/", &photo)
	second := fileID(t, resp, body, http.StatusOK)
	resp, body = file("", &program)
	fileID(t, resp, body, http.StatusBadRequest)
	limits("2")
	c.call("refresh", "transcriptPosition", "1", "message", "")
	resp, body = file("/"+first+"/download", nil)
	loads(t, resp, body, invoice)
	resp, body = file("/"+second+"/download", nil)
	loads(t, resp, body, photo)
	if resp, body := file("/"+first+"/delete", nil); resp.StatusCode != http.StatusOK {
		t.Errorf("it was not deleted: %d %s", resp.StatusCode, body)
	}
	if resp, body := file("/"+first+"/download", nil); resp.StatusCode != http.StatusNotFound {
		t.Errorf("what was deleted came as %d %s", resp.StatusCode, body)
	}
	c.call("refresh", "transcriptPosition", "1", "message", "")
	c.call("disconnect")
}

// scripted is a visitor over callback-polling: everything is a GET whose answer
// is a script.
type scripted struct {
	t      *testing.T
	server string
	client *http.Client // with cookies, as a browser
	id     string       // of the session

	mu      sync.Mutex // guards what follows
	n       int
	events  []map[string]any
	replies map[string]map[string]any // by id
	key     string
	changed chan struct{} // closed and made anew whenever something came
}

type bayeuxMessage = map[string]any

// load loads a script and takes in what it says.
func (s *scripted) load(m bayeuxMessage) {
	text, err := json.Marshal([]bayeuxMessage{m})
	if err != nil {
		s.t.Error(err)
		return
	}
	const name = "halley.script_1"
	resp, err := s.client.Get(s.server + "/genesys/cometd?" + url.Values{"jsonp": {name}, "message": {string(text)}}.Encode())
	if err != nil {
		s.t.Error(err)
		return
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	inner, is := bytes.CutPrefix(bytes.TrimPrefix(b, []byte("/**/")), []byte(name+"("))
	end := bytes.LastIndexByte(inner, ')')
	var list []bayeuxMessage
	if err != nil || !is || end < 0 || json.Unmarshal(inner[:end], &list) != nil {
		s.t.Errorf("%v: no call of a function: %s", err, b)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range list {
		if id, reply := m["id"].(string); reply {
			s.replies[id] = m
			continue
		}
		data, _ := m["data"].(map[string]any)
		if key, _ := data["secureKey"].(string); key != "" {
			s.key = key
		}
		events, _ := data["messages"].([]any)
		for _, e := range events {
			if e, ok := e.(map[string]any); ok {
				s.events = append(s.events, e)
			}
		}
	}
	close(s.changed)
	s.changed = make(chan struct{})
}

// send sends a message and returns the reply.
func (s *scripted) send(channel string, more bayeuxMessage) bayeuxMessage {
	s.mu.Lock()
	s.n++
	m := bayeuxMessage{"channel": channel, "id": "m" + strconv.Itoa(s.n)}
	s.mu.Unlock()
	if s.id != "" {
		m["clientId"] = s.id
	}
	for name, v := range more {
		m[name] = v
	}
	s.load(m)
	s.mu.Lock()
	defer s.mu.Unlock()
	reply := s.replies[m["id"].(string)]
	if reply["successful"] != true {
		s.t.Errorf("%s: the reply is %v", channel, reply)
	}
	return reply
}

func (s *scripted) secureKey() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.key
}

// until waits for an event.
func (s *scripted) until(kind string, has func(map[string]any) bool) {
	s.t.Helper()
	deadline := time.After(15 * time.Second)
	for {
		s.mu.Lock()
		there := slices.ContainsFunc(s.events, func(e map[string]any) bool { return e["type"] == kind && has(e) })
		changed := s.changed
		s.mu.Unlock()
		if there {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			s.t.Errorf("no %s in %v", kind, s.events)
			return
		}
	}
}

// shareOverScripts is a chat over callback-polling; its files go, as all
// clients of CometD send them, to an address of their own.
func shareOverScripts(t *testing.T, server string) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Error(err)
		return
	}
	s := &scripted{t: t, server: server, client: &http.Client{Jar: jar, Timeout: time.Minute}, replies: make(map[string]map[string]any), changed: make(chan struct{})}
	hello := s.send("/meta/handshake", bayeuxMessage{"version": "1.0", "supportedConnectionTypes": []string{"callback-polling"}})
	if s.id, _ = hello["clientId"].(string); s.id == "" {
		return
	}
	ended := make(chan struct{})
	var polling sync.WaitGroup
	polling.Go(func() {
		for {
			select {
			case <-ended:
				return
			default:
				s.load(bayeuxMessage{"channel": "/meta/connect", "id": "c", "clientId": s.id, "connectionType": "callback-polling"})
			}
		}
	})
	defer polling.Wait()
	chat := func(operation string, more bayeuxMessage) {
		data := bayeuxMessage{"operation": operation, "secureKey": s.secureKey()}
		for name, v := range more {
			data[name] = v
		}
		s.send("/service/chatV2/echo", bayeuxMessage{"data": data})
	}
	said := func(text string) func(map[string]any) bool {
		return func(e map[string]any) bool { said, _ := e["text"].(string); return strings.Contains(said, text) }
	}
	of := func(file string) func(map[string]any) bool {
		return func(e map[string]any) bool { data, _ := e["userData"].(map[string]any); return data["file-id"] == file }
	}
	chat("requestChat", bayeuxMessage{"nickname": "Greta", "subject": "papers"})
	s.until("Message", said("echo agent"))
	file := func(f *upload, fields ...string) (*http.Response, string) {
		return answerOf(t, s.client, server+"/genesys/2/chat-ntf", f, append([]string{"secureKey", s.secureKey()}, fields...)...)
	}
	if resp, body := file(nil, "operation", "fileGetsLimits"); resp.StatusCode != http.StatusOK || !strings.Contains(body, "upload-max-files") {
		t.Errorf("the limits are %d %s", resp.StatusCode, body)
	}
	resp, body := file(&letter, "operation", "fileUpload")
	first := fileID(t, resp, body, http.StatusOK)
	s.until("FileUploaded", of(first))
	resp, body = file(&photo, "operation", "") // as the SDK for iOS has it
	second := fileID(t, resp, body, http.StatusOK)
	s.until("FileUploaded", of(second))
	resp, body = file(nil, "operation", "fileDownload", "fileId", second)
	loads(t, resp, body, photo)
	resp, body = file(nil, "operation", "fileDownload", "fileId", first)
	loads(t, resp, body, letter)
	if resp, body := file(nil, "operation", "fileDelete", "fileId", first); resp.StatusCode != http.StatusOK {
		t.Errorf("it was not deleted: %d %s", resp.StatusCode, body)
	}
	s.until("FileDeleted", of(first))
	chat("sendMessage", bayeuxMessage{"message": "these were my papers"})
	s.until("Message", said("echo: these were my papers"))
	chat("disconnect", nil)
	s.until("ParticipantLeft", func(map[string]any) bool { return true })
	close(ended)
	s.send("/meta/disconnect", nil)
}

// masked looks at what the tape has of the files: sizes, tokens for the names,
// extensions that are listed, and nothing of what is in them.
func masked(t *testing.T, b []byte) {
	t.Helper()
	for _, word := range ofUpload {
		if bytes.Contains(b, []byte(word)) {
			t.Errorf("%q is in the recording", word)
		}
	}
	_, lines, err := tape.Read(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	token := func(s string) bool { tok, ok := tape.ParseToken(s); return ok && tok.Sort == "text" }
	var told []any
	names, sent, loaded := make(map[string]bool), make(map[upload]int), 0
	for _, l := range lines {
		for _, f := range l.Fields {
			if f.File == nil {
				continue
			}
			i := slices.IndexFunc(uploads, func(u upload) bool { return int64(len(u.content)) == f.File.Size && u.ext == f.File.Ext })
			if i < 0 || !token(f.File.Name) || f.Value != nil {
				t.Errorf("a file is on the tape as %+v", f)
				continue
			}
			sent[uploads[i]]++
			names[f.File.Name] = true
		}
		if l.From == tape.Server && strings.HasPrefix(l.Headers["Content-Disposition"], "attachment") {
			loaded++
			if l.Body != nil || l.Hidden == "" || l.Headers["Content-Disposition"] != "attachment" {
				t.Errorf("a download is on the tape as %+v", l)
			}
		}
		events := []any{l.Body}
		for _, m := range l.Messages {
			events = append(events, m["data"])
		}
		for _, o := range events {
			o, _ := o.(map[string]any)
			list, _ := o["messages"].([]any)
			for _, e := range list {
				if e, ok := e.(map[string]any); ok && e["type"] == "FileUploaded" {
					told = append(told, e["userData"])
				}
			}
		}
	}
	want := map[upload]int{invoice: 1, photo: 2, letter: 1, program: 1}
	for _, u := range uploads {
		if sent[u] != want[u] {
			t.Errorf("%s is on the tape %d times", u.name, sent[u])
		}
	}
	if loaded != 4 || len(names) != 4 {
		t.Errorf("%d downloads, %d names", loaded, len(names))
	}
	if len(told) < 4 {
		t.Errorf("the tape has the events %v", told)
	}
	for _, v := range told {
		data, _ := v.(map[string]any)
		if name, _ := data["file-name"].(string); !names[name] {
			t.Errorf("an event tells of a file that nobody sent: %v", v)
		}
	}
}
