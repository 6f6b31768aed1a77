package gms

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/halley-chat/halley/bayeux/bayeuxtest"
	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
	"github.com/halley-chat/halley/internal/httpx"
)

// events of a type, from the answer to a refresh.
func eventsOf(n bayeuxtest.Frame, kind string) (list []map[string]any) {
	for _, m := range n["messages"].([]any) {
		if m := m.(map[string]any); m["type"] == kind {
			list = append(list, m)
		}
	}
	return list
}

// A visitor who polls sends a file, sees it among the events, loads it and
// deletes it.
func TestFilesOverREST(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		f, p := h.fileClient("files")
		n := f.rest("file", note("hello"), field{name: "userData[file-description]", value: "a note"})
		id := fileID(t, n)
		if f.status != 200 || n["chatId"] != p.chat || n["secureKey"] != p.key || len(n["messages"].([]any)) != 0 {
			t.Errorf("upload: %v", n)
		}
		up := eventsOf(p.do("refresh", "transcriptPosition", "1"), "FileUploaded")
		want := map[string]any{"file-id": id, "file-name": "note.txt", "file-size": "5"}
		if len(up) != 1 || !cmp.Equal(up[0]["userData"], any(want)) || up[0]["text"] != nil || up[0]["from"].(map[string]any)["type"] != "Client" {
			t.Errorf("events %v, want %v", up, want)
		}
		shared := h.events(p.chat)[2].Fact
		if want := (chat.Shared{No: 1, File: chat.FileID(id), Name: "note.txt", Size: 5, Type: "text/plain; charset=utf-8", Description: "a note"}); shared != want {
			t.Errorf("the log has %+v", shared)
		}
		if f.rest("file/" + id + "/download"); f.status != 200 || f.body != "hello" {
			t.Errorf("download: %d %q", f.status, f.body)
		}
		for name, want := range map[string]string{
			"Content-Disposition": `attachment; filename="note.txt"`, "Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff",
			"Content-Security-Policy": "sandbox; default-src 'none'", "Cache-Control": "no-store", "Content-Length": "5",
		} {
			if got := f.header.Get(name); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
		n = f.rest("file", note("more"), field{name: "transcriptPosition", value: "1"})
		if got := eventsOf(n, "FileUploaded"); len(got) != 2 {
			t.Errorf("with a position: %v", n)
		}
		if n := f.rest("file/" + id + "/delete"); n["statusCode"] != 0.0 {
			t.Errorf("delete: %v", n)
		}
		gone := eventsOf(p.do("refresh", "transcriptPosition", "1"), "FileDeleted")
		if len(gone) != 1 || !cmp.Equal(gone[0]["userData"], any(map[string]any{"file-id": id})) {
			t.Errorf("events %v", gone)
		}
		for _, op := range []string{"download", "delete"} {
			n := f.rest("file/" + id + "/" + op)
			if code, _ := refusalOf(n); f.status != 404 || code != 249 || n["chatEnded"] != false {
				t.Errorf("%s of what was deleted: %d %v", op, f.status, n)
			}
		}
		if len(h.files.Files()) != 1 || h.files.Staged() != 0 {
			t.Errorf("kept are %v", h.files.Files())
		}
	})
}

