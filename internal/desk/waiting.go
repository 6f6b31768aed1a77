package desk

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
	"github.com/halley-chat/halley/internal/wake"
)

const (
	// maxWaiting is how many waiting chats a desk is shown.
	maxWaiting = 200
	// waitingEvery is the least time between two pushes of them.
	waitingEvery = time.Second
)

// waitingList is the chats that wait, encoded once for all desks.
type waitingList struct {
	// Guarded by mu.
	mu      sync.Mutex
	version int64 // from 1, grows when the list changes
	list    jsontext.Value
}

func (l *waitingList) now() (version int64, list jsontext.Value) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.version, l.list
}

// refresh reads the board and says whether the list has changed.
func (l *waitingList) refresh(board *engine.Board) (changed bool, err error) {
	list, err := encode(waitingOf(board.All()))
	if err != nil {
		return false, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.version != 0 && bytes.Equal(list, l.list) {
		return false, nil
	}
	l.version++
	l.list = list
	return true, nil
}

// waitingOf picks those that wait out of a board, oldest first.
func waitingOf(all []chat.Summary) []waitingShape {
	all = slices.DeleteFunc(all, func(s chat.Summary) bool { return s.Phase != chat.PhaseWaiting })
	slices.SortFunc(all, func(a, b chat.Summary) int {
		return cmp.Or(a.Waiting.Compare(b.Waiting), cmp.Compare(a.Chat, b.Chat))
	})
	list := make([]waitingShape, 0, min(len(all), maxWaiting))
	for _, s := range all[:min(len(all), maxWaiting)] {
		w := waitingShape{ID: s.Chat, Service: s.Service, Queue: s.Queue, Name: s.Name, Subject: s.Subject, Since: millisOf(s.Waiting), Abandoned: millisOf(s.Abandoned)}
		if s.Offer != nil {
			w.Offered = s.Offer.Agent
		}
		list = append(list, w)
	}
	return list
}

// runWaiting keeps the list up to date, at most once in waitingEvery, until
// ctx ends.
func (d *Desk) runWaiting(ctx context.Context) {
	stir := wake.New()
	stir <- struct{}{}
	defer d.engine.Board().Watch(func(chat.Summary) { stir.Notify() }).Close()
	for {
		select {
		case <-ctx.Done():
			return
		case <-stir:
		}
		switch changed, err := d.waiting.refresh(d.engine.Board()); {
		case err != nil:
			d.log.Error("desk: encode the waiting list", "err", err)
		case changed:
			for _, c := range d.all() {
				c.notify()
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(waitingEvery):
		}
	}
}
