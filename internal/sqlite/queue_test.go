package sqlite

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
)

// gate is a fault hook that holds the writer at its commits.
type gate struct {
	mu      sync.Mutex
	closed  chan struct{} // nil while open
	arrived chan struct{}
}

func newGate() *gate { return &gate{arrived: make(chan struct{}, 100)} }

func (g *gate) fault(step string) error {
	g.mu.Lock()
	closed := g.closed
	g.mu.Unlock()
	if step == "commit" && closed != nil {
		g.arrived <- struct{}{}
		<-closed
	}
	return nil
}

func (g *gate) shut() (open func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = make(chan struct{})
	return sync.OnceFunc(func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		close(g.closed)
		g.closed = nil
	})
}

// TestWorkFailsAlone fails a piece of other work halfway: what it has done is
// taken back, and the append that shares its transaction stands.
func TestWorkFailsAlone(t *testing.T) {
	g := newGate()
	s := opened(t, t.TempDir(), Options{fault: g.fault})
	open := g.shut()
	first, work, other := make(chan error), make(chan error), make(chan error)
	go func() {
		first <- s.SaveCheckpoint(context.Background(), engine.AgentLog(1), engine.Checkpoint{Index: 1})
	}()
	<-g.arrived
	followed := false
	go func() {
		work <- s.write(context.Background(), func(c *conn) error {
			return errors.Join(c.exec("INSERT INTO claim (agent, chat) VALUES (7, 1)"), errFault)
		}, func() { followed = true })
	}()
	go func() {
		_, err := s.Append(context.Background(), growth(engine.ChatLog(1), 0, 1, chat.PhaseActive))
		other <- err
	}()
	eventually(t, "both wait", func() bool { return len(s.queue) == 2 })
	open()
	if err := errors.Join(<-first, <-other); err != nil {
		t.Errorf("the others say %v", err)
	}
	if err := <-work; !errors.Is(err, errFault) || followed {
		t.Errorf("the work that failed says %v, and memory followed it: %v", err, followed)
	}
	if n := number(t, s, "SELECT count(*) FROM claim"); n != 0 {
		t.Errorf("it has left %d rows", n)
	}
	whole(t, s, engine.ChatLog(1), 1)
}

// TestContextWhileQueued ends the context of an append that waits behind a
// group which is being written.
func TestContextWhileQueued(t *testing.T) {
	g := newGate()
	s := opened(t, t.TempDir(), Options{fault: g.fault})
	open := g.shut()
	defer open()
	taken, cancelTaken := context.WithCancel(context.Background())
	queued, cancelQueued := context.WithCancel(context.Background())
	first, second := make(chan error, 1), make(chan error, 1)
	go func() { _, err := s.Append(taken, growth(engine.ChatLog(1), 0, 1, chat.PhaseActive)); first <- err }()
	<-g.arrived
	go func() { _, err := s.Append(queued, growth(engine.ChatLog(2), 0, 1, chat.PhaseActive)); second <- err }()
	eventually(t, "the second append waits", func() bool { return len(s.queue) == 1 })
	cancelTaken()
	cancelQueued()
	if err := <-second; !errors.Is(err, context.Canceled) {
		t.Errorf("the queued append says %v, want context.Canceled", err)
	}
	select {
	case err := <-first:
		t.Errorf("the append that is being written says %v before its outcome is known", err)
	case <-time.After(10 * time.Millisecond):
	}
	open()
	if err := <-first; err != nil {
		t.Errorf("the append that was being written says %v", err)
	}
	whole(t, s, engine.ChatLog(1), 1)
	if n, err := s.Last(context.Background(), engine.ChatLog(2)); n != 0 || err != nil {
		t.Errorf("the abandoned append has left %d records (%v)", n, err)
	}
}

// TestCloseWhileQueued closes the store while appends wait: the one that is
// being written succeeds, the others are told that the store is closed.
func TestCloseWhileQueued(t *testing.T) {
	g := newGate()
	dir := t.TempDir()
	s := opened(t, dir, Options{fault: g.fault})
	open := g.shut()
	errs := make(chan error, 10)
	first := make(chan error, 1)
	go func() {
		_, err := s.Append(context.Background(), growth(engine.ChatLog(1), 0, 1, chat.PhaseActive))
		first <- err
	}()
	<-g.arrived
	for i := range 10 {
		go func() {
			_, err := s.Append(context.Background(), growth(engine.ChatLog(chat.ID(i+2)), 0, 1, chat.PhaseActive))
			errs <- err
		}()
	}
	eventually(t, "ten appends wait", func() bool { return len(s.queue) == 10 })
	closed := make(chan error)
	go func() { closed <- s.Close() }()
	<-s.stop
	open()
	if err := <-first; err != nil {
		t.Errorf("the append that was being written says %v", err)
	}
	left := make(map[bool]int)
	for range 10 {
		err := <-errs
		if err != nil && !errors.Is(err, engine.ErrClosed) {
			t.Errorf("a waiting append says %v, want ErrClosed", err)
		}
		left[err == nil]++
	}
	if err := <-closed; err != nil {
		t.Errorf("close: %v", err)
	}
	if _, err := s.Read(context.Background(), engine.ChatLog(1), 1, 1); !errors.Is(err, engine.ErrClosed) {
		t.Errorf("a read after the close says %v, want ErrClosed", err)
	}
	s = opened(t, dir, Options{})
	if n := number(t, s, "SELECT count(*) FROM log0"); n != int64(1+left[true]) {
		t.Errorf("%d records are stored, %d were acknowledged", n, 1+left[true])
	}
}

// TestBackpressure checks when appends are slowed down.
func TestBackpressure(t *testing.T) {
	for _, c := range []struct {
		filled     int64
		took, want time.Duration
	}{
		{0, time.Second, 0},
		{299, time.Second, 0},
		{300, 5 * time.Millisecond, 5 * time.Millisecond},
		{900, time.Second, 50 * time.Millisecond},
	} {
		t.Run(fmt.Sprintf("%d rows, after %v", c.filled, c.took), func(t *testing.T) {
			if got := backpressure(c.filled, 100, c.took); got != c.want {
				t.Errorf("with %d rows, after %v, the writer rests %v, want %v", c.filled, c.took, got, c.want)
			}
		})
	}
}
