package record

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/halley-chat/halley/internal/tape"
)

// maxBody is how much of a body, or of a WebSocket message, is looked at, in
// bytes. Of what is longer the tape has the size.
const maxBody = 1 << 20

// proxy passes requests on and tells the writer of them.
type proxy struct {
	writer    *tapeWriter
	pass      *httputil.ReverseProxy
	transport *http.Transport
	number    atomic.Int64
	running   sync.WaitGroup // requests, WebSockets included
}

func newProxy(o Options, s *tapeWriter) *proxy {
	p := &proxy{writer: s}
	p.transport = &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		MaxIdleConnsPerHost: 512, IdleConnTimeout: 90 * time.Second, TLSHandshakeTimeout: 10 * time.Second,
		DisableCompression: true, // what the client asked for is what it gets
	}
	p.pass = &httputil.ReverseProxy{
		Transport:     p.transport,
		FlushInterval: -1,       // at once
		ErrorLog:      silent(), // it would log addresses; what matters is logged below
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(o.Upstream)
			r.Out.Host = r.In.Host
			if o.Host != "" {
				r.Out.Host = o.Host
			}
			if o.Upstream.RawQuery == "" {
				r.Out.URL.RawQuery = r.In.URL.RawQuery
			}
			for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"} {
				if v, ok := r.In.Header[name]; ok {
					r.Out.Header[name] = v
				}
			}
			r.Out.Header.Del("Sec-WebSocket-Extensions")
			accept := r.Out.Header.Get("Accept-Encoding")
			r.Out.Header.Del("Accept-Encoding")
			if strings.Contains(accept, "gzip") {
				r.Out.Header.Set("Accept-Encoding", "gzip")
			}
		},
		ModifyResponse: func(r *http.Response) error {
			of(r.Request.Context()).answered(r)
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, _ error) {
			x := of(r.Context())
			why := "upstream"
			if r.Context().Err() != nil {
				why = "client"
			} else {
				o.Logger.Warn("record: the server gives no answer", "conn", x.id)
			}
			x.failed(http.StatusBadGateway, why)
			w.WriteHeader(http.StatusBadGateway)
		},
	}
	return p
}

func (p *proxy) close() { p.transport.CloseIdleConnections() }

// ServeHTTP passes one request on.
func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.running.Add(1)
	defer p.running.Done()
	x := &exchange{proxy: p}
	x.via, _ = tape.Route(r)
	kind := "h"
	if x.via == tape.WebSocket {
		kind = "w"
	}
	x.id = fmt.Sprintf("%s%d", kind, p.number.Add(1))
	r = r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x))
	x.begin(r)
	defer x.failed(0, "client") // unless there has been an answer
	p.pass.ServeHTTP(&upgradable{w, r.Context()}, r)
}

// upgradable lets a WebSocket's connection end with the recording. The HTTP
// server knows nothing of it any more, and who is at its other end may neither
// read nor close it.
type upgradable struct {
	http.ResponseWriter
	ctx context.Context // of the request; it ends with the recording
}

// Unwrap is for [http.ResponseController].
func (u *upgradable) Unwrap() http.ResponseWriter { return u.ResponseWriter }

// Hijack is [http.Hijacker].
func (u *upgradable) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := http.NewResponseController(u.ResponseWriter).Hijack()
	if err == nil {
		context.AfterFunc(u.ctx, func() { _ = conn.Close() }) // a second time it does nothing
	}
	return conn, buffered, err
}

// exchange is one request and its answer. The request's body is read by the
// transport's goroutine and the answer's by the request's, so what both may
// tell is guarded by onces.
type exchange struct {
	proxy *proxy
	id    string
	via   string

	tellRequest func() // puts the request's line, the first time
	answer      sync.Once
}

type exchangeKey struct{}

func of(ctx context.Context) *exchange { return ctx.Value(exchangeKey{}).(*exchange) }

