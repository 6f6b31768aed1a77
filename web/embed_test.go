package web

import (
	"compress/gzip"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

func get(t *testing.T, h http.Handler, method, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w
}

func builtDesk() http.Handler {
	return site{
		name: "desk",
		files: fstest.MapFS{
			"index.html":           {Data: []byte("<html>the desk</html>")},
			"icon.svg":             {Data: []byte("<svg/>")},
			"assets/_a-1234.js":    {Data: []byte("1")},
			"assets/page-77.css":   {Data: []byte("p{}")},
			"assets/sound.unheard": {Data: []byte("?")},
		},
		policy:    deskPolicy,
		immutable: "assets/",
		onePage:   true,
	}.handler()
}

func TestDeskServesFilesAndItsPage(t *testing.T) {
	const page, forever = "no-cache", "public, max-age=31536000, immutable"
	for _, c := range []struct {
		path  string
		code  int
		kind  string
		cache string
		body  string
	}{
		{"/", 200, "text/html; charset=utf-8", page, "<html>the desk</html>"},
		{"/index.html", 200, "text/html; charset=utf-8", page, "<html>the desk</html>"},
		{"/some/place", 200, "text/html; charset=utf-8", page, "<html>the desk</html>"},
		{"/../../embed.go", 200, "text/html; charset=utf-8", page, "<html>the desk</html>"},
		{"/icon.svg", 200, "image/svg+xml", page, "<svg/>"},
		{"/assets/_a-1234.js", 200, "text/javascript; charset=utf-8", forever, "1"},
		{"/assets/page-77.css", 200, "text/css; charset=utf-8", forever, "p{}"},
		{"/assets/sound.unheard", 200, "application/octet-stream", forever, "?"},
		{"/assets/gone.js", 404, "text/plain; charset=utf-8", "", "There is no such file.\n"},
		{"/assets", 200, "text/html; charset=utf-8", page, "<html>the desk</html>"},
	} {
		w := get(t, builtDesk(), "GET", c.path)
		head := w.Header()
		if w.Code != c.code || head.Get("Content-Type") != c.kind || head.Get("Cache-Control") != c.cache || w.Body.String() != c.body {
			t.Errorf("GET %s = %d %q %q %q, want %d %q %q %q", c.path,
				w.Code, head.Get("Content-Type"), head.Get("Cache-Control"), w.Body, c.code, c.kind, c.cache, c.body)
		}
	}
}

func TestEveryAnswerIsGuarded(t *testing.T) {
	unbuiltSite := site{name: "desk", files: fstest.MapFS{}, policy: deskPolicy}.handler()
	for name, h := range map[string]http.Handler{"built": builtDesk(), "unbuilt": unbuiltSite, "desk": Desk(), "sample": Sample()} {
		for _, method := range []string{"GET", "HEAD", "POST"} {
			head := get(t, h, method, "/").Header()
			policy := head.Get("Content-Security-Policy")
			if !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") {
				t.Errorf("%s, %s: policy %q", name, method, policy)
			}
			if got := head.Get("X-Content-Type-Options"); got != "nosniff" {
				t.Errorf("%s, %s: X-Content-Type-Options %q", name, method, got)
			}
		}
	}
	if strings.Contains(deskPolicy, "unsafe") {
		t.Errorf("the desk's policy allows something unsafe: %s", deskPolicy)
	}
}

func TestOnlyReading(t *testing.T) {
	w := get(t, builtDesk(), "POST", "/")
	if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("POST = %d, Allow %q", w.Code, w.Header().Get("Allow"))
	}
	if w := get(t, builtDesk(), "HEAD", "/"); w.Code != 200 || w.Body.Len() != 0 || w.Header().Get("Content-Length") != "21" {
		t.Errorf("HEAD = %d with %d bytes, Content-Length %q", w.Code, w.Body.Len(), w.Header().Get("Content-Length"))
	}
}

func TestUnchangedFileIsNotSentAgain(t *testing.T) {
	h := builtDesk()
	etag := get(t, h, "GET", "/").Header().Get("ETag")
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("If-None-Match", etag)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if etag == "" || w.Code != http.StatusNotModified {
		t.Errorf("with ETag %q: %d, want 304", etag, w.Code)
	}
}

