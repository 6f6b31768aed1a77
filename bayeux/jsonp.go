package bayeux

import (
	"bytes"
	"net/http"
)

// maxCallback is the longest name of a JSONP function, in bytes.
const maxCallback = 64

// legalCallback says whether a name can stand in a script without meaning
// anything else (clause 10).
// spec:10.3.1
func legalCallback(name string) bool {
	if name == "" || len(name) > maxCallback {
		return false
	}
	for i := range len(name) {
		switch c := name[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}

// serveCallbackPolling answers one GET ?jsonp=name&message=[…]. It does what a
// POST does, but delivers with connects only.
// spec:10.3 spec:10.3.2
func (srv *Server) serveCallbackPolling(w http.ResponseWriter, r *http.Request) {
	p := srv.authenticated(w, r, transportCallback)
	if p == nil {
		return
	}
	query := r.URL.Query()
	names, texts := query["jsonp"], query["message"]
	if len(names) != 1 || !legalCallback(names[0]) || len(texts) == 0 {
		srv.stats.BadBodies.Transport.Add(1)
		http.Error(w, "callback-polling needs one jsonp and a message", http.StatusBadRequest)
		return
	}
	size := 0
	for _, text := range texts {
		size += len(text)
	}
	if size > srv.opts.MaxMessageSize {
		srv.refuseBody(w, &http.MaxBytesError{Limit: int64(srv.opts.MaxMessageSize)})
		return
	}
	messages, err := srv.decodeTexts(toBytes(texts))
	if err != nil {
		srv.refuseBody(w, err)
		return
	}
	(&poll{srv: srv, batch: batch{srv: srv, peer: p}, w: w, r: r, callback: names[0]}).serve(messages)
}

// callbackBody wraps an answer into a call. U+2028 and U+2029 are legal in
// JSON but ended lines in JavaScript before 2019.
// spec:1.4.4
func callbackBody(name string, array []byte) []byte {
	array = bytes.ReplaceAll(array, []byte("\u2028"), []byte(`\u2028`))
	array = bytes.ReplaceAll(array, []byte("\u2029"), []byte(`\u2029`))
	out := make([]byte, 0, len(name)+len(array)+2)
	out = append(append(out, name...), '(')
	return append(append(out, array...), ')')
}