// The answer has the shape that clients take it by: ten strings in a Notice
// without an index.
func TestFileLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		f, _ := h.fileClient("files")
		id := fileID(t, f.rest("file", note("hello")))
		f.rest("file/" + id + "/download")
		form := url.Values{"secureKey": {f.key}, "operation": {"fileGetLimits"}}.Encode()
		for name, n := range map[string]bayeuxtest.Frame{
			"REST":                  f.rest("file/limits"),
			"REST, a form":          f.send(formRequest(f.path("file/limits"), form)),
			"REST, the query":       f.send(httptest.NewRequest("POST", f.path("file/limits/")+"?"+form, nil)),
			"fileGetLimits":         f.ntf("fileGetLimits"),
			"fileGetsLimits":        f.ntf("fileGetsLimits"),
			"chat-ntf, a form":      f.send(formRequest(NotifyPath, form)),
			"chat-ntf, the query":   f.send(httptest.NewRequest("POST", NotifyPath+"?"+form, nil)),
			"chat-ntf with a slash": f.send(formRequest(NotifyPath+"/", form)),
		} {
			list := n["messages"].([]any)
			if len(list) != 1 || n["chatEnded"] != false || n["chatId"] != f.chat {
				t.Fatalf("%s: %v", name, n)
			}
			m := list[0].(map[string]any)
			want := map[string]any{
				"from": map[string]any{"nickname": "Vera", "participantId": 1.0, "type": "Client"},
				"text": "file-client-cfg-get", "type": "Notice", "utcTime": float64(time.Now().UnixMilli()),
				"userData": map[string]any{
					"upload-max-files": "2", "upload-max-file-size": "1000", "upload-max-total-size": "1500", "upload-file-types": "png:txt",
					"upload-need-agent": "false", "delete-file": "odd", "download-attempts": "2",
					"used-upload-max-files": "1", "used-upload-max-total-size": "5", "used-download-attempts": "1",
				},
			}
			if diff := cmp.Diff(want, m); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
	})
}

// watched is an answer that reads the visitor's next notification before it
// begins.
type watched struct {
	*httptest.ResponseRecorder
	first func()
}

func (w *watched) WriteHeader(status int) {
	w.first()
	w.ResponseRecorder.WriteHeader(status)
}

// A visitor over CometD sends files to an address of their own. What it causes
// is on its way to the session before the answer is.
func TestFilesOverCometD(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		v := h.chatting("files")
		f := &fileClient{h: h, service: "files", key: v.key, chat: v.chat}
		notified := func(kind string, r *http.Request) bayeuxtest.Frame {
			t.Helper()
			var note bayeuxtest.Frame
			rec := httptest.NewRecorder()
			h.edge.Notify().ServeHTTP(&watched{rec, func() { note = v.wait() }}, r)
			n := f.take(rec)
			if got := eventsOf(note, kind); len(got) != 1 || n["nextPosition"] != note["nextPosition"] {
				t.Errorf("%s: notification %v, answer %v", kind, note, n)
			}
			return n
		}
		forms := map[string][]field{
			"fileUpload":    {{name: "operation", value: "fileUpload"}, {name: "secureKey", value: f.key}, note("one")},
			"no operation":  {{name: "secureKey", value: f.key}, note("two")},
			"empty, later":  {note("three"), {name: "operation"}, {name: "secureKey", value: f.key}},
			"later as well": {note("four"), {name: "operation", value: "fileUpload"}, {name: "secureKey", value: f.key}},
		}
		for name, fields := range forms {
			id := fileID(t, notified("FileUploaded", uploadForm(NotifyPath, fields...)))
			if f.ntf("fileDownload", field{name: "fileId", value: id}); f.status != 200 || f.header.Get("Content-Disposition") == "" {
				t.Errorf("%s: %d %s", name, f.status, f.body)
			}
			if f.send(formRequest(NotifyPath, "operation=fileDownload&secureKey="+f.key+"&fileId="+id)); f.status != 200 {
				t.Errorf("%s: %d %s", name, f.status, f.body)
			}
			notified("FileDeleted", uploadForm(NotifyPath, f.ids(field{name: "operation", value: "fileDelete"}, field{name: "fileId", value: id})...))
		}
		r := uploadForm(NotifyPath+"?secureKey="+url.QueryEscape(f.key)+"&operation=fileUpload", note("five"))
		fileID(t, notified("FileUploaded", r))
	})
}

