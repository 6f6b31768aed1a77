package app

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/halley-chat/halley/internal/config"
)

// ownHosts refuses requests for hosts that are not this server's. A page whose
// name was pointed at this server after it was loaded is same-origin to a
// browser, and only its name in Host tells it from ours (DNS rebinding). An
// address cannot be pointed anywhere, so addresses are always ours.
type ownHosts []string

func newOwnHosts(c config.Config) ownHosts {
	own := append(ownHosts{"localhost"}, c.Hosts...)
	if host, _, err := net.SplitHostPort(c.Listen); err == nil && host != "" {
		own = append(own, strings.ToLower(host))
	}
	return own
}

func (o ownHosts) has(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return true
	}
	return slices.Contains(o, host)
}

// wrap serves requests for our hosts only.
func (o ownHosts) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !o.has(r.Host) {
			w.Header().Set("X-Content-Type-Options", "nosniff")
			w.Header().Set("Cache-Control", "no-store")
			http.Error(w, "This server is not known under that name; see hosts in its configuration.", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// nosniff forbids browsers to guess types.
func nosniff(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		next.ServeHTTP(w, r)
	})
}

// samplePage says whether the sample page is served. It runs a client library
// on the desk's origin, so outside the demo it has to be asked for.
func (a *App) samplePage() bool { return a.o.Demo || a.o.Config.SamplePage }
