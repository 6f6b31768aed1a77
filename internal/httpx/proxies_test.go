package httpx_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/halley-chat/halley/internal/httpx"
)

func TestProxies(t *testing.T) {
	proxies := httpx.Proxies{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for _, c := range []struct {
		remote string
		header []string
		want   string
	}{
		{"192.0.2.1:80", nil, "192.0.2.1:80"},
		{"192.0.2.1:80", []string{"198.51.100.7"}, "192.0.2.1:80"}, // anybody can say so
		{"10.0.0.1:80", nil, "10.0.0.1:80"},
		{"10.0.0.1:80", []string{"198.51.100.7"}, "198.51.100.7:0"},
		{"[::ffff:10.0.0.1]:80", []string{"198.51.100.7"}, "198.51.100.7:0"},
		{"[fd00::1]:80", []string{"2001:db8::7"}, "[2001:db8::7]:0"},
		{"10.0.0.1:80", []string{"203.0.113.9, 198.51.100.7"}, "198.51.100.7:0"}, // the first was made up
		{"10.0.0.1:80", []string{"198.51.100.7, 10.2.2.2"}, "198.51.100.7:0"},
		{"10.0.0.1:80", []string{"203.0.113.9", "198.51.100.7 , 10.2.2.2"}, "198.51.100.7:0"},
		{"10.0.0.1:80", []string{"10.3.3.3, 10.2.2.2"}, "10.3.3.3:0"},
		{"10.0.0.1:80", []string{"198.51.100.7, unknown"}, "10.0.0.1:80"},
		{"10.0.0.1:80", []string{"unknown, 10.2.2.2"}, "10.2.2.2:0"},
		{"10.0.0.1:80", []string{"203.0.113.9, 198.51.100.7:4711, [fd00::2]:80"}, "198.51.100.7:0"}, // some write the port, too
		{"memory", []string{"198.51.100.7"}, "memory"},
	} {
		t.Run(fmt.Sprintf("%s %q", c.remote, c.header), func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.RemoteAddr = c.remote
			for _, h := range c.header {
				r.Header.Add("X-Forwarded-For", h)
			}
			var got string
			proxies.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.RemoteAddr })).ServeHTTP(httptest.NewRecorder(), r)
			if got != c.want || r.RemoteAddr != c.remote {
				t.Errorf("%+v: %s, and %s outside", c, got, r.RemoteAddr)
			}
		})
	}
	// Without proxies nobody is believed.
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.RemoteAddr = "10.0.0.1:80"
	r.Header.Set("X-Forwarded-For", "198.51.100.7")
	httpx.Proxies(nil).Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.RemoteAddr != "10.0.0.1:80" {
			t.Error(r.RemoteAddr)
		}
	})).ServeHTTP(httptest.NewRecorder(), r)
}
