package push

import (
	"context"
	"crypto"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

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
	key      crypto.Signer
	keyID    string
	email    string
	tokenURI string
	sendURL  string
	access   *tokenSource
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
	key, err := parseKey([]byte(account.Key))
	if err != nil {
		return nil, fmt.Errorf("push: fcm: the service account: %w", err)
	}
	if _, ok := key.(*rsa.PrivateKey); !ok {
		return nil, errors.New("push: fcm: the service account's key is not an RSA key")
	}
	if o.Endpoint == "" {
		o.Endpoint = fcmEndpoint
	}
	if account.TokenURI == "" {
		account.TokenURI = fcmTokenURI
	}
	return &fcm{
		httpClient: newHTTPClient(chat.CarrierFCM, o.Transport), key: key, keyID: account.KeyID, email: account.Email, tokenURI: account.TokenURI,
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

// renew exchanges a signed statement for an access token (RFC 7523).
func (s *fcm) renew(ctx context.Context) (string, time.Duration, error) {
	now := time.Now()
	statement, err := signedToken(s.key, s.keyID, map[string]any{
		"iss": s.email, "scope": fcmScope, "aud": s.tokenURI, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	})
	if err != nil {
		return "", 0, err
	}
	a, err := s.post(ctx, s.tokenURI, http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, []byte(url.Values{
		"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {statement},
	}.Encode()))
	if err != nil {
		return "", 0, err
	}
	var said struct {
		Token  string `json:"access_token"`
		Lasts  int64  `json:"expires_in"`
		Reason string `json:"error"`
	}
	err = json.Unmarshal(a.body, &said)
	if !a.ok() || err != nil || said.Token == "" {
		f := a.fault(s.carrier, said.Reason)
		if f.Code == "" {
			f.Code = "no_access"
		}
		// It is not the message's fault, and an operator may be able to mend it.
		if f.Verdict != Transient {
			f.Verdict = Misconfigured
		}
		return "", 0, f
	}
	// A minute is kept in hand, for clocks that differ.
	return said.Token, max(time.Duration(said.Lasts)*time.Second-time.Minute, time.Second), nil
}
