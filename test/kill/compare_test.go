package kill

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/test/visitor"
)

// compare wants everybody to have been told the same.
func compare(ctx context.Context, t *testing.T, s *server, agent string, guests []*guest) {
	// The last answers of the agent are on their way.
	soon, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for _, g := range guests {
		enough := func(events []visitor.Event) bool { return answers(events) >= len(g.said)+1 }
		if err := g.Until(soon, enough); err != nil {
			t.Errorf("chat %s: %d lines, %d answers: %v", g.Chat(), len(g.said), answers(g.Events())-1, err)
		}
	}
	if t.Failed() {
		accuse(t, guests)
		return
	}
	// Every other chat is ended, so that both kinds are read back.
	for i, g := range guests {
		if i%2 == 0 {
			if err := g.End(ctx); err != nil {
				t.Errorf("chat %s does not end: %v", g.Chat(), err)
			}
		}
	}
	if t.Failed() {
		return
	}
	live := map[string][]visitor.Event{}
	fetched := map[string]view{}
	var names []string
	for i, g := range guests {
		live[g.Chat()] = g.Events()
		events, ended, err := visitor.Fetch(ctx, g.opts, g.Key())
		if err != nil {
			t.Errorf("chat %s: %v", g.Chat(), err)
		}
		if ended != (i%2 == 0) {
			t.Errorf("chat %s: ended: %v", g.Chat(), ended)
		}
		fetched[g.Chat()] = visitorView(events)
		names = append(names, g.Chat())
	}
	s.stop()

	// While the demo runs the account belongs to its scripted agent, so the
	// agent's view is looked at without the demo.
	s.run("HALLEY_PASSWORD="+password, "agent", "passwd", "--data", s.dir, agent)
	s.args = []string{"--config", configFile(t, "nobody")}
	s.start()
	if err := s.serving(ctx); err != nil {
		t.Fatal(err)
	}
	seen, err := agentViews(ctx, t, s.url(""), agent, password, names)
	if err != nil {
		t.Errorf("the agent's view: %v", err)
	}
	s.stop()
	stored, err := storedChats(ctx, s.dir, names)
	if err != nil {
		t.Fatal(err)
	}

	sum := visitor.Stats{}
	for _, g := range guests {
		name := g.Chat()
		log := stored[name]
		for i, e := range log {
			if e.Index != int64(i)+1 {
				t.Fatalf("chat %s: the log has index %d at place %d", name, e.Index, i+1)
			}
		}
		want := logView(log)
		for whose, got := range map[string]view{"visitor": fetched[name], "agent": seen[name], "visitor's live": visitorView(live[name])} {
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("chat %s: the log and the %s view (-log +view):\n%s", name, whose, diff)
			}
		}
		for _, fault := range append(g.Faults(), g.check(log, live[name])...) {
			t.Error(fault)
		}
		n := g.Stats()
		sum.Sent += n.Sent
		sum.Acknowledged += n.Acknowledged
		sum.Repeats += n.Repeats
		sum.Restores += n.Restores
	}
	t.Logf("%d kills, %d chats: %d messages sent, %d acknowledged, %d repeats, %d restores",
		*kills, len(guests), sum.Sent, sum.Acknowledged, sum.Repeats, sum.Restores)
	if sum.Sent != sum.Acknowledged {
		t.Errorf("%d messages were sent, %d acknowledged", sum.Sent, sum.Acknowledged)
	}
	if sum.Repeats == 0 && *kills > 0 {
		t.Error("no kill has hit anything")
	}
}

// check compares what one visitor was promised and shown with the log.
func (g *guest) check(log []chat.Event, shown []visitor.Event) (faults []string) {
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Sprintf("chat %s: ", g.Chat())+fmt.Sprintf(format, args...))
	}
	at := map[string]int64{}
	texts := map[string]int{}
	for _, e := range log {
		f, ok := e.Fact.(chat.Said)
		if !ok {
			continue
		}
		texts[f.Text]++
		if id := (visitor.Event{Attributes: f.Attributes}).ID(); id != "" {
			if at[id] != 0 {
				fault("message %s is stored at %d and %d", id, at[id], e.Index)
			}
			at[id] = e.Index
		}
	}
	for _, m := range g.said {
		switch {
		case at[m.id] != m.index:
			fault("message %s was acknowledged at %d and is stored at %d", m.id, m.index, at[m.id])
		case texts[m.text] != 1:
			fault("%q is stored %d times", m.text, texts[m.text])
		case texts["echo: "+m.text] != 1:
			fault("%q has %d answers", m.text, texts["echo: "+m.text])
		}
	}
	if len(at) != len(g.said) {
		fault("%d messages of the visitor are stored, %d were acknowledged", len(at), len(g.said))
	}
	for _, e := range shown {
		if e.Index > int64(len(log)) {
			fault("%s was shown and is not stored", e.Content())
			continue
		}
		stored := log[e.Index-1]
		same := stored.At.UnixMilli() == e.Time
		switch f := stored.Fact.(type) {
		case chat.Joined:
			same = same && e.Type == visitor.Joined && f.No == e.From.No
		case chat.Left:
			same = same && e.Type == visitor.Left && f.No == e.From.No
		case chat.Said:
			same = same && e.Type == visitor.Message && f.No == e.From.No && f.Text == e.Text
		case chat.Typed:
			same = same && e.Typing() && f.No == e.From.No && f.On == (e.Type == "TypingStarted")
		default:
			same = false
		}
		if !same {
			fault("%s was shown, and %T is stored there", e.Content(), stored.Fact)
		}
	}
	return faults
}
