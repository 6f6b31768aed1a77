package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/halley-chat/halley/bayeux"
)

// answer is a response writer that keeps the body.
type answer struct {
	header http.Header
	body   bytes.Buffer
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) Write(p []byte) (int, error) { return a.body.Write(p) }
func (a *answer) WriteHeader(int)             {}

// member is a session that reaches the server without a socket.
type member struct {
	srv *bayeux.Server
	id  string
}

func (m member) post(ctx context.Context, body string) []byte {
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/cometd", io.NopCloser(bytes.NewReader([]byte(body))))
	a := &answer{header: make(http.Header)}
	m.srv.ServeHTTP(a, r)
	return a.body.Bytes()
}

// join makes a session that has connected once and is subscribed to the
// channel, if there is one.
func join(tb testing.TB, srv *bayeux.Server, channel string) member {
	m := member{srv: srv}
	var replies []struct {
		ClientID string `json:"clientId"`
	}
	body := m.post(context.Background(), `{"channel":"/meta/handshake","version":"1.0","supportedConnectionTypes":["long-polling"]}`)
	if err := json.Unmarshal(body, &replies); err != nil || len(replies) != 1 || replies[0].ClientID == "" {
		tb.Fatalf("handshake: %v: %s", err, body)
	}
	m.id = replies[0].ClientID
	m.connect(context.Background(), 0)
	if channel != "" {
		m.post(context.Background(), `{"channel":"/meta/subscribe","clientId":"`+m.id+`","subscription":"`+channel+`"}`)
	}
	return m
}

// connect polls, and is held for as long as the timeout says.
func (m member) connect(ctx context.Context, timeout time.Duration) []byte {
	return m.post(ctx, fmt.Sprintf(`{"channel":"/meta/connect","clientId":"%s","connectionType":"long-polling","advice":{"timeout":%d}}`, m.id, timeout.Milliseconds()))
}

func newServer(tb testing.TB, o bayeux.Options) *bayeux.Server {
	o.TrustClientID, o.HoldsPerBrowser, o.MaxSessionsPerAddress = true, -1, -1
	o.Logger = slog.New(slog.DiscardHandler)
	srv := bayeux.New(o)
	tb.Cleanup(func() {
		if err := srv.Close(context.Background()); err != nil {
			tb.Error(err)
		}
	})
	return srv
}

const subscribers = 1000

// BenchmarkPublish is one message to a thousand subscribers, each of whom has
// it queued. "first" finds every queue empty, so that each allocates its first
// slot; "queued" finds messages waiting, and allocates what queues that grow
// need. Message sizes differ only in what is copied once: were it encoded for
// each subscriber, the bytes per operation would grow a thousand times with
// it.
func BenchmarkPublish(b *testing.B) {
	for _, size := range []int{50, 5000} {
		data := append(append([]byte{'"'}, bytes.Repeat([]byte("x"), size)...), '"')
		for _, c := range []struct {
			name  string
			burst int
		}{{"first", 1}, {"queued", 500}} {
			b.Run(fmt.Sprintf("%s/%dB", c.name, size), func(b *testing.B) {
				b.ReportAllocs()
				srv := newServer(b, bayeux.Options{MaxInterval: time.Hour, OutboxBytes: 64 << 20})
				members := make([]member, subscribers)
				for i := range members {
					members[i] = join(b, srv, "/room")
				}
				waiting := 0
				b.ResetTimer()
				for range b.N {
					if waiting == c.burst {
						b.StopTimer()
						for _, m := range members {
							m.connect(context.Background(), 0)
						}
						waiting = 0
						b.StartTimer()
					}
					if err := srv.Publish("/room", data); err != nil {
						b.Fatal(err)
					}
					waiting++
				}
				b.StopTimer()
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/subscribers, "ns/subscriber")
				if srv.Sessions() != subscribers {
					b.Fatalf("%d sessions are left", srv.Sessions())
				}
			})
		}
	}
}

const crowdSize = 100_000

func cpu(tb testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// watch reports what the process uses in a while, as a share of one core.
func watch(b *testing.B, length time.Duration) {
	runtime.GC()
	before := cpu(b)
	b.ResetTimer()
	time.Sleep(length)
	b.StopTimer()
	b.ReportMetric(100*(cpu(b)-before).Seconds()/b.Elapsed().Seconds(), "%core")
}

func inParallel(n int, do func(i int)) {
	var wg sync.WaitGroup
	const workers = 8
	for w := range workers {
		wg.Go(func() {
			for i := w; i < n; i += workers {
				do(i)
			}
		})
	}
	wg.Wait()
}

// BenchmarkIdle is 100,000 sessions that do nothing, in real time: run it with
// -benchtime 1x.
//
//   - waiting: sessions whose expiry is a long time off. Whatever looks at all
//     sessions from time to time would show.
//   - held: the same with a connect held by each.
//   - expiring: all of them expire within 20 s, evenly: what the timers cost
//     together with the ends of 5,000 sessions a second.
//   - timeouts: all of the held connects are answered within 20 s, evenly: what
//     the timers cost together with 5,000 answers a second.
func BenchmarkIdle(b *testing.B) {
	const spread = 20 * time.Second
	b.Run("waiting", func(b *testing.B) {
		srv := newServer(b, bayeux.Options{MaxInterval: time.Hour})
		inParallel(crowdSize, func(int) { join(b, srv, "") })
		watch(b, 10*time.Second)
	})
	b.Run("held", func(b *testing.B) {
		srv := newServer(b, bayeux.Options{Timeout: time.Hour})
		done := holdAll(b, srv, func(int) time.Duration { return time.Hour })
		watch(b, 10*time.Second)
		done()
	})
	b.Run("expiring", func(b *testing.B) {
		srv := newServer(b, bayeux.Options{MaxInterval: spread})
		// They come evenly, and therefore go evenly.
		begin := time.Now()
		inParallel(crowdSize, func(i int) {
			time.Sleep(time.Until(begin.Add(spread * time.Duration(i) / crowdSize)))
			join(b, srv, "")
		})
		time.Sleep(time.Until(begin.Add(spread + 500*time.Millisecond)))
		watch(b, spread-2*time.Second)
		b.ReportMetric(float64(srv.Stats().Ended.Expired.Load())/b.Elapsed().Seconds(), "expired/s")
	})
	b.Run("timeouts", func(b *testing.B) {
		srv := newServer(b, bayeux.Options{Timeout: time.Hour, MaxInterval: time.Hour})
		const start = 20 * time.Second
		begin := time.Now()
		done := holdAll(b, srv, func(i int) time.Duration {
			return time.Until(begin.Add(start + spread*time.Duration(i)/crowdSize))
		})
		if late := time.Since(begin); late > start {
			b.Skipf("the sessions took %v to come", late)
		}
		time.Sleep(time.Until(begin.Add(start)))
		watch(b, spread)
		done()
	})
}

// holdAll makes the sessions and has a connect of each held. done ends them.
func holdAll(b *testing.B, srv *bayeux.Server, timeout func(i int) time.Duration) (done func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var held sync.WaitGroup
	inParallel(crowdSize, func(i int) {
		m := join(b, srv, "")
		held.Go(func() { m.connect(ctx, timeout(i)) })
	})
	return func() {
		cancel()
		held.Wait()
	}
}
