package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/halley-chat/halley/internal/tape"
)

// Options is what a replay needs.
type Options struct {
	File     string        // the tape
	URL      *url.URL      // the server; without a path, /genesys is meant
	Wait     time.Duration // how long to wait for what the recorded server had sent
	AtOnce   int           // conversations at the same time
	Origin   string        // sent where the recorded page sent one; that of URL if empty
	Header   []string      // "Name: value", sent with every request
	Services []string      // "recorded=other"
	Out      io.Writer     // gets the report
}

// Run plays a tape and writes the report. same says that nothing differs; an
// error means that the tape could not be played.
func Run(ctx context.Context, o Options) (same bool, err error) {
	p, err := newPlayer(o)
	if err != nil {
		return false, err
	}
	f, err := os.Open(o.File)
	if err != nil {
		return false, err
	}
	_, lines, err := tape.Read(f)
	cut := errors.Is(err, tape.ErrCut)
	if err := errors.Join(f.Close(), err); err != nil && !cut {
		return false, err
	}
	if err := p.reach(ctx); err != nil {
		return false, err
	}
	r := newReport()
	if cut {
		r.uncompared("the last line, which is cut off", 1)
	}
	conversations, actions := plan(lines)
	r.count(p, actions)
	start := time.Now()
	p.play(ctx, conversations)
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	p.client.CloseIdleConnections()
	for _, c := range conversations {
		r.compare(p, c)
	}
	return r.print(o, len(conversations), time.Since(start))
}

// player is a replay under way.
type player struct {
	o        Options
	base     *url.URL
	header   http.Header
	services map[string]string
	client   *http.Client
}

func newPlayer(o Options) (*player, error) {
	if o.URL == nil || (o.URL.Scheme != "http" && o.URL.Scheme != "https") || o.URL.Host == "" {
		return nil, errors.New("the server's address must begin with http:// or https:// and name a host")
	}
	if o.Wait <= 0 || o.AtOnce <= 0 {
		return nil, errors.New("the wait and the number of conversations at once must be above 0")
	}
	p := &player{o: o, header: make(http.Header), services: make(map[string]string)}
	base := *o.URL
	base.RawQuery, base.Fragment = "", ""
	// The address of CometD is as good as the one that it is below.
	base.Path = strings.TrimSuffix(strings.TrimSuffix(base.Path, "/"), "/cometd")
	if base.Path == "" {
		base.Path = "/genesys"
	}
	p.base = &base
	for _, h := range o.Header {
		name, value, ok := strings.Cut(h, ":")
		if !ok {
			return nil, fmt.Errorf("the header %q is not of the form 'Name: value'", h)
		}
		p.header.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	for _, s := range o.Services {
		from, to, ok := strings.Cut(s, "=")
		if !ok {
			return nil, fmt.Errorf("%q is not of the form 'recorded=other'", s)
		}
		p.services[from] = to
	}
	p.client = &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true, DialContext: (&net.Dialer{Timeout: o.Wait}).DialContext},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return p, nil
}

// reach makes sure that there is a server at all.
func (p *player) reach(ctx context.Context) error {
	port := p.base.Port()
	if port == "" {
		port = p.base.Scheme // "http" and "https" are names of ports as well
	}
	ctx, cancel := context.WithTimeout(ctx, max(p.o.Wait, time.Second))
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(p.base.Hostname(), port))
	if err != nil {
		return fmt.Errorf("the server cannot be reached: %w", err)
	}
	return conn.Close()
}

// play plays conversations, some at a time, in the order in which they began.
func (p *player) play(ctx context.Context, list []*conversation) {
	var running sync.WaitGroup
	turn := make(chan struct{}, p.o.AtOnce)
	for _, c := range list {
		select {
		case turn <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		running.Go(func() {
			defer func() { <-turn }()
			newPlayback(p, c).play(ctx)
		})
	}
	running.Wait()
}
