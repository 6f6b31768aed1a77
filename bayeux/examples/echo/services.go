package main

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/halley-chat/halley/bayeux"
)

// newServer makes the server with its channels and services.
func newServer(o bayeux.Options) *bayeux.Server {
	srv := bayeux.New(o)
	srv.Configure("/lazy", bayeux.ChannelOptions{Lazy: true})
	srv.Configure("/denied/**", bayeux.ChannelOptions{Authorize: deny})
	srv.Handle("/service/echo", echo)
	srv.Handle("/service/kick", kick)
	srv.Handle("/service/flood", flood)
	srv.Handle("/service/push", func(_ context.Context, _ *bayeux.Session, m *bayeux.Message) error {
		return push(srv, m)
	})
	return srv
}

// mayHandshake refuses clients that ask to be refused.
func mayHandshake(_ context.Context, _ *bayeux.Session, m *bayeux.Message) error {
	if string(m.ExtField("deny")) == "true" {
		return &bayeux.Error{Code: 403, Text: "handshake_denied"}
	}
	return nil
}

// deny lets channels come into being and nobody use them.
func deny(_ context.Context, _ *bayeux.Session, op bayeux.Operation, _ string) bayeux.Verdict {
	if op == bayeux.Create {
		return bayeux.Grant()
	}
	return bayeux.Deny("denied_by_echo")
}

// echo answers a remote call. Binary data stays binary, as the client marked
// it.
func echo(_ context.Context, s *bayeux.Session, m *bayeux.Message) error {
	d := bayeux.NewDelivery(m.Channel, []byte("null"))
	if m.Data != nil {
		d.Set("data", m.Data.Clone())
	}
	if m.ID != nil {
		d.Set("id", m.ID.Clone())
	}
	if m.ExtField("binary") != nil {
		d.Set("ext", []byte(`{"binary":{}}`))
	}
	d.Set("successful", []byte("true"))
	return s.Send(d)
}

func kick(_ context.Context, s *bayeux.Session, _ *bayeux.Message) error {
	s.Disconnect()
	return nil
}

// maxFlood is how many messages one flood may have.
const maxFlood = 100_000

var errBadRequest = &bayeux.Error{Code: 400, Text: "data_invalid"}

func flood(_ context.Context, s *bayeux.Session, m *bayeux.Message) error {
	var ask struct {
		Channel string
		Count   int
	}
	if err := json.Unmarshal(m.Data, &ask); err != nil || !strings.HasPrefix(ask.Channel, "/") || ask.Count < 0 || ask.Count > maxFlood {
		return errBadRequest
	}
	for n := range ask.Count {
		data := append(strconv.AppendInt([]byte(`{"n":`), int64(n), 10), '}')
		if err := s.Deliver(ask.Channel, data); err != nil {
			return err
		}
	}
	return nil
}

func push(srv *bayeux.Server, m *bayeux.Message) error {
	var ask struct {
		Channel string
		Data    json.RawMessage
	}
	if err := json.Unmarshal(m.Data, &ask); err != nil || ask.Data == nil {
		return errBadRequest
	}
	return srv.Publish(ask.Channel, ask.Data)
}
