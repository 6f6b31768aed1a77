package conversations

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/halley-chat/halley/test/schema"
)

// hook stands in for the program that a site has told to be called. It keeps
// every call in the order in which it came.
type hook struct {
	server *httptest.Server

	mu sync.Mutex
	// Guarded by mu.
	status  int // of the answers
	calls   []hookCall
	changed chan struct{} // closed and replaced when a call comes
}

type hookCall struct {
	method string
	header http.Header
	body   []byte
}

func newHook() *hook {
	h := &hook{status: http.StatusOK, changed: make(chan struct{})}
	h.server = httptest.NewServer(h)
	return h
}

func (h *hook) close() { h.server.Close() }

// ServeHTTP keeps a call and answers it.
func (h *hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return // the caller has gone, and will call again
	}
	h.mu.Lock()
	h.calls = append(h.calls, hookCall{r.Method, r.Header, b})
	close(h.changed)
	h.changed = make(chan struct{})
	status := h.status
	h.mu.Unlock()
	w.WriteHeader(status)
}

// next waits for a call and takes it.
func (h *hook) next() (hookCall, error) {
	deadline := time.After(within)
	for {
		h.mu.Lock()
		if len(h.calls) > 0 {
			c := h.calls[0]
			h.calls = h.calls[1:]
			h.mu.Unlock()
			return c, nil
		}
		changed := h.changed
		h.mu.Unlock()
		select {
		case <-changed:
		case <-deadline:
			return hookCall{}, fmt.Errorf("the hook was not called within %v", within)
		}
	}
}

// rest are the calls that were not taken.
func (h *hook) rest() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var list []string
	for _, c := range h.calls {
		list = append(list, string(c.body))
	}
	return strings.Join(list, "\n")
}

// configured puts the values that a configuration may name in their places:
// $hook is the address of a stand-in, which is started if it is asked for, and
// $today and $tomorrow are dates in UTC.
func configured(toml string) (string, *hook) {
	now := time.Now().UTC()
	toml = strings.NewReplacer("$today", now.Format(time.DateOnly), "$tomorrow", now.AddDate(0, 0, 1).Format(time.DateOnly)).Replace(toml)
	if !strings.Contains(toml, "$hook") {
		return toml, nil
	}
	h := newHook()
	return strings.ReplaceAll(toml, "$hook", h.server.URL+"/called"), h
}

// answers says with which status the hook answers from now on.
func (p *player) answers(args []string) error {
	if p.hook == nil || len(args) != 1 {
		return errors.New("a status is needed, and $hook in halley.toml")
	}
	status, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	p.hook.mu.Lock()
	defer p.hook.mu.Unlock()
	p.hook.status = status
	return nil
}

// pushed takes the next call of the hook, whose body fits the pattern. An
// event in it has the shape of one in a notification.
func (p *player) pushed(c *client, body string) error {
	if p.hook == nil {
		return errors.New("there is no $hook in halley.toml")
	}
	patterns, err := parseValues(body)
	if err != nil || len(patterns) != 1 {
		return fmt.Errorf("one pattern is needed: %w", err)
	}
	call, err := p.hook.next()
	if err != nil {
		return err
	}
	p.answer = &answer{http.StatusOK, call.header, call.body}
	if kind := call.header.Get("Content-Type"); call.method != http.MethodPost || kind != "application/json" {
		return fmt.Errorf("the hook was called with %s and %q", call.method, kind)
	}
	got, err := parseValues(string(call.body))
	if err != nil || len(got) != 1 {
		return fmt.Errorf("the hook was not called with JSON: %s", call.body)
	}
	kept, diffs := match(patterns[0], got[0], false)
	if len(diffs) > 0 {
		return different(pretty(patterns[0]), func(v any) (map[string]string, []string) { return match(patterns[0], v, false) }, got)
	}
	keep(c.vars, kept)
	if m, _ := got[0].(map[string]any); m["event"] != nil {
		return schema.Event([]byte(show(m["event"])))
	}
	return nil
}
