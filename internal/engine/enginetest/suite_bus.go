package enginetest

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
)

// patience is how long the suite waits for a notice before it says that none
// came.
const patience = time.Minute

// BusSuite runs the tests that every adapter of [engine.Bus] must pass. It
// loses none of the few notices that the suite publishes. open makes a bus
// and leaves its closing to t.Cleanup.
func BusSuite(t *testing.T, open func(t *testing.T) engine.Bus) {
	for _, c := range []struct {
		name string
		test func(*testing.T, engine.Bus)
	}{
		{"Everybody", testEverybody},
		{"Nobody", testNobody},
		{"Content", testContent},
		{"Order", testOrder},
		{"OneAtATime", testOneAtATime},
		{"SlowListener", testSlowListener},
		{"PublishWhileHearing", testPublishWhileHearing},
		{"Cancel", testCancel},
		{"CancelWaits", testCancelWaits},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

func notice(log, index int64) engine.Notice {
	return engine.Notice{Log: engine.LogID{Kind: engine.ChatKind, ID: log}, Records: []engine.Record{record(index, "x")}}
}

// ear collects what it hears.
type ear struct {
	mu    sync.Mutex
	heard []engine.Notice
	more  chan struct{}
}

func newEar() *ear { return &ear{more: make(chan struct{}, 1)} }

func (e *ear) hear(n engine.Notice) {
	e.mu.Lock()
	e.heard = append(e.heard, n)
	e.mu.Unlock()
	select {
	case e.more <- struct{}{}:
	default:
	}
}

// wait returns what was heard as soon as it is n notices.
func (e *ear) wait(t *testing.T, n int) []engine.Notice {
	t.Helper()
	deadline := time.After(patience)
	for {
		e.mu.Lock()
		heard := slices.Clone(e.heard)
		e.mu.Unlock()
		if len(heard) >= n {
			return heard
		}
		select {
		case <-e.more:
		case <-deadline:
			t.Fatalf("heard %d notices, want %d", len(heard), n)
		}
	}
}

func testEverybody(t *testing.T, b engine.Bus) {
	ears := []*ear{newEar(), newEar(), newEar()}
	for _, e := range ears {
		t.Cleanup(b.Subscribe(e.hear))
	}
	b.Publish(notice(7, 1))
	for i, e := range ears {
		if heard := e.wait(t, 1); len(heard) != 1 || heard[0].Log.ID != 7 {
			t.Errorf("subscriber %d heard %+v", i, heard)
		}
	}
}

func testNobody(t *testing.T, b engine.Bus) {
	b.Publish(notice(1, 1)) // must not block, and must not be kept for later
	e := newEar()
	t.Cleanup(b.Subscribe(e.hear))
	b.Publish(notice(2, 1))
	if heard := e.wait(t, 1); heard[0].Log.ID != 2 {
		t.Errorf("a subscriber heard what was published before: %+v", heard)
	}
}

func testContent(t *testing.T, b engine.Bus) {
	e := newEar()
	t.Cleanup(b.Subscribe(e.hear))
	sum := summary(9, chat.PhaseActive)
	want := notice(9, 3)
	want.Summary = &sum
	want.Records = append(want.Records, record(4, "\x00\xff"))
	want.Records[0].Live = "being typed"
	b.Publish(want)
	got := e.wait(t, 1)[0]
	if got.Log != want.Log || differ(want.Records, got.Records) != "" || got.Records[0].Live != "being typed" {
		t.Errorf("heard %+v, want %+v", got, want)
	}
	if got.Summary == nil || text(t, *got.Summary) != text(t, sum) {
		t.Errorf("heard the summary %+v, want %+v", got.Summary, sum)
	}
}

// testOrder checks that what one publisher says is heard in its order while
// others speak too.
func testOrder(t *testing.T, b engine.Bus) {
	const publishers, each = 4, 100
	ears := []*ear{newEar(), newEar()}
	for _, e := range ears {
		t.Cleanup(b.Subscribe(e.hear))
	}
	var group sync.WaitGroup
	for p := range int64(publishers) {
		group.Go(func() {
			for i := range int64(each) {
				b.Publish(notice(p, i+1))
			}
		})
	}
	group.Wait()
	for _, e := range ears {
		next := make(map[int64]int64)
		for _, n := range e.wait(t, publishers*each) {
			if next[n.Log.ID]++; n.Records[0].Index != next[n.Log.ID] {
				t.Fatalf("heard index %d of publisher %d, want %d", n.Records[0].Index, n.Log.ID, next[n.Log.ID])
			}
		}
	}
}

func testOneAtATime(t *testing.T, b engine.Bus) {
	var one sync.Mutex
	e := newEar()
	t.Cleanup(b.Subscribe(func(n engine.Notice) {
		if !one.TryLock() {
			t.Error("a subscriber is called while it is called")
			return
		}
		defer one.Unlock()
		e.hear(n)
	}))
	var group sync.WaitGroup
	for p := range int64(8) {
		group.Go(func() {
			for i := range int64(20) {
				b.Publish(notice(p, i+1))
			}
		})
	}
	group.Wait()
	e.wait(t, 160)
}

// testSlowListener checks that Publish does not wait for a subscriber, and
// that one subscriber does not wait for another.
func testSlowListener(t *testing.T, b engine.Bus) {
	wake := make(chan struct{})
	t.Cleanup(b.Subscribe(func(engine.Notice) { <-wake }))
	t.Cleanup(func() { close(wake) }) // before the cancel, which waits for the call
	e := newEar()
	t.Cleanup(b.Subscribe(e.hear))
	for i := range int64(50) {
		b.Publish(notice(1, i+1))
	}
	e.wait(t, 50)
}

// testPublishWhileHearing checks that a subscriber may publish, and that a
// publisher may hold a lock that a subscriber wants.
func testPublishWhileHearing(t *testing.T, b engine.Bus) {
	var mu sync.Mutex
	e := newEar()
	t.Cleanup(b.Subscribe(func(n engine.Notice) {
		mu.Lock()
		defer mu.Unlock()
		if i := n.Records[0].Index; i < 5 {
			b.Publish(notice(1, i+1))
		}
		e.hear(n)
	}))
	mu.Lock()
	b.Publish(notice(1, 1))
	mu.Unlock()
	e.wait(t, 5)
}

func testCancel(t *testing.T, b engine.Bus) {
	gone, stays := newEar(), newEar()
	cancel := b.Subscribe(gone.hear)
	t.Cleanup(b.Subscribe(stays.hear))
	b.Publish(notice(1, 1))
	gone.wait(t, 1)
	cancel()
	b.Publish(notice(1, 2))
	stays.wait(t, 2)
	if heard := gone.wait(t, 1); len(heard) != 1 {
		t.Errorf("after its cancel a subscriber heard %+v", heard[1:])
	}
}

// testCancelWaits checks that nothing is heard once cancel has returned, a
// call in progress included.
func testCancelWaits(t *testing.T, b engine.Bus) {
	entered, leave := make(chan struct{}), make(chan struct{})
	var mu sync.Mutex
	calls, returned := 0, false
	cancel := b.Subscribe(func(engine.Notice) {
		mu.Lock()
		calls++
		mu.Unlock()
		close(entered)
		<-leave
		mu.Lock()
		returned = true
		mu.Unlock()
	})
	b.Publish(notice(1, 1))
	b.Publish(notice(1, 2)) // never heard: a second call would close entered twice
	<-entered
	cancelled := make(chan struct{})
	go func() {
		defer close(cancelled)
		cancel()
		mu.Lock()
		defer mu.Unlock()
		if !returned {
			t.Error("cancel returned while the subscriber was being called")
		}
	}()
	// A cancel that did not wait would most likely be over by now.
	select {
	case <-cancelled:
	case <-time.After(20 * time.Millisecond):
	}
	close(leave)
	<-cancelled
	mu.Lock()
	defer mu.Unlock()
	if calls != 1 {
		t.Errorf("the subscriber was called %d times, want 1", calls)
	}
}
