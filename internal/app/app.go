package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/halley-chat/halley/bayeux"
	"github.com/halley-chat/halley/internal/admin"
	"github.com/halley-chat/halley/internal/audit"
	"github.com/halley-chat/halley/internal/config"
	"github.com/halley-chat/halley/internal/desk"
	"github.com/halley-chat/halley/internal/engine"
	"github.com/halley-chat/halley/internal/gms"
	"github.com/halley-chat/halley/internal/httpx"
	"github.com/halley-chat/halley/internal/media"
	"github.com/halley-chat/halley/internal/push"
	"github.com/halley-chat/halley/internal/routing"
	"github.com/halley-chat/halley/internal/sqlite"
	"github.com/halley-chat/halley/internal/staff"
)

// Options are what an [App] is made of.
type Options struct {
	Config config.Config
	// Demo makes the demo's accounts and runs its scripted agent; DemoPublic
	// lets it listen on other than loopback addresses.
	Demo       bool
	DemoPublic bool
	// NewSecret lets a server whose secret is missing beside its chats make
	// another one.
	NewSecret bool
	Version   string
	// Progress bounds slow clients; the zero value means
	// [httpx.DefaultProgress].
	Progress httpx.Progress
	Logger   *slog.Logger
	// Say gets what a person at the terminal should read; nil means nobody.
	Say io.Writer
}

// App is a server with everything that it needs.
type App struct {
	// Static after construction.
	o         Options
	log       *slog.Logger
	store     *sqlite.Store
	policies  map[string]*media.Policy // which files a service takes; only those that do
	fileDir   *media.Dir               // nil if no service takes files or ever did
	files     *media.Service           // the same
	deskFiles *media.Service           // another over the same files, so that visitors cannot keep agents out
	bus       engine.Bus
	engine    *engine.Engine
	directory *staff.Directory
	router    *routing.Router
	push      *push.Pusher
	audit     *audit.Log
	space     *space
	gms       *gms.Edge
	desk      *desk.Desk
	deskLine  *bayeux.Server
	listener  net.Listener
	web       *http.Server
	health    health
	outage    *outage
	flow      *flow
	cert      *certificate // nil for plain HTTP
	admin     *http.Server // nil for none, as its listener
	adminLine net.Listener
}

// New opens the store, reads what was there, and listens. It serves nobody
// before [App.Run]. If it fails it leaves nothing open.
func New(ctx context.Context, o Options) (_ *App, err error) {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Say == nil {
		o.Say = io.Discard
	}
	if o.Progress == (httpx.Progress{}) {
		o.Progress = httpx.DefaultProgress()
	}
	if o.Demo && !o.DemoPublic {
		if err := checkLoopback(o.Config.Listen); err != nil {
			return nil, err
		}
	}
	offered, err := services(o.Config)
	if err != nil {
		return nil, err
	}
	trusted, err := proxies(o.Config)
	if err != nil {
		return nil, err
	}
	unlimited, err := networks(o.Config.UnlimitedNetworks)
	if err != nil {
		return nil, err
	}
	a := &App{o: o, log: o.Logger, policies: policies(o.Config)}
	metrics := admin.NewMetrics(o.Version)
	a.outage = &outage{log: a.log, metrics: newStoreMetrics(metrics)}
	if o.Config.TLS != nil {
		if a.cert, err = openCertificate(*o.Config.TLS, a.log); err != nil {
			return nil, err
		}
	}
	offerFiles(offered, a.policies)
	if a.store, err = sqlite.Open(ctx, o.Config.Data, sqlite.Options{Logger: a.log, Observer: a.outage}); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.store.Close())
		}
	}()
	a.audit = audit.NewLog(a.store.Audit(), a.log)
	a.space = newSpace(o.Config.Data, o.Config.MinFreeSpace, a.log)
	if err := a.openFiles(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.closeFiles())
		}
	}()
	key, err := a.secret(ctx, o.NewSecret)
	if err != nil {
		return nil, err
	}
	keys, err := gms.NewKeyring(key)
	if err != nil {
		return nil, err
	}
	if a.listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", o.Config.Listen); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.listener.Close())
		}
	}()
	if at := o.Config.Admin.Listen; at != "" {
		if a.adminLine, err = (&net.ListenConfig{}).Listen(ctx, "tcp", at); err != nil {
			return nil, err
		}
		defer func() {
			if err != nil {
				err = errors.Join(err, a.adminLine.Close())
			}
		}()
	}
	rules, err := rules(o.Config)
	if err != nil {
		return nil, err
	}
	a.bus = engine.NewLocalBus()
	a.engine = engine.New(engine.Options{Log: a.store, Bus: a.bus, Rules: reachable(o.Config, rules), Logger: a.log})
	if a.push, err = a.pushing(); err != nil {
		return nil, err
	}
	a.directory = staff.NewDirectory(a.store, staff.Options{Logger: a.log, Key: key, Audit: a.audit, Public: publicPasswords, AllowPublic: o.Demo})
	if err := a.directory.Refresh(ctx); err != nil {
		return nil, err
	}
	if o.Demo {
		if err := demoAccounts(ctx, a.directory); err != nil {
			return nil, err
		}
	}
	if err := a.engine.Start(ctx); err != nil {
		return nil, err
	}
	a.router = routing.New(routing.Options{Engine: a.engine, Queues: plans(o.Config), Logger: a.log})
	a.gms = gms.New(gms.Options{
		Engine: a.engine, Keys: keys, Services: offered, SecureCookies: a.secure(), MaxSessions: o.Config.MaxSessions, Unlimited: unlimited,
		Carries: a.push.Carries, Files: a.files, Logger: a.log,
	})
	silent := deskSilence(o.Config.Desk)
	a.desk = desk.New(desk.Options{
		Engine: a.engine, Staff: a.directory, SecureCookie: a.secure(), Files: a.deskFiles, Policies: a.policies, Audit: a.audit,
		AwayAfter: time.Duration(o.Config.Desk.AwayAfter), ReleaseAfter: time.Duration(o.Config.Desk.ReleaseAfter), SilentFor: silent,
		Logger: a.log,
	})
	a.deskLine = bayeux.New(bayeux.Options{
		Timeout: 20 * time.Second, MaxInterval: silent,
		CookieName: "HALLEY_DESK_LINE", CookiePath: "/desk/", CookieSecure: a.secure(),
		TrustClientID: true, // the sign-in's cookie is what counts
		// A desk in several tabs holds a connect in each.
		HoldsPerBrowser: -1,
		MaxMessageSize:  256 << 10,
		OutboxMessages:  4000, OutboxBytes: 8 << 20,
		Redeliver: true, OrderedPolling: true,
		Authenticate: a.desk.Authenticate,
		Policy:       noBroadcasts(),
		Logger:       a.log,
	})
	a.desk.Mount(a.deskLine)
	a.web = &http.Server{
		Handler:           o.Progress.Wrap(trusted.Wrap(a.routes())),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
	}
	if a.cert != nil {
		a.web.TLSConfig = a.cert.config()
	}
	a.measure(metrics)
	if a.adminLine != nil {
		a.admin = &http.Server{
			Handler:           admin.Handler(admin.Options{Metrics: metrics, Alive: a.alive, Ready: a.ready, Profiles: o.Config.Admin.Profiles}),
			ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute,
			ErrorLog: slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
		}
	}
	return a, nil
}

