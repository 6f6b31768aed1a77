package client

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"time"
)

// The transports that a client can use, by their Bayeux names.
const (
	WebSocket   = "websocket"
	LongPolling = "long-polling"
)

// Options configure a [Client]. Only URL is required; every other field says
// what its zero value means.
type Options struct {
	// URL is where the server is: http, https, ws or wss. Both transports use
	// it, each with the scheme it needs.
	URL string
	// Transports are the transports to use, most wanted first; empty means
	// WebSocket, then LongPolling. The next one is tried when a handshake fails
	// over the one before in a way that can be the transport's fault.
	Transports []string

	// Dial opens the connections for WebSockets, and those for long-polling
	// too unless HTTPClient is set; nil means a [net.Dialer].
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// TLS configures connections to https and wss; nil means the defaults. It
	// does not reach into HTTPClient.
	TLS *tls.Config
	// HTTPClient sends the requests of long-polling. The client works on a copy
	// that does not follow redirects and has no timeout of its own. Nil means a
	// new one.
	HTTPClient *http.Client
	// Jar keeps cookies for both transports; nil means that of HTTPClient, and
	// if that has none, a new one in memory.
	Jar http.CookieJar
	// Header is sent with every request and every WebSocket upgrade.
	Header http.Header

	// MaxNetworkDelay is how long a reply may take beyond the time for which
	// the server holds a connect; 0 means 10 s. A connection that exceeds it is
	// taken for lost.
	MaxNetworkDelay time.Duration
	// Backoff is the delay unit after a failure and MaxBackoff its bound; 0
	// means 1 s and 60 s. The first delay is anything below Backoff, later ones
	// double; all are jittered, so that many clients do not come back at once.
	Backoff, MaxBackoff time.Duration
	// GiveUp is asked after every failed handshake, and after every failure to
	// keep or renew a connection, whether the client shall end with that
	// error; attempt counts the failures in a row, from 1. It must not block.
	// Nil means that the client tries for ever. It is not asked when the server
	// said that trying again is useless.
	GiveUp func(attempt int, err error) bool

	// Queue is how many deliveries may wait for callbacks before the client
	// stops reading; 0 means 1,024.
	Queue int
	// MaxMessageSize is the largest WebSocket message or HTTP response that is
	// accepted, in bytes; 0 means 8 MiB.
	MaxMessageSize int64

	// OnHandshake is called with the reply after every successful handshake,
	// the first one included.
	OnHandshake func(c *Client, reply *Message)
	// OnReconnect is called when the connection is back after a loss and the
	// session lives on. A server that cannot tell which deliveries the lost
	// connection still carried may have lost some of them.
	OnReconnect func(c *Client)

	// Logger is told of failures and new sessions; nil means nobody is. It is
	// never given message data, client ids or cookies.
	Logger *slog.Logger
}

// settings are checked options with all defaults filled in.
type settings struct {
	Options
	http *http.Client
	poll *url.URL // http or https
	sock *url.URL // ws or wss
	own  bool     // http's transport is the client's own
}

func (o Options) settings() (settings, error) {
	s := settings{Options: o}
	u, err := url.Parse(o.URL)
	if err != nil {
		return s, fmt.Errorf("bayeux client: %w", err)
	}
	poll, sock := *u, *u
	switch u.Scheme {
	case "http", "ws":
		poll.Scheme, sock.Scheme = "http", "ws"
	case "https", "wss":
		poll.Scheme, sock.Scheme = "https", "wss"
	default:
		return s, fmt.Errorf("bayeux client: the URL's scheme %q is not http, https, ws or wss", u.Scheme)
	}
	if u.Host == "" {
		return s, errors.New("bayeux client: the URL has no host")
	}
	if u.Path == "" {
		poll.Path, sock.Path = "/", "/"
	}
	s.poll, s.sock = &poll, &sock
	if len(o.Transports) == 0 {
		s.Transports = []string{WebSocket, LongPolling}
	}
	s.Transports = slices.Clone(s.Transports)
	for _, t := range s.Transports {
		if t != WebSocket && t != LongPolling {
			return s, fmt.Errorf("bayeux client: there is no transport %q", t)
		}
	}
	if s.Dial == nil {
		s.Dial = (&net.Dialer{}).DialContext
	}
	s.MaxNetworkDelay = cmp.Or(o.MaxNetworkDelay, 10*time.Second)
	s.Backoff = cmp.Or(o.Backoff, time.Second)
	s.MaxBackoff = max(cmp.Or(o.MaxBackoff, time.Minute), s.Backoff)
	s.Queue = cmp.Or(o.Queue, 1024)
	s.MaxMessageSize = cmp.Or(o.MaxMessageSize, 8<<20)
	if s.Logger == nil {
		s.Logger = slog.New(slog.DiscardHandler)
	}
	s.Header = o.Header.Clone()
	return s, s.client()
}

// client completes the HTTP client and the cookie jar.
func (s *settings) client() error {
	h := http.Client{}
	if s.HTTPClient != nil {
		h = *s.HTTPClient
	}
	if h.Transport == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.TLSClientConfig = s.TLS.Clone()
		t.DialContext = s.Dial
		h.Transport, s.own = t, true
	}
	if s.Jar == nil {
		s.Jar = h.Jar
	}
	if s.Jar == nil {
		jar, err := cookiejar.New(nil)
		if err != nil {
			return fmt.Errorf("bayeux client: %w", err)
		}
		s.Jar = jar
	}
	h.Jar, h.Timeout = s.Jar, 0
	h.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	s.http = &h
	return nil
}
