package httpx

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// Attachment answers with a file that somebody else has made. It is for the
// disk and not for the page: the browser is told to save it, not to guess what
// it is, and if it shows it nevertheless, to let it do nothing. What cannot be
// sent is lost, since the answer has begun.
func Attachment(w http.ResponseWriter, name, mediaType string, size int64, body io.Reader) {
	h := w.Header()
	h.Set("Content-Type", mediaType)
	h.Set("Content-Length", strconv.FormatInt(size, 10))
	h.Set("Content-Disposition", disposition(name))
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	_, _ = io.CopyN(w, body, size)
}

// disposition is the header's value: the name in ASCII for old browsers, and
// as it is (RFC 6266, RFC 8187) for the others.
func disposition(name string) string {
	plain := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || strings.ContainsRune(`"\%`, r) {
			return '_'
		}
		return r
	}, name)
	value := `attachment; filename="` + plain + `"`
	if plain == name {
		return value
	}
	var b strings.Builder
	for _, c := range []byte(name) {
		if c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || strings.IndexByte("!#$&+-.^_`|~", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return value + "; filename*=UTF-8''" + b.String()
}
