package app

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/halley-chat/halley/internal/admin"
	"github.com/halley-chat/halley/internal/config"
)

func adminConfig(t *testing.T) config.Config {
	t.Helper()
	c := config.Default()
	c.Listen, c.Data, c.Admin.Listen = "127.0.0.1:0", t.TempDir(), "127.0.0.1:0"
	return c
}

// fetched is the answer to a GET.
func fetched(t *testing.T, client *http.Client, url string) (int, string) {
	t.Helper()
	res, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

func TestOperatorsListener(t *testing.T) {
	r := run(t, adminConfig(t), io.Discard)
	defer http.DefaultClient.CloseIdleConnections()
	at := "http://" + r.adminLine.Addr().String()
	if code, body := fetched(t, http.DefaultClient, r.address()+"/genesys/2/chat/customer-support"); code != http.StatusMethodNotAllowed {
		t.Fatalf("got %d, %s", code, body)
	}
	res, err := http.Post(r.address()+"/genesys/2/chat/customer-support", "application/x-www-form-urlencoded", strings.NewReader("nickname=Vera"))
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	for path, want := range map[string]string{
		"/healthz": "ok\n", "/readyz": "ok\n", "/metrics": "\nhalley_chats{phase=\"waiting\"} 1\n",
	} {
		if code, body := fetched(t, http.DefaultClient, at+path); code != 200 || !strings.Contains(body, want) {
			t.Errorf("%s: got %d, %q, want 200 and %q", path, code, body, want)
		}
	}
	if _, body := fetched(t, http.DefaultClient, at+"/metrics"); !regexp.MustCompile(`halley_store_append_duration_seconds_count [1-9]`).MatchString(body) {
		t.Error("an append was not measured")
	}
	if code, _ := fetched(t, http.DefaultClient, at+"/debug/pprof/"); code != http.StatusNotFound {
		t.Errorf("profiles without being switched on: got %d, want 404", code)
	}
	for _, path := range []string{"/metrics", "/debug/pprof/"} {
		if code, body := fetched(t, http.DefaultClient, r.address()+path); code == 200 && strings.Contains(body, "go_goroutines") {
			t.Errorf("visitors reach %s", path)
		}
	}
}

// What the dashboard and the alerts ask for is there.
func TestDashboardAndAlertsNameMetrics(t *testing.T) {
	a, err := New(t.Context(), Options{Config: adminConfig(t), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	metrics := admin.NewMetrics("test")
	newStoreMetrics(metrics)
	a.measure(metrics)
	names, err := metrics.Names()
	if err != nil {
		t.Fatal(err)
	}
	known := make(map[string]bool)
	for _, n := range names {
		known[n] = true
	}
	used := 0
	for _, file := range []string{"halley-dashboard.json", "halley-alerts.yml"} {
		b, err := os.ReadFile(filepath.Join("..", "..", "deploy", "monitoring", file))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range regexp.MustCompile(`\b(?:halley|go|process)_[a-z_]+`).FindAllString(string(b), -1) {
			used++
			base := name
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				base = strings.TrimSuffix(base, suffix)
			}
			if !known[name] && !known[base] {
				t.Errorf("%s: got no metric %s", file, name)
			}
		}
	}
	if used < 20 {
		t.Errorf("got %d names of metrics, want 20 or more", used)
	}
	stop, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := errors.Join(a.listener.Close(), a.adminLine.Close(), a.gms.Close(stop), a.deskLine.Close(stop), a.close(stop)); err != nil {
		t.Error(err)
	}
}

// An outage is logged when it begins and when it is over, once each, and shows in
// the readiness, which tries the store by itself.
func TestOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		o := &outage{log: slog.New(slog.NewTextHandler(&log, nil))}
		broken := errors.New("fsync: input/output error")
		var now error
		probe := func(context.Context) error { return now }
		if err := o.check(t.Context(), probe); err != nil {
			t.Errorf("before anything failed: got %v, want ready", err)
		}
		for range 3 {
			o.Appended(time.Millisecond, broken)
		}
		now = broken
		time.Sleep(2 * probeEvery)
		if err := o.check(t.Context(), probe); err == nil {
			t.Error("during the outage: got ready, want not")
		}
		now = nil
		if err := o.check(t.Context(), probe); err == nil {
			t.Error("got ready without another try, want the last one's outcome for a second")
		}
		time.Sleep(2 * probeEvery)
		if err := o.check(t.Context(), probe); err != nil {
			t.Errorf("after the outage: got %v, want ready", err)
		}
		if begun, over := strings.Count(log.String(), "takes no writes"), strings.Count(log.String(), "takes writes again"); begun != 1 || over != 1 {
			t.Errorf("got %d lines for the beginning and %d for the end, want one each:\n%s", begun, over, log.String())
		}
	})
}

