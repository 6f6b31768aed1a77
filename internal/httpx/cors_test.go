package httpx

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestCORS(t *testing.T) {
	served := 0
	h := CORS{Allow: func(o string) bool { return o == "https://shop.example" || o == "null" }, Methods: "GET, POST"}.
		Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { served++ }))
	for _, c := range []struct {
		method, origin string
		allowed        bool
		served         int
	}{
		{"POST", "https://shop.example", true, 1},
		{"POST", "null", true, 1},
		{"POST", "https://evil.example", false, 1},
		{"POST", "", false, 1},
		{"OPTIONS", "https://shop.example", true, 0},
		{"OPTIONS", "https://evil.example", false, 0},
	} {
		served = 0
		r := httptest.NewRequest(c.method, "/", nil)
		if c.origin != "" {
			r.Header.Set("Origin", c.origin)
		}
		r.Header.Set("Access-Control-Request-Headers", "content-type,apikey")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		origin := w.Header().Get("Access-Control-Allow-Origin")
		if (origin == c.origin && origin != "") != c.allowed || (w.Header().Get("Access-Control-Allow-Credentials") == "true") != c.allowed {
			t.Errorf("%+v: got the headers %v, want it allowed: %v", c, w.Header(), c.allowed)
		}
		if served != c.served || w.Code != 200 || w.Header().Get("Vary") != "Origin" {
			t.Errorf("%+v: served %d, status %d", c, served, w.Code)
		}
		asked := w.Header().Get("Access-Control-Allow-Headers") == "content-type,apikey"
		if asked != (c.allowed && c.method == "OPTIONS") {
			t.Errorf("%+v: headers %v", c, w.Header())
		}
	}
}
