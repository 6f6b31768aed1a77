package bayeux

import (
	"sync"
	"time"
)

// pacer lets sessions that were just written to rest until the next beat, so
// that what comes for them meanwhile leaves in one write: on a busy server the
// writes are what costs. The more sessions rest the longer a beat takes, so
// that a server with little to do hardly delays anything. A session to which
// nothing went for a whole interval does not rest.
type pacer struct {
	// Static after construction.
	interval time.Duration // the longest beat; negative if nobody rests
	start    time.Time     // what times are counted from

	mu sync.Mutex
	// Guarded by mu.
	resting []*Session
	due     bool          // a beat is on its way
	beats   time.Duration // how long the next one takes
}

// A beat takes as long as ten writes to everybody who rested during the last
// one, so that writing takes a tenth of a core or so, and at least minBeat.
const (
	beatEach = 100 * time.Microsecond
	minBeat  = time.Millisecond
)

func newPacer(interval time.Duration) *pacer {
	return &pacer{interval: interval, start: time.Now(), beats: min(minBeat, interval)}
}

// now is never 0, which stands for never.
func (p *pacer) now() int64 { return int64(time.Since(p.start)) + 1 }

// left notes that messages of the session are about to leave.
func (p *pacer) left(s *Session) {
	if p.interval > 0 {
		s.left.Store(p.now())
	}
}

// tired says whether messages of the session left so lately that others wait.
func (p *pacer) tired(s *Session) bool {
	last := s.left.Load()
	return last > 0 && p.now()-last < int64(p.interval)
}

// rest has the session woken at the next beat.
// spec:7.3.4
func (p *pacer) rest(s *Session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.resting = append(p.resting, s)
	if !p.due {
		p.due = true
		time.AfterFunc(p.beats, p.beat)
	}
}

// beat wakes everybody who rests.
func (p *pacer) beat() {
	p.mu.Lock()
	list := p.resting
	p.resting, p.due = make([]*Session, 0, len(list)), false
	p.beats = min(max(time.Duration(len(list))*beatEach, minBeat), p.interval)
	p.mu.Unlock()
	wakeAll(list, (*Session).rouse)
}
