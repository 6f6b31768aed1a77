// Package audittest has the suite that every [audit.Store] passes, and a store
// in memory.
package audittest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/halley-chat/halley/internal/audit"
)

// Memory is a store in memory. Its methods may be called from any number of
// goroutines.
type Memory struct {
	// Guarded by mu.
	mu      sync.Mutex
	entries []audit.Entry
	err     error
}

var _ audit.Store = (*Memory)(nil)

// Fail makes appends fail with an error until it is called with nil.
func (m *Memory) Fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err = err
}

// Edit changes what is stored, as somebody who can write the store could.
func (m *Memory) Edit(f func([]audit.Entry) []audit.Entry) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.entries = f(m.entries)
}

// AppendAudit is [audit.Store].
func (m *Memory) AppendAudit(_ context.Context, events [][]byte) (audit.Head, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return audit.Head{}, m.err
	}
	head := m.head()
	for _, body := range events {
		head.Number++
		head.Hash = audit.Next(head.Hash, head.Number, body)
		m.entries = append(m.entries, audit.Entry{Number: head.Number, Body: slices.Clone(body), Hash: head.Hash})
	}
	return head, nil
}

func (m *Memory) head() audit.Head {
	if len(m.entries) == 0 {
		return audit.Head{}
	}
	last := m.entries[len(m.entries)-1]
	return audit.Head{Number: last.Number, Hash: last.Hash}
}

// AuditEntries is [audit.Store].
func (m *Memory) AuditEntries(_ context.Context, after int64, limit int) ([]audit.Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []audit.Entry
	for _, e := range m.entries {
		if e.Number > after && len(list) < limit {
			list = append(list, e)
		}
	}
	return list, nil
}

// AuditHead is [audit.Store].
func (m *Memory) AuditHead(context.Context) (audit.Head, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.head(), nil
}

// StoreSuite checks what [audit.Store] promises.
func StoreSuite(t *testing.T, open func(t *testing.T) audit.Store) {
	t.Run("Empty", func(t *testing.T) {
		s := open(t)
		if head, err := s.AuditHead(t.Context()); err != nil || head != (audit.Head{}) {
			t.Errorf("the head of an empty log: got %v, %v, want 0 and no error", head, err)
		}
		if list, err := s.AuditEntries(t.Context(), 0, 10); err != nil || len(list) != 0 {
			t.Errorf("the entries of an empty log: got %v, %v, want none", list, err)
		}
	})
	t.Run("Append", func(t *testing.T) {
		s := open(t)
		for _, batch := range [][]string{{`{"kind":"a"}`, `{"kind":"b"}`}, {`{"kind":"c"}`}} {
			bodies := make([][]byte, len(batch))
			for i, b := range batch {
				bodies[i] = []byte(b)
			}
			head, err := s.AppendAudit(t.Context(), bodies)
			if err != nil {
				t.Fatal(err)
			}
			if stored, err := s.AuditHead(t.Context()); err != nil || stored != head {
				t.Errorf("head: got %v, %v, want %v as the append said", stored, err, head)
			}
		}
		list, err := s.AuditEntries(t.Context(), 1, 1)
		if err != nil || len(list) != 1 || list[0].Number != 2 || string(list[0].Body) != `{"kind":"b"}` {
			t.Errorf("one entry after the first: got %v, %v, want entry 2 with b", list, err)
		}
		if head, err := audit.Verify(t.Context(), s); err != nil || head.Number != 3 {
			t.Errorf("verify: got %v, %v, want 3 entries and no error", head, err)
		}
	})
	t.Run("Concurrent", func(t *testing.T) {
		s := open(t)
		const writers, each = 8, 20
		var all sync.WaitGroup
		for w := range writers {
			all.Go(func() {
				for i := range each {
					if _, err := s.AppendAudit(t.Context(), [][]byte{fmt.Appendf(nil, `{"kind":"k","count":%d}`, w*each+i)}); err != nil {
						t.Errorf("append %d of writer %d: %v", i, w, err)
					}
				}
			})
		}
		all.Wait()
		if head, err := audit.Verify(t.Context(), s); err != nil || head.Number != writers*each {
			t.Errorf("verify: got %v, %v, want %d entries and no error", head, err, writers*each)
		}
	})
}
