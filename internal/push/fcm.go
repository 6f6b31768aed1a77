package push

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/oauth2"
	oauth2jwt "golang.org/x/oauth2/jwt"

	"github.com/halley-chat/halley/internal/chat"
)

// FCMOptions are what a sender for Firebase Cloud Messaging is made of.
type FCMOptions struct {
	// Account is the service account, the JSON that the Firebase console gives.
	Account []byte
	// Endpoint is where messages are sent; Google's if it is empty.
	Endpoint string
	// Transport takes the place of the network; nil means the network.
	Transport http.RoundTripper
}

const (
	fcmEndpoint = "https://fcm.googleapis.com"
	fcmScope    = "https://www.googleapis.com/auth/firebase.messaging"
	fcmTokenURI = "https://oauth2.googleapis.com/token"
)

// fcm is a [Sender] that speaks the HTTP v1 API.
type fcm struct {
	// Static after construction.
	*httpClient
	account oauth2jwt.Config
	sendURL string
	access  *tokenSource
}

// NewFCM makes a sender. The errors do not show any of the account.
func NewFCM(o FCMOptions) (Sender, error) {
	var account struct {
		Project  string `json:"project_id"`
		KeyID    string `json:"private_key_id"`
		Key      string `json:"private_key"`
		Email    string `json:"client_email"`
		TokenURI string `json:"token_uri"`
	}
	if err := json.Unmarshal(o.Account, &account); err != nil {
		return nil, errors.New("push: fcm: the service account is not JSON")
	}
	if account.Project == "" || account.Key == "" || account.Email == "" {
		return nil, errors.New("push: fcm: the service account needs project_id, private_key and client_email")
	}
	if _, err := jwt.ParseRSAPrivateKeyFromPEM([]byte(account.Key)); err != nil {
		return nil, errors.New("push: fcm: the service account's key is not an RSA key in PEM form")
	}
	if o.Endpoint == "" {
		o.Endpoint = fcmEndpoint
	}
	if account.TokenURI == "" {
		account.TokenURI = fcmTokenURI
	}
	return &fcm{
		httpClient: newHTTPClient(chat.CarrierFCM, o.Transport),
		account: oauth2jwt.Config{
			Email: account.Email, PrivateKey: []byte(account.Key), PrivateKeyID: account.KeyID, Scopes: []string{fcmScope}, TokenURL: account.TokenURI,
		},
		sendURL: strings.TrimSuffix(o.Endpoint, "/") + "/v1/projects/" + url.PathEscape(account.Project) + "/messages:send",
		access:  newTokenSource(),
	}, nil
}

// Close is [Sender].
func (s *fcm) Close() { s.close() }

// Send is [Sender].
func (s *fcm) Send(ctx context.Context, m Message) error {
	access, err := s.access.get(ctx, func() (string, time.Duration, error) { return s.renew(ctx) })
	if err != nil {
		return err
	}
	a, err := s.post(ctx, s.sendURL, http.Header{
		"Content-Type": {"application/json"}, "Authorization": {"Bearer " + access},
	}, encode(map[string]any{"message": map[string]any{
		"token":        string(m.Device.Token),
		"notification": map[string]string{"title": m.Text.Title, "body": m.Text.Body},
		"data":         map[string]string{"chat": m.Chat.String(), "index": strconv.FormatInt(m.Index, 10), "type": m.Type},
		"android":      map[string]string{"priority": "high", "ttl": strconv.Itoa(int(m.Keep/time.Second)) + "s"},
	}}))
	if err != nil || a.ok() {
		return err
	}
	return s.refused(a, access)
}

// refused says what an answer means. SENDER_ID_MISMATCH and
// THIRD_PARTY_AUTH_ERROR may be about this device alone, which belongs to
// another project or is one that FCM reaches through others.
func (s *fcm) refused(a answer, access string) error {
	var said struct {
		Error struct {
			Status  string `json:"status"`
			Details []struct {
				Code string `json:"errorCode"`
			} `json:"details"`
		} `json:"error"`
	}
	_ = json.Unmarshal(a.body, &said) // not every proxy on the way answers in JSON
	code := said.Error.Status
	for _, d := range said.Error.Details {
		if d.Code != "" {
			code = d.Code
		}
	}
	f := a.fault(s.carrier, code)
	switch {
	case a.status == http.StatusNotFound && f.Code == "UNREGISTERED":
		f.Verdict = UnknownDevice
	case f.Code == "SENDER_ID_MISMATCH", f.Code == "THIRD_PARTY_AUTH_ERROR":
		f.Verdict = DeviceTransient
	case a.status == http.StatusUnauthorized:
		// The access token may have been called back, which a new one mends.
		s.access.drop(access, 0)
	case a.status == http.StatusForbidden:
		f.Verdict = Misconfigured
	}
	return f
}

// renew exchanges a signed assertion for an access token (RFC 7523).
func (s *fcm) renew(ctx context.Context) (string, time.Duration, error) {
	// The exchange takes its client, but not its deadline, from the context.
	exchange := *s.client
	exchange.Transport = contextTransport{ctx, s.client.Transport}
	token, err := s.account.TokenSource(context.WithValue(ctx, oauth2.HTTPClient, &exchange)).Token()
	var refused *oauth2.RetrieveError
	switch {
	case errors.As(err, &refused):
		return "", 0, s.noAccess(answer{refused.Response.StatusCode, refused.Response.Header, refused.Body})
	case err != nil:
		return "", 0, s.lost(ctx)
	case token.AccessToken == "":
		return "", 0, s.noAccess(answer{status: http.StatusOK})
	}
	// A minute is kept in hand, for clocks that differ.
	return token.AccessToken, max(time.Until(token.Expiry)-time.Minute, time.Second), nil
}

// noAccess says what a refused exchange means. It is not the message's fault,
// and an operator may be able to mend it.
func (s *fcm) noAccess(a answer) *Fault {
	var said struct {
		Reason string `json:"error"`
	}
	_ = json.Unmarshal(a.body, &said) // not every proxy on the way answers in JSON
	f := a.fault(s.carrier, said.Reason)
	if f.Code == "" {
		f.Code = "no_access"
	}
	if f.Verdict != Transient {
		f.Verdict = Misconfigured
	}
	return f
}

// contextTransport makes requests end with a context.
type contextTransport struct {
	ctx  context.Context
	next http.RoundTripper
}

// RoundTrip is [http.RoundTripper].
func (t contextTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	return t.next.RoundTrip(r.WithContext(t.ctx))
}
