package engine

import (
	"container/heap"
	"context"
	"time"

	"github.com/halley-chat/halley/internal/chat"
)

const (
	ticksAtOnce   = 64               // ticks that are on their way at one time
	tickAgain     = time.Second      // the least time between two ticks of a chat that change nothing
	longestOutage = 30 * time.Second // the most time between two ticks of a chat that fail
)

// deadlineHeap is a heap of the entries that have a deadline, the earliest on top. It
// belongs to the board and is guarded by its mutex.
type deadlineHeap []*boardEntry

func (d deadlineHeap) Len() int           { return len(d) }
func (d deadlineHeap) Less(i, j int) bool { return d[i].due.Before(d[j].due) }
func (d deadlineHeap) Swap(i, j int)      { d[i], d[j] = d[j], d[i]; d[i].heap, d[j].heap = i, j }

// Push is part of [heap.Interface].
func (d *deadlineHeap) Push(x any) {
	p := x.(*boardEntry)
	p.heap = len(*d)
	*d = append(*d, p)
}

// Pop is part of [heap.Interface].
func (d *deadlineHeap) Pop() any {
	old := *d
	p := old[len(old)-1]
	p.heap = -1
	old[len(old)-1] = nil
	*d = old[:len(old)-1]
	return p
}

// reschedule gives an entry another deadline, or none. It is called with mu held.
func (b *Board) reschedule(p *boardEntry, due time.Time) {
	p.due = due
	switch {
	case due.IsZero() && p.heap >= 0:
		heap.Remove(&b.deadlines, p.heap)
	case due.IsZero():
	case p.heap >= 0:
		heap.Fix(&b.deadlines, p.heap)
	default:
		heap.Push(&b.deadlines, p)
	}
	b.rescheduled.Notify()
}

// popDue takes at most n chats whose deadline has come off the heap, and says
// when the next one comes; zero if there is none.
func (b *Board) popDue(now time.Time, n int) (ids []chat.ID, next time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.deadlines) > 0 && len(ids) < n && !now.Before(b.deadlines[0].due) {
		p := heap.Pop(&b.deadlines).(*boardEntry)
		p.due = time.Time{}
		ids = append(ids, p.summary.Chat)
	}
	if len(b.deadlines) > 0 {
		next = b.deadlines[0].due
	}
	return ids, next
}

// afterTick puts a chat back on the heap after its tick, unless the tick has
// changed its summary and with it the deadline. next is the deadline that the
// chat itself has now, which may be later than what the store told the board.
func (b *Board) afterTick(id chat.ID, now, next time.Time, failed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.entries[id]
	if p == nil || p.heap >= 0 || p.summary.Deadline.IsZero() {
		return
	}
	if !failed && next.After(p.summary.Deadline) {
		p.summary.Deadline = next
	}
	wait := tickAgain
	if failed {
		wait = min(tickAgain<<min(p.tries, 8), longestOutage)
		p.tries++
	} else {
		p.tries = 0
	}
	due := now.Add(wait)
	if p.summary.Deadline.After(due) {
		due = p.summary.Deadline
	}
	b.reschedule(p, due)
}

// scheduler is the goroutine that gives a [chat.Tick] to every chat whose
// deadline has come, until done is closed. Ticks are answered in the rooms'
// goroutines, through a channel that holds as many answers as there can be.
type scheduler struct {
	board *Board
	chats *chatRooms
	done  <-chan struct{}

	// Owned by run.
	answers chan tickAnswer
	running int
	failing bool // the latest tick failed; an outage is logged once
}

type tickAnswer struct {
	id   chat.ID
	next time.Time // the chat's deadline afterwards
	err  error
}

func (a *scheduler) run() {
	a.answers = make(chan tickAnswer, ticksAtOnce)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		now := time.Now()
		ids, next := a.board.popDue(now, ticksAtOnce-a.running)
		for _, id := range ids {
			a.tick(id, now)
		}
		wait := time.Hour
		if !next.IsZero() && a.running < ticksAtOnce {
			wait = max(next.Sub(now), 0)
		}
		timer.Reset(wait)
		select {
		case <-a.done:
			return
		case <-timer.C:
		case <-a.board.rescheduled:
		case t := <-a.answers:
			a.answered(t)
		}
	}
}

func (a *scheduler) tick(id chat.ID, now time.Time) {
	a.running++
	answer := func(o chatOutcome) { a.answers <- tickAnswer{id, o.view.Deadline, o.err} }
	_, err := a.chats.post(ChatLog(id), &chatJob{
		ctx: context.Background(), cmd: chat.Command{At: now, Do: chat.Tick{}}, answer: answer,
	})
	if err != nil {
		a.answers <- tickAnswer{id, time.Time{}, err}
	}
}

func (a *scheduler) answered(t tickAnswer) {
	a.running--
	failed := t.err != nil && chat.KindOf(t.err) != chat.NotFound
	if failed && !a.failing {
		a.chats.e.o.Logger.Warn("tick failed, will retry", "chat", t.id, "err", t.err)
	}
	a.failing = failed
	a.board.afterTick(t.id, time.Now(), t.next, failed)
}
