package kill

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/halley-chat/halley/bayeux/client"
	"github.com/halley-chat/halley/internal/echo"
	"github.com/halley-chat/halley/test/visitor"
)

var (
	kills  = flag.Int("kills", 12, "how often the server is killed in each of the two tests")
	chats  = flag.Int("chats", 200, "how many chats are under way")
	within = flag.Duration("within", 1200*time.Millisecond, "how long at most the server lives after it serves")
	think  = flag.Duration("think", 3*time.Second, "how long at most a visitor thinks before the next line")
	seed   = flag.Uint64("seed", 0, "of what is drawn: the moments of the kills and the visitors' pauses; 0 draws one")
)

// draws returns the random numbers of one goroutine of the test. What is drawn
// repeats with -seed; what the system makes of it does not.
func draws(t *testing.T) func(stream int) *rand.Rand {
	t.Helper()
	from := *seed
	if from == 0 {
		from = rand.Uint64()
	}
	t.Logf("drawn with -seed %d", from)
	return func(stream int) *rand.Rand { return rand.New(rand.NewPCG(from, uint64(stream))) }
}

// upTo draws a duration below a bound.
func upTo(r *rand.Rand, bound time.Duration) time.Duration {
	return time.Duration(r.Int64N(int64(bound)))
}

// said is a line that a visitor was told is in the chat.
type said struct {
	id, text string
	index    int64
}

// guest is a visitor and what it was promised.
type guest struct {
	*visitor.Visitor
	opts visitor.Options
	said []said

	acknowledged atomic.Int64 // the length of said, for others to look at
}

// The password that the agent's account has when its view is looked at.
const password = "kill-test-password"

// The scripted agent of the demo lives in the server and dies with it.
func TestNothingIsLost(t *testing.T) {
	s := newServer(t, "--demo")
	s.start()
	nothingIsLost(t, s, "echo")
}

// A scripted agent elsewhere survives the server and has to come back to it.
func TestNothingIsLostWithAnAgentElsewhere(t *testing.T) {
	s := newServer(t, "--config", configFile(t, "robot"))
	s.start()
	if err := s.serving(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.run("HALLEY_PASSWORD="+password, "agent", "add", "--data", s.dir, "--capacity", "1000", "robot")
	ctx, dismiss := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	go func() {
		gone <- echo.Run(ctx, echo.Options{
			URL: s.url(""), Login: "robot", Password: password, Transport: client.LongPolling,
			Logger: slog.New(slog.DiscardHandler),
		})
	}()
	defer func() {
		dismiss()
		if err := <-gone; err != nil {
			t.Errorf("the agent: %v", err)
		}
	}()
	nothingIsLost(t, s, "robot")
}

// configFile describes a server with the service "echo" and one agent for it.
func configFile(t *testing.T, agent string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "halley.toml")
	text := fmt.Sprintf("unlimited_networks = [\"127.0.0.0/8\"]\n[services.echo]\noperations_per_second = -1\n[queues.echo]\nmembers = [%q]\n", agent)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// nothingIsLost kills the server at random moments while everybody talks, and
// afterwards compares what the visitors were promised, what they were shown,
// what the agent is shown and what is stored.
func nothingIsLost(t *testing.T, s *server, agent string) {
	if testing.Short() {
		t.Skip("it takes half a minute")
	}
	limit := 3*time.Minute + time.Duration(*kills)*6*time.Second // several times what it takes: it only ends what hangs
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	if err := s.serving(ctx); err != nil {
		t.Fatal(err)
	}
	phase := stopwatch(t)
	guests := arrive(ctx, t, s)
	phase("arrive")
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
	patience, giveUp := context.WithCancel(ctx)
	defer giveUp()
	stream := draws(t)
	var talk sync.WaitGroup
	for i, g := range guests {
		talk.Go(func() {
			if err := g.talk(patience, talking.Done(), stream(i+1)); err != nil {
				t.Errorf("visitor %d: %v", i, err)
			}
		})
	}
	moments := stream(0)
	for range *kills {
		wait(ctx, upTo(moments, *within))
		s.kill()
		s.start()
		if moments.IntN(4) == 0 { // now and then before it is ready
			wait(ctx, upTo(moments, 300*time.Millisecond))
			continue
		}
		if err := s.serving(ctx); err != nil {
			t.Error(err)
			break
		}
	}
	if err := s.serving(ctx); err != nil {
		t.Error(err)
	}
	phase("kill")
	hush()
	defer time.AfterFunc(2*time.Minute, giveUp).Stop()
	talk.Wait()
	phase("last lines")
	if t.Failed() {
		accuse(t, guests)
		return
	}
	compare(ctx, t, s, agent, guests)
	phase("compare")
}

// accuse tells what was wrong with what the visitors saw so far, which may say
// why something else does not go on.
func accuse(t *testing.T, guests []*guest) {
	for _, g := range guests {
		for _, fault := range g.Faults() {
			t.Error(fault)
		}
	}
}

// stopwatch logs how long each phase of the test took.
func stopwatch(t *testing.T) (phase func(name string)) {
	began := time.Now()
	return func(name string) {
		t.Logf("%s: %v", name, time.Since(began).Round(time.Millisecond))
		began = time.Now()
	}
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// arrive starts all chats and waits until the agent has joined each.
func arrive(ctx context.Context, t *testing.T, s *server) []*guest {
	guests := make([]*guest, *chats)
	places := make(chan struct{}, 32)
	var all sync.WaitGroup
	for i := range guests {
		g := &guest{opts: visitor.Options{
			URL: s.url("/genesys/cometd"), Service: "echo", Nickname: fmt.Sprint("Visitor ", i), Transport: client.WebSocket,
			Impatient: i%4 < 2, Patience: 3 * time.Second, Backoff: 100 * time.Millisecond, MaxBackoff: 500 * time.Millisecond,
		}}
		if i%2 == 1 {
			g.opts.Transport = client.LongPolling
		}
		var err error
		if g.Visitor, err = visitor.New(g.opts); err != nil {
			t.Fatal(err)
		}
		guests[i] = g
		all.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			if err := g.Start(ctx); err != nil {
				t.Errorf("visitor %d does not get a chat: %v", i, err)
				return
			}
			if err := g.Until(ctx, func(events []visitor.Event) bool { return answers(events) > 0 }); err != nil {
				t.Errorf("nobody greets visitor %d: %v", i, err)
			}
		})
	}
	all.Wait()
	return guests
}

// answers counts the agent's lines.
func answers(events []visitor.Event) (n int) {
	for _, e := range events {
		if e.Type == visitor.Message && e.From.Type == "Agent" {
			n++
		}
	}
	return n
}

// talk says one line after the other until it is told to stop, and sees each
// through. Its pauses are drawn from r.
func (g *guest) talk(ctx context.Context, stop <-chan struct{}, r *rand.Rand) error {
	for n := 1; ; n++ {
		select {
		case <-time.After(upTo(r, *think)):
		case <-stop:
			return nil
		}
		if r.IntN(3) == 0 {
			if err := g.Type(ctx, true, "…"); err != nil {
				return err
			}
		}
		text := fmt.Sprintf("line %d of %s", n, g.Chat())
		id, index, err := g.Say(ctx, text)
		if err != nil {
			return fmt.Errorf("line %d of chat %s: %w", n, g.Chat(), err)
		}
		g.said = append(g.said, said{id, text, index})
		g.acknowledged.Add(1)
	}
}
