package enginetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
)

// testPartialFailure has many appends in flight at once, so that an adapter
// that commits in groups forms some. A third conflicts, a third asks for a
// slot of an agent that has none: those fail alone.
func (s *logSuite) testPartialFailure(t *testing.T, l Inspector) {
	const n = 120
	full, owner := s.agent(), s.agent()
	type job struct {
		append engine.Append
		want   error
	}
	var jobs []job
	for i := range n {
		id := s.chat()
		sum := summary(id, chat.PhaseWaiting)
		j := job{append: engine.Append{
			Log: engine.ChatLog(id), Records: run(engine.ChatLog(id), 0, 1+i%3), Summary: &sum,
			Claims: []chat.Claim{{Agent: owner, Chat: id, Take: true, Capacity: n}},
			Tails:  []engine.Tail{{Log: engine.AgentLog(owner), At: noon, Body: fmt.Appendf(nil, "%v", id)}},
		}}
		switch i % 3 {
		case 1:
			j.append.Expect, j.append.Records, j.want = 4, run(j.append.Log, 4, 2), engine.ErrConflict
		case 2:
			j.append.Claims = append(j.append.Claims, chat.Claim{Agent: full, Chat: id, Take: true})
			j.want = engine.ErrCapacity
		}
		jobs = append(jobs, j)
	}
	errs, start := make([]error, n), make(chan struct{})
	var group sync.WaitGroup
	for i, j := range jobs {
		group.Go(func() {
			<-start
			_, errs[i] = l.Append(t.Context(), j.append)
		})
	}
	close(start)
	group.Wait()
	held, waiting := claims(t, l, owner), live(t, l)
	for i, j := range jobs {
		if !errors.Is(errs[i], j.want) {
			t.Errorf("append %d says %v, want %v", i, errs[i], j.want)
		}
		want, id := j.append.Records, chat.ID(j.append.Log.ID)
		if j.want != nil {
			want = nil
		}
		holds(t, l, j.append.Log, want)
		if _, listed := waiting[id]; held[id] != (j.want == nil) || listed != (j.want == nil) {
			t.Errorf("append %d said %v; claimed %v, listed %v", i, errs[i], held[id], listed)
		}
	}
	if got := last(t, l, engine.AgentLog(owner)); got != n/3 {
		t.Errorf("the agent's log has %d tails, want %d", got, n/3)
	}
}

func (s *logSuite) testTails(t *testing.T, l Inspector) {
	log, a, b := engine.ChatLog(s.chat()), engine.AgentLog(s.agent()), engine.AgentLog(s.agent())
	filled(t, l, b, 4)
	tail := func(to engine.LogID, text string) engine.Tail {
		return engine.Tail{Log: to, At: noon.Add(time.Second), Body: []byte(text)}
	}
	got := appended(t, l, engine.Append{
		Log: log, Records: run(log, 0, 2),
		Tails: []engine.Tail{tail(a, "a1"), tail(b, "b5"), tail(a, "a2"), tail(log, "own"), tail(b, "b6")},
	})
	if fmt.Sprint(got) != "[1 5 2 3 6]" {
		t.Errorf("the tails got the indexes %v, want [1 5 2 3 6]", got)
	}
	entry := func(index int64, text string) engine.Record {
		return engine.Record{Index: index, At: noon.Add(time.Second), Body: []byte(text)}
	}
	holds(t, l, a, []engine.Record{entry(1, "a1"), entry(2, "a2")})
	holds(t, l, b, append(run(b, 0, 4), entry(5, "b5"), entry(6, "b6")))
	holds(t, l, log, append(run(log, 0, 2), entry(3, "own")))
	// A tail moves the log on: the expected index counts it.
	if _, err := l.Append(t.Context(), engine.Append{Log: a, Expect: 1, Records: run(a, 1, 1)}); !errors.Is(err, engine.ErrConflict) {
		t.Errorf("an append at the index before a tail says %v, want ErrConflict", err)
	}
	appended(t, l, engine.Append{Log: a, Expect: 2, Records: run(a, 2, 1)})
}

// testTailsInterleaved has many chats write to the end of the same few logs.
func (s *logSuite) testTailsInterleaved(t *testing.T, l Inspector) {
	const chats, each = 16, 6
	shared := []engine.LogID{engine.AgentLog(s.agent()), engine.AgentLog(s.agent())}
	type given struct {
		log   engine.LogID
		index int64
		body  string
	}
	out := make([][]given, chats)
	var group sync.WaitGroup
	for i := range chats {
		log := engine.ChatLog(s.chat())
		group.Go(func() {
			for n := range int64(each) {
				a := engine.Append{Log: log, Expect: n, Records: run(log, n, 1)}
				for k := range 3 {
					a.Tails = append(a.Tails, engine.Tail{Log: shared[k%2], At: noon, Body: fmt.Appendf(nil, "%d %d %d", i, n, k)})
				}
				indexes, err := l.Append(t.Context(), a)
				if err != nil || len(indexes) != len(a.Tails) {
					t.Errorf("append with tails says %v, %v", indexes, err)
					return
				}
				if indexes[2] != indexes[0]+1 {
					t.Errorf("two tails of one append stand at %d and %d of their log", indexes[0], indexes[2])
				}
				for k, tail := range a.Tails {
					out[i] = append(out[i], given{tail.Log, indexes[k], string(tail.Body)})
				}
			}
		})
	}
	group.Wait()
	for k, log := range shared {
		records := read(t, l, log, 1, 10*chats*each)
		if want := chats * each * (2 - k); len(records) != want {
			t.Fatalf("log %v has %d tails, want %d", log, len(records), want)
		}
		for _, gs := range out {
			for _, g := range gs {
				if g.log == log && string(records[g.index-1].Body) != g.body {
					t.Errorf("record %d of %v is %q, but it was given to %q", g.index, log, records[g.index-1].Body, g.body)
				}
			}
		}
		for i, r := range records {
			if r.Index != int64(i)+1 {
				t.Fatalf("record %d of %v has index %d", i, log, r.Index)
			}
		}
	}
}

func (s *logSuite) testContextEnded(t *testing.T, l Inspector) {
	log := engine.ChatLog(s.chat())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Append(ctx, engine.Append{Log: log, Records: run(log, 0, 1)}); !errors.Is(err, context.Canceled) {
		t.Errorf("an append whose context has ended says %v, want context.Canceled", err)
	}
	if _, err := l.Read(ctx, log, 1, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("a read whose context has ended says %v, want context.Canceled", err)
	}
	holds(t, l, log, nil)
}

// testContextRaces ends the contexts of appends at all sorts of moments. An
// append that was answered with an error has left nothing, one that was
// answered without is there.
func (s *logSuite) testContextRaces(t *testing.T, l Inspector) {
	const n = 200
	logs, errs := make([]engine.LogID, n), make([]error, n)
	var group sync.WaitGroup
	for i := range n {
		logs[i] = engine.ChatLog(s.chat())
		patience := time.Duration(rand.N(int64(4 * time.Millisecond)))
		group.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			_, errs[i] = l.Append(ctx, engine.Append{Log: logs[i], Records: run(logs[i], 0, 2)})
		})
	}
	group.Wait()
	for i, err := range errs {
		switch {
		case err == nil:
			holds(t, l, logs[i], run(logs[i], 0, 2))
		case errors.Is(err, context.DeadlineExceeded):
			holds(t, l, logs[i], nil)
		default:
			t.Errorf("an impatient append says %v", err)
		}
	}
}
