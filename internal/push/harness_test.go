package push_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
	"github.com/halley-chat/halley/internal/engine/enginetest"
	"github.com/halley-chat/halley/internal/push"
	"github.com/halley-chat/halley/internal/push/pushtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// words is a script in words of its own.
type words struct{ names map[int]string }

func (w *words) See(e chat.Event) {
	if f, ok := e.Fact.(chat.Joined); ok {
		w.names[f.No] = f.Name
	}
}

func (w *words) Render(e chat.Event) (string, int, json.RawMessage, bool) {
	if !e.VisibleToVisitor() {
		return "", 0, nil, false
	}
	kind, by := fmt.Sprintf("%T", e.Fact), 0
	switch f := e.Fact.(type) {
	case chat.Said:
		by = f.No
	case chat.Joined:
		by = f.No
	case chat.Left:
		by = f.No
	case chat.Noticed:
		by = f.No
	case chat.Typed:
		by = f.No
	}
	b, err := json.Marshal(map[string]any{"who": w.names[by], "fact": e.Fact})
	if err != nil {
		panic(err)
	}
	return kind, by, b, true
}

func (w *words) ForPeople(kind string) bool { return kind != "chat.Noticed" }

// device is a carrier in memory: it takes messages, or does what it is told.
type device struct {
	mu sync.Mutex
	// Guarded by mu.
	log
	answer func(push.Message) error // nil means that it takes all
	hold   chan struct{}            // while it is there, nothing is answered before it closes
	under  int                      // attempts under way
	closed bool
}

// log is what a device has seen.
type log struct {
	got   []push.Message
	at    []time.Time // when each was taken
	tries []time.Time
	most  int // the most attempts at a time
}

// seen is a copy of the log.
func (d *device) seen() log {
	d.mu.Lock()
	defer d.mu.Unlock()
	return log{slices.Clone(d.got), slices.Clone(d.at), slices.Clone(d.tries), d.most}
}

func (d *device) Send(ctx context.Context, m push.Message) error {
	d.mu.Lock()
	d.tries = append(d.tries, time.Now())
	d.under++
	d.most = max(d.most, d.under)
	hold, answer := d.hold, d.answer
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		d.under--
		d.mu.Unlock()
	}()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if answer != nil {
		if err := answer(m); err != nil {
			return err
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.got, d.at = append(d.got, m), append(d.at, time.Now())
	return nil
}

func (d *device) Close() { d.closed = true }

func (d *device) set(answer func(push.Message) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answer = answer
}

// indexes are those of what was taken, of one chat or of all (0).
func (d *device) indexes(id chat.ID) []int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	var list []int64
	for _, m := range d.got {
		if id == 0 || m.Chat == id {
			list = append(list, m.Index)
		}
	}
	return list
}

// fixture is a pusher at work over a real engine, inside a bubble.
type fixture struct {
	t       testing.TB
	log     *enginetest.Log
	store   *pushtest.Store
	device  *device // takes what goes to FCM and to hooks
	options push.Options
	logged  *bytes.Buffer
	abandon chat.Abandon // what becomes of chats whose visitors leave while they wait

	engine *engine.Engine
	pusher *push.Pusher
	end    func()
}

func open(t testing.TB, change func(*push.Options)) *fixture {
	h := &fixture{t: t, log: enginetest.NewLog(), store: pushtest.NewStore(), device: &device{}, logged: &bytes.Buffer{}}
	h.options = push.Options{
		Store:   h.store,
		Script:  func() push.Script { return &words{make(map[int]string)} },
		Senders: map[push.Target]push.Sender{{chat.CarrierFCM, ""}: h.device, {chat.CarrierHook, ""}: h.device},
		Texts:   map[string]push.Text{"": {"Chat", "News"}, "de": {"Chat", "Neues"}},
		Logger:  slog.New(slog.NewTextHandler(h.logged, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if change != nil {
		change(&h.options)
	}
	h.start()
	t.Cleanup(func() { h.stop() })
	return h
}

func (h *fixture) start() {
	h.t.Helper()
	rules := chat.DefaultRules()
	rules.Abandon = h.abandon
	h.engine = engine.New(engine.Options{Log: h.log, Logger: h.options.Logger, Rules: func(string) chat.Rules { return rules }})
	if err := h.engine.Start(context.Background()); err != nil {
		h.t.Fatal(err)
	}
	h.options.Engine = h.engine
	h.pusher = push.New(h.options)
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() {
		if err := h.pusher.Run(ctx); err != nil {
			h.t.Error(err)
		}
	})
	h.end = func() {
		cancel()
		work.Wait()
		if err := h.engine.Close(context.Background()); err != nil {
			h.t.Error(err)
		}
	}
}

func (h *fixture) stop() {
	if h.end != nil {
		h.end()
		h.end = nil
	}
}

// restart is a crash as far as the pusher is concerned, which writes nothing
// when it ends, and a new process.
func (h *fixture) restart() {
	h.stop()
	h.start()
}

func (h *fixture) do(id chat.ID, by chat.Actor, a chat.Action) engine.Result {
	h.t.Helper()
	res, err := h.engine.Do(context.Background(), id, chat.Command{By: by, Do: a})
	if err != nil {
		h.t.Fatalf("doing %T: got %v, want no error", a, err)
	}
	return res
}

var (
	visitor = chat.TheVisitor()
	anna    = chat.Staff(7)
	phone   = chat.Device{Carrier: chat.CarrierFCM, Token: "s3cret-token", Language: "de-AT"}
	program = chat.Device{Carrier: chat.CarrierHook, Token: "s3cret-token"}
)

// chat opens a chat with an agent in it: its events are joined, queued,
// subscribed, offered, accepted and joined.
func (h *fixture) chat(v chat.Device) chat.ID {
	h.t.Helper()
	id, _, err := h.engine.Open(context.Background(), chat.Command{By: visitor, Do: chat.Open{
		Name: "Vera", Opening: chat.Opening{Service: "support", Queue: "support", Channel: "c1"}, Device: &v,
	}})
	if err != nil {
		h.t.Fatal(err)
	}
	h.do(id, chat.Actor{}, chat.Offer{Agent: 7, Name: "Anna", Role: chat.RoleAgent, Until: time.Now().Add(time.Minute), Capacity: 1000})
	h.do(id, anna, chat.Accept{})
	return id
}

// say lets the agent say something and returns the index of it.
func (h *fixture) say(id chat.ID, text string) int64 {
	h.t.Helper()
	return h.do(id, anna, chat.Say{Text: text}).Events[0].Index
}

func (h *fixture) unbind(id chat.ID, channel string) {
	h.t.Helper()
	h.do(id, visitor, chat.Unbind{Channel: channel})
}

// rest lets time pass, and everything that happens in it come to rest.
func (h *fixture) rest(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (h *fixture) dead() []push.DeadLetter {
	h.t.Helper()
	list, err := h.store.DeadLetters(context.Background(), 1000)
	if err != nil {
		h.t.Fatal(err)
	}
	return list
}

// inBubble runs a test in a bubble and lets everything come to rest first.
func inBubble(t *testing.T, change func(*push.Options), test func(*testing.T, *fixture)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := open(t, change)
		synctest.Wait()
		test(t, h)
		h.stop()
	})
}
