package gms

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
)

// action is one thing that somebody does in a plan.
type action struct {
	Pause time.Duration
	What  string
	From  int64 // of a position; negative ones are relative, see position
}

// part is somebody's doing in one round: the actions of a client on a
// WebSocket, of one that polls, or of an agent.
type part struct {
	Who   string
	Chat  int
	Deeds []action
}

// plan is everything that happens in one run, drawn before it begins: in each
// round several go about their parts side by side; between two rounds
// everything comes to rest, and the server may be started anew.
type plan struct {
	Chats  int
	Lively bool // in a service with idle control and everything else
	Async  bool // if so: whether the chats are asynchronous
	Alone  bool // no agent is there at first
	Rounds [][]part
	Anew   []bool // the server is started anew after the round
}

var (
	sessionDeeds = []string{
		"ask", "ask", "ask", "say", "say", "say", "type", "stop", "rename", "push", "notice", "data", "read", "forge", "empty", "reopen",
		"calm", "card", "upload", "delete", "device", "again", "background", "end",
	}
	pollDeeds = []string{
		"poll", "poll", "poll", "poll", "say", "say", "type", "data", "notice", "forge", "calm", "card", "peek", "hint", "upload", "end",
	}
	agentDeeds = []string{"say", "say", "say", "staffLine", "staffLine", "type", "rejoin", "rejoin", "leave", "hold", "share", "unshare", "card", "end"}
)

// rare keeps actions that end a chat from ending all of them at once.
func rare(t *rapid.T, whats []string) string {
	what := rapid.SampledFrom(whats).Draw(t, "what")
	if what == "end" && rapid.IntRange(0, 3).Draw(t, "really") > 0 {
		return whats[0]
	}
	return what
}

func drawPlan(t *rapid.T) plan {
	p := plan{Chats: rapid.IntRange(1, 2).Draw(t, "chats"), Lively: rapid.Bool().Draw(t, "all features"), Async: rapid.Bool().Draw(t, "async")}
	p.Alone = rapid.Bool().Draw(t, "alone")
	rounds := rapid.IntRange(1, 4).Draw(t, "rounds")
	for range rounds {
		var round []part
		for range rapid.IntRange(1, 5).Draw(t, "parts") {
			whos := map[string][]string{"a": sessionDeeds, "b": sessionDeeds, "poller": pollDeeds, "agent": agentDeeds}
			who := rapid.SampledFrom([]string{"a", "a", "b", "poller", "agent"}).Draw(t, "who")
			one := rapid.Custom(func(t *rapid.T) action {
				return action{
					Pause: rapid.SampledFrom([]time.Duration{0, 0, 0, time.Millisecond, 300 * time.Millisecond, 2 * time.Second, 12 * time.Second}).Draw(t, "pause"),
					What:  rare(t, whos[who]),
					From:  int64(rapid.IntRange(-3, 12).Draw(t, "from")),
				}
			})
			add := part{Who: who, Chat: rapid.IntRange(0, p.Chats-1).Draw(t, "chat"), Deeds: rapid.SliceOfN(one, 1, 8).Draw(t, "actions")}
			// One client does one thing after the other.
			if !slices.ContainsFunc(round, func(o part) bool { return o.Who == add.Who && o.Chat == add.Chat && who != "agent" }) {
				round = append(round, add)
			}
		}
		p.Rounds = append(p.Rounds, round)
		p.Anew = append(p.Anew, rapid.IntRange(0, 3).Draw(t, "anew") == 0)
	}
	return p
}

// Whatever clients, agents and the server do, each viewer is given strictly
// rising indexes, no event twice, none that it may not see, and, typing apart,
// all those that it may see.
func TestViewers(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := drawPlan(rt)
		var faults []string
		synctest.Test(t, func(*testing.T) {
			r := &recorder{TB: t, ctx: context.Background()}
			defer func() {
				faults = r.finish(recover())
			}()
			newSimulation(r, p).play()
		})
		if len(faults) > 0 {
			rt.Fatalf("%s", strings.Join(faults, "\n"))
		}
	})
}

// recorder is a testing.TB whose failures end the run and not the test, so
// that rapid can look for a smaller plan.
type recorder struct {
	testing.TB
	ctx context.Context

	mu       sync.Mutex
	faults   []string // guarded by mu, as cleanups
	cleanups []func()
}

// stopped is what a recorder panics with to end a goroutine.
type stopped struct{}

