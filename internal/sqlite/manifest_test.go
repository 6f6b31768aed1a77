package sqlite

import (
	"bytes"
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
)

// TestManifestFindsTheSame opens a database with and without its manifest.
func TestManifestFindsTheSame(t *testing.T) {
	opts := Options{RotateRows: 100, PackRows: 16, manifestRows: 30}
	dir := t.TempDir()
	s := opened(t, dir, opts)
	for i := range int64(77) {
		grow(t, s, engine.ChatLog(chat.ID(i%9+1)), i/9*5, 5, chat.PhaseActive)
	}
	settled(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	look := func() (*positions, *rowManifest) {
		t.Helper()
		c, err := connect(dsn(s.path, true))
		if err != nil {
			t.Fatal(err)
		}
		defer c.close()
		p, r, err := load(c, s.opts, s.damage)
		if err != nil {
			t.Fatal(err)
		}
		return p, r
	}
	same := func(what string, want, got *positions) {
		t.Helper()
		if want.current != got.current || want.currentFrom != got.currentFrom || want.next != got.next || len(want.logs) != len(got.logs) {
			t.Errorf("%s: current %d, currentFrom %d, next %d, %d logs; want %d, %d, %d, %d", what,
				got.current, got.currentFrom, got.next, len(got.logs), want.current, want.currentFrom, want.next, len(want.logs))
		}
		for log, w := range want.logs {
			if g := got.logs[log]; g == nil || g.first != w.first || len(g.rows) != len(w.rows) || g.rows[0] != w.rows[0] || g.rows[len(g.rows)-1] != w.rows[len(w.rows)-1] {
				t.Errorf("%s: log %v is %+v, want %+v", what, log, g, w)
			}
		}
	}
	with, r := look()
	if n := len(r.pending); n >= 30+5 {
		t.Errorf("%d rows are read from the log tables in spite of the manifest", n)
	}
	edit(t, dir, "DELETE FROM roster WHERE id IN (SELECT id FROM roster ORDER BY id LIMIT 1 OFFSET 2)")
	gap, _ := look()
	same("with a gap in the manifest", with, gap)
	edit(t, dir, "DELETE FROM roster")
	without, r := look()
	same("without the manifest", with, without)
	if int64(len(r.pending)) != with.next-oldestRow(with) {
		t.Errorf("%d rows are pending, want all %d", len(r.pending), with.next-oldestRow(with))
	}
	for range 2 { // the manifest is made again
		s = opened(t, dir, opts)
		grow(t, s, engine.ChatLog(1000+chat.ID(s.positions.next)), 0, 1, chat.PhaseActive)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, r = look(); len(r.pending) > 2 {
		t.Errorf("%d rows are pending after the manifest was made again", len(r.pending))
	}
}

// TestManifestHasNoGaps checks what is written down next after an uncertain
// commit, or a manifest that was lost in part.
func TestManifestHasNoGaps(t *testing.T) {
	s := opened(t, t.TempDir(), Options{})
	edit(t, filepath.Dir(s.path), "INSERT INTO roster (id, n, body) VALUES (1, 3, x'')")
	c, err := connect(dsn(s.path, true))
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	for _, x := range []struct{ pending, rows, want []int64 }{
		{nil, nil, nil},
		{nil, []int64{4, 5, 6}, []int64{4, 5, 6}},
		{nil, []int64{1, 2, 3, 4, 5}, []int64{4, 5}},
		{[]int64{1, 2}, []int64{3}, nil},
		{[]int64{4, 5}, []int64{6, 7}, []int64{4, 5, 6, 7}},
		{[]int64{4, 5}, []int64{8, 9}, []int64{8, 9}},
		{nil, []int64{1, 2, 7, 9, 10}, []int64{9, 10}},
	} {
		entries := func(ids []int64) (all []entry) {
			for _, id := range ids {
				all = append(all, entry{id: id})
			}
			return all
		}
		r := rowManifest{pending: entries(x.pending)}
		if err := r.resume(c, entries(x.rows)); err != nil {
			t.Fatal(err)
		}
		var got []int64
		for _, e := range r.pending {
			got = append(got, e.id)
		}
		if !slices.Equal(got, x.want) {
			t.Errorf("with rows up to 3 written down, %v pending and %v found, %v are pending, want %v", x.pending, x.rows, got, x.want)
		}
	}
}

func oldestRow(p *positions) int64 {
	least := p.next
	for _, at := range p.logs {
		least = min(least, at.rows[0])
	}
	return least
}

// TestManifestBody reads back what was written, also by a version without
// checksums, and refuses what is damaged.
func TestManifestBody(t *testing.T) {
	want := []entry{
		{id: 70, log: engine.ChatLog(1<<62 + 5), index: 1},
		{id: 71, log: engine.AgentLog(1), index: 1 << 40},
		{id: 72, log: engine.ChatLog(3), index: 300},
	}
	body := encodeEntries(70, want[:1], want[1:])
	plain := append([]byte{plainEntries}, body[entriesHead:]...)
	read := func(body []byte, first int64) (got []entry, err error) {
		err = decodeEntries(body, first, 3, func(e entry) { got = append(got, e) })
		return got, err
	}
	for name, body := range map[string][]byte{"with a checksum": body, "without": plain} {
		t.Run(name, func(t *testing.T) {
			if got, err := read(body, 70); err != nil || !slices.Equal(got, want) {
				t.Errorf("%s: got %v, %v, want %v", name, got, err, want)
			}
			for n := range body {
				if got, err := read(body[:n], 70); !errors.Is(err, ErrDamaged) {
					t.Errorf("%s: the first %d of %d bytes: got %v, %v, want ErrDamaged", name, n, len(body), got, err)
				}
			}
		})
	}
	for i := range body {
		flipped := bytes.Clone(body)
		flipped[i] ^= 4
		if got, err := read(flipped, 70); !errors.Is(err, ErrDamaged) {
			t.Errorf("a bit of byte %d is flipped: got %v, %v, want ErrDamaged", i, got, err)
		}
	}
	if got, err := read(body, 71); !errors.Is(err, ErrDamaged) {
		t.Errorf("the body of other rows: got %v, %v, want ErrDamaged", got, err)
	}
}
