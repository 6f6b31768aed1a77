// Station 8 of docs/road.md: it is shown, then answered.

package engine

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/wake"
)

// endedMemory is how many ended chats the board remembers, so that a late
// notice does not bring one of them back.
const endedMemory = 4096

// Board is the list of live chats: waiting ones and active ones, with what
// lists, routing and timers need to know of them. It is kept in memory from
// the appends of this engine and the notices of others, and so it may lag
// behind those of other engines by a moment. All methods may be called from
// any number of goroutines at once. Summaries that it hands out are shared and
// must not be changed; they are without the index of the last event.
type Board struct {
	// Static after construction.
	changes     wake.Signal // there are changes to notify the watchers of
	rescheduled wake.Signal // the earliest deadline has changed

	// Guarded by mu, which protects in-memory state only: no I/O, no callback while held.
	mu            sync.Mutex
	entries       map[chat.ID]*boardEntry
	browsers      map[string]map[chat.ID]struct{}
	deadlines     deadlineHeap
	tombstones    map[chat.ID]int64 // index of the latest summary of chats that have ended
	tombstoneRing []chat.ID         // their ids in a ring of endedMemory
	oldest        int               // the place in the ring that is overwritten next
	moves         uint64            // counts the changes
	news          map[chat.ID]chat.Summary
	order         []chat.ID // the chats in news, those that changed first in front
	watchers      []*boardWatcher
}

// boardEntry is one chat on the board.
type boardEntry struct {
	summary chat.Summary
	at      int64  // index of the event after which the summary held; 0 if not known
	move    uint64 // the change that brought it
	due     time.Time
	heap    int // index in the deadline heap, -1 if it has no deadline
	tries   int // ticks that failed one after another
}

type boardWatcher struct {
	gate    *gate
	changed func(chat.Summary)
}

func newBoard() *Board {
	return &Board{
		changes: wake.New(), rescheduled: wake.New(),
		entries: make(map[chat.ID]*boardEntry), browsers: make(map[string]map[chat.ID]struct{}),
		tombstones: make(map[chat.ID]int64), news: make(map[chat.ID]chat.Summary),
	}
}

// Get is the summary of a live chat; ok is false if there is none of that id,
// or it has ended.
func (b *Board) Get(id chat.ID) (s chat.Summary, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p, ok := b.entries[id]
	if !ok {
		return chat.Summary{}, false
	}
	return p.summary, true
}

// All lists the live chats by id, which is the order in which they were
// opened.
func (b *Board) All() []chat.Summary {
	b.mu.Lock()
	list := make([]chat.Summary, 0, len(b.entries))
	for _, p := range b.entries {
		list = append(list, p.summary)
	}
	b.mu.Unlock()
	slices.SortFunc(list, func(x, y chat.Summary) int { return cmp.Compare(x.Chat, y.Chat) })
	return list
}

// ByBrowser lists the live chats whose visitor's browser has the digest, and
// whose visitor has not left them, by id. The empty digest finds none.
func (b *Board) ByBrowser(digest string) []chat.Summary {
	b.mu.Lock()
	var list []chat.Summary
	for id := range b.browsers[digest] {
		list = append(list, b.entries[id].summary)
	}
	b.mu.Unlock()
	slices.SortFunc(list, func(x, y chat.Summary) int { return cmp.Compare(x.Chat, y.Chat) })
	return list
}

// Len is the number of live chats.
func (b *Board) Len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.entries)
}

// Watch calls changed with the summary of every chat whose summary changes
// from now on, a last time when the chat has ended. Changes that follow each
// other quickly may be told as one, the latest. The calls come one at a time
// from the board's notifier; changed must not block and must not call the
// engine, though it may read the board.
func (b *Board) Watch(changed func(chat.Summary)) *Watch {
	w := &boardWatcher{newGate(), changed}
	b.mu.Lock()
	b.watchers = append(slices.Clone(b.watchers), w)
	b.mu.Unlock()
	return &Watch{w.gate, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.watchers = slices.DeleteFunc(slices.Clone(b.watchers), func(x *boardWatcher) bool { return x == w })
	}}
}

