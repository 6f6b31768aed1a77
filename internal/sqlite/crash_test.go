package sqlite

import (
	"fmt"
	"maps"
	"path/filepath"
	"sync"
	"testing"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
)

// TestCrashAnywhere copies the files of the database at every step of packing
// and rotating, as a crash there would leave them, and later opens each copy:
// every log holds what had been acknowledged, each record once and in order,
// and can be continued.
func TestCrashAnywhere(t *testing.T) {
	const ofEach = 4
	// These steps are the packer's. At the others the writer stands still.
	packers := map[string]bool{"pack: compressed": true, "pack: committed": true, "rotate: packed": true, "rotate: committed": true}
	type copied struct {
		dir, step string
		acked     map[engine.LogID]int64
	}
	var (
		dir, copies = t.TempDir(), t.TempDir()
		turn        sync.Mutex // held during an append, so that a packer's step can keep the writer still
		mu          sync.Mutex
		acked       = make(map[engine.LogID]int64)
		taken       []copied
		seen        = make(map[string]int)
	)
	opts := Options{RotateRows: 60, PackRows: 8, manifestRows: 25}
	faulty := opts
	faulty.fault = func(step string) error {
		if packers[step] {
			turn.Lock()
			defer turn.Unlock()
		}
		mu.Lock()
		defer mu.Unlock()
		seen[step]++
		// Early ones, and some from when more has happened.
		if n := seen[step]; n > ofEach && (n%7 != 0 || n > 7*ofEach) {
			return nil
		}
		c := copied{dir: filepath.Join(copies, fmt.Sprint(len(taken))), step: step, acked: maps.Clone(acked)}
		taken = append(taken, c)
		return snapshot(dir, c.dir)
	}
	s := opened(t, dir, faulty)
	agent := engine.AgentLog(1)
	logs := []engine.LogID{agent}
	put := func(log engine.LogID, n int, phase chat.Phase) {
		mu.Lock()
		after := acked[log]
		mu.Unlock()
		turn.Lock()
		grow(t, s, log, after, n, phase)
		mu.Lock()
		acked[log] = after + int64(n)
		mu.Unlock()
		turn.Unlock()
	}
	for i := range 36 {
		log := engine.ChatLog(chat.ID(i + 1))
		logs = append(logs, log)
		put(log, 1+i%4, chat.PhaseActive)
		put(agent, 1, chat.PhaseNone)
		put(logs[1+i/2], 5, chat.PhaseActive) // grow long, and live through rotations
		if i >= 12 && i%3 == 0 {
			put(logs[i-10], 2, chat.PhaseEnded)
		}
		if i%6 == 5 {
			settled(t, s)
		}
	}
	settled(t, s)
	if err := s.Close(); err != nil { // no step is being taken any more
		t.Fatal(err)
	}
	for _, step := range []string{"pack: compressed", "pack: written", "pack: committed", "rotate: packed", "rotate: emptied", "rotate: committed", "commit", "committed"} {
		if seen[step] < 3 {
			t.Errorf("step %q was taken %d times: the test does not test it", step, seen[step])
		}
	}
	for _, c := range taken {
		t.Run(fmt.Sprintf("%s %s", filepath.Base(c.dir), c.step), func(t *testing.T) {
			s := opened(t, c.dir, opts)
			for round := range 2 {
				for _, log := range logs {
					n := whole(t, s, log, c.acked[log])
					if round == 0 && n > 0 {
						grow(t, s, log, n, 1, chat.PhaseNone)
						c.acked[log] = n + 1
					}
				}
				settled(t, s)
			}
		})
	}
}
