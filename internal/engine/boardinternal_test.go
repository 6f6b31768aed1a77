package engine

import (
	"testing"
	"time"

	"github.com/halley-chat/halley/internal/chat"
)

// TestBoardKeepsWhatIsNewer lists what was read from the store before a notice
// came.
func TestBoardKeepsWhatIsNewer(t *testing.T) {
	b := newBoard()
	waiting := chat.Summary{Chat: 1, Phase: chat.PhaseWaiting}
	active := chat.Summary{Chat: 1, Phase: chat.PhaseActive}
	ended := chat.Summary{Chat: 2, Phase: chat.PhaseEnded}
	b.put(waiting, 2)
	mark := b.mark()
	b.put(active, 5)
	b.put(ended, 9)
	b.list(waiting, mark)
	b.list(chat.Summary{Chat: 2, Phase: chat.PhaseWaiting}, mark)
	if s, ok := b.Get(1); !ok || s.Phase != chat.PhaseActive {
		t.Errorf("an old listing replaced what a notice said: %+v", s)
	}
	if _, ok := b.Get(2); ok {
		t.Error("an old listing brought a chat back that has ended")
	}
	b.list(waiting, b.mark())
	if s, _ := b.Get(1); s.Phase != chat.PhaseWaiting {
		t.Errorf("a new listing was not taken: %+v", s)
	}
}

func TestBoardForgetsEndedChats(t *testing.T) {
	b := newBoard()
	for id := range chat.ID(3 * endedMemory) {
		b.put(chat.Summary{Chat: id + 1, Phase: chat.PhaseWaiting}, 1)
		b.put(chat.Summary{Chat: id + 1, Phase: chat.PhaseEnded}, 5)
		b.put(chat.Summary{Chat: id + 1, Phase: chat.PhaseWaiting}, 2)
	}
	if b.Len() != 0 || len(b.tombstones) != endedMemory || len(b.tombstoneRing) != endedMemory {
		t.Errorf("%d chats live, %d and %d remembered as ended", b.Len(), len(b.tombstones), len(b.tombstoneRing))
	}
}

// TestBoardBelievesTheChatAboutItsDeadline ticks a chat whose deadline has
// moved on without the board being told.
func TestBoardBelievesTheChatAboutItsDeadline(t *testing.T) {
	b := newBoard()
	now := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	b.put(chat.Summary{Chat: 1, Phase: chat.PhaseActive, Deadline: now}, 2)
	if ids, _ := b.popDue(now, 10); len(ids) != 1 {
		t.Fatalf("due are %v", ids)
	}
	later := now.Add(time.Hour)
	b.afterTick(1, now, later, false)
	if ids, next := b.popDue(now.Add(time.Minute), 10); len(ids) != 0 || !next.Equal(later) {
		t.Errorf("a minute later %v are due and the next is due at %v", ids, next)
	}
}
