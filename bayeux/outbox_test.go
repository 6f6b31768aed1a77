package bayeux

import (
	"bytes"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// outboxModel plays random calls against plain lists. Message n has the body
// {n}.
type outboxModel struct {
	o             *outbox
	limit         int
	next          byte
	sent          []byte // handed out, not confirmed
	waiting       []byte
	notified      bool
	full          bool
	lost          int // behind the last message that was dropped unconfirmed
	replied       int // behind the last message ahead of a connect's reply
	transmissions []transmission
	restores      []int // how many restores there were when each was handed out
	restored      int
}

func newOutboxModel(t *rapid.T, redeliver, acks bool) *outboxModel {
	limit := rapid.IntRange(1, 8).Draw(t, "limit")
	return &outboxModel{limit: limit, o: &outbox{maxMessages: limit, maxBytes: 1 << 20, redeliver: redeliver, acks: acks}}
}

func firstBytes(list []entry) (b []byte) {
	for _, e := range list {
		b = append(b, e.body[0])
	}
	return b
}

func (m *outboxModel) push(t *rapid.T) {
	notify, err := m.o.push(entry{body: []byte{m.next}})
	for m.o.redeliver && len(m.sent)+len(m.waiting) >= m.limit && len(m.sent) > 0 && !m.full {
		m.lost = int(m.sent[0]) + 1
		m.sent = m.sent[1:]
	}
	var want error
	switch {
	case m.full:
		want = ErrGone
	case len(m.sent)+len(m.waiting) >= m.limit:
		want, m.full = ErrOverflow, true
	}
	if err != want || want == nil && notify == m.notified {
		t.Fatalf("push: got notify %v, error %v; want %v, %v", notify, err, !m.notified, want)
	}
	if want == nil {
		m.waiting, m.notified = append(m.waiting, m.next), true
		m.next++
	}
}

func (m *outboxModel) take(t *rapid.T) {
	h := m.o.take()
	if got := firstBytes(h.entries); !bytes.Equal(got, m.waiting) {
		t.Fatalf("take: got %v, want %v", got, m.waiting)
	}
	if m.o.redeliver {
		m.sent = append(m.sent, m.waiting...)
	}
	m.waiting, m.notified = nil, false
	m.transmissions, m.restores = append(m.transmissions, h), append(m.restores, m.restored)
}

// settled removes a transmission that was not settled yet.
func (m *outboxModel) settled(t *rapid.T) (h transmission, current bool) {
	if len(m.transmissions) == 0 {
		t.Skip("nothing is in flight")
	}
	i := rapid.IntRange(0, len(m.transmissions)-1).Draw(t, "transmission")
	h, current = m.transmissions[i], m.restores[i] == m.restored
	m.transmissions, m.restores = slices.Delete(m.transmissions, i, i+1), slices.Delete(m.restores, i, i+1)
	return h, current
}

func (m *outboxModel) check(t *rapid.T) {
	if err := m.o.check(); err != nil {
		t.Fatal(err)
	}
	if m.o.waiting() != (len(m.waiting) > 0) {
		t.Fatalf("waiting: got %v with %v", m.o.waiting(), m.waiting)
	}
	if len(m.transmissions) == 0 && m.o.inFlight != 0 {
		t.Fatalf("in flight: got %d bytes, want 0: all is settled", m.o.inFlight)
	}
}

// Without confirmations nothing is lost, doubled or reordered below the bound,
// unless writes that are under way together fail, and a transport that takes
// whenever it is notified leaves nothing behind.
//
// spec:13.2 spec:9.4
func TestOutboxModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newOutboxModel(t, false, false)
		t.Repeat(map[string]func(*rapid.T){
			"push": m.push,
			"take": func(t *rapid.T) {
				m.take(t)
				h, _ := m.settled(t)
				if !rapid.Bool().Draw(t, "the write fails") {
					m.o.settle(h)
					return
				}
				n := rapid.IntRange(0, len(h.entries)).Draw(t, "written")
				m.o.failed(h, n)
				if back := firstBytes(h.entries[n:]); !m.full && len(back) > 0 {
					m.waiting, m.notified = append(back, m.waiting...), true
				}
			},
			"": m.check,
		})
	})
}

