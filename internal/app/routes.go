package app

import (
	"net/http"
	"sync/atomic"

	"github.com/halley-chat/halley/internal/gms"
	"github.com/halley-chat/halley/internal/httpx"
	"github.com/halley-chat/halley/web"
)

// health is what /healthz says.
type health struct{ down atomic.Bool }

func (h *health) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	status, text := http.StatusOK, "ok\n"
	if h.down.Load() {
		status, text = http.StatusServiceUnavailable, "going away\n"
	}
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text)) // whoever asked may have gone
}

// routes is the table of what is served where.
func (a *App) routes() http.Handler {
	mux := http.NewServeMux()
	visitors := httpx.CORS{Allow: a.gms.AllowsOrigin, Methods: "GET, POST, OPTIONS"}.Wrap(a.gms)
	mux.Handle("/genesys/cometd", visitors)
	mux.Handle("/genesys/cometd/", visitors)
	mux.Handle(gms.RESTPath, httpx.CORS{Allow: a.gms.AllowsOrigin, Methods: "POST, OPTIONS"}.Wrap(a.gms.REST()))
	files := httpx.CORS{Allow: a.gms.AllowsOrigin, Methods: "POST, OPTIONS"}.Wrap(a.gms.Notify())
	mux.Handle(gms.NotifyPath, files)
	mux.Handle(gms.NotifyPath+"/", files)
	mux.Handle("/desk/cometd", a.deskLine)
	mux.Handle("/desk/cometd/", a.deskLine)
	a.desk.Register(mux)
	mux.Handle("/desk/", http.StripPrefix("/desk/", web.Desk()))
	mux.Handle("/sample/", http.StripPrefix("/sample/", web.Sample()))
	mux.Handle("GET /healthz", &a.health)
	mux.Handle("GET /{$}", http.RedirectHandler("/desk/", http.StatusFound))
	return mux
}
