package audit

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Hash is an entry's hash: SHA-256 over the hash of the entry before it (32
// zero bytes for the first), the entry's number (8 bytes, big endian) and its
// body.
type Hash [sha256.Size]byte

// Next is the hash of the entry with a number and a body that follows one with
// the hash prev.
func Next(prev Hash, number int64, body []byte) Hash {
	h := sha256.New()
	h.Write(prev[:])
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(number))
	h.Write(n[:])
	h.Write(body)
	return Hash(h.Sum(nil))
}

// Entry is an event as it is stored.
type Entry struct {
	Number int64  // 1, 2, 3, …
	Body   []byte // the event, as JSON
	Hash   Hash
}

// Event decodes the entry's body.
func (e Entry) Event() (ev Event, err error) {
	if err := json.Unmarshal(e.Body, &ev); err != nil {
		return ev, fmt.Errorf("audit: entry %d: %w", e.Number, err)
	}
	return ev, nil
}

// Head names the state of the whole sequence: its last entry's number and hash;
// both are zero if there is none. Kept elsewhere, it lets [Verify] detect that
// entries were removed from the end or that everything was made anew.
type Head struct {
	Number int64
	Hash   Hash
}

// String is what [ParseHead] reads, such as 12:9f86d0….
func (h Head) String() string { return fmt.Sprintf("%d:%x", h.Number, h.Hash) }

// ParseHead reads what [Head.String] writes.
func ParseHead(s string) (h Head, err error) {
	number, hash, _ := strings.Cut(s, ":")
	h.Number, err = strconv.ParseInt(number, 10, 64)
	b, herr := hex.DecodeString(hash)
	if err != nil || herr != nil || h.Number < 0 || len(b) != len(h.Hash) {
		return Head{}, fmt.Errorf("%q is not a head of the audit log: NUMBER:HASH is needed", s)
	}
	copy(h.Hash[:], b)
	return h, nil
}

// Store is the port to the stored sequence. All methods may be called from any
// number of goroutines, and by several processes on the same store.
type Store interface {
	// AppendAudit appends events, each as JSON, in one atomic and durable
	// step, with the numbers and hashes that follow from the last entry. It
	// returns the new head.
	AppendAudit(ctx context.Context, events [][]byte) (Head, error)
	// AuditEntries lists at most limit entries after a number, in order.
	AuditEntries(ctx context.Context, after int64, limit int) ([]Entry, error)
	// AuditHead is the number and hash of the last entry.
	AuditHead(ctx context.Context) (Head, error)
}

// ErrBroken says that the sequence is not as it was written.
var ErrBroken = errors.New("audit: the chain is broken")

const page = 500

// Each calls yield with every stored entry after a number, in order.
func Each(ctx context.Context, s Store, after int64, yield func(Entry) error) error {
	for {
		entries, err := s.AuditEntries(ctx, after, page)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := yield(e); err != nil {
				return err
			}
			after = e.Number
		}
		if len(entries) < page {
			return nil
		}
	}
}

// Verify reads the whole sequence and checks that every entry follows from the
// one before it, that each can be decoded, and that the given heads are part
// of it. It returns the head; an error wraps [ErrBroken] unless the store could
// not be read.
//
// The chain has no key: it detects damage and the change of single entries.
// Whoever can write the store can also remove entries from the end, or compute
// all hashes anew from some entry on. Only a head that was kept elsewhere
// detects that.
func Verify(ctx context.Context, s Store, heads ...Head) (head Head, err error) {
	missing := make(map[int64]Hash)
	for _, h := range heads {
		if h.Number > 0 {
			missing[h.Number] = h.Hash
		}
	}
	err = Each(ctx, s, 0, func(e Entry) error {
		switch want, known := missing[e.Number]; {
		case e.Number != head.Number+1:
			return fmt.Errorf("%w: entry %d follows entry %d", ErrBroken, e.Number, head.Number)
		case e.Hash != Next(head.Hash, e.Number, e.Body):
			return fmt.Errorf("%w: entry %d was changed, or one before it", ErrBroken, e.Number)
		case known && want != e.Hash:
			return fmt.Errorf("%w: entry %d has another hash than was noted", ErrBroken, e.Number)
		}
		if _, err := e.Event(); err != nil {
			return fmt.Errorf("%w: %w", ErrBroken, err)
		}
		delete(missing, e.Number)
		head = Head{e.Number, e.Hash}
		return nil
	})
	if err != nil {
		return head, err
	}
	for n := range missing {
		return head, fmt.Errorf("%w: entry %d was noted, but the last entry is %d", ErrBroken, n, head.Number)
	}
	return head, nil
}