// Each side is told where it has got to itself, so that neither misses what only
// the other has been shown.
func TestFilesBesideCometD(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		f, p := h.fileClient("files")
		read := p.do("refresh", "transcriptPosition", "1")["nextPosition"]
		v := h.visitor("files", nil)
		v.key = p.key
		v.do("requestNotifications", nil)
		shown := v.do("sendMessage", map[string]any{"message": "hello"})[0]["nextPosition"]
		if n := f.rest("file/limits"); n["nextPosition"] != read || read == shown {
			t.Errorf("over REST %v, read up to %v, shown up to %v", n["nextPosition"], read, shown)
		}
		if n := f.ntf("fileGetLimits"); n["nextPosition"] != shown {
			t.Errorf("at chat-ntf %v, shown up to %v", n["nextPosition"], shown)
		}
	})
}

// What an agent shares the visitor may load, and not delete.
func TestFilesFromTheAgent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		v := h.chatting("manned")
		f := &fileClient{h: h, service: "manned", key: v.key, chat: v.chat}
		n := f.ntf("", note("too early"))
		if code, advice := refusalOf(n); f.status != 400 || code != 249 || !strings.Contains(advice, "joined") || n["chatEnded"] != false {
			t.Errorf("nobody is there: %v", n)
		}
		if n := f.ntf("fileGetLimits"); n["messages"].([]any)[0].(map[string]any)["userData"].(map[string]any)["upload-need-agent"] != "true" {
			t.Errorf("limits: %v", n)
		}
		agent := h.agent(v.chat, 7, "Ben")
		v.wait()
		id, err := chat.ParseID(v.chat)
		if err != nil {
			t.Fatal(err)
		}
		d, err := h.uploads.Receive(t.Context(), "offer.txt", strings.NewReader("an offer"), 100)
		if err != nil {
			t.Fatal(err)
		}
		ref, err := d.Keep(t.Context(), id)
		if err := errors.Join(err, d.Discard()); err != nil {
			t.Fatal(err)
		}
		agent(chat.Share{File: ref.File, Name: "offer.txt", Size: 8, Type: "text/plain"})
		up := eventsOf(v.wait(), "FileUploaded")
		if len(up) != 1 || up[0]["from"].(map[string]any)["nickname"] != "Ben" {
			t.Fatalf("events %v", up)
		}
		file := field{name: "fileId", value: string(ref.File)}
		if f.ntf("fileDownload", file); f.body != "an offer" {
			t.Errorf("download: %d %s", f.status, f.body)
		}
		if n := f.ntf("fileDelete", file); f.status != 404 {
			t.Errorf("delete: %v", n)
		}
		// A limit that is met while the file is on its way counts all the same.
		fileID(t, f.ntf("", note("now")))
	})
}

// refusedFile is a call about a file that is refused.
type refusedFile struct {
	r      *http.Request
	status int
	code   float64
	advice string // "" is any
}

