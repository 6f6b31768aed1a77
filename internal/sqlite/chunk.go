package sqlite

import (
	"encoding/binary"
	"errors"
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

// chunk is a row of that table: records that follow each other, packed.
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

// zstdRecords is the first byte of a chunk's body. It says how the rest is to
// be read: a zstd frame of records, each as the milliseconds since the one
// before it (varint), the length of its body (uvarint), and its body.
const zstdRecords = 1

// pack makes chunks of records that follow each other.
func (k *codec) pack(records []engine.Record) (chunks []chunk) {
	var plain []byte
	var ms int64
	first := 0
	end := func(next int) {
		chunks = append(chunks, chunk{
			first: records[first].Index, n: int64(next - first),
			body: k.enc.EncodeAll(plain, []byte{zstdRecords}),
		})
		plain, ms, first = plain[:0], 0, next
	}
	for i, r := range records {
		at := r.At.UnixMilli()
		plain = binary.AppendVarint(plain, at-ms)
		plain = binary.AppendUvarint(plain, uint64(len(r.Body)))
		plain = append(plain, r.Body...)
		ms = at
		if len(plain) >= chunkBytes || i-first+1 == chunkRecords {
			end(i + 1)
		}
	}
	if first < len(records) {
		end(len(records))
	}
	return chunks
}

var errChunk = errors.New("a chunk cannot be read")

// unpack lists the records of a chunk. Their bodies share memory.
func (k *codec) unpack(c chunk) ([]engine.Record, error) {
	if len(c.body) == 0 || c.body[0] != zstdRecords {
		return nil, fmt.Errorf("%w: its format is not known", errChunk)
	}
	plain, err := k.dec.DecodeAll(c.body[1:], nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errChunk, err)
	}
	records := make([]engine.Record, 0, min(c.n, chunkRecords))
	var ms int64
	for i := range c.n {
		delta, n := binary.Varint(plain)
		if n <= 0 {
			return nil, fmt.Errorf("%w: it ends at record %d of %d", errChunk, i, c.n)
		}
		size, m := binary.Uvarint(plain[n:])
		if m <= 0 || size > uint64(len(plain)-n-m) {
			return nil, fmt.Errorf("%w: it ends at record %d of %d", errChunk, i, c.n)
		}
		start := n + m
		stop := start + int(size)
		ms += delta
		records = append(records, engine.Record{
			Index: c.first + i, At: time.UnixMilli(ms).UTC(), Body: plain[start:stop:stop],
		})
		plain = plain[stop:]
	}
	if len(plain) != 0 {
		return nil, fmt.Errorf("%w: %d bytes are left over", errChunk, len(plain))
	}
	return records, nil
}