// certify writes a certificate for 127.0.0.1 with a serial number.
func certify(t *testing.T, files config.TLS, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "halley"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{files.Cert: {Type: "CERTIFICATE", Bytes: der}, files.Key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		// A file system may not tell two changes of one moment apart.
		at := time.Now().Add(time.Duration(serial) * time.Second)
		if err := os.Chtimes(name, at, at); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTLS(t *testing.T) {
	c := adminConfig(t)
	dir := t.TempDir()
	c.TLS = &config.TLS{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	if _, err := New(t.Context(), Options{Config: c, Logger: slog.New(slog.DiscardHandler)}); err == nil {
		t.Fatal("a server without its certificate was made")
	}
	certify(t, *c.TLS, 1)
	r := run(t, c, io.Discard)
	serial := func() int64 {
		t.Helper()
		conn, err := tls.Dial("tcp", r.listener.Addr().String(), &tls.Config{InsecureSkipVerify: true}) // the test has made the certificate
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	if got := serial(); got != 1 {
		t.Errorf("got the certificate %d, want 1", got)
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	defer client.CloseIdleConnections()
	if code, body := fetched(t, client, r.address()+"/healthz"); code != 200 {
		t.Errorf("over TLS: got %d %s, want 200", code, body)
	}
	res, err := client.Post(r.address()+"/genesys/cometd/handshake", "application/json", strings.NewReader(`[{"channel":"/meta/handshake","version":"1.0","supportedConnectionTypes":["long-polling"]}]`))
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	for _, cookie := range res.Cookies() {
		if !cookie.Secure {
			t.Errorf("the cookie %s is not Secure", cookie.Name)
		}
	}

	certify(t, *c.TLS, 2)
	r.cert.mu.Lock()
	r.cert.looked = time.Time{} // as if a second had passed
	r.cert.mu.Unlock()
	if got := serial(); got != 2 {
		t.Errorf("after the files were changed: got the certificate %d, want 2", got)
	}
	if err := os.WriteFile(c.TLS.Key, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.cert.mu.Lock()
	r.cert.looked = time.Time{}
	r.cert.mu.Unlock()
	if got := serial(); got != 2 {
		t.Errorf("with files that cannot be used: got the certificate %d, want the last good one, 2", got)
	}
}

// A long answer over REST goes out compressed, and a short one as it is.
func TestLongAnswersAreCompressed(t *testing.T) {
	r := run(t, adminConfig(t), io.Discard)
	defer http.DefaultClient.CloseIdleConnections()
	post := func(path, form string) *http.Response {
		t.Helper()
		q, err := http.NewRequest(http.MethodPost, r.address()+"/genesys/2/chat/customer-support"+path, strings.NewReader(form))
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		q.Header.Set("Accept-Encoding", "gzip")
		res, err := http.DefaultTransport.RoundTrip(q)
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	res := post("", "nickname=Vera")
	var opened struct {
		ID     string `json:"chatId"`
		Key    string `json:"secureKey"`
		UserID string `json:"userId"`
		Alias  string `json:"alias"`
	}
	b, err := io.ReadAll(res.Body)
	if err != nil || res.Header.Get("Content-Encoding") != "" {
		t.Fatalf("a short answer: got the encoding %q, %v, want none", res.Header.Get("Content-Encoding"), err)
	}
	_ = res.Body.Close()
	read(t, b, &opened)
	who := url.Values{"secureKey": {opened.Key}, "userId": {opened.UserID}, "alias": {opened.Alias}}
	who.Set("message", strings.Repeat("a long line ", 500))
	_ = post("/"+opened.ID+"/send", who.Encode()).Body.Close()
	who.Del("message")
	who.Set("transcriptPosition", "1")
	res = post("/"+opened.ID+"/refresh", who.Encode())
	defer res.Body.Close()
	if res.Header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("a long answer: got the encoding %q, want gzip", res.Header.Get("Content-Encoding"))
	}
	zip, err := gzip.NewReader(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(zip); err != nil || !strings.Contains(string(b), "a long line a long line") {
		t.Errorf("got %d bytes, %v, want the line", len(b), err)
	}
}
