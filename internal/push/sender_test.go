package push_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/push"
)

// claims checks a JWT's signature and returns its header and claims.
func claims(t *testing.T, token string, key crypto.PublicKey) (header, body map[string]any) {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%q is no token", token)
	}
	var raw [3][]byte
	for i, p := range parts {
		b, err := base64.RawURLEncoding.DecodeString(p)
		if err != nil {
			t.Fatal(err)
		}
		raw[i] = b
	}
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	switch key := key.(type) {
	case *rsa.PublicKey:
		if err := rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], raw[2]); err != nil {
			t.Errorf("the signature: %v", err)
		}
	case *ecdsa.PublicKey:
		if len(raw[2]) != 64 || !ecdsa.Verify(key, digest[:], new(big.Int).SetBytes(raw[2][:32]), new(big.Int).SetBytes(raw[2][32:])) {
			t.Error("the signature is wrong")
		}
	}
	if err := errors.Join(json.Unmarshal(raw[0], &header), json.Unmarshal(raw[1], &body)); err != nil {
		t.Fatal(err)
	}
	return header, body
}

func keyFile(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func message(t *testing.T, r *http.Request) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
		t.Error(err)
	}
	return m
}

func trip(t *testing.T, server *httptest.Server) http.RoundTripper {
	t.Helper()
	tr := server.Client().Transport.(*http.Transport)
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}

