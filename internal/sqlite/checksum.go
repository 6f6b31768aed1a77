package sqlite

import (
	"database/sql/driver"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
)

// ErrDamaged says that what is stored is not what was written: a checksum does
// not match, a value has another type than its column, or a row is missing. It
// concerns one record, chunk or summary and nothing beside it.
// It is the error of the port.
var ErrDamaged = engine.ErrDamaged

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// noSum is the checksum of what was written before there were any. It matches
// everything.
const noSum = -1

// lostSum is the checksum that the packer gives to a record which was missing
// when its log was packed. It matches nothing.
const lostSum = 1 << 32

// sumOf is the CRC-32C of numbers (8 bytes each, big endian) and a body.
func sumOf(body []byte, numbers ...int64) int64 {
	var head [40]byte
	b := head[:0]
	for _, n := range numbers {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	return int64(crc32.Update(crc32.Checksum(b, castagnoli), castagnoli, body))
}

// recordSum covers the record and its place: a row that is taken for a record
// of another log, or for another record of its log, does not match either.
func recordSum(log engine.LogID, index, ts int64, body []byte) int64 {
	return sumOf(body, int64(log.Kind), log.ID, index, ts)
}

// chunkSum covers a chunk's place and its compressed body.
func chunkSum(log engine.LogID, first, n int64, body []byte) int64 {
	return sumOf(body, int64(log.Kind), log.ID, first, n)
}

// checkpointSum covers a checkpoint's place and its body.
func checkpointSum(log engine.LogID, index int64, body []byte) int64 {
	return sumOf(body, int64(log.Kind), log.ID, index)
}

// matches says whether a checksum that was stored is that of what was read.
func matches(stored, sum int64) bool { return stored == noSum || stored == sum }

// storedSum is the value of a column sum; ok is false if it cannot be one.
func storedSum(v driver.Value) (sum int64, ok bool) {
	if v == nil {
		return noSum, true
	}
	sum, ok = v.(int64)
	return sum, ok && sum >= 0 && sum <= 1<<32-1
}

// integers are the values of columns that must be integers.
func integers(v []driver.Value) ([]int64, error) {
	n := make([]int64, len(v))
	for i := range v {
		var ok bool
		if n[i], ok = v[i].(int64); !ok {
			return nil, fmt.Errorf("%w: column %d holds %T in place of an integer", ErrDamaged, i+1, v[i])
		}
	}
	return n, nil
}

// logName names a log for people, with a chat's id as it stands elsewhere.
func logName(log engine.LogID) string {
	switch log.Kind {
	case engine.ChatKind:
		return "chat " + chat.ID(log.ID).String()
	case engine.AgentKind:
		return fmt.Sprintf("agent %d", log.ID)
	}
	return fmt.Sprintf("log %d/%d", log.Kind, log.ID)
}

// maxReported bounds how many damaged things are told apart.
const maxReported = 1000

// damage counts what was found damaged and logs each thing once. Whoever
// wanted to read it gets the error as well, but only as a refusal for its own
// caller, so that without this nobody would say which row it is.
type damage struct {
	log   *slog.Logger // static
	count atomic.Int64

	// Guarded by mu.
	mu       sync.Mutex
	reported map[string]bool
}

// report notes that something is damaged. Its name has no content.
func (d *damage) report(what string, err error) {
	d.mu.Lock()
	known := d.reported[what] || len(d.reported) >= maxReported
	if !known {
		if d.reported == nil {
			d.reported = make(map[string]bool)
		}
		d.reported[what] = true
	}
	d.mu.Unlock()
	if known {
		return
	}
	d.count.Add(1)
	d.log.Error("sqlite: damaged, halley check lists all that is", "what", what, "err", err)
}
