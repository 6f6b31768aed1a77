package record

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// A recording ends when it is told to, also while clients keep WebSockets open
// that the server has closed already, or do not read what is sent to them.
func TestStopDoesNotWaitForClients(t *testing.T) {
	for name, server := range map[string]func(http.ResponseWriter, *http.Request){
		"the server has closed": func(w http.ResponseWriter, r *http.Request) {
			conn, _, _, err := ws.UpgradeHTTP(r, w)
			if err == nil {
				_ = conn.Close()
			}
		},
		"the client does not read": func(w http.ResponseWriter, r *http.Request) {
			conn, _, _, err := ws.UpgradeHTTP(r, w)
			if err != nil {
				return
			}
			defer conn.Close()
			_, _ = io.CopyN(conn, zeros{}, 64<<20) // more than fits on the way
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := front(t, server)
			conn, early, _, err := ws.Dial(t.Context(), "ws"+strings.TrimPrefix(r.url, "http")+"/genesys/cometd")
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if name == "the server has closed" {
				if early != nil {
					_, _ = io.Copy(io.Discard, early)
				}
				_, _ = io.Copy(io.Discard, conn)
			}
			r.stop()
			select {
			case err := <-r.ended:
				r.ended <- err
			case <-time.After(time.Minute):
				_ = conn.Close()
				t.Error("it waits for the client")
			}
			r.lines()
		})
	}
}
