// Package httpx holds the HTTP middleware that the edges share.
package httpx

import (
	"net/http"
	"strings"
)

// CORS answers for pages of other origins. Credentials are allowed, so the
// origin is echoed and never "*". A request of an origin that is not allowed is
// served without the headers: the browser then keeps the answer from the page.
type CORS struct {
	// Allow says whether pages of an origin may read answers.
	Allow func(origin string) bool
	// Methods are the methods that they may use, comma-separated.
	Methods string
}

// maxAskedHeaders bounds what a preflight may ask for, in bytes.
const maxAskedHeaders = 1024

// Wrap puts the headers in front of a handler and answers preflights itself.
// Sites put headers of their own on requests (apikey, Authorization and the
// like), so every header that a preflight asks for is allowed.
func (c CORS) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Add("Vary", "Origin")
		origin := r.Header.Get("Origin")
		allowed := origin != "" && c.Allow(origin)
		if allowed {
			h.Set("Access-Control-Allow-Origin", origin)
			h.Set("Access-Control-Allow-Credentials", "true")
		}
		if r.Method != http.MethodOptions {
			next.ServeHTTP(w, r)
			return
		}
		if allowed {
			h.Set("Access-Control-Allow-Methods", c.Methods)
			if asked := r.Header.Get("Access-Control-Request-Headers"); asked != "" && len(asked) <= maxAskedHeaders && !strings.ContainsAny(asked, "\r\n") {
				h.Set("Access-Control-Allow-Headers", asked)
			}
			h.Set("Access-Control-Max-Age", "1800")
		}
		w.WriteHeader(http.StatusOK)
	})
}