// verdicts sends a message against each answer and compares the faults.
func verdicts(t *testing.T, s push.Sender, set func(http.HandlerFunc), m push.Message, want map[string]struct {
	answer http.HandlerFunc
	fault  *push.Fault
},
) {
	t.Helper()
	for name, c := range want {
		set(c.answer)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		err := s.Send(ctx, m)
		cancel()
		var got *push.Fault
		if err != nil && !errors.As(err, &got) {
			t.Errorf("%s: %v is no fault", name, err)
		}
		if diff := cmp.Diff(c.fault, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if err != nil && (strings.Contains(err.Error(), string(m.Device.Token)) || strings.Contains(err.Error(), "127.0.0.1")) {
			t.Errorf("%s: the error holds too much: %v", name, err)
		}
	}
}

func reply(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// broken ends the connection without an answer.
func broken(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// standIn is a server whose answer can be changed.
type standIn struct {
	mu sync.Mutex
	// Guarded by mu.
	answer http.HandlerFunc
	seen   int
}

func (s *standIn) set(f http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = f
}

func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.seen++
	answer := s.answer
	s.mu.Unlock()
	answer(w, r)
}

func (s *standIn) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen
}

var aMessage = push.Message{
	Chat: 0x1A2B3C4D5E6F7081, Index: 12, Type: "Message", Text: push.Text{Title: "Chat", Body: "News"}, Keep: time.Hour,
	Device: chat.Device{Carrier: chat.CarrierFCM, Token: "device:s3cret/1", Language: "de"},
}

func TestFCM(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	tokens, sends := &standIn{}, &standIn{}
	mux := http.NewServeMux()
	mux.Handle("POST /token", tokens)
	mux.Handle("POST /v1/projects/halley-test/messages:send", sends)
	server := httptest.NewServer(mux)
	defer server.Close()
	account, err := json.Marshal(map[string]string{
		"type": "service_account", "project_id": "halley-test", "private_key_id": "k1", "private_key": keyFile(t, key),
		"client_email": "push@halley-test.example", "token_uri": server.URL + "/token",
	})
	if err != nil {
		t.Fatal(err)
	}
	s, err := push.NewFCM(push.FCMOptions{Account: account, Endpoint: server.URL + "/", Transport: trip(t, server)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	grant := func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" {
			t.Errorf("the grant is %v", r.Form)
		}
		header, body := claims(t, r.FormValue("assertion"), &key.PublicKey)
		if diff := cmp.Diff(map[string]any{"alg": "RS256", "typ": "JWT", "kid": "k1"}, header); diff != "" {
			t.Error(diff)
		}
		issued, _ := body["iat"].(float64)
		if age := time.Since(time.Unix(int64(issued), 0)); age < 0 || age > time.Minute || body["exp"] != issued+3600 {
			t.Errorf("issued %v ago: %v", age, body)
		}
		if body["iss"] != "push@halley-test.example" || body["aud"] != server.URL+"/token" || body["scope"] != "https://www.googleapis.com/auth/firebase.messaging" {
			t.Errorf("got the claims %v, want issuer, audience, scope and time as configured", body)
		}
		reply(200, `{"access_token":"access-1","expires_in":3600,"token_type":"Bearer"}`)(w, r)
	}
	tokens.set(grant)
	sends.set(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer access-1" || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("got the headers %v, want those of the carrier with the current token", r.Header)
		}
		want := map[string]any{"message": map[string]any{
			"token": "device:s3cret/1", "notification": map[string]any{"title": "Chat", "body": "News"},
			"data":    map[string]any{"chat": "1A2B3C4D5E6F7081", "index": "12", "type": "Message"},
			"android": map[string]any{"priority": "high", "ttl": "3600s"},
		}}
		if diff := cmp.Diff(want, message(t, r)); diff != "" {
			t.Error(diff)
		}
		reply(200, `{"name":"projects/halley-test/messages/1"}`)(w, r)
	})
	// Many at once ask for one access token.
	var work sync.WaitGroup
	for range 8 {
		work.Go(func() {
			if err := s.Send(t.Context(), aMessage); err != nil {
				t.Error(err)
			}
		})
	}
	work.Wait()
	if tokens.count() != 1 || sends.count() != 8 {
		t.Errorf("%d access tokens for %d messages", tokens.count(), sends.count())
	}

	fault := func(v push.Verdict, status int, code string, after time.Duration) *push.Fault {
		return &push.Fault{Carrier: chat.CarrierFCM, Verdict: v, Status: status, Code: code, After: after}
	}
	unregistered := `{"error":{"code":404,"message":"device:s3cret/1","status":"NOT_FOUND","details":[{"@type":"type.googleapis.com/google.firebase.fcm.v1.FcmError","errorCode":"UNREGISTERED"}]}}`
	verdicts(t, s, sends.set, aMessage, map[string]struct {
		answer http.HandlerFunc
		fault  *push.Fault
	}{
		"taken":        {reply(200, `{}`), nil},
		"unregistered": {reply(404, unregistered), fault(push.UnknownDevice, 404, "UNREGISTERED", 0)},
		"no project":   {reply(404, `{"error":{"status":"NOT_FOUND"}}`), fault(push.DeviceTransient, 404, "NOT_FOUND", 0)},
		"invalid":      {reply(400, `{"error":{"status":"INVALID_ARGUMENT"}}`), fault(push.Permanent, 400, "INVALID_ARGUMENT", 0)},
		"other sender": {reply(403, `{"error":{"status":"PERMISSION_DENIED","details":[{"errorCode":"SENDER_ID_MISMATCH"}]}}`), fault(push.DeviceTransient, 403, "SENDER_ID_MISMATCH", 0)},
		"no right":     {reply(403, `{"error":{"status":"PERMISSION_DENIED"}}`), fault(push.Misconfigured, 403, "PERMISSION_DENIED", 0)},
		"Apple's key":  {reply(401, `{"error":{"status":"UNAUTHENTICATED","details":[{"errorCode":"THIRD_PARTY_AUTH_ERROR"}]}}`), fault(push.DeviceTransient, 401, "THIRD_PARTY_AUTH_ERROR", 0)},
		"too many":     {reply(429, `{"error":{"status":"RESOURCE_EXHAUSTED"}}`, "Retry-After", "90"), fault(push.Transient, 429, "RESOURCE_EXHAUSTED", 90*time.Second)},
		"unavailable":  {reply(503, `<html>`, "Retry-After", "soon"), fault(push.Transient, 503, "", 0)},
		"internal":     {reply(500, `{"error":{"status":"has spaces and device:s3cret/1"}}`), fault(push.Transient, 500, "", 0)},
		"moved":        {reply(302, ``, "Location", "https://evil.example/"), fault(push.DeviceTransient, 302, "", 0)},
		"broken":       {broken, fault(push.Transient, 0, "", 0)},
	})

	// An access token that was called back is asked for anew.
	before := tokens.count()
	verdicts(t, s, sends.set, aMessage, map[string]struct {
		answer http.HandlerFunc
		fault  *push.Fault
	}{"no access": {reply(401, `{"error":{"status":"UNAUTHENTICATED"}}`), fault(push.Misconfigured, 401, "UNAUTHENTICATED", 0)}})
	sends.set(reply(200, `{}`))
	if err := s.Send(t.Context(), aMessage); err != nil || tokens.count() != before+1 {
		t.Errorf("%v after %d access tokens more", err, tokens.count()-before)
	}
	verdicts(t, s, sends.set, aMessage, map[string]struct {
		answer http.HandlerFunc
		fault  *push.Fault
	}{"no access": {reply(401, ``), fault(push.Misconfigured, 401, "", 0)}})
	verdicts(t, s, tokens.set, aMessage, map[string]struct {
		answer http.HandlerFunc
		fault  *push.Fault
	}{
		"a key that is not taken": {reply(400, `{"error":"invalid_grant","error_description":"x"}`), fault(push.Misconfigured, 400, "invalid_grant", 0)},
		"no token":                {reply(200, `{}`), fault(push.Misconfigured, 200, "no_access", 0)},
		"too many":                {reply(429, ``, "Retry-After", "9"), fault(push.Transient, 429, "no_access", 9*time.Second)},
	})
}

