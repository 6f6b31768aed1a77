package bayeux

import (
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// The acknowledgement extension (clause 11, ack). It is part of the server
// and not an [Extension] because it is about what the outbox keeps.

// wantsAck says whether a handshake asks for the extension: literally true.
// spec:11.1
func wantsAck(m *Message) bool { return string(m.ExtField("ack")) == "true" }

// acknowledged takes the batch number of a connect.
func (s *Session) acknowledged(m *Message) {
	if !s.outbox.acks {
		return
	}
	if n, err := strconv.ParseInt(string(m.ExtField("ack")), 10, 64); err == nil {
		s.outbox.acknowledge(n)
	}
}

// connectOnly says whether messages leave only together with a connect's
// reply.
// spec:7.4
func (s *Session) connectOnly() bool { return s.outbox.acks || s.srv.opts.ConnectOnly }

// collect takes what may leave together with replies. only says that the
// transport carries messages with connects alone.
func (s *Session) collect(replies []*Reply, only bool) []entry {
	var connect *Reply
	for _, r := range replies {
		if r.channel == metaConnect {
			connect = r
		}
	}
	switch {
	// spec:7.4 spec:10.3.2
	case connect == nil && (only || s.connectOnly()):
		return nil
	case s.outbox.acks:
		q, n := s.outbox.takeBatch()
		connect.SetExt("ack", jsontext.Value(strconv.FormatInt(n, 10)))
		return q
	default:
		return s.outbox.take()
	}
}

// collectFor is collect for a WebSocket. It takes nothing if the session is
// reached in another way by now, and what it takes is remembered before that
// can change, and before the client can answer.
// spec:7.3.3
func (s *Session) collectFor(c *socket, replies []*Reply) []entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.socket != c {
		return nil
	}
	q := s.collect(replies, false)
	connect := slices.ContainsFunc(replies, func(r *Reply) bool { return r.channel == metaConnect })
	s.outbox.wrote(q, connect)
	return q
}

// collectPolled is collect for a polling request's answer. A connect takes
// nothing along if a newer one has come: its client has given it up. What is
// taken is remembered before that can change; written is as in outbox.wrote.
// spec:7.6
func (s *Session) collectPolled(b *batch, only bool) (q []entry, written int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b.restart && !b.fresh && b.cycle != s.cycle && s.ended == "" {
		return nil, 0
	}
	q = s.collect(b.replies, only)
	return q, s.outbox.wrote(q, false)
}
