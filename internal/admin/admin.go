// Package admin is the edge for operators: what a running server measures and
// how it is, over HTTP on a listener of its own. It knows nothing of chats:
// whoever puts the server together registers what there is to measure.
package admin

import (
	"context"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Options are what a [Handler] serves.
type Options struct {
	Metrics *Metrics
	// Alive says why the process is not alive; nil if it is.
	Alive func() error
	// Ready says why requests should not be sent here now; nil if they should.
	Ready func(context.Context) error
	// Profiles switches /debug/pprof on.
	Profiles bool
}

// readyWithin is how long a readiness check may take.
const readyWithin = 5 * time.Second

// Handler serves /metrics, /healthz, /readyz and, if it is switched on,
// /debug/pprof. It asks for no credentials: its listener must not be reachable
// by strangers.
func Handler(o Options) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(o.Metrics.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4}))
	mux.Handle("GET /healthz", Check(func(context.Context) error { return o.Alive() }))
	mux.Handle("GET /readyz", Check(o.Ready))
	if o.Profiles {
		mux.HandleFunc("/debug/pprof/", pprof.Index)
		mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	}
	return mux
}

// Check answers 200 and "ok", or 503 and the reason.
func Check(check func(context.Context) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), readyWithin)
		defer cancel()
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		status, text := http.StatusOK, "ok"
		if err := check(ctx); err != nil {
			status, text = http.StatusServiceUnavailable, err.Error()
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(text + "\n")) // whoever asked may have gone
	})
}