// A carrier that says nothing is given up when the attempt's time is over, also
// if what hangs is where the access tokens come from.
func TestHangingCarrier(t *testing.T) {
	let := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-let:
		case <-r.Context().Done():
		}
	}))
	defer server.Close()
	defer close(let)
	hook, err := push.NewHook(push.HookOptions{URL: server.URL, Transport: trip(t, server)})
	if err != nil {
		t.Fatal(err)
	}
	defer hook.Close()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	account, err := json.Marshal(map[string]string{
		"project_id": "p", "private_key": keyFile(t, key), "client_email": "e@example.org", "token_uri": server.URL,
	})
	if err != nil {
		t.Fatal(err)
	}
	fcm, err := push.NewFCM(push.FCMOptions{Account: account, Endpoint: server.URL, Transport: trip(t, server)})
	if err != nil {
		t.Fatal(err)
	}
	defer fcm.Close()
	for carrier, s := range map[chat.Carrier]push.Sender{chat.CarrierHook: hook, chat.CarrierFCM: fcm} {
		t.Run(string(carrier), func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			err := s.Send(ctx, aMessage)
			if diff := cmp.Diff(&push.Fault{Carrier: carrier, Code: "timeout"}, err); diff != "" {
				t.Errorf("the error (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAPNs(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	usual, sandbox := &standIn{}, &standIn{}
	servers := make([]*httptest.Server, 2)
	for i, s := range []*standIn{usual, sandbox} {
		servers[i] = httptest.NewUnstartedServer(s)
		servers[i].EnableHTTP2 = true
		servers[i].StartTLS()
		defer servers[i].Close()
	}
	s, err := push.NewAPNs(push.APNsOptions{
		Key: []byte(keyFile(t, key)), KeyID: "KEY1234567", TeamID: "TEAM123456", Topic: "org.example.chat",
		Endpoint: servers[0].URL, SandboxEndpoint: servers[1].URL, Transport: trip(t, servers[0]),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	m := aMessage
	m.Device = chat.Device{Carrier: chat.CarrierAPNs, Token: "00ff/../s3cret"}
	var jwt string
	usual.set(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 || r.Method != http.MethodPost || r.URL.EscapedPath() != "/3/device/00ff%2F..%2Fs3cret" {
			t.Errorf("got %s %s %s, want HTTP/2.0 POST /3/device/ and the escaped token", r.Proto, r.Method, r.URL.EscapedPath())
		}
		jwt = strings.TrimPrefix(r.Header.Get("Authorization"), "bearer ")
		header, body := claims(t, jwt, &key.PublicKey)
		if diff := cmp.Diff(map[string]any{"alg": "ES256", "typ": "JWT", "kid": "KEY1234567"}, header); diff != "" {
			t.Error(diff)
		}
		issued, _ := body["iat"].(float64)
		if age := time.Since(time.Unix(int64(issued), 0)); body["iss"] != "TEAM123456" || len(body) != 2 || age < 0 || age > time.Minute {
			t.Errorf("got the claims %v, want issuer, audience, scope and time as configured", body)
		}
		if r.Header.Get("Apns-Topic") != "org.example.chat" || r.Header.Get("Apns-Push-Type") != "alert" || r.Header.Get("Apns-Priority") != "10" || r.Header.Get("Apns-Expiration") == "" {
			t.Errorf("got the headers %v, want those of the carrier with the current token", r.Header)
		}
		want := map[string]any{
			"aps":  map[string]any{"alert": map[string]any{"title": "Chat", "body": "News"}, "sound": "default", "thread-id": "1A2B3C4D5E6F7081"},
			"chat": "1A2B3C4D5E6F7081", "index": 12.0, "type": "Message",
		}
		if diff := cmp.Diff(want, message(t, r)); diff != "" {
			t.Error(diff)
		}
	})
	if err := s.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	first := jwt
	if err := s.Send(t.Context(), m); err != nil || jwt != first {
		t.Errorf("the token was made anew: %v", err)
	}
	sandbox.set(reply(200, ``))
	debug := m
	debug.Device.Debug = true
	if err := s.Send(t.Context(), debug); err != nil || sandbox.count() != 1 || usual.count() != 2 {
		t.Errorf("a developer's build: %v, %d, %d", err, sandbox.count(), usual.count())
	}

	fault := func(v push.Verdict, status int, code string) *push.Fault {
		return &push.Fault{Carrier: chat.CarrierAPNs, Verdict: v, Status: status, Code: code}
	}
	later := fault(push.DeviceTransient, 429, "TooManyRequests")
	later.After = time.Hour
	verdicts(t, s, usual.set, m, map[string]struct {
		answer http.HandlerFunc
		fault  *push.Fault
	}{
		"taken":         {reply(200, ``), nil},
		"too large":     {reply(413, `{"reason":"PayloadTooLarge"}`), fault(push.Permanent, 413, "PayloadTooLarge")},
		"no topic":      {reply(400, `{"reason":"MissingTopic"}`), fault(push.Misconfigured, 400, "MissingTopic")},
		"a bad topic":   {reply(400, `{"reason":"BadTopic"}`), fault(push.Misconfigured, 400, "BadTopic")},
		"not the topic": {reply(400, `{"reason":"TopicDisallowed"}`), fault(push.Misconfigured, 400, "TopicDisallowed")},
		"forbidden":     {reply(403, `{"reason":"Forbidden"}`), fault(push.Misconfigured, 403, "Forbidden")},
		"403 alone":     {reply(403, `<html>`), fault(push.Misconfigured, 403, "")},
		"new keys":      {reply(429, `{"reason":"TooManyProviderTokenUpdates"}`), fault(push.Misconfigured, 429, "TooManyProviderTokenUpdates")},
		"expired":       {reply(410, `{"reason":"ExpiredToken"}`), fault(push.UnknownDevice, 410, "ExpiredToken")},
		"idle":          {reply(400, `{"reason":"IdleTimeout"}`), fault(push.Transient, 400, "IdleTimeout")},
		"gone":          {reply(410, `{"reason":"Unregistered","timestamp":1}`), fault(push.UnknownDevice, 410, "Unregistered")},
		"no device":     {reply(400, `{"reason":"BadDeviceToken"}`), fault(push.UnknownDevice, 400, "BadDeviceToken")},
		"wrong topic":   {reply(400, `{"reason":"DeviceTokenNotForTopic"}`), fault(push.DeviceTransient, 400, "DeviceTokenNotForTopic")},
		"too many":      {reply(429, `{"reason":"TooManyRequests"}`, "Retry-After", "999999"), later},
		"shutting down": {reply(503, `{"reason":"Shutdown"}`), fault(push.Transient, 503, "Shutdown")},
		"broken":        {broken, fault(push.Transient, 0, "")},
	})
	verdicts(t, s, usual.set, m, map[string]struct {
		answer http.HandlerFunc
		fault  *push.Fault
	}{"an old token": {reply(403, `{"reason":"ExpiredProviderToken"}`), fault(push.Misconfigured, 403, "ExpiredProviderToken")}})
	usual.set(func(_ http.ResponseWriter, r *http.Request) {
		jwt = strings.TrimPrefix(r.Header.Get("Authorization"), "bearer ")
	})
	if err := s.Send(t.Context(), m); err != nil || jwt == first {
		t.Errorf("the token was not made anew: %v", err)
	}
	// Apple refuses who makes one more often than every 20 min.
	second := jwt
	verdicts(t, s, usual.set, m, map[string]struct {
		answer http.HandlerFunc
		fault  *push.Fault
	}{"a wrong key": {reply(403, `{"reason":"InvalidProviderToken"}`), fault(push.Misconfigured, 403, "InvalidProviderToken")}})
	usual.set(func(_ http.ResponseWriter, r *http.Request) {
		jwt = strings.TrimPrefix(r.Header.Get("Authorization"), "bearer ")
	})
	if err := s.Send(t.Context(), m); err != nil || jwt != second {
		t.Errorf("the token was made anew too soon: %v", err)
	}
}

func TestHook(t *testing.T) {
	stand := &standIn{}
	server := httptest.NewServer(stand)
	defer server.Close()
	s, err := push.NewHook(push.HookOptions{
		URL: server.URL + "/hook?x=1", Header: map[string]string{"authorization": "Bearer abc", "X-Site": "1"}, Transport: trip(t, server),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	m := aMessage
	m.Event = json.RawMessage(`{"type":"Message","text":"hello"}`)
	stand.set(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.URL.String() != "/hook?x=1" || r.Header.Get("Authorization") != "Bearer abc" || r.Header.Get("X-Site") != "1" {
			t.Errorf("got %s %s with %v, want POST /hook?x=1 with the headers of the options", r.Method, r.URL, r.Header)
		}
		want := map[string]any{
			"device": "device:s3cret/1", "chat": "1A2B3C4D5E6F7081", "index": 12.0, "type": "Message", "title": "Chat", "body": "News",
			"language": "de", "event": map[string]any{"type": "Message", "text": "hello"},
		}
		if diff := cmp.Diff(want, message(t, r)); diff != "" {
			t.Error(diff)
		}
		w.WriteHeader(204)
	})
	if err := s.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	fault := func(v push.Verdict, status int, after time.Duration) *push.Fault {
		return &push.Fault{Carrier: chat.CarrierHook, Verdict: v, Status: status, After: after}
	}
	verdicts(t, s, stand.set, m, map[string]struct {
		answer http.HandlerFunc
		fault  *push.Fault
	}{
		"gone":      {reply(410, ``), fault(push.UnknownDevice, 410, 0)},
		"not found": {reply(404, ``), fault(push.DeviceTransient, 404, 0)},
		"no access": {reply(401, ``), fault(push.Misconfigured, 401, 0)},
		"forbidden": {reply(403, ``), fault(push.DeviceTransient, 403, 0)},
		"method":    {reply(405, ``), fault(push.DeviceTransient, 405, 0)},
		"invalid":   {reply(422, ``), fault(push.Permanent, 422, 0)},
		"too many":  {reply(429, ``, "Retry-After", "5"), fault(push.Transient, 429, 5*time.Second)},
		"timeout":   {reply(408, ``), fault(push.Transient, 408, 0)},
		"failing":   {reply(500, `device:s3cret/1`), fault(push.Transient, 500, 0)},
		"moved":     {reply(307, ``, "Location", "http://evil.example/"), fault(push.DeviceTransient, 307, 0)},
		"broken":    {broken, fault(push.Transient, 0, 0)},
	})
}

// Credentials that cannot work are refused at once, without being shown.
func TestCredentials(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	account := func(key string) push.FCMOptions {
		b, err := json.Marshal(map[string]string{"project_id": "p", "client_email": "e@example.org", "private_key": key})
		if err != nil {
			t.Fatal(err)
		}
		return push.FCMOptions{Account: b}
	}
	apns := func(key any) push.APNsOptions {
		return push.APNsOptions{Key: []byte(keyFile(t, key)), KeyID: "k", TeamID: "t", Topic: "org.example"}
	}
	fcm := func(o push.FCMOptions) error { _, err := push.NewFCM(o); return err }
	ios := func(o push.APNsOptions) error { _, err := push.NewAPNs(o); return err }
	hook := func(url string) error { _, err := push.NewHook(push.HookOptions{URL: url}); return err }
	for name, err := range map[string]error{
		"fcm": fcm(account(keyFile(t, rsaKey))), "apns": ios(apns(ecKey)), "hook": hook("https://example.org/x"),
		"an old form of a key": fcm(account(string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(rsaKey)})))),
	} {
		t.Run(name, func(t *testing.T) {
			if err != nil {
				t.Errorf("%s: got %v, want a sender", name, err)
			}
		})
	}
	noTopic := apns(ecKey)
	noTopic.Topic = ""
	for name, err := range map[string]error{
		"no JSON":          fcm(push.FCMOptions{Account: []byte("secret")}),
		"no project":       fcm(push.FCMOptions{Account: []byte(`{"private_key":"secret","client_email":"e"}`)}),
		"no key":           fcm(account("secret")),
		"a damaged key":    fcm(account("-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n")),
		"a key for Apple":  fcm(account(keyFile(t, ecKey))),
		"a key for Google": ios(apns(rsaKey)),
		"another curve":    ios(apns(p384)),
		"no topic":         ios(noTopic),
		"no address":       hook("secret"),
		"no HTTP":          hook("ftp://secret/"),
	} {
		t.Run(name, func(t *testing.T) {
			if err == nil || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "BEGIN") {
				t.Errorf("%s: got %v, want an error without any of the key", name, err)
			}
		})
	}
}
