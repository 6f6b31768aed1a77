package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"errors"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"
)

//go:embed unbuilt.html
var unbuilt []byte

// site is one set of files under one policy.
type site struct {
	name   string
	files  fs.FS
	needs  []string // what must be there besides index.html for the site to be built
	policy string

	// immutable is the folder whose files carry a digest in their names and so
	// never change; empty for none.
	immutable string
	// onePage makes index.html the answer to paths that name no file.
	onePage bool

	pages *sync.Map // by name, what has been asked for: *page, nothing else
}

// page is a file ready to be served. It is made once, at the first request for
// it, and shared by all that follow.
type page struct {
	body   []byte
	packed []byte // gzip; nil if that is not smaller by a tenth
	kind   string
	etag   string
	cache  string
}

// handler returns a handler over the files.
func (s site) handler() http.Handler {
	s.pages = new(sync.Map)
	for _, name := range append([]string{"index.html"}, s.needs...) {
		if _, err := fs.Stat(s.files, name); err != nil {
			return http.HandlerFunc(s.serveUnbuilt)
		}
	}
	return http.HandlerFunc(s.serve)
}

// serve answers a request for a file, compressed if the browser takes that.
func (s site) serve(w http.ResponseWriter, r *http.Request) {
	if !s.begin(w, r) {
		return
	}
	name := strings.TrimPrefix(path.Clean("/"+r.URL.Path), "/")
	if name == "" {
		name = "index.html"
	}
	found, ok := s.page(name)
	if !ok && s.onePage && !s.below(name) {
		found, ok = s.page("index.html")
	}
	if !ok {
		http.Error(w, "There is no such file.", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", found.kind)
	w.Header().Set("Cache-Control", found.cache)
	body, etag := found.body, found.etag
	if found.packed != nil {
		w.Header().Set("Vary", "Accept-Encoding")
		if takesGzip(r) {
			w.Header().Set("Content-Encoding", "gzip")
			body, etag = found.packed, strings.TrimSuffix(etag, `"`)+`-gzip"`
		}
	}
	w.Header().Set("ETag", etag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

// takesGzip says whether the client has asked for gzip and not forbidden it.
func takesGzip(r *http.Request) bool {
	for coding := range strings.SplitSeq(strings.Join(r.Header.Values("Accept-Encoding"), ","), ",") {
		name, weight, _ := strings.Cut(coding, ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") {
			q, _ := strings.CutPrefix(strings.ReplaceAll(weight, " ", ""), "q=")
			n, err := strconv.ParseFloat(q, 64)
			return err != nil || n > 0
		}
	}
	return false
}

// serveUnbuilt answers every request with the page that says how to build.
func (s site) serveUnbuilt(w http.ResponseWriter, r *http.Request) {
	if !s.begin(w, r) {
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusServiceUnavailable)
	if r.Method == http.MethodHead {
		return
	}
	// An error here is the client's going away, which concerns nobody.
	_, _ = w.Write(bytes.ReplaceAll(unbuilt, []byte("{{name}}"), []byte(s.name)))
}

// begin sets the headers that every answer of the site has, and refuses
// methods other than GET and HEAD.
func (s site) begin(w http.ResponseWriter, r *http.Request) bool {
	head := w.Header()
	head.Set("Content-Security-Policy", s.policy)
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("X-Frame-Options", "DENY")
	head.Set("Referrer-Policy", "no-referrer")
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return true
	}
	head.Set("Allow", "GET, HEAD")
	http.Error(w, "This page can only be read.", http.StatusMethodNotAllowed)
	return false
}

// page is a file as it is to be served.
func (s site) page(name string) (*page, bool) {
	if p, ok := s.pages.Load(name); ok {
		return p.(*page), true
	}
	if !fs.ValidPath(name) {
		return nil, false
	}
	body, err := fs.ReadFile(s.files, name)
	if err != nil {
		return nil, false
	}
	cache := "no-cache"
	if s.below(name) {
		cache = "public, max-age=31536000, immutable"
	}
	digest := sha256.Sum256(body)
	etag := `"` + base64.RawURLEncoding.EncodeToString(digest[:12]) + `"`
	// Two first requests at once make it twice, and one of the two is kept.
	p, _ := s.pages.LoadOrStore(name, &page{body: body, packed: pack(body), kind: kindOf(name), etag: etag, cache: cache})
	return p.(*page), true
}

// pack compresses a file; nil if that saves less than a tenth.
func pack(body []byte) []byte {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		panic(err) // the level is a constant, and a valid one
	}
	_, err = w.Write(body)
	if err = errors.Join(err, w.Close()); err != nil {
		panic(err) // a buffer takes everything
	}
	if b.Len() > len(body)*9/10 {
		return nil
	}
	return b.Bytes()
}

func (s site) below(name string) bool {
	return s.immutable != "" && strings.HasPrefix(name, s.immutable)
}

// kindOf names a file's type without asking the machine, whose tables differ.
func kindOf(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	}
	if kind := mime.TypeByExtension(path.Ext(name)); kind != "" {
		return kind
	}
	return "application/octet-stream"
}
