package sqlite

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
	"github.com/halley-chat/halley/internal/staff"
)

var errFault = errors.New("a fault for the test")

// failing is a fault hook that fails one step while it is switched on.
type failing struct {
	step string
	on   atomic.Bool
}

func (f *failing) fault(step string) error {
	if f.on.Load() && step == f.step {
		return errFault
	}
	return nil
}

// TestCommitFails fails the commit of a group. Everybody in it gets the error,
// even those who would have been refused because of another one in the group;
// nothing has changed, and the next group succeeds.
func TestCommitFails(t *testing.T) {
	f := &failing{step: "commit"}
	g := newGate()
	s := opened(t, t.TempDir(), Options{fault: func(step string) error {
		return errors.Join(g.fault(step), f.fault(step))
	}})
	a, b := engine.ChatLog(1), engine.ChatLog(2)
	grow(t, s, a, 0, 2, chat.PhaseActive)

	open := g.shut()
	first := make(chan error)
	go func() { first <- s.SaveCheckpoint(context.Background(), a, engine.Checkpoint{Index: 1}) }()
	<-g.arrived // the writer stands in the commit of the first group; the next one forms
	f.on.Store(true)
	claim := []chat.Claim{{Agent: 7, Chat: 1, Take: true, Capacity: 1}}
	appends := []engine.Append{growth(a, 2, 1, chat.PhaseEnded), growth(a, 2, 1, chat.PhaseEnded), growth(b, 0, 1, chat.PhaseActive)}
	for i := range appends {
		appends[i].Claims = claim
	}
	errs := make(chan error)
	for _, a := range appends {
		go func() { _, err := s.Append(context.Background(), a); errs <- err }()
	}
	go func() { _, err := s.CreateAccount(context.Background(), staff.Account{Login: "anna"}); errs <- err }()
	eventually(t, "all of them wait for the writer", func() bool { return len(s.queue) == len(appends)+1 })
	open()
	if err := <-first; !errors.Is(err, errFault) {
		t.Errorf("the first group says %v, want the fault", err)
	}
	for range len(appends) + 1 {
		if err := <-errs; !errors.Is(err, errFault) {
			t.Errorf("one of the second group was told %v, want the fault", err)
		}
	}
	whole(t, s, a, 2)
	if n, err := s.Last(context.Background(), b); n != 0 || err != nil {
		t.Errorf("the new log has %d records (%v), want none", n, err)
	}
	if held, err := s.Claims(context.Background()); len(held) != 0 || err != nil {
		t.Errorf("the claims are %v (%v), want none", held, err)
	}
	if all, err := s.Accounts(context.Background()); len(all) != 0 || err != nil {
		t.Errorf("the accounts are %v (%v), want none", all, err)
	}
	f.on.Store(false)
	for _, next := range []engine.Append{appends[0], appends[2]} {
		next.Claims = nil
		if _, err := s.Append(context.Background(), next); err != nil {
			t.Errorf("after the fault an append says %v", err)
		}
	}
	whole(t, s, a, 3)
}

// TestCommitUncertain fails a group after its commit, as an input/output error
// can. The callers are told of a failure, and the store then finds out that
// all of it is there.
func TestCommitUncertain(t *testing.T) {
	f := &failing{step: "committed"}
	s := opened(t, t.TempDir(), Options{manifestRows: 5, fault: f.fault})
	log := engine.ChatLog(1)
	after := int64(0)
	for range 6 {
		f.on.Store(true)
		a := growth(log, after, 3, chat.PhaseActive)
		a.Claims = []chat.Claim{{Agent: 7, Chat: 1, Take: true, Capacity: 1}}
		if _, err := s.Append(context.Background(), a); !errors.Is(err, errFault) {
			t.Fatalf("the append says %v, want the fault", err)
		}
		f.on.Store(false)
		if _, err := s.Append(context.Background(), a); !errors.Is(err, engine.ErrConflict) {
			t.Fatalf("the same append again says %v, want ErrConflict", err)
		}
		after += 3
		whole(t, s, log, after)
		grow(t, s, log, after, 2, chat.PhaseNone)
		after += 2
		if held, err := s.Claims(context.Background()); len(held) != 1 || err != nil {
			t.Errorf("the claims are %v (%v), want one", held, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	whole(t, opened(t, filepath.Dir(s.path), Options{}), log, after)
}

// TestDiskFull lets the database not grow for a while. Appends fail, reads go
// on, and when there is room again so do appends.
func TestDiskFull(t *testing.T) {
	var pages atomic.Int64 // 0 is no limit
	limit := func(c *conn) error {
		if n := pages.Load(); n != 0 {
			_, err := c.run(fmt.Sprintf("PRAGMA max_page_count = %d", n), nil)
			return err
		}
		return nil
	}
	s := opened(t, t.TempDir(), Options{PackRows: 8, opened: limit})
	log := engine.ChatLog(1)
	grow(t, s, log, 0, 20, chat.PhaseActive)
	settled(t, s)
	pages.Store(number(t, s, "PRAGMA page_count"))
	if err := s.write(context.Background(), limit, nil); err != nil {
		t.Fatal(err)
	}
	last, failures := int64(20), 0
	for tries := 0; failures < 5; tries++ {
		if tries == 1000 {
			t.Fatal("the full database takes everything")
		}
		_, err := s.Append(context.Background(), growth(log, last, 50, chat.PhaseActive))
		switch {
		case err == nil:
			last += 50
		case errors.Is(err, engine.ErrConflict) || errors.Is(err, engine.ErrClosed):
			t.Fatalf("an append to a full database says %v", err)
		default:
			failures++
			// Other work that finds no room takes nobody along either.
			big := engine.Checkpoint{Index: 1, Body: make([]byte, 1<<20)}
			if err := s.SaveCheckpoint(context.Background(), log, big); err == nil {
				t.Fatal("there is room for a large checkpoint")
			}
			if got := whole(t, s, log, last); got != last {
				t.Fatalf("a failed append has left %d records after %d", got, last)
			}
		}
	}
	pages.Store(1 << 30)
	grow(t, s, log, last, 50, chat.PhaseEnded)
	settled(t, s)
	whole(t, s, log, last+50)
}

// A probe fails as an append would, and changes nothing.
func TestProbe(t *testing.T) {
	var broken atomic.Bool
	s := opened(t, t.TempDir(), Options{fault: func(step string) error {
		if broken.Load() && step == "commit" {
			return errFault
		}
		return nil
	}})
	for i, want := range []error{nil, errFault, nil} {
		broken.Store(want != nil)
		if err := s.Probe(t.Context()); !errors.Is(err, want) || (err == nil) != (want == nil) {
			t.Errorf("probe %d: got %v, want %v", i+1, err, want)
		}
	}
}
