package app

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"

	"github.com/klauspost/compress/gzhttp"

	"github.com/halley-chat/halley/internal/admin"
	"github.com/halley-chat/halley/internal/gms"
	"github.com/halley-chat/halley/internal/httpx"
	"github.com/halley-chat/halley/web"
)

// health is whether the server is on its way out.
type health struct{ down atomic.Bool }

var errDraining = errors.New("going away")

// alive says why the process should be replaced; nil if it need not be.
func (a *App) alive() error {
	if a.health.down.Load() {
		return errDraining
	}
	return nil
}

// ready says why no requests should be sent here now: the server goes away, or
// the store takes no writes, which is tried.
func (a *App) ready(ctx context.Context) error {
	if err := a.alive(); err != nil {
		return err
	}
	return a.outage.check(ctx, a.store.Probe)
}

// packed compresses answers in JSON of more than a packet for clients that take
// that. Random padding keeps their length from telling what is in them: an answer
// holds a key beside words that somebody else may have chosen.
func packed(h http.Handler) http.Handler {
	wrap, err := gzhttp.NewWrapper(gzhttp.MinSize(1400), gzhttp.ContentTypes([]string{"application/json"}), gzhttp.RandomJitter(64, 0, false))
	if err != nil {
		panic("app: " + err.Error()) // the options are constants
	}
	return wrap(h)
}

// routes is the table of what is served where.
func (a *App) routes() http.Handler {
	mux := http.NewServeMux()
	visitors := httpx.CORS{Allow: a.gms.AllowsOrigin, Methods: "GET, POST, OPTIONS"}.Wrap(a.gms)
	mux.Handle("/genesys/cometd", visitors)
	mux.Handle("/genesys/cometd/", visitors)
	mux.Handle(gms.RESTPath, httpx.CORS{Allow: a.gms.AllowsOrigin, Methods: "POST, OPTIONS"}.Wrap(packed(a.gms.REST())))
	files := httpx.CORS{Allow: a.gms.AllowsOrigin, Methods: "POST, OPTIONS"}.Wrap(a.gms.Notify())
	mux.Handle(gms.NotifyPath, files)
	mux.Handle(gms.NotifyPath+"/", files)
	own := newOwnHosts(a.o.Config)
	line := own.wrap(a.deskLine)
	mux.Handle("/desk/cometd", line)
	mux.Handle("/desk/cometd/", line)
	api := http.NewServeMux()
	a.desk.Register(api)
	mux.Handle("/api/v1/", own.wrap(nosniff(api)))
	mux.Handle("/desk/", http.StripPrefix("/desk/", web.Desk()))
	if a.samplePage() {
		mux.Handle("/sample/", http.StripPrefix("/sample/", web.Sample()))
	}
	mux.Handle("GET /healthz", admin.Check(func(context.Context) error { return a.alive() }))
	mux.Handle("GET /readyz", admin.Check(a.ready))
	mux.Handle("GET /{$}", http.RedirectHandler("/desk/", http.StatusFound))
	return mux
}
