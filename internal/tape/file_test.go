package tape

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// A file that is loaded is not looked at, although it may have the form and the
// names of an answer.
func TestDownloadsAreNotLookedAt(t *testing.T) {
	const body = `{"statusCode":7,"nickname":"Vera","own":"x"}`
	for _, disposition := range []string{"attachment; filename=\"a.txt\"", "inline", "form-data"} {
		for _, via := range []string{REST, Files} {
			l := NewMasker().Response(via, Response{
				Status: 200, Header: http.Header{"Content-Disposition": {disposition}, "Content-Type": {"text/plain"}}, Body: []byte(body), Size: int64(len(body)),
			})
			if l.Body != nil || l.Hidden == "" || l.Headers["Content-Type"] != "text/plain" {
				t.Errorf("%s over %s: %+v", disposition, via, l)
			}
		}
	}
	if l := NewMasker().Response(REST, Response{Status: 200, Body: []byte(body), Size: int64(len(body))}); l.Body == nil {
		t.Errorf("an answer: %+v", l)
	}
}

// An extension that is not on the list is not written, but that there was one
// is.
func TestExtensions(t *testing.T) {
	for name, want := range map[string]string{"a.PDF": "pdf", "a.b.txt": "txt", "a": "", "a.": "", "a.wilhelmina": OtherExt, ".png": "png", "a.heic": "heic"} {
		t.Run(name, func(t *testing.T) {
			l := NewMasker().Request(Request{
				Method: "POST", URL: &url.URL{Path: "/genesys/2/chat-ntf"}, Header: http.Header{"Content-Type": {"multipart/form-data; boundary=b"}},
				Parts: []Part{{Name: "file", File: true, FileName: name, Size: 3}},
			})
			b, err := Append(nil, l)
			if err != nil {
				t.Fatal(err)
			}
			if f := l.Fields[0].File; f.Ext != want || strings.Contains(string(b), "wilhelmina") {
				t.Errorf("%s is %s", name, b)
			}
		})
	}
}
