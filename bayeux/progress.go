package bayeux

import (
	"io"
	"time"
)

// progressPiece is how much of a write must get out within the write timeout.
const progressPiece = 16 << 10

// progressWriter writes in pieces and gives each its own deadline: a reader
// that is slow and steady is waited for however much it is sent, and one that
// reads nothing is given up.
// spec:14.22
type progressWriter struct {
	to       io.Writer
	deadline func(time.Time) error
	each     time.Duration
}

func (w progressWriter) Write(p []byte) (n int, err error) {
	for len(p) > 0 {
		// A writer that knows no deadlines is no error: then whoever is around
		// it decides.
		_ = w.deadline(time.Now().Add(w.each))
		m, err := w.to.Write(p[:min(len(p), progressPiece)])
		if n += m; err != nil {
			return n, err
		}
		p = p[m:]
	}
	return n, nil
}
