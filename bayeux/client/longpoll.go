package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
)

// polling is the link of long-polling: at most two requests at a time, one of
// which is a connect.
type polling struct {
	c      *Client
	turn   chan struct{}   // holds a token while a request other than a connect is under way
	ctx    context.Context // ends with the link, with the reason as its cause
	cancel context.CancelCauseFunc

	requests sync.WaitGroup
}

func newPolling(c *Client) *polling {
	p := &polling{c: c, turn: make(chan struct{}, 1)}
	p.ctx, p.cancel = context.WithCancelCause(context.Background())
	return p
}

func (p *polling) name() string          { return LongPolling }
func (p *polling) lost() <-chan struct{} { return p.ctx.Done() }
func (p *polling) err() error            { return context.Cause(p.ctx) }
func (p *polling) fail(reason error)     { p.cancel(reason) }

func (p *polling) close() {
	p.cancel(ErrClosed)
	p.requests.Wait()
}

// send posts from a goroutine of its own, so that a caller who does not want
// to wait any more does not abort an answer that may hold deliveries. A
// connect is aborted, because the server keeps what waits if its client goes.
func (p *polling) send(ctx context.Context, wait time.Duration, messages []*wireMessage) (context.Context, error) {
	body, err := json.Marshal(messages)
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	release := func() {}
	if messages[0].Channel != "/meta/connect" {
		select {
		case p.turn <- struct{}{}:
			release = func() { <-p.turn }
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-p.ctx.Done():
			return nil, p.err()
		}
		ctx = context.WithoutCancel(ctx)
	}
	outcome, end := context.WithCancelCause(context.Background())
	p.requests.Go(func() {
		defer release()
		ctx, cancel := context.WithTimeoutCause(ctx, wait, errNoReply)
		defer cancel()
		ctx, abort := context.WithCancelCause(ctx)
		defer abort(nil)
		defer context.AfterFunc(p.ctx, func() { abort(p.err()) })()
		end(p.exchange(ctx, p.address(messages), body))
	})
	return outcome, nil
}

func (p *polling) exchange(ctx context.Context, address string, body []byte) error {
	answer, err := p.post(ctx, address, body)
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return err
	}
	replies, err := decode(answer)
	if err != nil {
		return err
	}
	p.c.receive(p, replies)
	return errNoReply // to whatever has not been answered
}

// address is the URL to post to. As CometD's own clients do, the kind of a meta
// message is added to the path, for the benefit of whoever reads access logs,
// unless the URL has a query or names a file.
func (p *polling) address(messages []*wireMessage) string {
	u := *p.c.opts.poll
	kind, meta := strings.CutPrefix(messages[0].Channel, "/meta/")
	if meta && len(messages) == 1 && u.RawQuery == "" && path.Ext(u.Path) == "" {
		return u.JoinPath(kind).String()
	}
	return u.String()
}

func (p *polling) post(ctx context.Context, address string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for key, values := range p.c.opts.Header {
		req.Header[key] = values
	}
	req.Header.Set("Content-Type", "application/json;charset=UTF-8")
	resp, err := p.c.opts.http.Do(req)
	if err != nil {
		if op := (*net.OpError)(nil); errors.As(err, &op) && op.Op == "dial" {
			err = &dialError{err}
		}
		return nil, err
	}
	defer resp.Body.Close()
	limit := p.c.opts.MaxMessageSize
	answer, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	switch {
	case err != nil:
		return nil, err
	case resp.StatusCode != http.StatusOK:
		return nil, &StatusError{Status: resp.StatusCode}
	case int64(len(answer)) > limit:
		return nil, fmt.Errorf("the answer has more than %d bytes", limit)
	}
	return answer, nil
}
