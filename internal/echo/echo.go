package echo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"syscall"
	"time"

	"github.com/halley-chat/halley/bayeux/client"
)

// Options say where the scripted agent works and who it is. URL, Login and
// Password are required.
type Options struct {
	// URL is the server's address without a path, such as
	// http://127.0.0.1:8080.
	URL string
	// Login and Password are those of an agent's account.
	Login, Password string
	// Transport is the Bayeux transport to use, [client.WebSocket] or
	// [client.LongPolling]; empty means the first and, if it cannot be had, the
	// second.
	Transport string
	// Dial opens connections; nil means a [net.Dialer].
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Logger is told what the agent does, with chat ids and without texts; nil
	// means [slog.Default].
	Logger *slog.Logger
}

// ErrRefused: the server does not accept the login and the password.
var ErrRefused = errors.New("echo: the server refused the login")

// Delays between two attempts to sign in, and the time one may take.
const (
	firstDelay    = 500 * time.Millisecond
	longestDelay  = 15 * time.Second
	signInTimeout = 15 * time.Second
	leaveTimeout  = 2 * time.Second
)

// Run works as the scripted agent until ctx ends, and then signs out and
// returns nil. It comes back by itself after every loss of the connection or
// the sign-in, however long that lasts. The only errors are options that make
// no sense and [ErrRefused]. Nothing is left running when it returns.
func Run(ctx context.Context, opts Options) error {
	w, err := newWorker(opts)
	if err != nil {
		return err
	}
	defer w.web.CloseIdleConnections()
	for failures := 0; ctx.Err() == nil; {
		err := w.signIn(ctx)
		if err == nil {
			failures = 0
			err = w.runDesk(ctx)
		}
		if errors.Is(err, ErrRefused) {
			return err
		}
		if ctx.Err() != nil {
			break
		}
		failures++
		delay := min(longestDelay, firstDelay<<min(failures-1, 10))
		w.log.Info("echo: not at the desk", "attempt", failures, "error", err)
		select {
		case <-time.After(delay/2 + rand.N(delay/2)):
		case <-ctx.Done():
		}
	}
	if w.signedIn {
		w.signOut(ctx)
	}
	return nil
}

// worker is what stays from one sign-in to the next.
type worker struct {
	opts Options
	log  *slog.Logger
	base *url.URL
	jar  http.CookieJar
	web  *http.Client
	desk *desk

	signedIn bool
}

func newWorker(opts Options) (*worker, error) {
	base, err := url.Parse(opts.URL)
	if err != nil {
		return nil, fmt.Errorf("echo: %w", err)
	}
	if base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, fmt.Errorf("echo: %q is not an http or https address", opts.URL)
	}
	if opts.Login == "" {
		return nil, errors.New("echo: there is no login")
	}
	w := &worker{opts: opts, log: opts.Logger, base: base}
	if w.log == nil {
		w.log = slog.Default()
	}
	if w.opts.Dial == nil {
		w.opts.Dial = (&net.Dialer{}).DialContext
	}
	if w.jar, err = cookiejar.New(nil); err != nil {
		return nil, fmt.Errorf("echo: %w", err)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DialContext = w.opts.Dial
	w.web = &http.Client{Transport: transport, Jar: w.jar, Timeout: signInTimeout}
	w.desk = newDesk(w.log)
	return w, nil
}

// signIn gets a new cookie for the jar.
func (w *worker) signIn(ctx context.Context) error {
	body, err := json.Marshal(map[string]string{"login": w.opts.Login, "password": w.opts.Password})
	if err != nil {
		return fmt.Errorf("echo: %w", err)
	}
	status, answer, err := w.call(ctx, http.MethodPost, body)
	if err != nil {
		return err
	}
	switch status {
	case http.StatusOK:
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Errorf("%w with status %d", ErrRefused, status)
	default:
		return fmt.Errorf("echo: sign-in: status %d", status)
	}
	w.signedIn = true
	var answered struct {
		Agent struct {
			ID int64 `json:"id"`
		} `json:"agent"`
	}
	if err := json.Unmarshal(answer, &answered); err != nil {
		return fmt.Errorf("echo: sign-in: %w", err)
	}
	w.desk.identify(answered.Agent.ID)
	return nil
}

// signOut leaves the desk, so that nothing is offered to it any more. ctx has
// ended already.
func (w *worker) signOut(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTimeout)
	defer cancel()
	if _, _, err := w.call(ctx, http.MethodDelete, nil); err != nil && !gone(err) {
		w.log.Info("echo: not signed out", "error", err)
	}
}

// gone says whether an error is that of a server which does not serve any more,
// as that of the demo, which goes before its agent does.
func gone(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF)
}

func (w *worker) call(ctx context.Context, method string, body []byte) (status int, answer []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, method, w.base.JoinPath("/api/v1/session").String(), bytes.NewReader(body))
	if err != nil {
		return 0, nil, fmt.Errorf("echo: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := w.web.Do(req)
	if err != nil {
		return 0, nil, fmt.Errorf("echo: %w", err)
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return 0, nil, fmt.Errorf("echo: %w", err)
	}
	return resp.StatusCode, answer, nil
}

// runDesk works at the desk until ctx ends or the sign-in is no longer valid.
func (w *worker) runDesk(ctx context.Context) error {
	opts := client.Options{
		URL: w.base.JoinPath("/desk/cometd").String(), Dial: w.opts.Dial, Jar: w.jar, Logger: w.log,
		Backoff: firstDelay, MaxBackoff: longestDelay, MaxMessageSize: 64 << 20, Queue: 4096,
		OnHandshake: func(*client.Client, *client.Message) { w.desk.markUnsynced() },
		OnReconnect: func(*client.Client) { w.desk.markUnsynced() },
		GiveUp: func(_ int, err error) bool {
			var status *client.StatusError
			return errors.As(err, &status) && (status.Status == http.StatusUnauthorized || status.Status == http.StatusForbidden)
		},
	}
	if w.opts.Transport != "" {
		opts.Transports = []string{w.opts.Transport}
	}
	c, err := client.New(opts)
	if err != nil {
		return err
	}
	return w.desk.run(ctx, c)
}
