package sqlite

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/engine"
)

const (
	// proposals bounds the queue of logs to pack. A log that does not fit is
	// proposed again when it grows, and packed by the next rotation at the latest.
	proposals = 4096
	// packLogs and packBytes bound what is packed in one transaction.
	packLogs  = 128
	packBytes = 1 << 20
	// wholeRecords is the length up to which an ended chat is repacked as a whole.
	// A longer one keeps its chunks.
	wholeRecords = 4096
	// rotationBackoff is the time between a failed rotation and the next attempt.
	rotationBackoff = 5 * time.Second
)

// packer is the goroutine that reads and compresses logs into chunks, which the
// writer then writes.
type packer struct {
	s *Store // static

	proposed chan engine.LogID
	full     chan struct{} // has a token when a rotation may be due

	// Owned by run.
	rotateAfter time.Time // no rotation before this moment
}

func newPacker(s *Store) *packer {
	return &packer{s: s, proposed: make(chan engine.LogID, proposals), full: make(chan struct{}, 1)}
}

// propose queues logs for packing. The writer calls it after each group; it
// never blocks.
func (p *packer) propose(logs []engine.LogID) {
	for _, log := range logs {
		select {
		case p.proposed <- log:
		default:
			p.s.positions.withdraw(log)
		}
	}
	if p.tableFull() {
		select {
		case p.full <- struct{}{}:
		default:
		}
	}
}

// tableFull says whether the log table that is written to is full.
func (p *packer) tableFull() bool {
	return p.s.positions.filled() >= int64(p.s.opts.RotateRows)
}

// run packs and rotates until the store is closed. It logs failures. A failure
// loses nothing: what is not packed stays in its log table.
func (p *packer) run() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		<-p.s.stop
		cancel()
	}()
	for {
		var err error
		select {
		case <-p.s.stop:
			return
		case log := <-p.proposed:
			err = p.pack(ctx, p.more(log))
		case <-p.full:
			if !p.tableFull() || time.Now().Before(p.rotateAfter) {
				continue // the token may be from before the last rotation
			}
			if err = p.rotate(ctx); err != nil {
				p.rotateAfter = time.Now().Add(rotationBackoff)
			}
		}
		if err != nil && ctx.Err() == nil {
			p.s.opts.Logger.Error("sqlite: packing failed", "err", err)
		}
	}
}

// more drains the queue behind the first proposal. A log that was packed by a
// rotation and has grown since may be queued twice.
func (p *packer) more(first engine.LogID) []engine.LogID {
	logs := []engine.LogID{first}
	for len(logs) < packLogs {
		select {
		case log := <-p.proposed:
			if !slices.Contains(logs, log) {
				logs = append(logs, log)
			}
		default:
			return logs
		}
	}
	return logs
}

// packed is what becomes of one log: the chunks that it gets, and the index up
// to which chunk has it then.
type packed struct {
	log    engine.LogID
	whole  bool // the chunks replace all that the log has
	chunks []chunk
	upTo   int64
}

// pack packs logs, in as many transactions as their size asks for. A log that
// cannot be read does not keep the others from it.
func (p *packer) pack(ctx context.Context, logs []engine.LogID) error {
	var failed []error
	for len(logs) > 0 && ctx.Err() == nil {
		var group []packed
		for bytes := 0; len(logs) > 0 && len(group) < packLogs && bytes < packBytes; logs = logs[1:] {
			one, err := p.prepare(ctx, logs[0])
			if err != nil {
				failed = append(failed, fmt.Errorf("pack log %d/%d: %w", logs[0].Kind, logs[0].ID, err))
				continue
			}
			for _, c := range one.chunks {
				bytes += len(c.body)
			}
			group = append(group, one)
		}
		if err := p.commit(ctx, group); err != nil {
			return errors.Join(append(failed, err)...)
		}
	}
	return errors.Join(append(failed, ctx.Err())...)
}

// commit has the writer store a group of chunks and then update the positions.
func (p *packer) commit(ctx context.Context, group []packed) error {
	if err := p.s.opts.step("pack: compressed"); err != nil {
		return err
	}
	err := p.s.write(ctx, func(c *conn) error { return p.put(c, group) }, func() {
		for _, one := range group {
			p.s.positions.packed(one.log, one.upTo)
		}
	})
	if err != nil {
		for _, one := range group {
			p.s.positions.withdraw(one.log)
		}
		return err
	}
	return p.s.opts.step("pack: committed")
}

// prepare reads and compresses what is to be packed of a log: all of it if it
// is a chat that has ended, or else what is not packed yet. Only the packer
// changes chunks, so what it finds there stays true until it writes.
func (p *packer) prepare(ctx context.Context, log engine.LogID) (packed, error) {
	last, ok := p.s.positions.last(log)
	if !ok {
		return packed{log: log}, nil
	}
	from, err := p.s.packedLast(ctx, log)
	if err != nil {
		return packed{}, err
	}
	one := packed{log: log, upTo: max(last, from)}
	if from >= last {
		return one, nil // all of it is packed already: the rows are from before a restart
	}
	if from > 0 && last <= wholeRecords && log.Kind == engine.ChatKind {
		sum, known, err := p.s.Summary(ctx, chat.ID(log.ID))
		if err != nil && !errors.Is(err, ErrDamaged) {
			return packed{}, err
		}
		one.whole = known && sum.Phase == chat.PhaseEnded
	}
	if one.whole {
		if one.chunks, err = p.compress(ctx, log, 0, last); !errors.Is(err, ErrDamaged) {
			return one, err
		}
		one.whole = false // the chunks that are there stay as they are
	}
	if one.chunks, err = p.compress(ctx, log, from, last); errors.Is(err, ErrDamaged) {
		one.chunks, err = p.compressDamaged(ctx, log, from, last)
	}
	return one, err
}

// compress makes chunks of the records after from, up to last.
func (p *packer) compress(ctx context.Context, log engine.LogID, from, last int64) (chunks []chunk, err error) {
	for from < last {
		records, err := p.s.Read(ctx, log, from+1, int(min(last-from, wholeRecords)))
		if err != nil {
			return nil, err
		}
		chunks = append(chunks, p.s.codec.pack(log, records)...)
		from += int64(len(records))
	}
	return chunks, nil
}

// compressDamaged does the same for records of which some cannot be read. They
// must be packed too: one that stays would keep its table from being emptied.
func (p *packer) compressDamaged(ctx context.Context, log engine.LogID, from, last int64) (chunks []chunk, err error) {
	for from < last {
		to := min(from+wholeRecords, last)
		records, err := p.s.salvage(ctx, log, from+1, to)
		if err != nil {
			return nil, err
		}
		chunks = append(chunks, p.s.codec.packSalvaged(log, records)...)
		from = to
	}
	return chunks, nil
}

// put writes chunks into the transaction that is open.
func (p *packer) put(c *conn, group []packed) error {
	for _, one := range group {
		if one.whole {
			if err := c.exec("DELETE FROM chunk WHERE kind = ? AND log = ?", int64(one.log.Kind), one.log.ID); err != nil {
				return err
			}
		}
		for _, k := range one.chunks {
			err := c.exec("INSERT INTO chunk (kind, log, idx, n, body) VALUES (?, ?, ?, ?, ?)",
				int64(one.log.Kind), one.log.ID, k.first, k.n, k.body)
			if err != nil {
				return err
			}
		}
	}
	return p.s.opts.step("pack: written")
}
