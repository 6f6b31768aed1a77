package desk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"go.uber.org/goleak"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
	"github.com/halley-chat/halley/internal/engine/enginetest"
	"github.com/halley-chat/halley/internal/media"
	"github.com/halley-chat/halley/internal/media/mediatest"
	"github.com/halley-chat/halley/internal/staff"
	"github.com/halley-chat/halley/internal/staff/stafftest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "correct horse"

// fixture is a Desk at work over a real engine and a directory, both with their
// stores in memory, in a bubble. Anna has number 1 and Ben number 2.
type fixture struct {
	t      *testing.T
	log    *enginetest.Log
	files  *mediatest.Store
	engine *engine.Engine
	store  *sessions
	staff  *staff.Directory
	desk   *Desk
	serial int
}

// sessions is a store of accounts that cannot read one of the sessions.
type sessions struct {
	*stafftest.Store

	mu         sync.Mutex
	unreadable [32]byte
}

func (s *sessions) Session(ctx context.Context, hash [32]byte) (staff.Session, error) {
	s.mu.Lock()
	unreadable := s.unreadable
	s.mu.Unlock()
	if hash == unreadable {
		return staff.Session{}, errors.New("this row cannot be read")
	}
	return s.Store.Session(ctx, hash)
}

var cheap = staff.Options{Params: staff.Params{Memory: 16, Passes: 1, Threads: 1}, Logger: slog.New(slog.DiscardHandler)}

const (
	anna = chat.StaffID(1)
	ben  = chat.StaffID(2)
)

func inBubble(t *testing.T, test func(h *fixture)) {
	synctest.Test(t, func(t *testing.T) {
		quiet := slog.New(slog.DiscardHandler)
		h := &fixture{t: t, log: enginetest.NewLog(), store: &sessions{Store: stafftest.NewStore()}, files: mediatest.NewStore()}
		h.engine = engine.New(engine.Options{Log: h.log, Logger: quiet, Rules: lively})
		if err := h.engine.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		h.staff = staff.NewDirectory(h.store, cheap)
		for _, name := range []string{"Anna", "Ben"} {
			if _, err := h.staff.Create(t.Context(), staff.Account{Login: name, Name: name, Role: staff.RoleAgent, Capacity: 4}, secret); err != nil {
				t.Fatal(err)
			}
		}
		h.desk = New(Options{Engine: h.engine, Staff: h.staff, Logger: quiet, Files: media.NewService(h.files, quiet), Policies: filePolicies})
		ctx, cancel := context.WithCancel(context.Background())
		var work sync.WaitGroup
		work.Go(func() { _ = h.desk.Run(ctx) })
		work.Go(func() { _ = h.staff.Run(ctx) })
		defer func() {
			cancel()
			work.Wait()
			h.desk.Close()
			if n := len(h.desk.all()); n != 0 {
				t.Errorf("%d desks are left after Close", n)
			}
			if err := h.engine.Close(context.Background()); err != nil {
				t.Error(err)
			}
		}()
		synctest.Wait()
		test(h)
	})
}

// object is a delivery as a desk sees it.
type object = map[string]any

// browser is a Bayeux session that keeps what it is sent.
type browser struct {
	h   *fixture
	who Principal

	mu    sync.Mutex
	value any
	got   []object
	over  bool
	full  bool          // Deliver fails
	gate  chan struct{} // Deliver waits until it is closed
}

func (b *browser) Deliver(ch string, data jsontext.Value) error {
	b.mu.Lock()
	gate := b.gate
	b.mu.Unlock()
	if gate != nil {
		<-gate
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over || b.full {
		return errors.New("gone")
	}
	var o object
	if err := json.Unmarshal(data, &o); err != nil || ch != channel {
		b.h.t.Errorf("a delivery on %s is %s: %v", ch, data, err)
	}
	b.got = append(b.got, o)
	return nil
}

func (b *browser) Disconnect() {
	b.mu.Lock()
	b.over = true
	c, _ := b.value.(*client)
	b.mu.Unlock()
	if c != nil {
		c.close()
	}
}

func (b *browser) Value() any     { return b.value }
func (b *browser) SetValue(v any) { b.value = v }

func (b *browser) ended() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.over
}

// signIn signs an agent in at a new browser and opens a desk there.
func (h *fixture) signIn(login string) *browser {
	h.t.Helper()
	_, who, err := h.staff.SignIn(h.t.Context(), staff.Attempt{Login: login, Password: secret, Address: "192.0.2.1"})
	if err != nil {
		h.t.Fatal(err)
	}
	return h.reconnect(principalOf(who))
}

// reconnect opens a desk at a browser that is signed in.
func (h *fixture) reconnect(who Principal) *browser {
	b := &browser{h: h, who: who}
	if c, fresh := h.desk.attach(b, who); c == nil || !fresh {
		h.t.Fatal("no desk was made")
	}
	return b
}

func (b *browser) client() *client { return b.value.(*client) }

// send publishes a command, given as fields; an id is added where none is. It
// returns what was delivered since then until the command was answered.
func (b *browser) send(fields object) []object {
	b.h.t.Helper()
	b.take()
	return b.publish(fields)
}

