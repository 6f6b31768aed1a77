package sqlite

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/halley-chat/halley/internal/engine"
)

const (
	// chunkRecords and chunkBytes bound one chunk, so that reading a part of a
	// long log does not unpack all of it.
	chunkRecords = 1024
	chunkBytes   = 1 << 20
)

// chunk is a row of that table: consecutive records, compressed.
type chunk struct {
	first int64
	n     int64
	body  []byte
}

// codec packs and unpacks records. It may be used from any number of
// goroutines at once.
type codec struct {
	enc *zstd.Encoder
	dec *zstd.Decoder
}

func newCodec() (*codec, error) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(256<<10), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, err
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, err
	}
	return &codec{enc: enc, dec: dec}, nil
}

// The first byte of a chunk's body is its format.
//
// zstdRecords: a zstd frame of records, each as the milliseconds since the one
// before it (varint), the length of its body (uvarint), and its body.
//
// summedRecords: a CRC-32C (4 bytes, big endian) as of [chunkSum], and a frame
// as above.
//
// salvagedRecords: the same, and each record has its own checksum, plus one,
// before the length (uvarint; 0 if it has none). It is for records of which
// some were damaged before they were packed, so that they still are afterwards
// and the others are not.
const (
	zstdRecords     = 1
	summedRecords   = 2
	salvagedRecords = 3
)

const chunkHead = 5 // bytes before the frame, but for zstdRecords

// stored is a record with the checksum that it was written with.
type stored struct {
	engine.Record
	sum int64
}

// good says whether the record is what was written.
func (s stored) good(log engine.LogID) bool {
	return matches(s.sum, recordSum(log, s.Index, s.At.UnixMilli(), s.Body))
}

// pack makes chunks of consecutive records.
func (k *codec) pack(log engine.LogID, records []engine.Record) []chunk {
	return packAs(k, summedRecords, log, records, func(r engine.Record) (engine.Record, int64) { return r, noSum })
}

// packSalvaged makes chunks of consecutive records of which some are damaged.
func (k *codec) packSalvaged(log engine.LogID, records []stored) []chunk {
	return packAs(k, salvagedRecords, log, records, func(s stored) (engine.Record, int64) { return s.Record, s.sum })
}

func packAs[R any](k *codec, format byte, log engine.LogID, records []R, of func(R) (engine.Record, int64)) (chunks []chunk) {
	var plain []byte
	var ms, index, n int64
	end := func() {
		c := chunk{first: index - n + 1, n: n}
		c.body = k.enc.EncodeAll(plain, make([]byte, chunkHead, chunkHead+len(plain)/2))
		c.body[0] = format
		binary.BigEndian.PutUint32(c.body[1:], uint32(chunkSum(log, c.first, n, c.body[chunkHead:])))
		chunks = append(chunks, c)
		plain, ms, n = plain[:0], 0, 0
	}
	for _, one := range records {
		r, sum := of(one)
		at := r.At.UnixMilli()
		plain = binary.AppendVarint(plain, at-ms)
		if format == salvagedRecords {
			plain = binary.AppendUvarint(plain, uint64(sum+1))
		}
		plain = binary.AppendUvarint(plain, uint64(len(r.Body)))
		plain = append(plain, r.Body...)
		ms, index, n = at, r.Index, n+1
		if len(plain) >= chunkBytes || n == chunkRecords {
			end()
		}
	}
	if n > 0 {
		end()
	}
	return chunks
}

var errChunk = fmt.Errorf("%w: a chunk", ErrDamaged)

// unpack lists the records of a chunk. Their bodies share memory. An error wraps
// [ErrDamaged]; a record may be damaged alone.
func (k *codec) unpack(log engine.LogID, c chunk) ([]stored, error) {
	format, frame := byte(0), []byte(nil)
	if len(c.body) > 0 {
		format, frame = c.body[0], c.body[1:]
	}
	switch {
	case format == zstdRecords:
	case format != summedRecords && format != salvagedRecords || len(c.body) < chunkHead:
		return nil, fmt.Errorf("%w: its format is not known", errChunk)
	case int64(binary.BigEndian.Uint32(frame)) != chunkSum(log, c.first, c.n, c.body[chunkHead:]):
		return nil, fmt.Errorf("%w: its checksum differs", errChunk)
	default:
		frame = c.body[chunkHead:]
	}
	plain, err := k.dec.DecodeAll(frame, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errChunk, err)
	}
	records := make([]stored, 0, min(c.n, chunkRecords))
	in := cursor{rest: plain}
	var ms int64
	for i := range c.n {
		ms += in.varint()
		sum := int64(noSum)
		if format == salvagedRecords {
			sum = int64(in.uvarint()) - 1
		}
		body := in.bytes(in.uvarint())
		if in.short {
			return nil, fmt.Errorf("%w: it ends at record %d of %d", errChunk, i, c.n)
		}
		records = append(records, stored{engine.Record{Index: c.first + i, At: time.UnixMilli(ms).UTC(), Body: body}, sum})
	}
	if len(in.rest) != 0 {
		return nil, fmt.Errorf("%w: %d bytes are left over", errChunk, len(in.rest))
	}
	return records, nil
}

// cursor reads numbers and bytes from the front of rest. Once there is too
// little it is short, and everything that it reads is zero.
type cursor struct {
	rest  []byte
	short bool
}

func (c *cursor) skip(n int) bool {
	if c.short = c.short || n <= 0; c.short {
		return false
	}
	c.rest = c.rest[n:]
	return true
}

func (c *cursor) varint() int64 {
	v, n := binary.Varint(c.rest)
	if !c.skip(n) {
		return 0
	}
	return v
}

func (c *cursor) uvarint() uint64 {
	v, n := binary.Uvarint(c.rest)
	if !c.skip(n) {
		return 0
	}
	return v
}

func (c *cursor) bytes(n uint64) []byte {
	if c.short = c.short || n > uint64(len(c.rest)); c.short {
		return nil
	}
	b := c.rest[:n:n]
	c.rest = c.rest[n:]
	return b
}
