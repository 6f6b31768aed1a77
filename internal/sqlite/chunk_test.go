package sqlite

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/halley-chat/halley/internal/engine"
)

func testCodec(t *testing.T) *codec {
	t.Helper()
	k, err := newCodec()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestChunksRoundTrip packs and unpacks any records.
func TestChunksRoundTrip(t *testing.T) {
	k := testCodec(t)
	log := engine.ChatLog(1)
	rapid.Check(t, func(t *rapid.T) {
		first := rapid.Int64Range(1, 1<<40).Draw(t, "first")
		size := rapid.SampledFrom([]int{1, 20, 3000, 100_000}).Draw(t, "size")
		var want []engine.Record
		for i := range rapid.IntRange(1, 60).Draw(t, "n") {
			body := rapid.SliceOfN(rapid.Byte(), 0, 30).Draw(t, "body")
			for len(body) > 0 && len(body) < size/10 {
				body = append(body, body...)
			}
			at := rapid.Int64Range(-1<<41, 1<<43).Draw(t, "ms")
			want = append(want, engine.Record{Index: first + int64(i), At: time.UnixMilli(at).UTC(), Body: body})
		}
		var got []engine.Record
		for _, c := range k.pack(log, want) {
			if c.first != first+int64(len(got)) {
				t.Fatalf("a chunk begins at %d after %d records from %d", c.first, len(got), first)
			}
			records, err := k.unpack(log, c)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range records {
				got = append(got, r.Record)
			}
		}
		if diff := cmp.Diff(want, got, cmp.Comparer(bytes.Equal)); diff != "" {
			t.Fatalf("-want +got:\n%s", diff)
		}
	})
}

// TestChunkBounds checks where chunks are cut.
func TestChunkBounds(t *testing.T) {
	k := testCodec(t)
	log := engine.ChatLog(1)
	many := make([]engine.Record, 2*chunkRecords+1)
	for i := range many {
		many[i].Index = int64(i) + 1
	}
	var cut []int64
	for _, c := range k.pack(log, many) {
		cut = append(cut, c.n)
	}
	if diff := cmp.Diff([]int64{chunkRecords, chunkRecords, 1}, cut); diff != "" {
		t.Errorf("small records (-want +got):\n%s", diff)
	}
	large := make([]engine.Record, 5)
	for i := range large {
		large[i] = engine.Record{Index: int64(i) + 1, Body: make([]byte, chunkBytes/2)}
	}
	cut = nil
	for _, c := range k.pack(log, large) {
		cut = append(cut, c.n)
	}
	if diff := cmp.Diff([]int64{2, 2, 1}, cut); diff != "" {
		t.Errorf("large records (-want +got):\n%s", diff)
	}
}

// TestDamagedChunk checks that what is not a chunk is an error and nothing
// worse.
func TestDamagedChunk(t *testing.T) {
	k := testCodec(t)
	log := engine.ChatLog(1)
	good := k.pack(log, []engine.Record{entryOf(log, 1), entryOf(log, 2), entryOf(log, 3)})[0]
	flipped := func(at int) []byte {
		b := bytes.Clone(good.body)
		b[at] ^= 1
		return b
	}
	plain := func(records ...byte) []byte { return k.enc.EncodeAll(records, []byte{zstdRecords}) }
	for name, c := range map[string]chunk{
		"empty":            {first: 1, n: 3},
		"unknown format":   {first: 1, n: 3, body: append([]byte{9}, good.body[1:]...)},
		"cut":              {first: 1, n: 3, body: good.body[:len(good.body)-3]},
		"cut to its head":  {first: 1, n: 3, body: good.body[:3]},
		"too few records":  {first: 1, n: 4, body: good.body},
		"too many":         {first: 1, n: 2, body: good.body},
		"another place":    {first: 2, n: 3, body: good.body},
		"flipped checksum": {first: 1, n: 3, body: flipped(2)},
		"flipped bit":      {first: 1, n: 3, body: flipped(len(good.body) - 6)},
		"a length beyond":  {first: 1, n: 1, body: plain(0, 200, 1, 'x')},
		"no length":        {first: 1, n: 1, body: plain(0)},
		"left over":        {first: 1, n: 1, body: plain(0, 1, 'x', 'y')},
	} {
		t.Run(name, func(t *testing.T) {
			if records, err := k.unpack(log, c); !errors.Is(err, ErrDamaged) {
				t.Errorf("got %d records and the error %v, want ErrDamaged", len(records), err)
			}
		})
	}
	if _, err := k.unpack(engine.ChatLog(2), good); !errors.Is(err, ErrDamaged) {
		t.Errorf("the chunk of another chat: got %v, want ErrDamaged", err)
	}
	old := chunk{first: 1, n: 1, body: plain(2, 1, 'x')}
	if records, err := k.unpack(log, old); err != nil || len(records) != 1 || string(records[0].Body) != "x" || !records[0].good(log) {
		t.Errorf("a chunk without a checksum: got %v, %v, want its record", records, err)
	}
	rapid.Check(t, func(t *rapid.T) {
		c := chunk{first: 1, n: rapid.Int64Range(0, 5).Draw(t, "n"), body: rapid.SliceOfN(rapid.Byte(), 0, 60).Draw(t, "body")}
		if rapid.Bool().Draw(t, "framed") {
			c.body = k.enc.EncodeAll(c.body, []byte{zstdRecords})
		}
		if records, err := k.unpack(log, c); err == nil && int64(len(records)) != c.n {
			t.Fatalf("unpacked %d records, want %d or an error", len(records), c.n)
		}
	})
}
