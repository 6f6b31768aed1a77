package chat

import "time"

// Idle control: a chat in which nothing happens is warned about and then
// closed. The times are the rules' until the first alert; from then on they
// stand in the log, so that a change of the rules does not move them.

// Idle says when a chat that has gone quiet is warned about and closed, and in
// which words.
type Idle struct {
	// Alert is how long nothing has happened when the visitor is warned; 0
	// switches idle control off.
	Alert time.Duration
	// Alert2 is how long after the first alert a second one follows; 0 means
	// that none does.
	Alert2 time.Duration
	// Close is how long after the last alert the chat ends.
	Close time.Duration
	// Minor lets typing and notices count as something that happens; otherwise
	// only what everybody in the chat can read does.
	Minor bool
	// What the visitor is told.
	AlertText, Alert2Text, CloseText string
}

// DefaultAsyncIdle is one day and one hour.
func DefaultAsyncIdle() Idle { return Idle{Alert: 24 * time.Hour, Close: time.Hour} }

// IdleWarned says that the visitor was told that the chat will end unless
// something happens.
type IdleWarned struct {
	No    int    `json:"no"`    // the house
	Stage int    `json:"stage"` // 1 or 2
	Text  string `json:"text,omitempty"`
	// Again is when the second alert follows; zero if none does.
	Again time.Time `json:"again,omitzero"`
	// Closes is when the chat ends.
	Closes time.Time `json:"closes"`
}

// IdleReset says that the time counts anew although nobody said anything:
// because a program asked for it, or because the server was restarted.
type IdleReset struct{}

// IdleClosed says that the chat ends because nothing happened in it.
type IdleClosed struct {
	No   int    `json:"no"` // the house
	Text string `json:"text,omitempty"`
}

func (IdleWarned) fact() string { return "idle-warned" }
func (IdleReset) fact() string  { return "idle-reset" }
func (IdleClosed) fact() string { return "idle-closed" }

// activity is how a fact counts in idle control.
type activity int

const (
	activityNone activity = iota
	activityMinor
	activityMajor
)

// activityOf says how a fact counts, and who is behind it; 0 if nobody is.
func activityOf(f Fact) (activity, int) {
	switch f := f.(type) {
	case Joined:
		if f.Role != RoleHouse {
			return activityMajor, f.No
		}
	case Said:
		if f.Audience == AudienceAll {
			return activityMajor, f.No
		}
	case Pushed:
		return activityMajor, f.No
	case Shared:
		return activityMajor, f.No
	case IdleReset:
		return activityMajor, 0
	case Typed:
		if !f.Expired {
			return activityMinor, f.No
		}
	case Noticed:
		return activityMinor, f.No
	}
	return activityNone, 0
}

// mark is an event that counted as activity.
type mark struct {
	index int64
	at    time.Time
}

// silence is what idle control knows of a chat.
type silence struct {
	major   mark       // the latest major activity
	any     mark       // the latest activity of either sort
	warned  IdleWarned // the latest alert
	alerted int64      // its index, 0 if there was none
}

// listen folds an event in.
func (s *State) listen(e Event) {
	if f, ok := e.Fact.(IdleWarned); ok {
		s.silence.warned, s.silence.alerted = f, e.Index
		return
	}
	n, no := activityOf(e.Fact)
	if n == activityNone || no >= 1 && no <= len(s.Participants) && s.Participants[no-1].Role == RoleHouse {
		return
	}
	s.silence.any = mark{e.Index, e.At}
	if n == activityMajor {
		s.silence.major = s.silence.any
	}
}

// idle are the rules of idle control as they hold now. It runs while an agent
// is in the chat, and in an asynchronous chat always.
func (s *State) idle() Idle {
	switch {
	case s.Phase == PhaseNone || s.Phase == PhaseEnded || !s.Visitor().Present:
		return Idle{}
	case s.Opening.Async && s.Rules.AsyncIdle.Alert <= 0:
		return DefaultAsyncIdle()
	case s.Opening.Async:
		return s.Rules.AsyncIdle
	case s.Phase == PhaseActive:
		return s.Rules.Idle
	default:
		return Idle{}
	}
}

// alert is the alert that stands, if one does.
func (s *State) alert() (w IdleWarned, stands bool) {
	r := s.idle()
	if r.Alert <= 0 || s.silence.alerted <= s.lastSign(r).index {
		return IdleWarned{}, false
	}
	return s.silence.warned, true
}

func (s *State) lastSign(r Idle) mark {
	if r.Minor {
		return s.silence.any
	}
	return s.silence.major
}

// idleDue is when idle control does something next; zero if never.
func (s *State) idleDue() time.Time {
	r := s.idle()
	if r.Alert <= 0 {
		return time.Time{}
	}
	w, stands := s.alert()
	switch {
	case !stands:
		return s.lastSign(r).at.Add(r.Alert)
	case !w.Again.IsZero():
		return w.Again
	default:
		return w.Closes
	}
}

// closing is when the chat ends if nothing happens; zero unless the visitor
// has been warned.
func (s *State) closing() time.Time {
	w, _ := s.alert()
	return w.Closes
}

// idle does what idle control has to do now, and says whether the chat ended.
func (d *decider) idle() (ended bool) {
	due := d.s.idleDue()
	if due.IsZero() || d.at.Before(due) {
		return false
	}
	r := d.s.idle()
	w, stands := d.s.alert()
	no := d.house()
	switch {
	case !stands:
		w := IdleWarned{No: no, Stage: 1, Text: r.AlertText, Closes: d.at.Add(r.Alert2 + r.Close)}
		if r.Alert2 > 0 {
			w.Again = d.at.Add(r.Alert2)
		}
		d.emit(w)
	case !w.Again.IsZero():
		d.emit(IdleWarned{No: no, Stage: 2, Text: r.Alert2Text, Closes: d.at.Add(r.Close)})
	default:
		d.emit(IdleClosed{No: no, Text: r.CloseText})
		d.finish(0, EndedIdle)
		return true
	}
	return false
}

// graceAfterRestart lets the time count anew if a server that starts would otherwise warn
// or close at once.
func (d *decider) graceAfterRestart() {
	if due := d.s.idleDue(); !due.IsZero() && due.Before(d.at.Add(d.s.Rules.GoneAfter)) {
		d.emit(IdleReset{})
	}
}
