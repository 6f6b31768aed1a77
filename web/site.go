package web

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
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
}

// page is a file ready to be served.
type page struct {
	body  []byte
	kind  string
	etag  string
	cache string
}

// handler reads the files once and returns a handler over them.
func (s site) handler() http.Handler {
	for _, name := range append([]string{"index.html"}, s.needs...) {
		if _, err := fs.Stat(s.files, name); err != nil {
			return http.HandlerFunc(s.serveUnbuilt)
		}
	}
	return http.HandlerFunc(s.serve)
}

// serve answers a request for a file. The files are small and embedded, so
// they are read on demand from memory that is there anyway.
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
	w.Header().Set("ETag", found.etag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(found.body))
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

// page reads a file and says how it is to be served.
func (s site) page(name string) (page, bool) {
	if !fs.ValidPath(name) {
		return page{}, false
	}
	body, err := fs.ReadFile(s.files, name)
	if err != nil {
		return page{}, false
	}
	cache := "no-cache"
	if s.below(name) {
		cache = "public, max-age=31536000, immutable"
	}
	digest := sha256.Sum256(body)
	etag := `"` + base64.RawURLEncoding.EncodeToString(digest[:12]) + `"`
	return page{body: body, kind: kindOf(name), etag: etag, cache: cache}, true
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
