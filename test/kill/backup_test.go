package kill

import (
	"context"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/test/visitor"
)

// Backups that are made while visitors talk, restored, have every line that was
// acknowledged before the backup began, where it was acknowledged, and no line
// twice.
func TestBackupWhileVisitorsTalk(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes ten seconds")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	s := newServer(t, "--demo")
	s.start()
	if err := s.serving(ctx); err != nil {
		t.Fatal(err)
	}
	guests := arrive(ctx, t, s)
	defer func() {
		var all sync.WaitGroup
		for _, g := range guests {
			all.Go(func() { g.Close(t.Context()) })
		}
		all.Wait()
	}()
	if t.Failed() {
		return
	}
	talking, hush := context.WithCancel(ctx)
	defer hush()
	stream := draws(t)
	var talk sync.WaitGroup
	for i, g := range guests {
		talk.Go(func() {
			if err := g.talk(ctx, talking.Done(), stream(i+1)); err != nil {
				t.Errorf("visitor %d: %v", i, err)
			}
		})
	}
	type copied struct {
		dir    string
		before []int64 // how many lines of each guest were acknowledged before
	}
	var backups []copied
	for round := range 3 {
		wait(ctx, *think)
		b := copied{dir: filepath.Join(t.TempDir(), strconv.Itoa(round))}
		for _, g := range guests {
			b.before = append(b.before, g.acknowledged.Load())
		}
		s.run("", "backup", "--data", s.dir, "--to", b.dir)
		s.run("", "check", "--data", s.dir)
		backups = append(backups, b)
	}
	hush()
	talk.Wait()
	for round, b := range backups {
		data := b.dir + "-restored"
		s.run("", "restore", "--from", b.dir, "--data", data)
		s.run("", "check", "--data", data)
		var names []string
		for _, g := range guests {
			names = append(names, g.Chat())
		}
		stored, err := storedChats(ctx, data, names)
		if err != nil {
			t.Fatal(err)
		}
		lines := 0
		for i, g := range guests {
			lines += int(b.before[i])
			compareLines(t, round, g, g.said[:b.before[i]], stored[g.Chat()])
		}
		t.Logf("backup %d: %d lines of %d chats were acknowledged before it", round, lines, len(guests))
		if lines == 0 {
			t.Errorf("backup %d: nobody had said anything", round)
		}
	}
}

// compareLines compares what a visitor was promised with the log in a backup.
func compareLines(t *testing.T, round int, g *guest, promised []said, log []chat.Event) {
	t.Helper()
	seen := map[string]int64{}
	for i, e := range log {
		if e.Index != int64(i)+1 {
			t.Errorf("backup %d, chat %s: got index %d at place %d", round, g.Chat(), e.Index, i+1)
		}
		f, ok := e.Fact.(chat.Said)
		if !ok {
			continue
		}
		if id := (visitor.Event{Attributes: f.Attributes}).ID(); id != "" {
			if seen[id] != 0 {
				t.Errorf("backup %d, chat %s: message %s is stored at %d and %d", round, g.Chat(), id, seen[id], e.Index)
			}
			seen[id] = e.Index
		}
	}
	for _, m := range promised {
		if seen[m.id] != m.index {
			t.Errorf("backup %d, chat %s: got message %s at %d, want it at %d as acknowledged", round, g.Chat(), m.id, seen[m.id], m.index)
		}
	}
}