func (r *recorder) Helper()                  {}
func (r *recorder) Context() context.Context { return r.ctx }

func (r *recorder) Cleanup(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cleanups = append(r.cleanups, f)
}

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults = append(r.faults, fmt.Sprintf(format, args...))
}

func (r *recorder) Error(args ...any)                 { r.Errorf("%s", fmt.Sprint(args...)) }
func (r *recorder) Fatalf(format string, args ...any) { r.Errorf(format, args...); panic(stopped{}) }
func (r *recorder) Fatal(args ...any)                 { r.Error(args...); panic(stopped{}) }

// finish cleans up and returns what went wrong.
func (r *recorder) finish(panicked any) []string {
	r.caught(panicked)
	for i := len(r.cleanups) - 1; i >= 0; i-- {
		func() {
			defer func() { r.caught(recover()) }()
			r.cleanups[i]()
		}()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.faults
}

func (r *recorder) caught(panicked any) {
	if _, mine := panicked.(stopped); panicked != nil && !mine {
		panic(panicked)
	}
}

// simulation is a plan being carried out.
type simulation struct {
	t       *recorder
	h       *fixture
	plan    plan
	service string
	chats   []known
	crowds  []*barrier          // by chat
	seats   map[string]*viewer  // of "a0", "b1" …: those on WebSockets
	polls   map[string]*polling // of "poller0" …
	all     []*viewer           // all that ever were
	agents  []func(chat.Action) error
	lines   int
}

// known is a chat and what opens it.
type known struct{ id, key string }

func newSimulation(t *recorder, p plan) *simulation {
	s := &simulation{t: t, h: openWith(t, mixed), plan: p, service: "support", seats: make(map[string]*viewer), polls: make(map[string]*polling)}
	if p.Lively {
		s.service = "mixed"
	}
	return s
}

func (s *simulation) play() {
	for i := range s.plan.Chats {
		s.crowds = append(s.crowds, &barrier{asking: make(map[*bool]bool)})
		v := s.view(i)
		s.seats[fmt.Sprint("a", i)] = v
		v.ask("requestChat", map[string]any{"nickname": "Vera", "userData": map[string]any{asyncMode: strconv.FormatBool(s.plan.Async)}}, 1)
		if v.chat == "" {
			s.t.Fatal("no chat was opened")
		}
		s.chats = append(s.chats, known{v.chat, v.key})
		if !s.plan.Alone {
			s.h.agent(v.chat, chat.StaffID(i+1), "Anna")
		}
		s.agents = append(s.agents, s.staff(v.chat, chat.StaffID(i+1)))
	}
	for i, round := range s.plan.Rounds {
		dos := make([]func(action), len(round))
		for n, p := range round {
			dos[n] = s.actor(p)
		}
		var work sync.WaitGroup
		for n, p := range round {
			work.Go(func() {
				defer func() { s.t.caught(recover()) }()
				for _, d := range p.Deeds {
					time.Sleep(d.Pause)
					dos[n](d)
				}
			})
		}
		work.Wait()
		settle()
		s.idle()
		if s.plan.Anew[i] {
			for _, v := range s.all {
				_ = v.Conn.Close()
			}
			clear(s.seats)
			s.h.restart()
		}
	}
	for _, v := range s.all {
		log := s.h.events(v.chat)
		v.check(forVisitor(log))
		if err := checkMasked(log, v.told()); s.plan.Lively && err != nil {
			s.t.Error(err)
		}
	}
	for _, p := range s.polls {
		p.check(forVisitor(s.h.events(p.chat)))
	}
}

// staff is an agent's way to a chat; refusals are no failure.
func (s *simulation) staff(id string, who chat.StaffID) func(chat.Action) error {
	n, err := chat.ParseID(id)
	if err != nil {
		s.t.Fatal(err)
	}
	return func(a chat.Action) error {
		by := chat.Staff(who)
		if _, ok := a.(chat.Offer); ok {
			by = chat.Actor{}
		}
		_, err := s.h.engine.Do(context.Background(), n, chat.Command{By: by, Do: a})
		if err != nil && chat.KindOf(err) == 0 {
			s.t.Errorf("%T: %v", a, err)
		}
		return err
	}
}

// actor is how somebody does a action.
func (s *simulation) actor(p part) func(action) {
	c, name := s.chats[p.Chat], fmt.Sprint(p.Who, p.Chat)
	switch p.Who {
	case "agent":
		return func(d action) { s.asAgent(p.Chat, d) }
	case "poller":
		if s.polls[name] == nil {
			q := s.h.restClient(s.service)
			q.key, q.chat = c.key, c.id
			s.polls[name] = &polling{restClient: q, t: s.t}
		}
		return s.polls[name].do
	}
	if s.seats[name] == nil {
		s.seats[name] = s.view(p.Chat)
	}
	v := s.seats[name]
	return func(d action) {
		if d.What == "reopen" || d.What == "background" {
			if d.What == "background" {
				_ = v.TrySend(fmt.Sprintf(`[{"channel":"/meta/disconnect","clientId":"$","id":"d","ext":{"transcriptPosition":"%d"}}]`, d.From))
				time.Sleep(time.Duration(d.From+4) * time.Second)
			}
			_ = v.Conn.Close()
			v = s.view(p.Chat)
			s.assign(name, v)
			d.What = "ask"
		}
		v.do(d)
	}
}

func (s *simulation) asAgent(i int, d action) {
	do := s.agents[i]
	switch d.What {
	case "say":
		_ = do(chat.Say{Text: "from the agent"})
	case "staffLine":
		s.staffLine(i)
	case "type":
		_ = do(chat.Type{On: true, Preview: "th"})
	case "rejoin":
		_ = do(chat.Offer{Agent: chat.StaffID(i + 1), Name: "Anna", Role: chat.RoleAgent, Until: time.Now().Add(time.Minute), Capacity: 9})
		_ = do(chat.Accept{})
	case "leave":
		_ = do(chat.Leave{})
	case "end":
		_ = do(chat.End{})
	default:
		s.featureAction(do, d)
	}
}

// staffLine puts a line for the staff alone into the log, as another node would:
// the rooms here find out when they append.
func (s *simulation) staffLine(i int) {
	n, err := chat.ParseID(s.chats[i].id)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, log := context.Background(), engine.ChatLog(n)
	for {
		last, err := s.h.log.Last(ctx, log)
		if err != nil {
			s.t.Fatal(err)
		}
		e := chat.Event{Index: last + 1, At: time.Now(), Fact: chat.Said{No: 2, Text: "for the staff alone", Audience: chat.AudienceStaff}}
		body, err := e.Encode()
		if err != nil {
			s.t.Fatal(err)
		}
		_, err = s.h.log.Append(ctx, engine.Append{Log: log, Expect: last, Records: []engine.Record{{Index: e.Index, At: e.At, Body: body}}})
		if errors.Is(err, engine.ErrConflict) {
			continue
		}
		if err != nil {
			s.t.Fatal(err)
		}
		return
	}
}

// settle lets everything that is on its way arrive: a busy socket rests for a
// moment between two writes.
func settle() {
	time.Sleep(time.Second)
	synctest.Wait()
}

// idle looks at a moment in which nobody does anything: whoever listens has
// been told all, and of what is said now one session at most is told.
func (s *simulation) idle() {
	for i, c := range s.chats {
		before := make(map[*viewer]int)
		for _, v := range s.all {
			before[v] = len(v.told())
		}
		s.lines++
		line := fmt.Sprint("at rest ", s.lines)
		sum, live := s.h.summary(c.id)
		if s.agents[i](chat.Say{Text: line}) != nil {
			continue // the chat is over, or the agent is out of it
		}
		settle()
		var heard []*viewer
		for _, v := range s.all {
			for _, n := range v.told()[before[v]:] {
				if strings.Contains(fmt.Sprint(n), line) {
					heard = append(heard, v)
				}
			}
		}
		bound := live && sum.Open() && sum.Bound && !strings.Contains(sum.Channel, pollMark)
		if bound && len(heard) != 1 || len(heard) > 1 || live && !sum.Open() && len(heard) > 0 {
			s.t.Fatalf("chat %d: %d sessions were told %q, bound: %v", i, len(heard), line, bound)
		}
		if bound {
			want := int64(0)
			for _, e := range s.h.events(c.id) {
				// What comes after the line is hidden: a session that expires.
				if _, _, visible := shown(e); visible {
					want = e.Index
				}
			}
			if got := heard[0].last(); got != want {
				s.t.Fatalf("chat %d: the session that is bound was told up to %d of %d", i, got, want)
			}
		}
	}
}
