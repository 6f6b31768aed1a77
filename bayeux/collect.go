// Station 11 of docs/road.md: what may leave is taken.

package bayeux

import (
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// connectOnly says whether messages leave only together with a connect's
// reply.
// spec:7.4
func (s *Session) connectOnly() bool { return s.outbox.acks || s.srv.opts.ConnectOnly }

// isConnectReply is for the search in a list of replies.
func isConnectReply(r *Reply) bool { return r.channel == metaConnect }

// collect takes what may leave together with replies. connectsOnly says that
// the transport carries messages with connects alone.
// spec:7.4 spec:10.3.2
func (s *Session) collect(replies []*Reply, connectsOnly bool) transmission {
	connect := slices.IndexFunc(replies, isConnectReply)
	if connect < 0 && (connectsOnly || s.connectOnly()) {
		return transmission{}
	}
	if !s.outbox.acks {
		return s.outbox.take()
	}
	h, n := s.outbox.takeBatch()
	replies[connect].SetExt("ack", jsontext.Value(strconv.FormatInt(n, 10)))
	return h
}

// collectForSocket is collect for a WebSocket. It takes nothing if the session
// has another transport by now, and what it takes is recorded before that can
// change, and before the client can answer. Lazy messages alone are no reason
// to write.
// spec:7.3.3 spec:7.5
func (s *Session) collectForSocket(c *socket, replies []*Reply) transmission {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.transport != transport(c) || len(replies) == 0 && !s.outbox.waiting() {
		return transmission{}
	}
	h := s.collect(replies, false)
	if slices.ContainsFunc(replies, isConnectReply) {
		s.outbox.reply(h)
	}
	return h
}

// collectForPoll is collect for a polling request's answer. A connect takes
// nothing along if a newer one has come: its client has given it up.
// spec:7.6
func (s *Session) collectForPoll(b *batch, connectsOnly bool) transmission {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b.answersConnect() && b.count != s.connects.count && s.ended == "" {
		return transmission{}
	}
	return s.collect(b.replies, connectsOnly)
}

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
