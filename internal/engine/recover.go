package engine

import (
	"context"
	"sync"
	"time"

	"github.com/halley-chat/halley/internal/chat"
)

// recoverAtOnce is how many chats are recovered at one time: enough for a
// store to commit them in groups, and few enough to leave it to others too.
const recoverAtOnce = 32

// recovery gives every chat that was live when the engine started a
// [chat.Recover], before anything else happens to it: either when it is first
// used, or in the background.
type recovery struct {
	// Guarded by mu.
	mu   sync.Mutex
	open map[chat.ID]struct{} // chats that have not been recovered yet
}

func (r *recovery) add(id chat.ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open == nil {
		r.open = make(map[chat.ID]struct{})
	}
	r.open[id] = struct{}{}
}

func (r *recovery) done(id chat.ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.open, id)
}

func (r *recovery) needs(id chat.ID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.open[id]
	return ok
}

func (r *recovery) left() []chat.ID {
	r.mu.Lock()
	defer r.mu.Unlock()
	ids := make([]chat.ID, 0, len(r.open))
	for id := range r.open {
		ids = append(ids, id)
	}
	return ids
}

// recovering is what a chat's room does before it serves anybody.
func (e *Engine) recovering(r *chatRoom) *chatJob {
	id := chat.ID(r.id.ID)
	if !e.recovery.needs(id) {
		return nil
	}
	return &chatJob{
		ctx: context.Background(),
		cmd: chat.Command{At: time.Now(), Do: chat.Recover{}},
		answer: func(o chatOutcome) {
			if o.err == nil || chat.KindOf(o.err) == chat.NotFound {
				e.recovery.done(id)
			}
		},
	}
}

// recoverAll has every chat recovered that nobody has used yet. It is the
// body of a goroutine and returns when all are done or the engine closes.
func (e *Engine) recoverAll() {
	logged := false
	for wait := time.Second; ; wait = min(2*wait, 15*time.Second) {
		ids := e.recovery.left()
		if len(ids) == 0 {
			return
		}
		work := make(chan chat.ID)
		failed := make(chan error, recoverAtOnce)
		for range recoverAtOnce {
			go func() {
				var first error
				for id := range work {
					// Any use of the room recovers the chat.
					_, err := e.chats.ask(e.life, ChatLog(id), &chatJob{peek: true})
					if err != nil && first == nil {
						first = err
					}
				}
				failed <- first
			}()
		}
		for _, id := range ids {
			select {
			case work <- id:
			case <-e.life.Done():
			}
		}
		close(work)
		for range recoverAtOnce {
			if err := <-failed; err != nil && !logged && e.life.Err() == nil {
				logged = true
				e.o.Logger.Warn("recovery of some chats failed, will retry", "err", err)
			}
		}
		select {
		case <-e.life.Done():
			return
		case <-time.After(wait):
		}
	}
}

// resync compares the board with the store, after notices have been lost.
func (e *Engine) resync(ctx context.Context) error {
	mark := e.board.mark()
	listed := make(map[chat.ID]bool)
	err := e.o.Log.Live(ctx, func(s chat.Summary) bool {
		listed[s.Chat] = true
		if s.Phase != chat.PhaseNone { // the store cannot read its summary; what is known here is better
			e.board.list(s, mark)
		}
		return true
	})
	if err != nil {
		return err
	}
	for _, id := range e.board.unchanged(mark) {
		if listed[id] {
			continue
		}
		s, ok, err := e.o.Log.Summary(ctx, id)
		if err != nil {
			return err
		}
		if ok {
			e.board.list(s, mark)
		}
	}
	return nil
}
