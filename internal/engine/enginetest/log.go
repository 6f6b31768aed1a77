package enginetest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
)

// Log is a real [engine.Log] in memory: everything that the port promises but
// survival. Make one with [NewLog]. All methods may be called from any number
// of goroutines at once.
type Log struct {
	mu sync.Mutex

	// Guarded by mu.
	closed      bool
	records     map[engine.LogID][]engine.Record
	summaries   map[chat.ID]chat.Summary
	claims      map[chat.StaffID]map[chat.ID]bool
	checkpoints map[engine.LogID]engine.Checkpoint
	appends     int
	recordsRead int

	// The faults, guarded by mu.
	fail     func(engine.Append) error
	lose     func(engine.Append) error
	failRead func(engine.LogID) error
	gate     chan struct{} // closed by the release of a hold; nil while nothing is held
	waiting  int
}

var _ Inspector = (*Log)(nil)

// NewLog makes an empty log in memory.
func NewLog() *Log {
	return &Log{
		records:     make(map[engine.LogID][]engine.Record),
		summaries:   make(map[chat.ID]chat.Summary),
		claims:      make(map[chat.StaffID]map[chat.ID]bool),
		checkpoints: make(map[engine.LogID]engine.Checkpoint),
	}
}

// Close makes every later call, and every append that is held back, fail with
// [engine.ErrClosed]. It may be called more than once.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.release()
	return nil
}

// Append is [engine.Log].
func (l *Log) Append(ctx context.Context, a engine.Append) ([]int64, error) {
	if err := check(a); err != nil {
		return nil, err
	}
	if err := l.turn(ctx); err != nil {
		return nil, err
	}
	defer l.mu.Unlock()
	if l.closed {
		return nil, engine.ErrClosed
	}
	if l.fail != nil {
		if err := l.fail(a); err != nil {
			return nil, err
		}
	}
	if int64(len(l.records[a.Log])) != a.Expect {
		return nil, engine.ErrConflict
	}
	if err := l.claim(a.Claims); err != nil {
		return nil, err
	}
	for _, r := range a.Records {
		l.put(a.Log, r.At, r.Body)
	}
	if a.Summary != nil {
		l.summaries[a.Summary.Chat] = cloneSummary(*a.Summary)
	}
	var tails []int64
	for _, t := range a.Tails {
		tails = append(tails, l.put(t.Log, t.At, t.Body))
	}
	l.appends++
	if l.lose != nil {
		if err := l.lose(a); err != nil {
			return nil, err
		}
	}
	return tails, nil
}

// turn waits until nothing is held back and returns with mu locked, or with
// an error and mu unlocked.
func (l *Log) turn(ctx context.Context) error {
	l.mu.Lock()
	for {
		if err := ctx.Err(); err != nil {
			l.mu.Unlock()
			return err
		}
		gate := l.gate
		if gate == nil {
			return nil
		}
		l.waiting++
		l.mu.Unlock()
		select {
		case <-gate:
		case <-ctx.Done():
		}
		l.mu.Lock()
		l.waiting--
	}
}

// check refuses appends that no store could honour: they are mistakes of the
// caller.
func check(a engine.Append) error {
	for i, r := range a.Records {
		if r.Index != a.Expect+int64(i)+1 {
			return fmt.Errorf("enginetest: record %d of an append at %d has index %d", i, a.Expect, r.Index)
		}
	}
	if s := a.Summary; s != nil && engine.ChatLog(s.Chat) != a.Log {
		return errors.New("enginetest: an append with the summary of another chat")
	}
	return nil
}

// claim takes and frees the slots in their order, or does nothing and fails.
func (l *Log) claim(claims []chat.Claim) error {
	staged := make(map[chat.StaffID]map[chat.ID]bool)
	for _, c := range claims {
		held, ok := staged[c.Agent]
		if !ok {
			held = maps.Clone(l.claims[c.Agent])
			if held == nil {
				held = make(map[chat.ID]bool)
			}
			staged[c.Agent] = held
		}
		switch {
		case !c.Take:
			delete(held, c.Chat)
		case held[c.Chat]:
		case len(held) >= c.Capacity:
			return engine.ErrCapacity
		default:
			held[c.Chat] = true
		}
	}
	maps.Copy(l.claims, staged)
	return nil
}

