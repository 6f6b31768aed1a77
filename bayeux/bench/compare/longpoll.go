package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
)

// pollClient is a session over long-polling: one connection for its connects
// and, once it publishes, another for the rest. Requests are written by hand
// and responses read by net/http, without its Transport, whose goroutines
// would cost more than the server under test.
type pollClient struct {
	crowd  *crowd
	id     string
	cookie string
	poll   *lane
	body   []byte // of a connect

	mu   sync.Mutex
	send *lane // Guarded by mu.
	gone bool  // Guarded by mu.
}

// lane is one connection with one request at a time.
type lane struct {
	conn net.Conn
	in   *bufio.Reader
	buf  []byte
}

func newLane(ctx context.Context, c *crowd) (*lane, error) {
	conn, err := c.dial(ctx)
	if err != nil {
		return nil, err
	}
	return &lane{conn: conn, in: bufio.NewReaderSize(conn, 4096)}, nil
}

// post sends a body and returns the response's, which is valid until the next.
func (l *lane) post(host, path, cookie string, body []byte) ([]byte, http.Header, error) {
	if err := l.request(host, path, cookie, body); err != nil {
		return nil, nil, err
	}
	resp, err := http.ReadResponse(l.in, nil)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	l.buf = l.buf[:0]
	if n := resp.ContentLength; n > 0 && n < 16<<20 {
		if int64(cap(l.buf)) < n {
			l.buf = make([]byte, 0, n+n/2)
		}
		l.buf = l.buf[:n]
		_, err = io.ReadFull(resp.Body, l.buf)
	} else {
		l.buf, err = io.ReadAll(resp.Body)
	}
	if err != nil {
		return nil, nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, nil, fmt.Errorf("%s: %s", resp.Status, l.buf)
	}
	return l.buf, resp.Header, nil
}

func (l *lane) request(host, path, cookie string, body []byte) error {
	b := fmt.Appendf(l.buf[:0], "POST /cometd/%s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n", path, host)
	if cookie != "" {
		b = fmt.Appendf(b, "Cookie: %s\r\n", cookie)
	}
	b = fmt.Appendf(b, "Content-Length: %d\r\n\r\n", len(body))
	l.buf = append(b, body...)
	_, err := l.conn.Write(l.buf)
	return err
}

// openPoll is an [open].
func openPoll(ctx context.Context, c *crowd, channels []string) (client, error) {
	l, err := newLane(ctx, c)
	if err != nil {
		return nil, err
	}
	p := &pollClient{crowd: c, poll: l}
	p.id, err = begin("long-polling", channels, func(body []byte, path string) ([]byte, error) {
		answer, h, err := l.post(c.addr, path, p.cookie, body)
		if set := h.Get("Set-Cookie"); set != "" {
			p.cookie, _, _ = strings.Cut(set, ";")
		}
		return answer, err
	})
	if err != nil {
		l.conn.Close()
		return nil, err
	}
	p.body = connectBody("long-polling", p.id)
	go p.listen()
	return p, nil
}

func (p *pollClient) listen() {
	for {
		answer, _, err := p.poll.post(p.crowd.addr, "connect", p.cookie, p.body)
		if err != nil {
			p.crowd.lose(err)
			return
		}
		if !p.crowd.arrived(answer) {
			p.crowd.lose(fmt.Errorf("a connect was answered with %.100s", answer))
			return
		}
		if cap(p.poll.buf) > 4096 {
			p.poll.buf = nil
		}
	}
}

// publish sends in a goroutine of its own: the answer takes a while.
func (p *pollClient) publish(body []byte) {
	go func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.gone {
			return
		}
		if p.send == nil {
			l, err := newLane(context.Background(), p.crowd)
			if err != nil {
				p.crowd.lose(err)
				return
			}
			p.send = l
		}
		answer, _, err := p.send.post(p.crowd.addr, "", p.cookie, body)
		if err != nil {
			p.crowd.lose(err)
			p.gone = true
			return
		}
		p.crowd.arrived(answer)
	}()
}

func (p *pollClient) clientID() string { return p.id }

func (p *pollClient) close() {
	p.poll.conn.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone = true
	if p.send != nil {
		p.send.conn.Close()
	}
}
