package httpx

import (
	"errors"
	"io"
	"net/http"
	"time"
)

const (
	lingerFor = 5 * time.Second
	// LingerBytes is how much of a body that is refused is still read.
	LingerBytes = 8 << 20
)

// Linger throws away some of what is left of a body that is refused. Browsers
// look for the answer only when they have sent all, and a connection that is
// closed before takes the answer with it. Who sends much more has to do without.
// Unless all of it has come, the deadline stays: the server would wait for the
// rest before it answers.
func Linger(w http.ResponseWriter, r *http.Request) {
	// Where the deadline cannot be set, the server's own limits hold.
	deadline := http.NewResponseController(w).SetReadDeadline
	_ = deadline(time.Now().Add(lingerFor))
	if _, err := io.CopyN(io.Discard, r.Body, LingerBytes); errors.Is(err, io.EOF) {
		_ = deadline(time.Time{})
	}
}
