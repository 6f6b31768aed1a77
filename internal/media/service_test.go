package media_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/media"
	"github.com/halley-chat/halley/internal/media/mediatest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var quiet = slog.New(slog.DiscardHandler)

// Beginnings of files.
const (
	png  = "\x89PNG\x0d\x0a\x1a\x0a rest"
	jpeg = "\xff\xd8\xff\xe0 rest"
	pdf  = "%PDF-1.7 rest"
	page = "<!DOCTYPE html><script>alert(1)</script>"
	docx = "PK\x03\x04\x14\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x13\x00\x00\x00[Content_Types].xml rest"
	odt  = "PK\x03\x04\x14\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x08\x00\x00\x00mimetypeapplication/vnd.oasis.opendocument.text rest"
	zip  = "PK\x03\x04\x14\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00a.txt rest"
	mp4  = "\x00\x00\x00\x18ftypisom rest of it"
)

func policy(types ...string) media.Policy {
	return media.Policy{
		FileRules: chat.FileRules{MaxFiles: 3, MaxFileSize: 1 << 20, MaxTotalSize: 2 << 20, MaxFetches: 1}, Types: types, ScanWithin: 5 * time.Second,
	}
}

func receive(t *testing.T, s *media.Service, name, body string) *media.Upload {
	t.Helper()
	d, err := s.Receive(t.Context(), name, strings.NewReader(body), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Discard(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// The content decides, and the name must agree.
func TestContentDecides(t *testing.T) {
	store := mediatest.NewStore()
	s := media.NewService(store, quiet)
	for _, c := range []struct {
		name, body, allowed string
		want, mime          string // nothing if it is refused
	}{
		{"a.png", png, "png:jpg", "a.png", "image/png"},
		{"A.PNG", png, "png", "A.PNG", "image/png"},
		{"a.png", jpeg, "png:jpg", "", ""},
		{"a.png", png, "jpg", "", ""},
		{"a.jpeg", jpeg, "jpeg", "a.jpeg", "image/jpeg"},
		{"a.jfif", jpeg, "png:jpg", "a.jfif", "image/jpeg"}, // as Chrome on Windows saves it
		{"a.JPEG", jpeg, "jpg", "a.JPEG", "image/jpeg"},
		{"a.jfif", png, "png:jpg", "", ""},
		{"a.jfif", jpeg, "png", "", ""},
		{"a.pdf", pdf, "pdf", "a.pdf", "application/pdf"},
		{"a.pdf", page, "pdf", "", ""},
		{"a.txt", page, "txt", "", ""},
		{"a.html", page, "txt:pdf", "", ""},
		{"a.txt", "hello, wörld", "txt", "a.txt", "text/plain; charset=utf-8"},
		{"a.txt", "hello\x00world", "txt", "", ""},
		{"a.txt", strings.Repeat("hello ", 200) + "\x01", "txt", "", ""},
		{"a.csv", "a;b\n1;2\n", "csv", "a.csv", "text/csv; charset=utf-8"},
		{"a.docx", docx, "docx:zip", "a.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
		{"a.docx", zip, "docx:zip", "", ""},
		{"a.docx", "PK\x03\x04", "docx", "", ""},
		{"a.odt", odt, "odt", "a.odt", "application/vnd.oasis.opendocument.text"},
		{"a.ods", odt, "ods", "", ""},
		{"a.zip", zip, "zip", "a.zip", "application/zip"},
		{"a.mp4", mp4, "mp4", "a.mp4", "video/mp4"},
		{"a.mov", mp4, "mov", "", ""},
		{"a.heic", mp4, "heic", "", ""},
		{"photo", png, "pdf:png", "photo.png", "image/png"},
		{"photo", png, "pdf", "", ""},
		{"a.png.exe", png, "png", "", ""},
		{"a.exe", "MZ\x90\x00", "exe:png", "", ""},
		{"a.svg", "<svg xmlns='http://www.w3.org/2000/svg'/>", "svg:png", "", ""},
	} {
		t.Run(c.name+" where "+c.allowed+" is allowed", func(t *testing.T) {
			d := receive(t, s, c.name, c.body)
			err := d.Check(t.Context(), policy(strings.Split(c.allowed, ":")...), 1)
			if c.want == "" {
				if chat.KindOf(err) != chat.WrongType {
					t.Errorf("%s with %.20q was taken: %v", c.name, c.body, err)
				}
			} else if err != nil || d.Name != c.want || d.Type != c.mime {
				t.Errorf("%s with %.20q is %q of %q, %v", c.name, c.body, d.Name, d.Type, err)
			}
			if err := d.Discard(); err != nil {
				t.Error(err)
			}
		})
	}
	if store.Staged() != 0 || s.Stats().WrongTypes.Load() == 0 {
		t.Errorf("%d files are left", store.Staged())
	}
}

// Every sort has an example that is taken, or it could never be.
func TestKinds(t *testing.T) {
	compound := "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 rest"
	heads := []string{
		png, jpeg, pdf, docx, odt, zip, mp4, compound, "GIF89a rest", "RIFF\x00\x00\x00\x00WEBPVP8 rest", "BM rest of it", "II*\x00 rest", "plain",
		"\x00\x00\x00\x18ftypheic rest", `{\rtf1 rest`, "ID3 rest", "RIFF\x00\x00\x00\x00WAVE rest", "\x00\x00\x00\x14ftypqt  rest",
		strings.Replace(odt, "opendocument.text", "opendocument.spreadsheet", 1), strings.Replace(odt, "opendocument.text", "opendocument.presentation", 1),
	}
	s := media.NewService(mediatest.NewStore(), quiet)
	for _, ext := range media.Kinds() {
		if !slices.ContainsFunc(heads, func(head string) bool {
			d := receive(t, s, "a."+ext, head)
			defer func() { _ = d.Discard() }()
			return d.Check(t.Context(), policy(ext), 1) == nil
		}) {
			t.Errorf("nothing is a %s", ext)
		}
	}
}

func TestNamesAreMadeHarmless(t *testing.T) {
	s := media.NewService(mediatest.NewStore(), quiet)
	for name, want := range map[string]string{
		"bill.png": "bill.png", "../../etc/passwd.png": "passwd.png", `C:\Users\x\bill.png`: "bill.png", "": "file", "..": "file", "/": "file",
		"a\r\nSet-Cookie: x.png": "aSet-Cookie_ x.png", "a\u202egnp.exe": "agnp.exe", "a\x00b.png": "ab.png", "\xff.png": "_.png", ".htaccess": "htaccess",
		`"; rm -rf *.png`: "_; rm -rf _.png", "  übung (1).pdf ": "übung (1).pdf", "文書.pdf": "文書.pdf",
		strings.Repeat("é", 300) + ".png": strings.Repeat("é", 126) + ".png", strings.Repeat("x", 300): strings.Repeat("x", 256),
	} {
		t.Run(name, func(t *testing.T) {
			if got := receive(t, s, name, "x").Name; got != want {
				t.Errorf("%q became %q, want %q", name, got, want)
			}
		})
	}
}

// counter counts what is read of an endless file.
type counter struct{ n int64 }

func (c *counter) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'x'
	}
	c.n += int64(len(b))
	return len(b), nil
}

// What is too long is cut off as soon as that is known, and nothing stays.
func TestTooLongIsCutOff(t *testing.T) {
	root := filepath.Join(t.TempDir(), "files")
	s := media.NewService(openDir(t, root), quiet)
	const limit = 100_000
	for _, size := range []int64{1, 4095, 4096, 4097, limit - 1, limit} {
		d, err := s.Receive(t.Context(), "a.txt", io.LimitReader(&counter{}, size), limit)
		if err != nil || d.Size != size {
			t.Fatalf("%d bytes: %v", size, err)
		}
		if err := d.Discard(); err != nil {
			t.Error(err)
		}
	}
	var endless counter
	_, err := s.Receive(t.Context(), "a.txt", &endless, limit)
	var refused *chat.Error
	if !errors.As(err, &refused) || refused.Kind != chat.TooLarge || refused.Limit != limit || endless.n != limit+1 {
		t.Errorf("an endless file: %v after %d bytes", err, endless.n)
	}
	if _, err := s.Receive(t.Context(), "a.txt", strings.NewReader(""), limit); chat.KindOf(err) != chat.Invalid {
		t.Errorf("an empty file: %v", err)
	}
	broken := io.MultiReader(io.LimitReader(&counter{}, 10_000), errReader{})
	if _, err := s.Receive(t.Context(), "a.txt", broken, limit); !errors.Is(err, errBroken) {
		t.Errorf("a sender that breaks off: %v", err)
	}
	if left := tree(t, root); len(left) != 0 {
		t.Errorf("%v is left", left)
	}
}

var errBroken = errors.New("broken")

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errBroken }

// Only so many files are on their way in at once, and none is forgotten.
func TestNotTooManyAtOnce(t *testing.T) {
	s := media.NewService(mediatest.NewStore(), quiet)
	var uploads []*media.Upload
	for {
		d, err := s.Receive(t.Context(), "a", strings.NewReader("x"), 1)
		if err != nil {
			if chat.KindOf(err) != chat.Unavailable || len(uploads) != 256 {
				t.Fatalf("after %d: %v", len(uploads), err)
			}
			break
		}
		uploads = append(uploads, d)
	}
	for _, d := range uploads {
		_, _ = d.Discard(), d.Discard()
	}
	receive(t, s, "a", "x")
}

func program(t *testing.T, lines string) []string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "scan")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+lines+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return []string{path}
}

