package record

import (
	"bufio"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"github.com/halley-chat/halley/internal/tape"
)

const (
	queueLines = 8192     // entries that wait for the writer
	queueBytes = 64 << 20 // bytes that they may hold
)

// entry is what becomes a line. make is called by the writer.
type entry struct {
	at   time.Duration
	size int64 // bytes that make holds on to
	make func(*tape.Masker) tape.Line
}

// tapeWriter writes a tape. put may be called from any goroutine; the rest belongs
// to its own goroutine.
type tapeWriter struct {
	started time.Time
	queue   chan entry
	held    atomic.Int64 // bytes of what waits
	lost    atomic.Int64 // lines dropped since the last gap was written
	stop    chan struct{}
	done    chan struct{}
	err     error // why writing ended early; valid once done

	log     *slog.Logger
	file    *os.File
	out     *bufio.Writer
	masker  *tape.Masker
	written int64
	limit   int64
	full    bool
	lines   int64
}

// newTapeWriter creates the file, which must not be there yet, and begins to write.
func newTapeWriter(o Options) (*tapeWriter, error) {
	f, err := os.OpenFile(o.File, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("%s is there already; a recording is never overwritten", o.File)
	}
	if err != nil {
		return nil, err
	}
	s := &tapeWriter{
		started: time.Now(), queue: make(chan entry, queueLines), stop: make(chan struct{}), done: make(chan struct{}),
		log: o.Logger, file: f, out: bufio.NewWriterSize(f, 64<<10), masker: tape.NewMasker(), limit: o.MaxSize,
	}
	head := tape.Header{Format: tape.Format, Version: tape.Version, Started: s.started.UTC().Format(time.RFC3339), By: "halley " + o.Version}
	if err := errors.Join(s.write(head), s.out.Flush()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	go s.run()
	return s, nil
}

// put hands over what becomes a line, or drops it if too much waits.
func (s *tapeWriter) put(size int64, mask func(*tape.Masker) tape.Line) {
	if s.held.Add(size) > queueBytes {
		s.held.Add(-size)
		s.lost.Add(1)
		return
	}
	select {
	case s.queue <- entry{at: time.Since(s.started), size: size, make: mask}:
	default:
		s.held.Add(-size)
		s.lost.Add(1)
	}
}

// close writes what waits and ends the tape. Nothing is put from then on.
func (s *tapeWriter) close() error {
	close(s.stop)
	<-s.done
	return s.err
}

func (s *tapeWriter) run() {
	defer close(s.done)
	defer func() { s.err = errors.Join(s.err, s.finish()) }()
	for {
		select {
		case e := <-s.queue:
			s.take(e)
		case <-s.stop:
			for {
				select {
				case e := <-s.queue:
					s.take(e)
				default:
					return
				}
			}
		}
	}
}

// finish makes the file durable.
func (s *tapeWriter) finish() error {
	return errors.Join(s.out.Flush(), s.file.Sync(), s.file.Close())
}

// take writes one line, and pushes it out when nothing else waits.
func (s *tapeWriter) take(e entry) {
	s.held.Add(-e.size)
	if s.full || s.err != nil {
		return // traffic goes on, the recording does not
	}
	if n := s.lost.Swap(0); n > 0 {
		s.append(e.at, tape.Line{Kind: tape.KindGap, Lost: n})
	}
	s.append(e.at, e.make(s.masker))
	if s.written >= s.limit || s.masker.Full() {
		s.full = true
		s.append(e.at, tape.Line{Kind: tape.KindFull})
		s.log.Warn("record: the recording is full; traffic is passed on without being recorded", "bytes", s.written)
	}
	if len(s.queue) == 0 || s.full {
		s.fail(s.out.Flush())
	}
}

func (s *tapeWriter) append(at time.Duration, l tape.Line) {
	l.At = at.Milliseconds()
	s.lines++
	s.fail(s.write(l))
}

// fail ends the recording, but not the traffic, if the file cannot be written.
func (s *tapeWriter) fail(err error) {
	if err != nil && s.err == nil {
		s.err = err
		s.log.Error("record: the recording cannot be written; traffic is passed on without being recorded", "error", err)
	}
}

func (s *tapeWriter) write(v any) error {
	b, err := tape.Append(nil, v)
	if err != nil {
		return err
	}
	n, err := s.out.Write(b)
	s.written += int64(n)
	return err
}
