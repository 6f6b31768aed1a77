package bayeux

import (
	"bytes"
	"compress/flate"
	"io"
	"sync"
)

// permessage-deflate without context (RFC 7692): each message is compressed
// for itself, and the empty block at its end is left out.

// worthDeflating is the payload from which compression is tried, in bytes.
const worthDeflating = 256

// flateTail is the empty block that is left out, and a last block that ends
// the stream for the reader.
var flateTail = []byte{0, 0, 0xff, 0xff, 1, 0, 0, 0xff, 0xff}

const flateTailSent = 4

var inflaters = sync.Pool{New: func() any { return flate.NewReader(nil) }}

var deflaters = sync.Pool{New: func() any {
	// BestSpeed is a legal level, so there is no error.
	w, _ := flate.NewWriter(nil, flate.BestSpeed)
	return w
}}

// inflate unpacks a message; it may have at most limit bytes when it is
// unpacked.
// spec:10.2 spec:10.6
func inflate(packed []byte, limit int) ([]byte, error) {
	r := inflaters.Get().(io.ReadCloser)
	defer inflaters.Put(r)
	from := io.MultiReader(bytes.NewReader(packed), bytes.NewReader(flateTail))
	if err := r.(flate.Resetter).Reset(from, nil); err != nil {
		return nil, &wireError{closeMalformed, "the message cannot be unpacked"}
	}
	out, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	switch {
	case err != nil:
		return nil, &wireError{closeMalformed, "the message cannot be unpacked"}
	case len(out) > limit:
		return nil, &wireError{closeTooBig, "the message is too large"}
	}
	return out, nil
}

// deflateTail packs what stands in b from an offset on.
func deflateTail(b []byte, from int) []byte {
	w := deflaters.Get().(*flate.Writer)
	defer deflaters.Put(w)
	var out bytes.Buffer
	out.Grow(len(b) - from)
	w.Reset(&out)
	// Writing to a bytes.Buffer cannot fail.
	_, _ = w.Write(b[from:])
	_ = w.Flush()
	return append(b[:from], out.Bytes()[:out.Len()-flateTailSent]...)
}
