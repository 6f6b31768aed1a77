// Station 7 of docs/road.md: it becomes durable.

package sqlite

import (
	"database/sql/driver"
	"time"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
)

// group is the state of one transaction. An append is checked against the
// committed state plus what the group has staged before it, so that one that
// conflicts fails alone. It is owned by the writer and reused.
type group struct {
	positions *positions // changed by nobody while a group is open
	manifest  *rowManifest
	conn      *conn

	heads           map[engine.LogID]int64 // last index of each log that was looked up, staged records included
	entries         []entry
	contents        []content // of entries
	claims          stagedClaims
	summaries       map[chat.ID]storedSummary
	ended           []engine.LogID
	after           []func()
	manifestWritten bool // the manifest has been written in this transaction
}

// content is a row of a log table without its key.
type content struct {
	ts   int64
	body []byte
	sum  int64
}

func newGroup(p *positions, m *rowManifest, k *claims) *group {
	return &group{
		positions: p,
		manifest:  m,
		heads:     make(map[engine.LogID]int64),
		claims:    stagedClaims{base: k, changes: make(map[slot]bool), count: make(map[chat.StaffID]int)},
		summaries: make(map[chat.ID]storedSummary),
	}
}

// reset makes the group empty, for a transaction over c.
func (g *group) reset(c *conn) {
	g.conn = c
	clear(g.heads)
	clear(g.contents) // releases the bodies
	clear(g.after)
	clear(g.summaries)
	g.entries, g.contents, g.ended, g.after = g.entries[:0], g.contents[:0], g.ended[:0], g.after[:0]
	g.claims.reset()
}

// stage checks an append and, if it fits, adds it to the group.
func (g *group) stage(it *item) ([]int64, error) {
	a := it.append
	head, err := g.head(a.Log)
	if err != nil {
		return nil, err
	}
	if head != a.Expect {
		return nil, engine.ErrConflict
	}
	for _, t := range a.Tails {
		if _, err := g.head(t.Log); err != nil {
			return nil, err
		}
	}
	if !g.claims.apply(a.Claims) {
		return nil, engine.ErrCapacity
	}
	for _, r := range a.Records {
		g.put(a.Log, r.At, r.Body)
	}
	var tails []int64
	for _, t := range a.Tails {
		tails = append(tails, g.put(t.Log, t.At, t.Body))
	}
	if it.summary != nil {
		g.summaries[it.summary.id] = *it.summary
		if !it.summary.live {
			g.ended = append(g.ended, a.Log)
		}
	}
	return tails, nil
}

func (g *group) put(log engine.LogID, at time.Time, body []byte) int64 {
	if body == nil {
		body = []byte{} // nil would be NULL
	}
	index := g.heads[log] + 1
	g.heads[log] = index
	g.entries = append(g.entries, entry{id: g.positions.next + int64(len(g.entries)), log: log, index: index})
	ts := at.UnixMilli()
	g.contents = append(g.contents, content{ts: ts, body: body, sum: recordSum(log, index, ts, body)})
	return index
}

// head is the index of a log's last record, staged ones included.
func (g *group) head(log engine.LogID) (int64, error) {
	if n, ok := g.heads[log]; ok {
		return n, nil
	}
	n, ok := g.positions.last(log)
	if !ok {
		var err error
		if n, err = packedLast(g.conn, log); err != nil {
			return 0, err
		}
	}
	g.heads[log] = n
	return n, nil
}

// packedLast is the index of the last record of a log that is packed.
func packedLast(c *conn, log engine.LogID) (n int64, err error) {
	err = c.query("SELECT idx + n - 1 FROM chunk WHERE kind = ? AND log = ? ORDER BY idx DESC LIMIT 1",
		[]any{int64(log.Kind), log.ID}, func(v []driver.Value) error {
			n = v[0].(int64)
			return nil
		})
	return n, err
}

// write puts what is staged into the transaction that is open.
func (g *group) write() (err error) {
	if err := g.conn.insert(g.positions.table(), g.entries, g.contents); err != nil {
		return err
	}
	if g.manifestWritten, err = g.manifest.write(g.conn, g.entries); err != nil {
		return err
	}
	for _, s := range g.summaries {
		if err := s.write(g.conn); err != nil {
			return err
		}
	}
	return g.claims.write(g.conn)
}

// commit updates the in-memory state after the transaction was committed. It
// returns the logs to pack now: those beyond the threshold, and ended chats.
func (g *group) commit() (due []engine.LogID) {
	due = g.positions.add(g.entries)
	g.manifest.commit(g.entries, g.manifestWritten)
	g.claims.base.commit(&g.claims)
	for _, f := range g.after {
		f()
	}
	for _, log := range g.ended {
		if g.positions.propose(log) {
			due = append(due, log)
		}
	}
	return due
}
