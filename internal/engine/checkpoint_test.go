package engine_test

import (
	"context"
	"sync"
	"testing"

	"github.com/halley-chat/halley/internal/engine"
	"github.com/halley-chat/halley/internal/engine/enginetest"
)

// readCounter counts the records of chats that are read.
type readCounter struct {
	engine.Log
	mu   sync.Mutex
	read int
}

func (l *readCounter) Read(ctx context.Context, log engine.LogID, from int64, limit int) ([]engine.Record, error) {
	recs, err := l.Log.Read(ctx, log, from, limit)
	l.mu.Lock()
	defer l.mu.Unlock()
	if log.Kind == engine.ChatKind {
		l.read += len(recs)
	}
	return recs, err
}

func (l *readCounter) take() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.read
	l.read = 0
	return n
}

// What an answer costs does not depend on how long the chat is: neither to open its
// room nor to watch from a position is the whole log read.
func TestLongChatsAreNotReadWhole(t *testing.T) {
	log := enginetest.NewLog()
	e := engine.New(engine.Options{Log: log, Logger: quiet})
	if err := e.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	id := open(t, e)
	for range 2000 {
		do(t, e, id, say("x"))
	}
	closing(t, e)
	counter := &readCounter{Log: log}
	e = start(t, engine.Options{Log: counter})
	res := do(t, e, id, say("y"))
	if got := counter.take(); got > 256 {
		t.Errorf("opening the room read %d records, want at most 256", got)
	}
	last := res.Summary.Last
	for _, c := range []struct {
		name  string
		from  int64
		first int64
	}{{"from a position", last - 10, last - 10}, {"from beyond the end", last + 100, 0}, {"the last visible one", engine.LastVisible, last}} {
		t.Run(c.name, func(t *testing.T) {
			p := newTape()
			w, err := e.WatchVisible(context.Background(), id, c.from, p.record)
			if err != nil {
				t.Fatal(err)
			}
			defer w.Close()
			first := int64(0)
			if events := p.all(); len(events) > 0 {
				first = events[0].Index
			}
			if c.first == 0 {
				c.first = last
			}
			if got := counter.take(); got > 256 || first != c.first {
				t.Errorf("read %d records from %d on, want at most 256 from %d on", got, first, c.first)
			}
			if got := p.batches[0].Summary.Participants; len(got) != 1 || got[0].Name != "Ada" {
				t.Errorf("got the participants %+v, want Ada", got)
			}
		})
	}
}