// With redeliver what no connect has confirmed waits again after a restore, in
// order, and a restore knows whether something was dropped.
//
// spec:14.17
func TestOutboxModelRedeliver(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newOutboxModel(t, true, false)
		t.Repeat(map[string]func(*rapid.T){
			"push": m.push,
			"take": m.take,
			"written": func(t *rapid.T) {
				h, current := m.settled(t)
				m.o.settle(h)
				if rapid.Bool().Draw(t, "with a connect's reply") {
					m.o.reply(h)
					if current {
						m.replied = max(m.replied, int(h.end))
					}
				}
			},
			"failed": func(t *rapid.T) {
				h, _ := m.settled(t)
				m.o.failed(h, 0)
			},
			"confirm": func(*rapid.T) {
				m.o.confirm()
				m.sent = slices.DeleteFunc(m.sent, func(n byte) bool { return int(n) < m.replied })
				if m.lost <= m.replied {
					m.lost = 0
				}
			},
			"restore": func(t *rapid.T) {
				if got, want := m.o.restore(), m.lost == 0; got != want {
					t.Fatalf("restore: got whole %v, want %v", got, want)
				}
				first := int(m.next) - len(m.sent) - len(m.waiting)
				m.notified = m.notified || len(m.sent) > 0
				m.waiting, m.sent = append(m.sent, m.waiting...), nil
				m.replied, m.lost, m.restored = min(m.replied, first), 0, m.restored+1
			},
			"": m.check,
		})
	})
}

// With acknowledgements every batch brings along what is not acknowledged.
//
// spec:11.1.1 spec:11.1.2
func TestOutboxModelAcks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newOutboxModel(t, false, true)
		batches := [][]byte{nil} // what was new in each
		t.Repeat(map[string]func(*rapid.T){
			"push": m.push,
			"connect": func(t *rapid.T) {
				h, n := m.o.takeBatch()
				batches = append(batches, m.waiting)
				m.sent = append(m.sent, m.waiting...)
				m.waiting, m.notified = nil, false
				if got := firstBytes(h.entries); !bytes.Equal(got, m.sent) || int(n) != len(batches)-1 {
					t.Fatalf("batch: got %d with %v, want %d with %v", n, got, len(batches)-1, m.sent)
				}
				m.o.settle(h)
			},
			"acknowledge": func(t *rapid.T) {
				id := rapid.IntRange(-1, len(batches)).Draw(t, "id")
				m.o.acknowledge(int64(id))
				for i := 1; i <= id && i < len(batches); i++ {
					m.sent = m.sent[len(batches[i]):]
					batches[i] = nil
				}
			},
			"": func(t *rapid.T) {
				if err := m.o.check(); err != nil {
					t.Fatal(err)
				}
				if got, want := m.o.waiting(), len(m.waiting)+len(m.sent) > 0; got != want {
					t.Fatalf("waiting: got %v, want %v", got, want)
				}
			},
		})
	})
}

// What waits, what is being written and what is not confirmed share the bound.
//
// spec:14.12
func TestOutboxBoundCountsWhatIsInFlight(t *testing.T) {
	kilobyte := entry{body: make([]byte, 1000)}
	for _, c := range []struct {
		name      string
		redeliver bool
		accepted  int // pushed after four were handed out and are still being written
	}{
		{"forgotten once written", false, 6},
		{"redeliver", true, 6},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := &outbox{maxMessages: 1000, maxBytes: 10_000, redeliver: c.redeliver}
			for range 4 {
				if _, err := o.push(kilobyte); err != nil {
					t.Fatal(err)
				}
			}
			h := o.take()
			n := 0
			for ; n < 100; n++ {
				if _, err := o.push(kilobyte); err != nil {
					break
				}
			}
			if n != c.accepted {
				t.Errorf("got %d accepted while 4 are being written, want %d", n, c.accepted)
			}
			o.settle(h)
			if err := o.check(); err != nil {
				t.Error(err)
			}
		})
	}
}
