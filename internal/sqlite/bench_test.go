package sqlite

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
)

// event is a body of the usual size that does not compress too well.
func event(chat, index int64) []byte {
	body := fmt.Appendf(nil, `{"k":"said","c":"%016x","f":{"no":1,"text":"`, chat*2654435761+index*40503)
	for word := uint64(chat)*31 + uint64(index); len(body) < 366; word = word*6364136223846793005 + 1442695040888963407 {
		body = fmt.Appendf(body, "%s ", [...]string{"order", "please", "the", "parcel", "tomorrow", "I", "thank you", "number", "when", "arrived"}[word>>33%10])
	}
	return append(body[:366], `"}}}`...)
}

// BenchmarkAppend is the load of docs/architecture.md: 256 producers, each of
// which waits for its acknowledgement, in 20,000 live chats.
//
//	go test -run '^$' -bench Append -benchtime 1000000x ./internal/sqlite
func BenchmarkAppend(b *testing.B) {
	const producers, chats = 256, 20_000
	s, err := Open(context.Background(), b.TempDir(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	bodies := make([][]byte, 4096)
	for i := range bodies {
		bodies[i] = event(int64(i), int64(i))
	}
	took := make([]time.Duration, b.N)
	var count atomic.Int64
	var group sync.WaitGroup
	before := cpu()
	b.ResetTimer()
	for p := range int64(producers) {
		group.Go(func() {
			heads := make(map[int64]int64)
			for turn := int64(0); ; turn++ {
				n := count.Add(1)
				if n > int64(b.N) {
					return
				}
				id := p + turn*producers%(chats/producers*producers) + 1
				a := engine.Append{
					Log: engine.ChatLog(chat.ID(id)), Expect: heads[id],
					Records: []engine.Record{{Index: heads[id] + 1, At: time.Now(), Body: bodies[n%int64(len(bodies))]}},
				}
				start := time.Now()
				if _, err := s.Append(context.Background(), a); err != nil {
					b.Errorf("append: %v", err)
					return
				}
				took[n-1] = time.Since(start)
				heads[id]++
			}
		})
	}
	group.Wait()
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "appends/s")
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric((cpu()-before).Seconds()/float64(b.N)*1e6, "cpu-s/million")
}

// cpu is the processor time that the process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkOpen opens a database with 100,000 chats of 20 events, of which
// 5,000 are live. It builds the database first, which takes a while; with
// HALLEY_BENCH_DIR set it is kept there for the next time.
//
//	go test -run '^$' -bench Open -benchtime 10x ./internal/sqlite
func BenchmarkOpen(b *testing.B) {
	dir := os.Getenv("HALLEY_BENCH_DIR")
	if dir == "" {
		dir = b.TempDir()
	}
	if _, err := os.Stat(filepath.Join(dir, fileName)); err != nil {
		build(b, dir)
	}
	var used time.Duration
	b.ResetTimer()
	for range b.N {
		before := cpu()
		s, err := Open(context.Background(), dir, Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		used += cpu() - before
		live := 0
		if err := s.Live(context.Background(), func(chat.Summary) bool { live++; return true }); err != nil || live != 5000 {
			b.Fatalf("%d chats are live (%v), want 5000", live, err)
		}
		b.ReportMetric(float64(len(s.positions.logs)), "logs")
		b.ReportMetric(float64(s.positions.next-oldestRow(s.positions)), "rows")
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.ReportMetric(used.Seconds()*1000/float64(b.N), "cpu-ms")
}

// build fills a database in the way in which it fills in use: the chats come
// one after the other, 500 of them at once, and the last 5,000 do not end.
func build(b *testing.B, dir string) {
	const chats, live, events, atOnce = 100_000, 5_000, 20, 500
	s, err := Open(context.Background(), dir, Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	var next atomic.Int64
	var group sync.WaitGroup
	for range atOnce {
		group.Go(func() {
			for {
				n := next.Add(1)
				if n > chats {
					return
				}
				id := chat.NewID(time.Now(), 0) + chat.ID(n)
				for i := range int64(events) {
					sum := chat.Summary{Chat: id, Service: "customer-support", Phase: chat.PhaseActive, Name: "Zoë", Subject: "my order"}
					a := engine.Append{Log: engine.ChatLog(id), Expect: i, Records: []engine.Record{{Index: i + 1, At: time.Now(), Body: event(n, i)}}}
					if i == 0 {
						a.Summary = &sum
					} else if i == events-1 && n <= chats-live {
						sum.Phase = chat.PhaseEnded
						a.Summary = &sum
					}
					if _, err := s.Append(context.Background(), a); err != nil {
						b.Errorf("append: %v", err)
						return
					}
				}
			}
		})
	}
	group.Wait()
}

func TestEvent(t *testing.T) {
	if a, b := event(1, 1), event(1, 2); len(a) != 370 || len(b) != 370 || bytes.Equal(a, b) {
		t.Errorf("the bodies of the benchmarks are %s and %s", a, b)
	}
}