func TestUnbuiltPageSaysHowToBuild(t *testing.T) {
	h := site{name: "sample", files: fstest.MapFS{"index.html": {}}, needs: []string{"node_modules"}, policy: samplePolicy}.handler()
	w := get(t, h, "GET", "/anything")
	body := w.Body.String()
	if w.Code != http.StatusServiceUnavailable || !strings.Contains(body, "make build") || !strings.Contains(body, "The sample is not") {
		t.Errorf("GET = %d\n%s", w.Code, body)
	}
}

// TestMountedServesWhatIsThere checks the handlers over the files that this
// build embedded, whichever they are.
func TestMountedServesWhatIsThere(t *testing.T) {
	for prefix, mounted := range map[string]struct {
		handler http.Handler
		built   bool
	}{
		"/desk":   {Desk(), exists(deskFiles, "desk/dist/index.html")},
		"/sample": {Sample(), exists(vendorFiles, "sample-vendor/node_modules")},
	} {
		w := get(t, http.StripPrefix(prefix, mounted.handler), "GET", prefix+"/")
		if built := w.Code == http.StatusOK; built != mounted.built {
			t.Errorf("%s/ = %d, built %v", prefix, w.Code, mounted.built)
		}
	}
}

func exists(files fs.FS, name string) bool {
	_, err := fs.Stat(files, name)
	return err == nil
}

// TestSampleEmbedsWhatItsPageNames keeps the patterns of the embedding in step
// with the page: a file of the sample's own that it loads must be embedded.
func TestSampleEmbedsWhatItsPageNames(t *testing.T) {
	body, err := os.ReadFile("sample/index.html")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`\s(?:src|href)="([^":]+)"`).FindAllStringSubmatch(string(body), -1)
	if len(named) == 0 {
		t.Fatal("the page names no file")
	}
	built := exists(vendorFiles, "sample-vendor/node_modules")
	for _, match := range named {
		name := match[1]
		var files fs.FS = sampleFiles
		path := "sample/" + name
		if strings.HasPrefix(name, "node_modules/") {
			if !built {
				continue
			}
			files, path = vendorFiles, "sample-vendor/"+name
		}
		if !exists(files, path) {
			t.Errorf("the page loads %s, which is not embedded", name)
		}
	}
}

// A file goes out compressed to whoever takes that, and is compressed once.
func TestPagesAreCompressed(t *testing.T) {
	text := strings.Repeat("<p>the desk</p>", 1000)
	h := site{name: "desk", files: fstest.MapFS{
		"index.html": {Data: []byte(text)}, "short.js": {Data: []byte("1")},
	}, policy: deskPolicy}.handler()
	ask := func(path, accept, etag string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", path, nil)
		if accept != "" {
			r.Header.Set("Accept-Encoding", accept)
		}
		if etag != "" {
			r.Header.Set("If-None-Match", etag)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	for accept, want := range map[string]string{
		"": "", "gzip, deflate, br": "gzip", "br;q=1, GZIP ; q=0.5": "gzip", "gzip;q=0": "", "identity": "", "xgzip": "",
	} {
		t.Run(accept, func(t *testing.T) {
			w := ask("/", accept, "")
			if got := w.Header().Get("Content-Encoding"); got != want || w.Header().Get("Vary") != "Accept-Encoding" {
				t.Fatalf("got the encoding %q, Vary %q, want %q, Accept-Encoding", got, w.Header().Get("Vary"), want)
			}
			body := io.Reader(w.Body)
			if want != "" {
				if w.Body.Len() > len(text)/10 {
					t.Errorf("got %d bytes of %d, want a tenth at most", w.Body.Len(), len(text))
				}
				var err error
				if body, err = gzip.NewReader(w.Body); err != nil {
					t.Fatal(err)
				}
			}
			if b, err := io.ReadAll(body); err != nil || string(b) != text {
				t.Errorf("got %d bytes, %v, want the page", len(b), err)
			}
		})
	}
	plain, packed := ask("/", "", "").Header().Get("ETag"), ask("/", "gzip", "").Header().Get("ETag")
	if plain == packed {
		t.Errorf("both forms have the tag %s", plain)
	}
	if w := ask("/", "gzip", packed); w.Code != http.StatusNotModified {
		t.Errorf("asked again with its tag: got %d, want 304", w.Code)
	}
	if w := ask("/short.js", "gzip", ""); w.Header().Get("Content-Encoding") != "" {
		t.Error("a file of one byte was compressed")
	}
}