// put takes the summary that a chat has after the event with the index at.
// What is older than what the board has is ignored.
func (b *Board) put(s chat.Summary, at int64) {
	if s.Phase == chat.PhaseNone {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if over, ok := b.tombstones[s.Chat]; ok && over >= at {
		return
	}
	if p := b.entries[s.Chat]; p != nil && p.at >= at {
		return
	}
	b.set(s, at)
}

// mark counts the changes so far, for list.
func (b *Board) mark() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.moves
}

// list takes a summary that was read from the store after mark was asked. A
// chat that has changed since then is left as it is: the board has heard of
// something newer.
func (b *Board) list(s chat.Summary, mark uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.entries[s.Chat]
	_, over := b.tombstones[s.Chat]
	switch {
	case p == nil && !over && s.Live():
		b.set(s, 0)
	case p != nil && p.move <= mark:
		b.set(s, p.at)
	}
}

// unchanged lists the chats that have not changed since mark was asked.
func (b *Board) unchanged(mark uint64) []chat.ID {
	b.mu.Lock()
	defer b.mu.Unlock()
	var ids []chat.ID
	for id, p := range b.entries {
		if p.move <= mark {
			ids = append(ids, id)
		}
	}
	return ids
}

// set is called with mu held. The index in the summary is left out, as it is
// in the store: the board does not hear of every event.
func (b *Board) set(s chat.Summary, at int64) {
	s.Last, s.LastVisible, s.Participants = 0, 0, nil
	p := b.entries[s.Chat]
	if !s.Live() {
		b.tombstone(s.Chat, at)
		if p != nil {
			b.reschedule(p, time.Time{})
			b.forgetBrowser(p.summary)
			delete(b.entries, s.Chat)
			b.notify(s)
		}
		return
	}
	if p == nil {
		p = &boardEntry{heap: -1}
		b.entries[s.Chat] = p
	} else if p.summary.Equal(s) {
		p.at = at
		return
	}
	b.forgetBrowser(p.summary)
	if s.Browser != "" && s.Open() {
		if b.browsers[s.Browser] == nil {
			b.browsers[s.Browser] = make(map[chat.ID]struct{})
		}
		b.browsers[s.Browser][s.Chat] = struct{}{}
	}
	if p.move > 0 && s.Postpones(p.summary) {
		// Nobody but the scheduler cares.
		p.summary, p.at, p.tries = s, at, 0
		b.reschedule(p, s.Deadline)
		return
	}
	b.moves++
	p.summary, p.at, p.move, p.tries = s, at, b.moves, 0
	b.reschedule(p, s.Deadline)
	b.notify(s)
}

func (b *Board) forgetBrowser(s chat.Summary) {
	set := b.browsers[s.Browser]
	delete(set, s.Chat)
	if len(set) == 0 {
		delete(b.browsers, s.Browser)
	}
}

func (b *Board) tombstone(id chat.ID, at int64) {
	if _, ok := b.tombstones[id]; ok {
		b.tombstones[id] = at
		return
	}
	if len(b.tombstoneRing) < endedMemory {
		b.tombstoneRing = append(b.tombstoneRing, id)
	} else {
		delete(b.tombstones, b.tombstoneRing[b.oldest])
		b.tombstoneRing[b.oldest] = id
		b.oldest = (b.oldest + 1) % endedMemory
	}
	b.tombstones[id] = at
}

func (b *Board) notify(s chat.Summary) {
	if len(b.watchers) == 0 {
		return
	}
	if _, ok := b.news[s.Chat]; !ok {
		b.order = append(b.order, s.Chat)
	}
	b.news[s.Chat] = s
	b.changes.Notify()
}

// run is the board's own goroutine, the notifier: it tells the watchers what has
// changed until done is closed. Changes wait in a map by chat, so that there are
// never more of them than chats.
func (b *Board) run(done <-chan struct{}) {
	for {
		select {
		case <-done:
			return
		case <-b.changes:
		}
		b.mu.Lock()
		news, order, watchers := b.news, b.order, b.watchers
		b.news, b.order = make(map[chat.ID]chat.Summary), nil
		b.mu.Unlock()
		for _, id := range order {
			for _, w := range watchers {
				w.gate.pass(func() { w.changed(news[id]) })
			}
		}
	}
}
