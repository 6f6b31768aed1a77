package push

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/halley-chat/halley/internal/chat"
)

// httpClient is how the senders call out: over TLS as the system trusts it, without
// following redirects, since they would take credentials and devices to
// somebody else.
type httpClient struct {
	carrier chat.Carrier
	client  *http.Client
}

// newHTTPClient makes one. transport takes the place of the network in tests; nil
// means the network.
func newHTTPClient(carrier chat.Carrier, transport http.RoundTripper) *httpClient {
	if transport == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.ForceAttemptHTTP2 = true
		t.MaxIdleConnsPerHost = 8
		t.TLSHandshakeTimeout = 5 * time.Second
		t.MaxResponseHeaderBytes = 64 << 10
		transport = t
	}
	return &httpClient{carrier, &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// maxAnswer is how much of an answer is read, in bytes.
const maxAnswer = 64 << 10

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// post sends a body. An error is a [*Fault], without the address, in which the
// device may be.
func (c *httpClient) post(ctx context.Context, url string, header http.Header, body []byte) (answer, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return answer{}, &Fault{Carrier: c.carrier, Verdict: Permanent, Code: "bad address"}
	}
	r.Header = header
	res, err := c.client.Do(r)
	if err != nil {
		return answer{}, c.lost(ctx)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return answer{}, c.lost(ctx)
	}
	return answer{res.StatusCode, res.Header, b}, nil
}

// lost is a failure on the way.
func (c *httpClient) lost(ctx context.Context) *Fault {
	f := &Fault{Carrier: c.carrier}
	if ctx.Err() != nil {
		f.Code = "timeout"
	}
	return f
}

func (c *httpClient) close() { c.client.CloseIdleConnections() }

func (a answer) ok() bool { return a.status >= 200 && a.status < 300 }

// fault is the answer as a fault, with the verdict that its status has where
// the carrier says nothing more exact. Credentials that are not taken bar the
// way. What may be a wrong address may also be a device's fault, and so it is
// tried again without holding up others.
func (a answer) fault(carrier chat.Carrier, code string) *Fault {
	f := &Fault{Carrier: carrier, Verdict: Permanent, Status: a.status, Code: word(code)}
	switch {
	case a.status == http.StatusRequestTimeout, a.status == http.StatusTooEarly, a.status == http.StatusTooManyRequests, a.status >= 500:
		f.Verdict = Transient
		f.After = a.after()
	case a.status == http.StatusUnauthorized, a.status == http.StatusProxyAuthRequired:
		f.Verdict = Misconfigured
	case a.status >= 300 && a.status < 400, a.status == http.StatusForbidden, a.status == http.StatusNotFound, a.status == http.StatusMethodNotAllowed:
		f.Verdict = DeviceTransient
	}
	return f
}

// after reads Retry-After, which is a number of seconds or a time.
func (a answer) after() time.Duration {
	v := strings.TrimSpace(a.header.Get("Retry-After"))
	if n, err := strconv.Atoi(v); err == nil {
		return min(max(time.Duration(n)*time.Second, 0), maxPause)
	}
	if at, err := http.ParseTime(v); err == nil {
		return min(max(time.Until(at), 0), maxPause)
	}
	return 0
}

// word is a carrier's code if it looks like one: it goes into logs.
func word(s string) string {
	if len(s) > 40 {
		return ""
	}
	for _, c := range s {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' {
			return ""
		}
	}
	return s
}

// encode is a body. What it is made of comes from here and can be encoded.
func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("push: a message cannot be encoded: " + err.Error())
	}
	return b
}

// tokenSource caches a credential until it expires. Unlike oauth2's it honours
// the context of who waits, and a token that was revoked can be dropped.
type tokenSource struct {
	// renewing holds one token while somebody renews it.
	renewing chan struct{}

	// Owned by whoever has put the token in.
	value   string
	until   time.Time
	dropped time.Time // when it was dropped last; zero if it never was
}

func newTokenSource() *tokenSource { return &tokenSource{renewing: make(chan struct{}, 1)} }

// get is the credential, renewed if it is not good any more. Others wait
// meanwhile, so that it is renewed once.
func (k *tokenSource) get(ctx context.Context, renew func() (value string, lasts time.Duration, err error)) (string, error) {
	select {
	case k.renewing <- struct{}{}:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	defer func() { <-k.renewing }()
	if k.value != "" && time.Now().Before(k.until) {
		return k.value, nil
	}
	value, lasts, err := renew()
	if err != nil {
		return "", err
	}
	k.value, k.until = value, time.Now().Add(lasts)
	return value, nil
}

// drop lets the credential go if it is still this one, and none was dropped in
// so long a time.
func (k *tokenSource) drop(value string, sparing time.Duration) {
	k.renewing <- struct{}{}
	defer func() { <-k.renewing }()
	if k.value == value && (k.dropped.IsZero() || time.Since(k.dropped) >= sparing) {
		k.value, k.dropped = "", time.Now()
	}
}
