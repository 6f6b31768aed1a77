// Station 4 of docs/road.md: an operation becomes a command.

package gms

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/halley-chat/halley/internal/chat"
)

// The visitor's key is derived and not stored: the chat, the participant and
// the key epoch in clear, and an HMAC-SHA-256 over them with the server's
// secret. It therefore says by itself which chat it opens, stays within the
// alphabet A-Z a-z 0-9 - _, and nothing in the database suffices to forge it.

// MinSecret is the shortest secret that keys may be derived from, in bytes.
const MinSecret = 32

const keyHead = 8 + 2 + 2

// Keyring makes and checks keys. It is safe for concurrent use.
type Keyring struct{ secret []byte }

// NewKeyring uses a secret of at least [MinSecret] bytes, which all nodes of
// a cluster share.
func NewKeyring(secret []byte) (*Keyring, error) {
	if len(secret) < MinSecret {
		return nil, fmt.Errorf("gms: the secret has %d bytes, at least %d are needed", len(secret), MinSecret)
	}
	return &Keyring{secret: secret}, nil
}

// identity is whom a key stands for.
type identity struct {
	chat  chat.ID
	party int
	epoch uint16
}

func (k *Keyring) seal(head []byte) []byte {
	mac := hmac.New(sha256.New, k.secret)
	mac.Write([]byte("halley visitor key 1\n"))
	mac.Write(head)
	return mac.Sum(nil)
}

func (k *Keyring) key(who identity) string {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, keyHead+sha256.Size), uint64(who.chat))
	b = binary.BigEndian.AppendUint16(b, uint16(who.party))
	b = binary.BigEndian.AppendUint16(b, who.epoch)
	return base64.RawURLEncoding.EncodeToString(append(b, k.seal(b)...))
}

// open says whom a key stands for; ok is false unless the key was made with
// this secret. The comparison takes the same time for every wrong key.
func (k *Keyring) open(key string) (who identity, ok bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(key)
	if err != nil || len(b) != keyHead+sha256.Size {
		return identity{}, false
	}
	if !hmac.Equal(b[keyHead:], k.seal(b[:keyHead])) {
		return identity{}, false
	}
	return identity{
		chat:  chat.ID(binary.BigEndian.Uint64(b)),
		party: int(binary.BigEndian.Uint16(b[8:])),
		epoch: binary.BigEndian.Uint16(b[10:]),
	}, true
}

// The value of a browser's cookie is a random name and an HMAC over it, so that no
// chat is tied to a value that somebody else has made and planted.

// browserName is the length of the random name, and browserMAC that of the HMAC as
// it is written.
const (
	browserName = 26
	browserMAC  = 22
)

// newBrowser makes the value of a browser's cookie.
func (k *Keyring) newBrowser() string { return k.browser(strings.ToLower(rand.Text())) }

func (k *Keyring) browser(name string) string {
	mac := hmac.New(sha256.New, k.secret)
	mac.Write([]byte("halley browser cookie 1\n"))
	mac.Write([]byte(name))
	return name + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))[:browserMAC]
}

// knowsBrowser says whether the value of a cookie was made with this secret.
func (k *Keyring) knowsBrowser(value string) bool {
	return len(value) == browserName+1+browserMAC && hmac.Equal([]byte(value), []byte(k.browser(value[:browserName])))
}

// BrowserDigest is how a browser's cookie is kept: nobody can make the cookie
// from it. An empty cookie has an empty digest.
func BrowserDigest(cookie string) string {
	if cookie == "" {
		return ""
	}
	sum := sha256.Sum256([]byte("halley browser 1\n" + cookie))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}