// refusedFiles are the calls, by name, of a client f that has chats beside others.
// full is a client with a file; logs tells whether anything has changed.
func refusedFiles(h *fixture) (f, full *fileClient, logs func() string, cases map[string]refusedFile) {
	other, _ := h.fileClient("files")
	theirs := fileID(h.t, other.rest("file", note("theirs")))
	plain, _ := h.fileClient("support")
	full, _ = h.fileClient("files")
	mine := fileID(h.t, full.rest("file", note(strings.Repeat("x", 900))))
	f, _ = h.fileClient("files")
	logs = func() string {
		return fmt.Sprint(len(h.events(f.chat)), len(h.events(other.chat)), len(h.events(plain.chat)), len(h.events(full.chat)), len(h.files.Files()))
	}
	long := note(strings.Repeat("x", 1001))
	origin := func(r *http.Request, o string) *http.Request {
		r.Header.Set("Origin", o)
		return r
	}
	get := httptest.NewRequest("GET", NotifyPath+"?operation=fileDownload&secureKey="+f.key, nil)
	return f, full, logs, map[string]refusedFile{
		"too large":                   {uploadForm(f.path("file"), f.ids(long)...), 400, 202, "1000"},
		"too large, the key later":    {uploadForm(NotifyPath, note(strings.Repeat("x", 1500)), field{name: "secureKey", value: f.key}), 400, 202, "1000"},
		"too large for any, no key":   {uploadForm(NotifyPath, note(strings.Repeat("x", 2001))), 400, 202, "2000"},
		"too large together":          {uploadForm(f.path("file"), full.ids(note(strings.Repeat("x", 601)))...), 400, 249, ""},
		"too large together, its own": {uploadForm(full.path("file"), full.ids(note(strings.Repeat("x", 601)))...), 400, 202, "1500"},
		"of another type":             {uploadForm(f.path("file"), f.ids(field{"file", "%PDF-1.4", "a.pdf"})...), 400, 203, ""},
		"named otherwise":             {uploadForm(f.path("file"), f.ids(field{"file", "<html>", "a.png"})...), 400, 203, ""},
		"harmful":                     {uploadForm(f.path("file"), f.ids(note("HARMFUL"))...), 400, 203, errHarmful.Advice},
		"the scanner hangs":           {uploadForm(f.path("file"), f.ids(note("HANG"))...), 400, 249, errNotScanned.Advice},
		"an empty file":               {uploadForm(f.path("file"), f.ids(note(""))...), 400, 249, ""},
		"no file":                     {uploadForm(f.path("file"), f.ids()...), 400, 249, ""},
		"no file, a form":             {formRequest(f.path("file"), "secureKey="+f.key), 400, 249, ""},
		"two files":                   {uploadForm(f.path("file"), f.ids(note("a"), note("b"))...), 400, 249, ""},
		"no end":                      {cutShort(uploadForm(f.path("file"), f.ids(note("a"))...)), 400, 249, ""},
		"a long description":          {uploadForm(f.path("file"), f.ids(note("a"), field{name: "userData[file-description]", value: strings.Repeat("x", 2000)})...), 400, 204, ""},
		"long fields":                 {uploadForm(f.path("file"), f.ids(note("a"), field{name: "x", value: strings.Repeat("x", 300<<10)})...), 400, 204, ""},
		"no key":                      {uploadForm(f.path("file"), note("a")), 400, 249, ""},
		"a wrong key":                 {uploadForm(f.path("file"), note("a"), field{name: "secureKey", value: "AAAA"}), 400, 249, ""},
		"a key twice":                 {uploadForm(f.path("file"), append(f.ids(note("a")), f.ids()...)...), 400, 249, ""},
		"another's key":               {uploadForm(f.path("file"), other.ids(note("a"))...), 400, 249, ""},
		"another's file, over REST":   {uploadForm(f.path("file/"+theirs+"/download"), f.ids()...), 404, 249, errNoFile.Advice},
		"another's file, by a field":  {formRequest(NotifyPath, "operation=fileDownload&secureKey="+f.key+"&fileId="+theirs), 404, 249, ""},
		"another's file deleted":      {uploadForm(f.path("file/"+mine+"/delete"), f.ids()...), 404, 249, ""},
		"another's chat":              {uploadForm(other.path("file/"+theirs+"/download"), f.ids()...), 400, 249, ""},
		"no id of a file":             {uploadForm(f.path("file/..%2f..%2fsecret/download"), f.ids()...), 404, 249, ""},
		"an id in small letters":      {uploadForm(f.path("file/"+strings.ToLower(mine)+"x/download"), f.ids()...), 404, 249, ""},
		"no id":                       {formRequest(NotifyPath, "operation=fileDelete&secureKey="+f.key), 404, 249, ""},
		"no such path":                {uploadForm(f.path("file/x"), f.ids()...), 404, 249, ""},
		"no such operation":           {uploadForm(NotifyPath, f.ids(field{name: "operation", value: "fileRead"})...), 404, 249, ""},
		"no operation, no file":       {uploadForm(NotifyPath, f.ids()...), 404, 249, ""},
		"a file for another thing":    {uploadForm(NotifyPath, f.ids(field{name: "operation", value: "fileDelete"}, note("a"))...), 400, 249, ""},
		"a service without files":     {uploadForm(plain.path("file"), plain.ids(note("a"))...), 404, 249, ""},
		"the same, at chat-ntf":       {uploadForm(NotifyPath, plain.ids(note("a"))...), 404, 249, ""},
		"a page of another origin":    {origin(uploadForm(f.path("file"), f.ids(note("a"))...), "https://evil.example"), 403, 401, ""},
		"the same, at chat-ntf ":      {origin(uploadForm(NotifyPath, f.ids(note("a"))...), "null"), 403, 401, ""},
		"read":                        {get, 405, 249, ""},
	}
}

