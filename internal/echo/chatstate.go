package echo

import (
	"fmt"
	"slices"
	"unicode/utf8"
)

// chatState is what the agent knows of one chat, and what follows from it.
type chatState struct {
	id    string
	me    int64   // the agent's staff number
	facts []event // what matters of the chat so far, by index
	last  int64   // the highest index seen
	// safe is an index up to which certainly nothing is missing, and mark the
	// one that becomes it at the next tick.
	safe, mark int64
	done       map[string]bool // commands of lines that are done

	// The rest follows from facts and done.
	in      bool          // the agent takes part
	over    bool          // the chat has ended, or the agent has left it
	others  map[int]bool  // other people of the house in the chat, by participant number
	pending []pendingLine // in the order in which it is to be said
}

// pendingLine is a line that the agent still has to say.
type pendingLine struct {
	command string // the id of the command that says it
	text    string
	echo    bool // it answers a visitor's line
}

const greeting = "You are talking to the echo agent."

// event is an entry of a chat, or of the agent's own log, as the desk API
// shows it and as far as the agent cares.
type event struct {
	Index int64  `json:"index"`
	Type  string `json:"type"`
	From  struct {
		No    int    `json:"no"`
		Role  string `json:"role"`
		Staff int64  `json:"staff"`
	} `json:"from"`
	Text string `json:"text"`
	ID   string `json:"id"`
	Chat string `json:"chat"`
}

func newChatState(id string, me int64) *chatState {
	return &chatState{id: id, me: me, done: map[string]bool{}, others: map[int]bool{}}
}

// apply takes events; those seen before change nothing. They may come out of
// order, because on long-polling one response can overtake another.
func (t *chatState) apply(events []event) {
	for _, e := range events {
		switch e.Type {
		case "joined", "left", "said", "ended":
		default:
			t.last = max(t.last, e.Index)
			continue
		}
		at, seen := slices.BinarySearchFunc(t.facts, e.Index, func(e event, index int64) int { return int(e.Index - index) })
		if seen {
			continue
		}
		t.facts = slices.Insert(t.facts, at, e)
		t.last = max(t.last, e.Index)
		if at == len(t.facts)-1 {
			t.fold(e)
			continue
		}
		t.in, t.over, t.pending = false, false, nil
		clear(t.others)
		for _, e := range t.facts {
			t.fold(e)
		}
	}
}

// fold draws the consequences of the next event.
//
// Lines that the visitor wrote while another agent was in the chat are not
// the echo agent's to answer.
func (t *chatState) fold(e event) {
	mine := e.From.Staff != 0 && e.From.Staff == t.me
	switch e.Type {
	case "joined":
		switch {
		case mine:
			t.in, t.over = true, false
			t.enqueue(pendingLine{command: t.command(e), text: greeting})
		case e.From.Staff != 0:
			t.others[e.From.No] = true
		}
	case "left":
		if mine {
			t.in, t.over, t.pending = false, true, nil
		}
		delete(t.others, e.From.No)
	case "said":
		switch {
		case mine:
			t.complete(e.ID)
		case e.From.Role == "visitor" && len(t.others) == 0:
			t.enqueue(pendingLine{command: t.command(e), text: "echo: " + e.Text, echo: true})
		}
	case "ended":
		t.in, t.over, t.pending = false, true, nil
	}
}

// command is the id of the command that answers an event: always the same, so
// that the server recognises a repetition.
func (t *chatState) command(e event) string { return fmt.Sprintf("echo-%s-%d", t.id, e.Index) }

// enqueue puts a line into its place. A greeting comes before the answers to lines
// that were written before the agent joined.
func (t *chatState) enqueue(d pendingLine) {
	if t.done[d.command] {
		return
	}
	at := len(t.pending)
	if !d.echo {
		if first := slices.IndexFunc(t.pending, func(x pendingLine) bool { return x.echo }); first >= 0 {
			at = first
		}
	}
	t.pending = slices.Insert(t.pending, at, d)
}

// complete removes what has been said, or cannot be.
func (t *chatState) complete(command string) {
	t.done[command] = true
	t.pending = slices.DeleteFunc(t.pending, func(d pendingLine) bool { return d.command == command })
}

// shorten cuts a line that the server found too long in half, and says no when
// too little would be left.
func (t *chatState) shorten(command string) bool {
	at := slices.IndexFunc(t.pending, func(d pendingLine) bool { return d.command == command })
	if at < 0 {
		return false
	}
	d := &t.pending[at]
	n := len(d.text) / 2
	for n > 0 && !utf8.RuneStart(d.text[n]) {
		n--
	}
	if n < len("echo: ") {
		return false
	}
	d.text = d.text[:n]
	return true
}

// next is what to say now.
func (t *chatState) next() (pendingLine, bool) {
	if !t.in || len(t.pending) == 0 {
		return pendingLine{}, false
	}
	return t.pending[0], true
}

// tick is called now and then, while nothing has been lost since the call
// before the last one.
func (t *chatState) tick() { t.safe, t.mark = t.mark, t.last }
