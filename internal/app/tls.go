package app

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/halley-chat/halley/internal/config"
)

// certificateEvery is how often at most the files of the certificate are looked
// at.
const certificateEvery = time.Second

// certificate is a certificate from files, which is read anew when they change.
// While they cannot be read, or do not belong together, the last one that could
// be used stays. It may be used from any number of goroutines.
type certificate struct {
	// Static after construction.
	files config.TLS
	log   *slog.Logger

	mu sync.Mutex
	// Guarded by mu.
	current *tls.Certificate
	looked  time.Time
	changed [2]time.Time // of the files, when they were read last
	failing bool         // that they cannot be used has been logged
}

// openCertificate reads the files once; what is wrong with them now is an error.
func openCertificate(files config.TLS, log *slog.Logger) (*certificate, error) {
	c := &certificate{files: files, log: log}
	cert, changed, err := c.read()
	if err != nil {
		return nil, err
	}
	c.current, c.changed, c.looked = cert, changed, time.Now()
	return c, nil
}

func (c *certificate) read() (*tls.Certificate, [2]time.Time, error) {
	changed, err := c.stamps()
	if err != nil {
		return nil, changed, err
	}
	cert, err := tls.LoadX509KeyPair(c.files.Cert, c.files.Key)
	if err != nil {
		return nil, changed, fmt.Errorf("tls: %w", err)
	}
	return &cert, changed, nil
}

// stamps are when the files were changed.
func (c *certificate) stamps() (changed [2]time.Time, err error) {
	for i, name := range []string{c.files.Cert, c.files.Key} {
		info, err := os.Stat(name)
		if err != nil {
			return changed, fmt.Errorf("tls: %w", err)
		}
		changed[i] = info.ModTime()
	}
	return changed, nil
}

// get is the certificate to use now.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if now.Sub(c.looked) < certificateEvery {
		return c.current, nil
	}
	c.looked = now
	changed, err := c.stamps()
	if err == nil && changed == c.changed {
		return c.current, nil
	}
	cert, changed, err := c.read()
	switch {
	case err == nil:
		c.current, c.changed, c.failing = cert, changed, false
		c.log.Info("tls: the certificate was read anew")
	case !c.failing:
		c.failing = true
		c.log.Error("tls: the new certificate cannot be used, the old one stays", "err", err)
	}
	return c.current, nil
}

// config is that of a server that uses the certificate.
func (c *certificate) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get}
}