// put hands a line of this exchange to the writer.
func (x *exchange) put(size int64, mask func(*tape.Masker) tape.Line) {
	x.proxy.writer.put(size, func(m *tape.Masker) tape.Line {
		l := mask(m)
		l.Conn = x.id
		return l
	})
}

// begin sees to it that the request is told of once its body has been read.
func (x *exchange) begin(r *http.Request) {
	u, header, method := *r.URL, r.Header.Clone(), r.Method
	tell := func(c *capture) {
		request := tape.Request{Method: method, URL: &u, Header: header}
		if c != nil {
			request.Body, request.Cut, request.Size, request.Parts = c.content()
		}
		held := int64(len(request.Body)+len(u.Path)+len(u.RawQuery)) + headerSize(header)
		for _, p := range request.Parts {
			held += int64(len(p.Name) + len(p.FileName) + len(p.Type) + len(p.Value))
		}
		x.put(held, func(m *tape.Masker) tape.Line { return m.Request(request) })
	}
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 || x.via == tape.WebSocket {
		x.tellRequest = sync.OnceFunc(func() { tell(nil) })
		x.tellRequest()
		return
	}
	c := newCapture(r.Body, r.ContentLength, x.via != tape.Other)
	c.split(header)
	c.end = func(bool) { x.tellRequest() }
	x.tellRequest = sync.OnceFunc(func() { tell(c) })
	r.Body = c
}

// answered sees to it that the answer is told of once its body has been read.
func (x *exchange) answered(r *http.Response) {
	x.tellRequest() // a server may answer before it has read everything
	status, header := r.StatusCode, r.Header.Clone()
	tell := func(c *capture, why string) {
		response := tape.Response{Status: status, Header: header}
		if c != nil {
			response.Body, response.Cut, response.Size, _ = c.content()
		}
		x.answer.Do(func() {
			x.put(int64(len(response.Body))+headerSize(header), func(m *tape.Masker) tape.Line {
				decompress(&response)
				l := m.Response(x.via, response)
				l.Failed = why
				return l
			})
		})
	}
	if status == http.StatusSwitchingProtocols {
		tell(nil, "")
		if body, ok := r.Body.(io.ReadWriteCloser); ok && x.via == tape.WebSocket {
			r.Body = newTap(x, body)
		}
		return
	}
	if r.ContentLength == 0 || r.Request.Method == http.MethodHead || r.Body == http.NoBody {
		tell(nil, "")
		return
	}
	c := newCapture(r.Body, r.ContentLength, x.via != tape.Other)
	c.end = func(whole bool) {
		why := ""
		if !whole {
			if why = "client"; c.broken {
				why = "upstream"
			}
		}
		tell(c, why)
	}
	r.Body = c
}

// headerSize is about how many bytes a header holds, and what is around it.
func headerSize(h http.Header) int64 {
	n := 1024
	for name, values := range h {
		n += len(name)
		for _, v := range values {
			n += len(v)
		}
	}
	return int64(n)
}

// failed tells that there was no answer.
func (x *exchange) failed(status int, why string) {
	x.tellRequest()
	x.answer.Do(func() {
		x.put(64, func(*tape.Masker) tape.Line {
			return tape.Line{Kind: tape.KindResponse, From: tape.Server, Via: x.via, Status: status, Failed: why}
		})
	})
}

// decompress undoes the compression of a body.
func decompress(r *tape.Response) {
	encoding := r.Header.Get("Content-Encoding")
	if encoding == "" || r.Cut || len(r.Body) == 0 {
		return
	}
	r.Cut = true
	if encoding != "gzip" {
		return
	}
	z, err := gzip.NewReader(bytes.NewReader(r.Body))
	if err != nil {
		return
	}
	plain, err := io.ReadAll(io.LimitReader(z, maxBody+1))
	if err == nil && len(plain) <= maxBody {
		r.Body, r.Cut = plain, false
	}
}