// A program looks at the file; whatever goes wrong about it refuses the file.
func TestScanByCommand(t *testing.T) {
	s := media.NewService(openDir(t, filepath.Join(t.TempDir(), "files")), quiet)
	infected := `grep -q EICAR && exit 1; exit 0`
	for _, c := range []struct {
		name string
		args []string
		body string
		want chat.Kind
	}{
		{"clean", program(t, infected), "harmless", 0},
		{"infected", program(t, infected), "xx EICAR xx", chat.WrongType},
		{"infected, by path", append(program(t, `grep -q EICAR "$1" && exit 1; exit 0`), "{file}"), "EICAR", chat.WrongType},
		{"clean, by path", append(program(t, `test -s "$1" || exit 2; grep -q EICAR "$1" && exit 1; exit 0`), "{file}"), "x", 0},
		{"fails", program(t, "exit 2"), "x", chat.Unavailable},
		{"is killed", program(t, "kill -9 $$"), "x", chat.Unavailable},
		{"is missing", []string{"/nowhere/scan"}, "x", chat.Unavailable},
		{"is not named", nil, "x", chat.Unavailable},
		{"sees nothing of the server", program(t, `test -z "$HALLEY_TEST_SECRET"`), "x", 0},
	} {
		t.Setenv("HALLEY_TEST_SECRET", "secret")
		p := policy("txt")
		p.Scanner = media.Command{Args: c.args}
		if err := receive(t, s, "a.txt", c.body).Check(t.Context(), p, 1); chat.KindOf(err) != c.want {
			t.Errorf("%s: got %v, want the kind %q", c.name, err, c.want)
		}
	}
	p := policy("txt")
	p.Scanner, p.ScanWithin = media.Command{Args: program(t, "exec sleep 600")}, 50*time.Millisecond
	if err := receive(t, s, "a.txt", "x").Check(t.Context(), p, 1); chat.KindOf(err) != chat.Unavailable {
		t.Errorf("a program that hangs: %v", err)
	}
	if st := s.Stats(); st.Infected.Load() != 2 || st.ScanFailed.Load() != 5 {
		t.Errorf("%d infected, %d failed", st.Infected.Load(), st.ScanFailed.Load())
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := receive(t, s, "a.txt", "x").Check(gone, p, 1); chat.KindOf(err) != chat.Unavailable || s.Stats().ScanFailed.Load() != 5 {
		t.Errorf("a sender that has gone: %v", err)
	}
}

func TestScanByHook(t *testing.T) {
	s := media.NewService(mediatest.NewStore(), quiet)
	hang := make(chan struct{})
	sent := make(chan string, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		sent <- r.Method + " " + r.Header.Get("Content-Type") + " " + string(b)
		switch r.URL.Path {
		case "/clean":
			w.WriteHeader(http.StatusNoContent)
		case "/infected":
			w.WriteHeader(http.StatusUnprocessableEntity)
		case "/moved":
			http.Redirect(w, r, "/clean", http.StatusTemporaryRedirect)
		case "/hang":
			<-hang
		default:
			http.NotFound(w, r)
		}
	}))
	defer srv.Close()
	defer close(hang)
	for path, want := range map[string]chat.Kind{
		"/clean": 0, "/infected": chat.WrongType, "/moved": chat.Unavailable, "/missing": chat.Unavailable, "/hang": chat.Unavailable,
	} {
		h := media.NewHook(srv.URL + path)
		p := policy("txt")
		p.Scanner = h
		if path == "/hang" {
			p.ScanWithin = time.Second // enough for the request to arrive on a busy machine
		}
		if err := receive(t, s, "a.txt", "hello").Check(t.Context(), p, 1); chat.KindOf(err) != want {
			t.Errorf("%s: got %v, want the kind %q", path, err, want)
		}
		if got := <-sent; got != "POST application/octet-stream hello" {
			t.Errorf("%s was sent %q", path, got)
		}
		h.Close()
	}
}

