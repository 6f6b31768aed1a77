package staff

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/crypto/argon2"
)

// Params are the costs of one argon2id hash.
type Params struct {
	Memory  uint32 // KiB
	Passes  uint32
	Threads uint8
}

// DefaultParams are 64 MiB, three passes and four lanes: the second of the two
// recommendations of RFC 9106, the one for machines without gigabytes to spare.
func DefaultParams() Params { return Params{Memory: 64 << 10, Passes: 3, Threads: 4} }

// The most that a stored hash may ask for. A hash beyond it is taken as
// damaged rather than given the machine's memory.
const (
	maxMemory  = 256 << 10
	maxPasses  = 16
	maxThreads = 16

	saltSize = 16
	keySize  = 32
)

// maxHashing is how many passwords may wait in a lane to be hashed.
const maxHashing = 64

// ErrBusy says that too many people are signing in at this moment; the same
// attempt may succeed a little later.
var ErrBusy = errors.New("staff: too many sign-ins at once")

var errHash = errors.New("staff: a stored password hash cannot be read")

// hasher makes and compares hashes, no more of them at once than the machine
// has processors and one more, so that a crowd signing in cannot exhaust its
// memory. That one is for trusted browsers, whom a flood of strangers does not
// keep out.
type hasher struct {
	params             Params
	strangers, trusted lane
	// decoy is the hash that an unknown login is compared with, so that the
	// time of the answer does not tell which logins exist.
	decoy func() string
}

func newHasher(p Params) *hasher {
	if p == (Params{}) {
		p = DefaultParams()
	}
	return &hasher{
		params:    p,
		strangers: lane{slots: make(chan struct{}, runtime.GOMAXPROCS(0))},
		trusted:   lane{slots: make(chan struct{}, 1)},
		decoy: sync.OnceValue(func() string {
			salt, key := make([]byte, saltSize), make([]byte, keySize)
			_, _ = rand.Read(salt)
			_, _ = rand.Read(key)
			return encodePHC(p, salt, key)
		}),
	}
}

// lane is a semaphore with a bounded queue.
type lane struct {
	slots   chan struct{}
	waiting atomic.Int64
}

// acquire waits until the caller may hash. The caller calls release afterwards.
func (l *lane) acquire(ctx context.Context) (release func(), err error) {
	if l.waiting.Add(1) > maxHashing {
		l.waiting.Add(-1)
		return nil, ErrBusy
	}
	defer l.waiting.Add(-1)
	select {
	case l.slots <- struct{}{}:
		return func() { <-l.slots }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// hash makes the PHC string of a password with a new salt.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	release, err := h.trusted.acquire(ctx)
	if err != nil {
		return "", err
	}
	defer release()
	salt := make([]byte, saltSize)
	_, _ = rand.Read(salt) // crypto/rand never fails
	key := argon2.IDKey([]byte(password), salt, h.params.Passes, h.params.Memory, h.params.Threads, keySize)
	return encodePHC(h.params, salt, key), nil
}

// matches says whether the password is the one behind the hash.
func (h *hasher) matches(ctx context.Context, trusted bool, phc, password string) (bool, error) {
	p, salt, want, err := decodePHC(phc)
	if err != nil {
		return false, err
	}
	in := &h.strangers
	if trusted {
		in = &h.trusted
	}
	release, err := in.acquire(ctx)
	if err != nil {
		return false, err
	}
	defer release()
	got := argon2.IDKey([]byte(password), salt, p.Passes, p.Memory, p.Threads, uint32(len(want)))
	return subtle.ConstantTimeCompare(got, want) == 1, nil
}

// outdated says whether the hash is cheaper than what is asked for today.
func (h *hasher) outdated(phc string) bool {
	p, _, _, err := decodePHC(phc)
	return err == nil && (p.Memory < h.params.Memory || p.Passes < h.params.Passes)
}

func encodePHC(p Params, salt, key []byte) string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s",
		argon2.Version, p.Memory, p.Passes, p.Threads, b64.EncodeToString(salt), b64.EncodeToString(key))
}

func decodePHC(s string) (p Params, salt, key []byte, err error) {
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return Params{}, nil, nil, errHash
	}
	costs := parts[3]
	if n, scanErr := fmt.Sscanf(costs, "m=%d,t=%d,p=%d", &p.Memory, &p.Passes, &p.Threads); n != 3 || scanErr != nil ||
		costs != fmt.Sprintf("m=%d,t=%d,p=%d", p.Memory, p.Passes, p.Threads) {
		return Params{}, nil, nil, errHash
	}
	if p.Memory > maxMemory || p.Passes == 0 || p.Passes > maxPasses || p.Threads == 0 || p.Threads > maxThreads {
		return Params{}, nil, nil, errHash
	}
	b64 := base64.RawStdEncoding.Strict()
	salt, saltErr := b64.DecodeString(parts[4])
	key, keyErr := b64.DecodeString(parts[5])
	if saltErr != nil || keyErr != nil || len(salt) < 8 || len(key) < 16 || len(key) > 64 {
		return Params{}, nil, nil, errHash
	}
	return p, salt, key, nil
}