// secure says whether cookies are for encrypted connections only.
func (a *App) secure() bool { return a.o.Config.SecureCookies || a.cert != nil }

// deskSilence is for how long the session of a desk may be silent: until its agent
// counts as away, but never so short or long that the transport would be at fault.
func deskSilence(c config.Desk) time.Duration {
	return min(max(time.Duration(c.AwayAfter), 10*time.Second), 30*time.Second)
}

// noBroadcasts is the policy of a Bayeux server that has only services.
func noBroadcasts() bayeux.Policy {
	refuse := func(context.Context, *bayeux.Session, string) error {
		return &bayeux.Error{Code: 403, Args: "denied_by_security_policy", Text: "denied"}
	}
	return bayeux.Policy{Subscribe: refuse, Publish: refuse}
}

// plans are the configured queues as the router wants them.
func plans(c config.Config) map[string]routing.Plan {
	p := make(map[string]routing.Plan, len(c.Queues))
	for name, q := range c.Queues {
		p[name] = routing.Plan{
			Members: q.Members, Reserve: q.Reserve,
			ReserveAfter: time.Duration(q.ReserveAfter), OfferTime: time.Duration(q.OfferTime),
		}
	}
	return p
}

// services are the configured services as the visitors' edge wants them.
func services(c config.Config) (map[string]gms.Service, error) {
	s := make(map[string]gms.Service, len(c.Services))
	for name, v := range c.Services {
		var err error
		if s[name], err = service(v); err != nil {
			return nil, fmt.Errorf("service %s: %w", name, err)
		}
	}
	return s, nil
}

// members are the accounts that may be given chats.
func members(accounts []staff.Account) []routing.Member {
	var m []routing.Member
	for _, a := range accounts {
		if !a.Disabled {
			m = append(m, routing.Member{ID: a.ID, Login: a.Login, Name: a.Name, Capacity: a.Capacity, Bot: a.Role == staff.RoleBot})
		}
	}
	return m
}

// address is the URL at which this machine reaches the server.
func (a *App) address() string {
	if a.cert != nil {
		return "https://" + a.listener.Addr().String()
	}
	return "http://" + a.listener.Addr().String()
}

func (a *App) say(format string, args ...any) {
	// Nobody may be reading, which is no reason to stop serving.
	_, _ = fmt.Fprintf(a.o.Say, format+"\n", args...)
}

// greet tells a person where everything is.
func (a *App) greet() {
	a.say("Halley %s serves at %s", a.o.Version, a.address())
	a.say("  desk         %s/desk/", a.address())
	if a.samplePage() {
		a.say("  sample page  %s/sample/", a.address())
	}
	a.say("  chat API     %s/genesys/cometd", a.address())
	if a.adminLine != nil {
		a.say("  metrics      http://%s/metrics", a.adminLine.Addr())
	}
	if a.o.Demo {
		a.say("  sign in as   anna, ben (agents) or sam (supervisor), password %s", demoPassword)
	}
}
