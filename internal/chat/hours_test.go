package chat

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestHours(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	const day = 24 * 60
	h := Hours{
		Zone: berlin,
		Week: []Span{
			{8 * 60, 18 * 60},                 // Monday
			{4*day + 22*60, 5*day + 2*60},     // Friday into Saturday
			{6*day + 23*60, 60},               // Sunday into Monday
			{2*day + 0, 3*day + 0},            // all of Wednesday
			{5*day + 9*60, 5*day + 9*60 + 30}, // half an hour of Saturday
		},
		Closed: []Date{{2026, time.May, 4}, {0, time.December, 25}},
	}
	for at, want := range map[string]bool{
		"2026-01-05 07:59": false, // a Monday
		"2026-01-05 08:00": true,
		"2026-01-05 17:59": true,
		"2026-01-05 18:00": false,
		"2026-01-05 00:59": true, // still Sunday's
		"2026-01-05 01:00": false,
		"2026-01-04 23:00": true,
		"2026-01-04 22:59": false,
		"2026-01-06 12:00": false, // Tuesday
		"2026-01-07 00:00": true,
		"2026-01-07 23:59": true,
		"2026-01-08 00:00": false,
		"2026-01-09 21:59": false,
		"2026-01-09 22:00": true,
		"2026-01-10 01:59": true,
		"2026-01-10 02:00": false,
		"2026-01-10 09:29": true,
		"2026-01-10 09:30": false,
		"2026-05-04 12:00": false, // closed once
		"2027-05-03 12:00": true,
		"2026-12-25 23:00": false, // closed every year, though it is a Friday
		"2030-12-25 12:00": false,
		"2026-03-30 08:00": true, // the first Monday of summer time
		"2026-10-26 08:00": true, // and of winter time
	} {
		t.Run(at, func(t *testing.T) {
			moment, err := time.ParseInLocation("2006-01-02 15:04", at, berlin)
			if err != nil {
				t.Fatal(err)
			}
			if got := h.Open(moment.UTC()); got != want {
				t.Errorf("%s: open = %v", at, got)
			}
		})
	}
	closed := Hours{Closed: []Date{{0, time.January, 1}}}
	if newYear := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC); closed.Open(newYear) || !closed.Open(newYear.Add(day*time.Minute)) {
		t.Error("without spans only the closed dates are closed")
	}
}

// A span and the one from its end to its beginning are open in turn, at every
// minute exactly one of them; and the zero Hours are always open.
func TestHoursProperties(t *testing.T) {
	minute := rapid.Custom(func(t *rapid.T) Minute { return Minute(rapid.IntRange(0, int(WeekMinutes)-1).Draw(t, "minute")) })
	rapid.Check(t, func(t *rapid.T) {
		from, to := minute.Draw(t, "from"), minute.Draw(t, "to")
		at := time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "at"), 0)
		if !(Hours{}).Open(at) {
			t.Fatal("the zero Hours are closed")
		}
		one, other := Hours{Week: []Span{{from, to}}}.Open(at), Hours{Week: []Span{{to, from}}}.Open(at)
		if from != to && one == other || from == to && !one {
			t.Fatalf("%v to %v: %v and %v", from, to, one, other)
		}
	})
}