func (l *Log) put(log engine.LogID, at time.Time, body []byte) int64 {
	index := int64(len(l.records[log])) + 1
	l.records[log] = append(l.records[log], engine.Record{
		Index: index,
		At:    time.UnixMilli(at.UnixMilli()).UTC(),
		Body:  slices.Clone(body),
	})
	return index
}

// Read is [engine.Log].
func (l *Log) Read(ctx context.Context, log engine.LogID, from int64, limit int) ([]engine.Record, error) {
	if err := l.reading(ctx, log); err != nil {
		return nil, err
	}
	defer l.mu.Unlock()
	all := l.records[log]
	start := min(max(from, 1)-1, int64(len(all)))
	end := min(start+int64(max(limit, 0)), int64(len(all)))
	l.recordsRead += int(end - start)
	return slices.Clone(all[start:end]), nil
}

// Last is [Inspector].
func (l *Log) Last(ctx context.Context, log engine.LogID) (int64, error) {
	if err := l.reading(ctx, log); err != nil {
		return 0, err
	}
	defer l.mu.Unlock()
	return int64(len(l.records[log])), nil
}

// reading returns with mu locked, or with an error and mu unlocked.
func (l *Log) reading(ctx context.Context, log engine.LogID) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return engine.ErrClosed
	}
	if l.failRead != nil {
		if err := l.failRead(log); err != nil {
			l.mu.Unlock()
			return err
		}
	}
	return nil
}

// Live is [engine.Log]. The order is that of the chats' ids.
func (l *Log) Live(ctx context.Context, yield func(chat.Summary) bool) error {
	if err := l.reading(ctx, engine.LogID{}); err != nil {
		return err
	}
	var live []chat.Summary
	for _, s := range l.summaries {
		if s.Phase != chat.PhaseEnded {
			live = append(live, cloneSummary(s))
		}
	}
	l.mu.Unlock()
	slices.SortFunc(live, func(a, b chat.Summary) int { return cmp.Compare(a.Chat, b.Chat) })
	for _, s := range live {
		if !yield(s) {
			return nil
		}
	}
	return nil
}

// Summary is [engine.Log].
func (l *Log) Summary(ctx context.Context, id chat.ID) (chat.Summary, bool, error) {
	if err := l.reading(ctx, engine.ChatLog(id)); err != nil {
		return chat.Summary{}, false, err
	}
	defer l.mu.Unlock()
	s, ok := l.summaries[id]
	return cloneSummary(s), ok, nil
}

// Claims is [Inspector]. The order is by agent, then by chat.
func (l *Log) Claims(ctx context.Context) ([]chat.Claim, error) {
	if err := l.reading(ctx, engine.LogID{}); err != nil {
		return nil, err
	}
	defer l.mu.Unlock()
	var all []chat.Claim
	for agent, held := range l.claims {
		for id := range held {
			all = append(all, chat.Claim{Agent: agent, Chat: id, Take: true})
		}
	}
	slices.SortFunc(all, func(a, b chat.Claim) int {
		return cmp.Or(cmp.Compare(a.Agent, b.Agent), cmp.Compare(a.Chat, b.Chat))
	})
	return all, nil
}

// SaveCheckpoint is [engine.Log].
func (l *Log) SaveCheckpoint(ctx context.Context, log engine.LogID, c engine.Checkpoint) error {
	if err := l.reading(ctx, log); err != nil {
		return err
	}
	defer l.mu.Unlock()
	l.checkpoints[log] = engine.Checkpoint{Index: c.Index, Body: slices.Clone(c.Body)}
	return nil
}

// Checkpoint is [engine.Log].
func (l *Log) Checkpoint(ctx context.Context, log engine.LogID) (engine.Checkpoint, error) {
	if err := l.reading(ctx, log); err != nil {
		return engine.Checkpoint{}, err
	}
	defer l.mu.Unlock()
	c := l.checkpoints[log]
	return engine.Checkpoint{Index: c.Index, Body: slices.Clone(c.Body)}, nil
}

func cloneSummary(s chat.Summary) chat.Summary {
	s.Agents, s.Excluded = slices.Clone(s.Agents), slices.Clone(s.Excluded)
	if s.Offer != nil {
		offer := *s.Offer
		s.Offer = &offer
	}
	return s
}
