package app

import (
	"net/http"
	"strings"
	"testing"

	"github.com/halley-chat/halley/internal/config"
)

// The desk's addresses answer under the server's own names only, and the sample
// page is there only if it is wanted.
func TestOwnHosts(t *testing.T) {
	for name, c := range map[string]struct {
		host   string // empty for the address that is served at
		hosts  []string
		status int
	}{
		"an address":          {"", nil, http.StatusUnauthorized},
		"localhost":           {"localhost:1", nil, http.StatusUnauthorized},
		"an IPv6 address":     {"[::1]:80", nil, http.StatusUnauthorized},
		"somebody's name":     {"rebind.example", nil, http.StatusMisdirectedRequest},
		"a name of ours":      {"Chat.example.org:8080", []string{"chat.example.org"}, http.StatusUnauthorized},
		"another beside ours": {"rebind.example", []string{"chat.example.org"}, http.StatusMisdirectedRequest},
	} {
		t.Run(name, func(t *testing.T) {
			settings := config.Default()
			settings.Listen, settings.Data, settings.Hosts = "127.0.0.1:0", t.TempDir(), c.hosts
			a, stop := serve(t, settings)
			defer stop()
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.address()+"/api/v1/session", strings.NewReader(`{"login":"anna","password":"wrong password"}`))
			if err != nil {
				t.Fatal(err)
			}
			if c.host != "" {
				r.Host = c.host
			}
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Origin", "http://"+r.Host)
			client := &http.Client{Transport: new(http.Transport)}
			defer client.CloseIdleConnections()
			res, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			if got := res.Header.Get("X-Content-Type-Options"); res.StatusCode != c.status || got != "nosniff" {
				t.Errorf("sign-in: got %d and %q, want %d and nosniff", res.StatusCode, got, c.status)
			}
			if status, _ := fetched(t, client, a.address()+"/sample/"); status != http.StatusNotFound {
				t.Errorf("/sample/: got %d, want 404", status)
			}
		})
	}
}