// Every refusal is a 4xx with a code that says why, and leaves nothing behind.
func TestFileRefusals(t *testing.T) {
	var names []string
	synctest.Test(t, func(t *testing.T) {
		_, _, _, cases := refusedFiles(open(t))
		names = slices.Sorted(maps.Keys(cases))
	})
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := open(t)
				f, _, logs, cases := refusedFiles(h)
				c, before := cases[name], logs()
				n := f.send(c.r)
				code, advice := refusalOf(n)
				if f.status != c.status || code != c.code || advice == "" || c.advice != "" && advice != c.advice {
					t.Errorf("got %d %v, want %d with %v %q", f.status, n, c.status, c.code, c.advice)
				}
				if got := logs(); got != before || h.files.Staged() != 0 {
					t.Errorf("left: got %s and %d files on their way, want %s and none", got, h.files.Staged(), before)
				}
			})
		})
	}
}

// What is refused is counted by its reason.
func TestFileRefusalsAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		f, full, _, cases := refusedFiles(h)
		for _, name := range []string{"harmful", "the scanner hangs", "a wrong key"} {
			f.send(cases[name].r)
		}
		if st := h.uploads.Stats(); st.ScanFailed.Load() != 1 || st.Infected.Load() != 1 || h.edge.Stats().WrongKeys.Load() != 1 {
			t.Errorf("counted: got %d failures, %d harmful files, %d wrong keys; want 1 of each", st.ScanFailed.Load(), st.Infected.Load(), h.edge.Stats().WrongKeys.Load())
		}
		fileID(t, full.rest("file", note("x")))
		if code, advice := refusalOf(full.rest("file", note("x"))); code != 201 || advice != "2" {
			t.Errorf("too many files: got %v %q, want 201 \"2\"", code, advice)
		}
	})
}

func cutShort(r *http.Request) *http.Request {
	b, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(strings.NewReader(string(b[:len(b)-6])))
	return r
}

// endless counts what is read of 50 MB.
type endless struct {
	left, read int64
}

func (e *endless) Read(b []byte) (int, error) {
	n := min(int64(len(b)), e.left)
	e.left -= n
	e.read += n
	clear(b[:n])
	if n == 0 {
		return 0, io.EOF
	}
	return int(n), nil
}

// 50 MB are cut off: after a little more than the limit nothing is kept, and some
// is thrown away so that the answer arrives.
func TestFileIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		f, _ := h.fileClient("files")
		for _, path := range []string{f.path("file"), NotifyPath} {
			head := "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\n"
			e := &endless{left: 50 << 20}
			r := httptest.NewRequest("POST", path, io.MultiReader(strings.NewReader(head), e, strings.NewReader("\r\n--b--\r\n")))
			r.Header.Set("Content-Type", "multipart/form-data; boundary=b")
			n := f.send(r)
			if code, _ := refusalOf(n); code != 202 || f.status != 400 || e.read > httpx.LingerBytes+64<<10 || h.files.Staged() != 0 {
				t.Errorf("%s: %v after %d bytes", path, n, e.read)
			}
		}
	})
}

