package chat

import "time"

// Hours say when a service takes new chats. The zero Hours are always open.
type Hours struct {
	// Zone is where Week and Closed are told; nil means UTC.
	Zone *time.Location
	// Week are the spans of every week; without any, all of it is open.
	Week []Span
	// Closed are the dates on which nothing is open.
	Closed []Date
}

// Minute is a minute of a week by the clock on the wall: 0 is Monday 00:00.
type Minute int

// WeekMinutes is how many minutes a week has on the wall.
const WeekMinutes Minute = 7 * 24 * 60

// Span is open from a minute on, up to and without another. One that ends
// before it begins goes on into the next week; one that ends where it begins
// is the whole week.
type Span struct{ From, To Minute }

// Date is a day of the calendar; the year 0 is every year.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// Open says whether new chats are taken at a moment. When the clocks are put
// back, the hour that comes twice is treated alike both times.
func (h Hours) Open(at time.Time) bool {
	zone := h.Zone
	if zone == nil {
		zone = time.UTC
	}
	at = at.In(zone)
	year, month, day := at.Date()
	for _, d := range h.Closed {
		if d.Month == month && d.Day == day && (d.Year == 0 || d.Year == year) {
			return false
		}
	}
	monday := Minute((at.Weekday() + 6) % 7)
	now := monday*24*60 + Minute(at.Hour()*60+at.Minute())
	for _, s := range h.Week {
		if s.covers(now) {
			return true
		}
	}
	return len(h.Week) == 0
}

func (s Span) covers(m Minute) bool {
	if s.From < s.To {
		return s.From <= m && m < s.To
	}
	return s.From <= m || m < s.To
}