// publish is send without forgetting what was delivered before.
func (b *browser) publish(fields object) []object {
	b.h.t.Helper()
	if _, ok := fields["id"]; !ok {
		b.h.serial++
		fields["id"] = fmt.Sprint("c", b.h.serial)
	}
	data, err := json.Marshal(fields)
	if err != nil {
		b.h.t.Fatal(err)
	}
	b.client().handle(b.h.t.Context(), data)
	return b.take()
}

// take returns what was delivered since it was called last.
func (b *browser) take() []object {
	b.mu.Lock()
	defer b.mu.Unlock()
	got := b.got
	b.got = nil
	return got
}

// settled waits until everybody has nothing left to do, and returns what was
// delivered meanwhile.
func (b *browser) settled() []object {
	synctest.Wait()
	return b.take()
}

// must sends a command and fails the test unless it is answered with ok as the
// last thing. It returns what was pushed before.
func (b *browser) must(fields object) []object {
	b.h.t.Helper()
	got := b.send(fields)
	if len(got) == 0 || got[len(got)-1]["type"] != "reply" || got[len(got)-1]["ok"] != true || got[len(got)-1]["id"] != fields["id"] {
		b.h.t.Fatalf("%v was answered with %v", fields, got)
	}
	return got[:len(got)-1]
}

// code sends a command that shall be refused and returns the refusal's code.
func (b *browser) code(fields object) string {
	b.h.t.Helper()
	got := b.send(fields)
	if len(got) == 0 || got[len(got)-1]["ok"] != false {
		b.h.t.Fatalf("%v was answered with %v", fields, got)
	}
	return got[len(got)-1]["error"].(object)["code"].(string)
}

// resume resumes and returns the answer.
func (b *browser) resume(cursor any) object {
	b.h.t.Helper()
	fields := object{"op": "resume"}
	if cursor != nil {
		fields["cursor"] = cursor
	}
	got := b.send(fields)
	// That the agent has a desk again may be told before the answer or after it.
	i := slices.IndexFunc(got, func(o object) bool { return o["type"] == "resumed" && o["id"] == fields["id"] })
	if i < 0 {
		b.h.t.Fatalf("resume was answered with %v, want resumed among it", got)
	}
	return got[i]
}

// open opens a chat whose visitor stays.
func (h *fixture) open() chat.ID {
	h.t.Helper()
	id, _, err := h.engine.Open(h.t.Context(), chat.Command{By: chat.TheVisitor(), Do: chat.Open{
		Name: "Vera", Opening: chat.Opening{Service: "shop", Queue: "people", Subject: "Shoes", Channel: "c", Email: "v@example.org", Data: map[string]string{"k": "v"}},
	}})
	if err != nil {
		h.t.Fatal(err)
	}
	time.Sleep(time.Millisecond)
	return id
}

func (h *fixture) do(id chat.ID, by chat.Actor, a chat.Action) {
	h.t.Helper()
	if _, err := h.engine.Do(h.t.Context(), id, chat.Command{By: by, Do: a}); err != nil {
		h.t.Fatal(err)
	}
}

func (h *fixture) offer(id chat.ID, to chat.StaffID) {
	h.t.Helper()
	h.do(id, chat.Actor{}, chat.Offer{Agent: to, Name: "Anna", Role: chat.RoleAgent, Until: time.Now().Add(20 * time.Second), Capacity: 4, Reason: "why"})
	synctest.Wait()
}

func (h *fixture) say(id chat.ID, text string) { h.do(id, chat.TheVisitor(), chat.Say{Text: text}) }

// taken opens a chat that Anna takes at once, at a desk that has resumed.
func (h *fixture) taken(b *browser) chat.ID {
	h.t.Helper()
	id := h.open()
	h.offer(id, b.who.Staff)
	b.must(object{"op": "accept", "chat": id.String()})
	return id
}

// pushes picks the deliveries of a type.
func pushes(got []object, kind string) []object {
	return slices.DeleteFunc(slices.Clone(got), func(o object) bool { return o["type"] != kind })
}

// events are all events of the pushes of a chat, as "index type".
func events(got []object, id chat.ID) (list []string) {
	for _, o := range got {
		if c, ok := o["chat"].(object); ok && c["id"] == id.String() {
			list = append(list, eventsOf(o)...)
		}
	}
	return list
}

func eventsOf(o object) (list []string) {
	for _, e := range o["events"].([]any) {
		e := e.(object)
		list = append(list, fmt.Sprint(e["index"], " ", e["type"]))
	}
	return list
}

func kinds(got []object) (list []string) {
	for _, o := range got {
		list = append(list, o["type"].(string))
	}
	return list
}

// otherProcess is a directory on the same store, as another process has one.
func otherProcess(h *fixture) *staff.Directory { return staff.NewDirectory(h.store, cheap) }

// forgiving are the usual rules, but an agent may have a chat again at once.
func forgiving(string) chat.Rules {
	r := chat.DefaultRules()
	r.ExcludeFor = 0
	r.Files = filePolicies["shop"].FileRules
	return r
}

func (h *fixture) summary(id chat.ID) chat.Summary {
	h.t.Helper()
	s, ok, err := h.engine.Summary(h.t.Context(), id)
	if err != nil || !ok {
		h.t.Fatalf("the summary of chat %v: got %v, %v", id, ok, err)
	}
	return s
}

func (h *fixture) agent(id chat.StaffID) chat.AgentState {
	h.t.Helper()
	s, err := h.engine.Agent(h.t.Context(), id)
	if err != nil {
		h.t.Fatal(err)
	}
	return s
}
