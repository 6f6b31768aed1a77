// Station 5 of docs/road.md: the chat's room is found.

package engine

import (
	"time"

	"github.com/halley-chat/halley/internal/chat"
)

// aggregate is one log and its fold, for one kind of log: C is
// the type of its commands, E of its events and V of the read-only view of its
// state. An aggregate does no I/O and is owned by one room.
type aggregate[C, E, V any] interface {
	// last is the index of the last event folded in.
	last() int64
	// decide says what a command comes to, without changing anything.
	decide(c C) (decision[E], error)
	// apply folds the next event in.
	apply(e E)
	// view is a copy of what others may see; it is never changed afterwards.
	view() V
	// row is the summary row that a view stands for; nil if its log has none.
	row(v V) *chat.Summary

	// record and event translate between a log's events and its records.
	record(e E) (Record, error)
	event(rec Record) (E, error)
	// stale says whether what is read back from the log leaves the event out.
	stale(e E, now time.Time) bool

	// due is when tick has something to do that no summary asks for; zero if
	// never. The room sees to it while it is open, and when it opens again.
	due() time.Time
	tick() C

	// lastVisible is the index of the last event that everybody may see.
	lastVisible() int64

	// command is the id of the command behind an event.
	command(e E) string
	// supersedes says which waiting command an event makes pointless: the one
	// waiting under the key, or all.
	supersedes(e E) (key int, all bool)

	// checkpoint is the state for [Log.SaveCheckpoint], and restore takes it
	// up again. A state that must not be kept answers ok false.
	checkpoint() (body []byte, ok bool)
	checkpointEvery() int64 // records between two of them
	restore(c Checkpoint) (ok bool)
}

// decision is what an aggregate makes of one command.
type decision[E any] struct {
	events []E
	// repeat is the index of the first event of the first time, 0 if the
	// command is new.
	repeat int64
	claims []chat.Claim
	notes  []chat.Note
	// until is the moment before which the command may not be carried out,
	// though it may be later; a command waits under its key, and a newer one
	// with the same key takes its place. Zero if it need not wait.
	until time.Time
	key   int
}

// takes says whether the decision takes a claim, which the store may refuse.
func (v decision[E]) takes() bool {
	for _, c := range v.claims {
		if c.Take {
			return true
		}
	}
	return false
}

// chatAggregate is the aggregate of a chat.
type chatAggregate struct {
	s     *chat.State
	rules func(service string) chat.Rules
	typed map[int]time.Time // when each participant last typed, whatever it said since
}

func newChatAggregate(id chat.ID, rules func(string) chat.Rules) *chatAggregate {
	return &chatAggregate{s: chat.NewState(id, chat.DefaultRules()), rules: rules, typed: make(map[int]time.Time)}
}

func (l *chatAggregate) last() int64 { return l.s.Last }

func (l *chatAggregate) decide(c chat.Command) (decision[chat.Event], error) {
	if open, ok := c.Do.(chat.Open); ok && l.s.Phase == chat.PhaseNone {
		// The rules are the service's, and this is where it becomes known.
		l.s.Rules = l.rules(open.Opening.Service)
	}
	d, err := chat.Decide(l.s, c)
	if err != nil {
		return decision[chat.Event]{}, err
	}
	v := decision[chat.Event]{events: d.Events, repeat: d.Repeat}
	if len(d.Events) == 0 {
		return v, nil
	}
	capacity := 0
	switch a := c.Do.(type) {
	case chat.Offer:
		capacity = a.Capacity
	case chat.Rejoin:
		capacity = a.Capacity
	}
	v.claims, v.notes = chat.Effects(l.s, d.Events, capacity)
	if _, typing := c.Do.(chat.Type); typing {
		f := d.Events[0].Fact.(chat.Typed)
		v.key = f.No
		// A distance of more than the interval in either direction means that
		// the clock was set, and nobody shall wait for it to come round.
		every, since := l.s.Rules.TypingEvery, c.At.Sub(l.typed[f.No])
		if -every < since && since < every {
			v.until = l.typed[f.No].Add(every)
		}
	}
	return v, nil
}

func (l *chatAggregate) apply(e chat.Event) {
	switch f := e.Fact.(type) {
	case chat.Joined:
		if f.Opening != nil {
			l.s.Rules = l.rules(f.Opening.Service)
		}
	case chat.Typed:
		if !f.Expired {
			l.typed[f.No] = e.At
		}
	case chat.Left:
		delete(l.typed, f.No)
	}
	l.s.Apply(e)
}

func (l *chatAggregate) view() chat.Summary { return l.s.Summary() }

func (l *chatAggregate) row(v chat.Summary) *chat.Summary { return &v }

func (l *chatAggregate) record(e chat.Event) (Record, error) {
	body, err := e.Encode()
	return Record{Index: e.Index, At: e.At, Body: body, Live: e.Preview}, err
}

func (l *chatAggregate) event(rec Record) (chat.Event, error) { return decodeChat(rec) }

func decodeChat(rec Record) (chat.Event, error) {
	e, err := chat.DecodeEvent(rec.Body)
	e.Index, e.At, e.Preview = rec.Index, rec.At, rec.Live
	return e, err
}

func (l *chatAggregate) lastVisible() int64 { return l.s.LastVisible }

func (l *chatAggregate) due() time.Time { return l.s.TypingExpires() }

func (l *chatAggregate) tick() chat.Command { return chat.Command{Do: chat.Tick{}} }

func (l *chatAggregate) stale(e chat.Event, now time.Time) bool { return e.Stale(now) }

func (l *chatAggregate) command(e chat.Event) string { return e.Command }

func (l *chatAggregate) supersedes(e chat.Event) (key int, all bool) {
	switch f := e.Fact.(type) {
	case chat.Said:
		return f.No, false
	case chat.Typed:
		return f.No, false
	case chat.Left:
		return f.No, false
	case chat.Finished:
		return 0, true
	}
	return 0, false
}

func (l *chatAggregate) checkpoint() ([]byte, bool) { return l.s.Checkpoint() }

func (l *chatAggregate) checkpointEvery() int64 { return 256 }

func (l *chatAggregate) restore(c Checkpoint) bool {
	s, err := chat.RestoreState(c.Body)
	if err != nil || s.ID != l.s.ID || s.Last != c.Index {
		return false
	}
	s.Rules = l.rules(s.Opening.Service)
	l.s = s
	return true
}