// What no log knows goes after an hour, and nothing else does.
func TestSweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := mediatest.NewStore()
		s := media.NewService(store, quiet)
		var refs []media.Ref
		keep := func() {
			d := receive(t, s, "a", "x")
			ref, err := d.Keep(t.Context(), 7)
			if err != nil {
				t.Fatal(err)
			}
			refs = append(refs, ref)
		}
		keep()
		keep()
		if refs[0] == refs[1] {
			t.Fatal("two files have one id")
		}
		var down atomic.Bool
		first := refs[0]
		known := func(_ context.Context, r media.Ref) (bool, error) {
			if down.Load() {
				return false, errBroken
			}
			return r == first, nil
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx, known) }()
		synctest.Wait()
		time.Sleep(59 * time.Minute)
		keep()
		if len(store.Files()) != 3 {
			t.Errorf("a young file went")
		}
		down.Store(true)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if len(store.Files()) != 3 {
			t.Errorf("a file went although nothing was known about it")
		}
		down.Store(false)
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := store.Files(); len(got) != 1 || got[0] != refs[0] || s.Stats().Orphans.Load() != 2 {
			t.Errorf("%v are left of %v", got, refs)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// A store that fails makes nothing of a file, and what is known of a fault
// stays known.
func TestTheStoreFails(t *testing.T) {
	store := mediatest.NewStore()
	s := media.NewService(store, quiet)
	d := receive(t, s, "a", "x")
	full := errors.New("no space")
	store.Fail(full)
	if _, err := s.Receive(t.Context(), "a", bytes.NewReader(nil), 1); !errors.Is(err, full) {
		t.Error(err)
	}
	if _, err := d.Keep(t.Context(), 1); !errors.Is(err, full) {
		t.Error(err)
	}
	store.Fail(nil)
	if err := d.Discard(); err != nil || store.Staged() != 0 || len(store.Files()) != 0 {
		t.Errorf("%d are staged, %d kept, %v", store.Staged(), len(store.Files()), err)
	}
}