// Of uploads that come at the same time only as many are taken as there may be
// files, and the others leave nothing behind.
func TestFilesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		f, _ := h.fileClient("files")
		var work sync.WaitGroup
		var taken, refused atomic.Int64
		for i := range 6 {
			work.Go(func() {
				w := httptest.NewRecorder()
				r := uploadForm(NotifyPath, note("hello"), field{name: "secureKey", value: f.key})
				r.RemoteAddr = fmt.Sprintf("192.0.2.%d:1", 10+i) // one address may send fewer at once
				h.edge.Notify().ServeHTTP(w, r)
				switch {
				case w.Code == 200:
					taken.Add(1)
				case w.Code == 400 && strings.Contains(w.Body.String(), `"code":201,"advice":"2"`):
					refused.Add(1)
				default:
					t.Errorf("%d %s", w.Code, w.Body)
				}
			})
		}
		work.Wait()
		if n := count[chat.Shared](t, h.events(f.chat)); taken.Load() != 2 || refused.Load() != 4 || n != 2 || len(h.files.Files()) != 2 || h.files.Staged() != 0 {
			t.Errorf("%d taken, %d refused, %d facts, %d kept", taken.Load(), refused.Load(), n, len(h.files.Files()))
		}
	})
}

// A call about files counts once among the operations of its chat, and what is
// too much is refused as clients of files want it.
func TestFilesCountOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := openWith(t, map[string]Service{"files": {Queue: "files", OperationsPerSecond: 1, Files: filePolicies["files"]}})
		f, _ := h.fileClient("files")
		for range 2 {
			fileID(t, f.rest("file", note("hello")))
		}
		for range 3 {
			if n := f.ntf("fileGetLimits"); n["statusCode"] != 0.0 {
				t.Errorf("limits: %v", n)
			}
		}
		n := f.ntf("fileGetLimits")
		if code, advice := refusalOf(n); code != 249 || advice != errTooFast.Advice || f.status != 400 {
			t.Errorf("too much: %d %v", f.status, n)
		}
	})
}

// What is said about a file is said in the visitor's language.
func TestFilesSpeakTheVisitorsLanguage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		p := h.restClient("files")
		p.do("", "nickname", "Vera", "userData[GCTI_LanguageCode]", "de")
		f := &fileClient{h: h, service: "files", key: p.key, chat: p.chat}
		if _, advice := refusalOf(f.rest("file", field{"file", "MZ", "a.exe"})); advice != translate("Files of this type are not accepted.", "de")+" (png, txt)" {
			t.Errorf("a type that is not taken: got %q, want the advice in German and the types that are", advice)
		}
		h.log.Fail(func(engine.Append) error { return errors.New("down") })
		if _, advice := refusalOf(f.rest("file", note("x"))); advice != translate(verdicts[chat.Unavailable].Advice, "de") {
			t.Error(advice)
		}
	})
}

// Whoever sends files and no key cannot keep those out who send the key first.
func TestUploadsWithoutAKeyBlockNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		f, _ := h.fileClient("files")
		held := &heldUploads{h: h}
		for i := range maxUnauthenticated / maxUnauthenticatedOfSource {
			for range maxUnauthenticatedOfSource + 1 { // one of them is refused
				held.hold(fmt.Sprint("192.0.2.", 10+i), NotifyPath, note("hello"))
			}
		}
		synctest.Wait()
		if n := h.files.Staged(); n != maxUnauthenticated {
			t.Errorf("files without a key on their way: got %d, want %d", n, maxUnauthenticated)
		}
		n := f.send(uploadForm(NotifyPath, note("hello"), field{name: "secureKey", value: f.key}))
		if code, advice := refusalOf(n); code != codeRefused || advice != verdicts[chat.Unavailable].Advice {
			t.Errorf("one more whose key comes after it: got %v, want %d %q", n, codeRefused, verdicts[chat.Unavailable].Advice)
		}
		fileID(t, f.ntf("", note("hello")))
		held.end()
		fileID(t, f.send(uploadForm(NotifyPath, note("hello"), field{name: "secureKey", value: f.key})))
	})
}
