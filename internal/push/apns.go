package push

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/halley-chat/halley/internal/chat"
)

// APNsOptions are what a sender for Apple's push notification service is made
// of.
type APNsOptions struct {
	// Key is the signing key, the .p8 file that Apple gives; KeyID its id and
	// TeamID the developer's.
	Key           []byte
	KeyID, TeamID string
	// Topic is the app's bundle id.
	Topic string
	// Sandbox sends to the service for developers' builds. Devices that are
	// subscribed with debug are sent to there anyway.
	Sandbox bool
	// Endpoint and SandboxEndpoint are where messages are sent; Apple's if they
	// are empty.
	Endpoint, SandboxEndpoint string
	// Transport takes the place of the network; nil means the network. It must speak
	// HTTP/2.
	Transport http.RoundTripper
}

const (
	apnsEndpoint        = "https://api.push.apple.com"
	apnsSandboxEndpoint = "https://api.sandbox.push.apple.com"
	// apnsRenew is how often the token is made anew: Apple refuses one that is
	// older than an hour, and who makes one more often than every 20 min.
	apnsRenew   = 40 * time.Minute
	apnsSparing = 20 * time.Minute
)

// apns is a [Sender].
type apns struct {
	// Static after construction.
	*httpClient
	o     APNsOptions
	key   *ecdsa.PrivateKey
	token *tokenSource
	// proved says of each of Apple's two services, the usual one and the
	// sandbox, that it has taken a message: what the settings say is right.
	proved [2]atomic.Bool
}

// NewAPNs makes a sender. The errors do not show any of the key.
func NewAPNs(o APNsOptions) (Sender, error) {
	if o.KeyID == "" || o.TeamID == "" || o.Topic == "" {
		return nil, errors.New("push: apns: a key id, a team id and a topic are needed")
	}
	key, err := jwt.ParseECPrivateKeyFromPEM(o.Key)
	if err != nil || key.Curve != elliptic.P256() {
		return nil, errors.New("push: apns: the key file is not one on the curve P-256 in PEM form")
	}
	if o.Endpoint == "" {
		o.Endpoint = apnsEndpoint
	}
	if o.SandboxEndpoint == "" {
		o.SandboxEndpoint = apnsSandboxEndpoint
	}
	return &apns{httpClient: newHTTPClient(chat.CarrierAPNs, o.Transport), o: o, key: key, token: newTokenSource()}, nil
}

// Close is [Sender].
func (s *apns) Close() { s.close() }

// Send is [Sender].
func (s *apns) Send(ctx context.Context, m Message) error {
	token, err := s.token.get(ctx, func() (string, time.Duration, error) {
		t := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.RegisteredClaims{Issuer: s.o.TeamID, IssuedAt: jwt.NewNumericDate(time.Now())})
		t.Header["kid"] = s.o.KeyID
		signed, err := t.SignedString(s.key)
		return signed, apnsRenew, err
	})
	if err != nil {
		return err
	}
	endpoint, proved := s.o.Endpoint, &s.proved[0]
	if s.o.Sandbox || m.Device.Debug {
		endpoint, proved = s.o.SandboxEndpoint, &s.proved[1]
	}
	a, err := s.post(ctx, strings.TrimSuffix(endpoint, "/")+"/3/device/"+url.PathEscape(string(m.Device.Token)), http.Header{
		"Content-Type":    {"application/json"},
		"Authorization":   {"bearer " + token},
		"Apns-Topic":      {s.o.Topic},
		"Apns-Push-Type":  {"alert"},
		"Apns-Priority":   {"10"},
		"Apns-Expiration": {strconv.FormatInt(time.Now().Add(m.Keep).Unix(), 10)},
	}, encode(map[string]any{
		"aps": map[string]any{
			"alert": map[string]string{"title": m.Text.Title, "body": m.Text.Body}, "sound": "default", "thread-id": m.Chat.String(),
		},
		"chat": m.Chat.String(), "index": m.Index, "type": m.Type,
	}))
	if err != nil {
		return err
	}
	if a.ok() {
		proved.Store(true)
		return nil
	}
	f := s.refused(a, token, proved.Load())
	if f.Verdict == Misconfigured && m.Device.Debug && !s.o.Sandbox {
		// The visitor's client has chosen the service, which the key may not
		// be meant for. That must not open the circuit for all others.
		f.Verdict = DeviceTransient
	}
	return f
}

// refused says what an answer means. 403 is about the key or the token that is
// signed with it, whatever the reason; the topic is the configuration's. That a
// device does not fit the topic may be the device's fault. That a device is bad
// may be a wrong sandbox in the settings, unless they are proved.
func (s *apns) refused(a answer, token string, proved bool) *Fault {
	var said struct {
		Reason string `json:"reason"`
	}
	_ = json.Unmarshal(a.body, &said) // not every proxy on the way answers in JSON
	f := a.fault(s.carrier, said.Reason)
	switch {
	case a.status == http.StatusGone, f.Code == "BadDeviceToken" && proved, f.Code == "ExpiredToken":
		f.Verdict = UnknownDevice
	case f.Code == "BadDeviceToken":
		f.Verdict = DeviceTransient
	case f.Code == "ExpiredProviderToken", f.Code == "InvalidProviderToken":
		// It may have been made by a clock that was wrong.
		s.token.drop(token, apnsSparing)
		f.Verdict = Misconfigured
	case a.status == http.StatusForbidden, f.Code == "BadTopic", f.Code == "MissingTopic", f.Code == "TopicDisallowed", f.Code == "TooManyProviderTokenUpdates":
		f.Verdict = Misconfigured
	case f.Code == "DeviceTokenNotForTopic", f.Code == "TooManyRequests": // the latter for this device
		f.Verdict = DeviceTransient
	case f.Code == "IdleTimeout":
		f.Verdict = Transient
	}
	return f
}
