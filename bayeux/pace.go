package bayeux

import (
	"math"
	"sync"
	"time"
)

// pacer lets sessions that were just sent something rest until the next beat,
// so that what comes for them meanwhile leaves together: on a busy server the
// writes are what costs. The more sessions rest the longer a beat takes, so
// that a server with little to do hardly delays anything. A session to which
// nothing went for a whole interval does not rest.
//
// All who rest are woken at once on purpose: one by one, at an even pace, each
// answer costs a third more, since a server that sleeps in between pays for
// waking up.
type pacer struct {
	// Static after construction.
	interval time.Duration // the longest beat; negative if nobody rests
	each     time.Duration // how much longer a beat takes for each who rests
	enough   int           // nobody rests for whom so many messages wait
	start    time.Time     // what times are counted from

	mu sync.Mutex
	// Guarded by mu.
	resting []*Session
	due     bool          // a beat is on its way
	beats   time.Duration // how long the next one takes
}

// A beat takes as long as ten writes to everybody who rested during the last
// one, so that writing takes a tenth of a core or so, and at least minBeat. A
// poll's answer costs ten times what a frame does, and another request; it is
// worth it when it has enough to carry.
const (
	frameEach    = 100 * time.Microsecond
	answerEach   = time.Millisecond
	answerEnough = 8
	minBeat      = time.Millisecond
)

// framePacer and answerPacer make the pacers of WebSockets and of polls, which
// count times from the same start.
func framePacer(start time.Time, interval time.Duration) *pacer {
	return &pacer{interval: interval, each: frameEach, enough: math.MaxInt, start: start, beats: min(minBeat, interval)}
}

func answerPacer(start time.Time, interval time.Duration) *pacer {
	return &pacer{interval: interval, each: answerEach, enough: answerEnough, start: start, beats: min(minBeat, interval)}
}

// pace is the pacer of sessions that poll, or of the others.
func (srv *Server) pace(polls bool) *pacer {
	if polls {
		return srv.answers
	}
	return srv.frames
}

// now is never 0, which stands for never.
func (p *pacer) now() int64 { return int64(time.Since(p.start)) + 1 }

// left notes that messages of the session are about to leave.
func (p *pacer) left(s *Session) { s.left.Store(p.now()) }

// tired says whether messages of the session left so lately that others wait.
func (p *pacer) tired(s *Session) bool {
	last := s.left.Load()
	return last > 0 && p.now()-last < int64(p.interval) && s.outbox.due() < p.enough
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
	p.beats = min(max(time.Duration(len(list))*p.each, minBeat), p.interval)
	p.mu.Unlock()
	wakeAll(list, (*Session).rouse)
}
