package push

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"

	"github.com/halley-chat/halley/internal/chat"
)

// HookOptions are what a sender to an HTTP address is made of.
type HookOptions struct {
	// URL is what is called.
	URL string
	// Header is sent along, such as an Authorization. It may be a secret.
	Header map[string]string
	// Transport takes the place of the network; nil means the network.
	Transport http.RoundTripper
}

// hook is a [Sender].
type hook struct {
	// Static after construction.
	*httpClient
	url    string
	header http.Header
}

// NewHook makes a sender.
func NewHook(o HookOptions) (Sender, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("push: hook: that is no http or https address")
	}
	h := &hook{httpClient: newHTTPClient(chat.CarrierHook, o.Transport), url: o.URL, header: http.Header{"Content-Type": {"application/json"}}}
	for name, value := range o.Header {
		h.header.Set(name, value)
	}
	return h, nil
}

// Close is [Sender].
func (s *hook) Close() { s.close() }

// hooked is what a hook is sent.
type hooked struct {
	Device   string          `json:"device"`
	Chat     string          `json:"chat"`
	Index    int64           `json:"index"`
	Type     string          `json:"type"`
	Title    string          `json:"title"`
	Body     string          `json:"body"`
	Language string          `json:"language,omitempty"`
	Provider string          `json:"provider,omitempty"`
	Debug    bool            `json:"debug,omitempty"`
	Event    json.RawMessage `json:"event,omitempty"`
}

// Send is [Sender]. Any 2xx means that the message was taken, and 410 that the
// device is not there any more.
func (s *hook) Send(ctx context.Context, m Message) error {
	a, err := s.post(ctx, s.url, s.header.Clone(), encode(hooked{
		Device: string(m.Device.Token), Chat: m.Chat.String(), Index: m.Index, Type: m.Type, Title: m.Text.Title, Body: m.Text.Body,
		Language: m.Device.Language, Provider: m.Device.Provider, Debug: m.Device.Debug, Event: m.Event,
	}))
	if err != nil || a.ok() {
		return err
	}
	f := a.fault(s.carrier, "")
	if a.status == http.StatusGone {
		f.Verdict = UnknownDevice
	}
	return f
}
