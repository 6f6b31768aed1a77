package gms

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Whatever is sent to the address of files is answered with a file or the
// response object and never with a 5xx; a refused call leaves no trace.
func FuzzFiles(f *testing.F) {
	part := func(disposition, body string) string {
		return "--b\r\nContent-Disposition: form-data; " + disposition + "\r\n\r\n" + body + "\r\n"
	}
	kind := "multipart/form-data; boundary=b"
	file := part(`name="file"; filename="a.txt"`, "hello")
	for _, c := range []struct{ path, query, kind, body string }{
		{"", "", kind, part(`name="secureKey"`, "KEY") + file + "--b--"},
		{"", "", kind, file + part(`name="secureKey"`, "KEY") + part(`name="operation"`, "fileUpload") + "--b--"},
		{"", "secureKey=KEY&operation=fileGetsLimits", "", ""},
		{"", "", "application/x-www-form-urlencoded", "operation=fileDownload&fileId=FILE&secureKey=KEY"},
		{"", "", "", `{"operation":"fileDelete","fileId":"FILE","secureKey":"KEY"}`},
		{"file", "secureKey=KEY", kind, file + part(`name="userData[file-description]"`, "x") + "--b--"},
		{"file/limits", "secureKey=KEY", "", ""},
		{"file/FILE/download", "secureKey=KEY", "", ""},
		{"file/FILE/delete", "", kind, part(`name="secureKey"`, "KEY") + "--b--"},
		{"file/../../download", "secureKey=KEY", kind, "--b\r\n"},
	} {
		f.Add(c.path, c.query, c.kind, c.body)
	}
	h := open(f)
	f.Fuzz(func(t *testing.T, path, query, kind, body string) {
		h.t = t
		c, p := h.fileClient("files")
		defer p.do("disconnect")
		id := fileID(t, c.rest("file", note("hello")))
		before, kept := len(h.events(c.chat)), len(h.files.Files())
		fill := strings.NewReplacer("KEY", c.key, "FILE", id)
		r := httptest.NewRequest(http.MethodPost, NotifyPath, strings.NewReader(fill.Replace(body)))
		if path != "" {
			r.URL.Path = c.path("file/" + strings.TrimPrefix(fill.Replace(path), "file/"))
		}
		r.URL.RawQuery, r.Header = fill.Replace(query), http.Header{"Content-Type": {fill.Replace(kind)}}
		if n := c.send(r); n != nil && n["statusCode"] != 0.0 && (len(h.events(c.chat)) != before || len(h.files.Files()) != kept) {
			t.Errorf("a refused call left traces: %v", n)
		}
		if h.files.Staged() != 0 {
			t.Errorf("%d files are left on their way", h.files.Staged())
		}
	})
}
