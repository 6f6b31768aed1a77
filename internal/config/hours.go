package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // for machines that have no time zones of their own
)

// Hours are when a service takes new chats; by default always.
type Hours struct {
	// TimeZone is where the rest is told, a name such as "Europe/Berlin"; by
	// default [DefaultTimeZone].
	TimeZone string `toml:"time_zone"`
	// Weekly are spans such as "mon-fri 08:00-18:00" or "sat 22:00-02:00"; none
	// is the whole week.
	Weekly []string `toml:"weekly"`
	// Closed are dates such as "2026-12-24", or "12-25" for every year.
	Closed []string `toml:"closed"`
}

// DefaultTimeZone is where opening hours are told that do not say.
const DefaultTimeZone = "UTC"

func (h Hours) withDefaults() Hours {
	if h.TimeZone == "" {
		h.TimeZone = DefaultTimeZone
	}
	return h
}

// Zone is the time zone.
func (h Hours) Zone() (*time.Location, error) {
	z, err := time.LoadLocation(h.TimeZone)
	if err != nil {
		return nil, fmt.Errorf("%q is not a time zone, such as %q", h.TimeZone, "Europe/Berlin")
	}
	return z, nil
}

// Span is a part of every week, in minutes of it: 0 is Monday 00:00. One that
// does not end behind its beginning goes on into the next week.
type Span struct{ From, To int }

const (
	dayMinutes  = 24 * 60
	weekMinutes = 7 * dayMinutes
)

var days = []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}

var errSpan = fmt.Errorf("opening hours are written as %q, %q or %q", "mon-fri 08:00-18:00", "sat 22:00-02:00", "sun 00:00-24:00")

// ParseSpans reads one entry of [Hours.Weekly]: a span for each of its days.
func ParseSpans(s string) ([]Span, error) {
	when, clock, ok := strings.Cut(strings.ToLower(strings.TrimSpace(s)), " ")
	if !ok {
		return nil, errSpan
	}
	first, last, ok := strings.Cut(when, "-")
	if !ok {
		last = first
	}
	from, to, ok := strings.Cut(strings.TrimSpace(clock), "-")
	if !ok {
		return nil, errSpan
	}
	a, b := day(first), day(last)
	begin, ok1 := minuteOfDay(from)
	end, ok2 := minuteOfDay(to)
	if a < 0 || b < 0 || !ok1 || !ok2 || begin == end || begin == dayMinutes {
		return nil, errSpan
	}
	if end < begin {
		end += dayMinutes // into the next day
	}
	var spans []Span
	for d := a; ; d = (d + 1) % 7 {
		spans = append(spans, Span{d*dayMinutes + begin, (d*dayMinutes + end) % weekMinutes})
		if d == b {
			return spans, nil
		}
	}
}

func day(s string) int {
	for i, d := range days {
		if d == s {
			return i
		}
	}
	return -1
}

// minuteOfDay reads "08:00", up to "24:00".
func minuteOfDay(s string) (int, bool) {
	h, m, ok := strings.Cut(s, ":")
	hour, err1 := strconv.ParseUint(h, 10, 8)
	minute, err2 := strconv.ParseUint(m, 10, 8)
	n := int(hour*60 + minute)
	return n, ok && err1 == nil && err2 == nil && len(m) == 2 && minute < 60 && n <= dayMinutes
}

// Date is a day of the calendar; the year 0 is every year.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// ParseDate reads one entry of [Hours.Closed].
func ParseDate(s string) (Date, error) {
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return Date{t.Year(), t.Month(), t.Day()}, nil
	}
	// In a leap year every day exists.
	if t, err := time.Parse(time.DateOnly, "2024-"+s); err == nil {
		return Date{0, t.Month(), t.Day()}, nil
	}
	return Date{}, fmt.Errorf("a date is written as %q, or as %q for every year", "2026-12-24", "12-25")
}

func (h Hours) validate(v *validation, key string) {
	if _, err := h.Zone(); err != nil {
		v.fault(key+".time_zone", "%v", err)
	}
	for _, s := range h.Weekly {
		if _, err := ParseSpans(s); err != nil {
			v.fault(key+".weekly", "%q: %v", s, err)
		}
	}
	for _, s := range h.Closed {
		if _, err := ParseDate(s); err != nil {
			v.fault(key+".closed", "%q: %v", s, err)
		}
	}
}
