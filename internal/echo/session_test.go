package echo

import (
	"log/slog"
	"testing"

	"github.com/halley-chat/halley/bayeux/client"
)

// On long-polling an older state of the agent can arrive after a newer one. It
// must not take back an offer that has been made since.
func TestStaleStateIsIgnored(t *testing.T) {
	s := &session{desk: newDesk(slog.New(slog.DiscardHandler)), ctx: t.Context()}
	for _, data := range []string{
		`{"type":"resumed","id":"r","agent":{"presence":"ready","last":3}}`,
		`{"type":"own","agent":{"presence":"ready","last":5,"offers":[{"chat":"A","until":1},{"chat":"B","until":2}]}}`,
		`{"type":"own","agent":{"presence":"not-ready","last":4,"offers":[{"chat":"A","until":1}]}}`,
	} {
		s.receive(&client.Message{Data: []byte(data)})
	}
	if !s.ready || len(s.offers) != 2 {
		t.Errorf("ready: %v, offers: %v", s.ready, s.offers)
	}
}
